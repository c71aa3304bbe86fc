"""Every sweep that ships against the tables that it names: what it measures has a row there, and decoding on a GPU its memory bound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from harness.core.registry import load
from harness.core.spec import MeasureSpec
from harness.engines import ENGINES
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import Catalogue
from harness.plan.expand import Plan, expand
from harness.plan.reading import read_sweep
from harness.probes.generation import PROBE
from harness.tables.catalogue import catalogue_of
from harness.tables.spec import TableSpec
from harness.tables.specfile import read_specs
from tests.conftest import ROOT
from tests.planned_rows import metrics_of, planned_rows, shows

SWEEPS = sorted(path.stem for path in (ROOT / "configs" / "sweeps").glob("*.yaml"))
OF_PAGES = {"bnb", "modelopt_windows", "modelopt_h100", "modelopt_h200"}
"""Sweeps whose tables have the columns of a published page."""


@cache
def shipped() -> Catalogue:
    return load_catalogue(ROOT / "configs")


@cache
def planned(sweep: str) -> Plan:
    return expand(read_sweep(ROOT / "configs" / "sweeps" / f"{sweep}.yaml", shipped()), shipped(), {})


def tables(plan: Plan) -> list[TableSpec]:
    return [spec for name in plan.tables for spec in read_specs(ROOT / "reports" / "tables" / f"{name}.tables.yaml")]


@pytest.fixture(scope="module", autouse=True)
def questions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Name a folder of questions, without which the sweep of MMLU is not planned."""
    folder = tmp_path_factory.mktemp("mmlu")
    for part in ("dev", "test"):
        (folder / part).mkdir()
        (folder / part / f"anatomy_{part}.csv").write_text("What?,a,b,c,d,A\n" * 5, "utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MMLU_FOLDER", str(folder))
        yield


@pytest.mark.parametrize("sweep", SWEEPS)
def test_whatever_a_sweep_measures_stands_in_a_table_that_it_names(sweep: str, tmp_path: Path) -> None:
    """As far as its tables have a column for it; those of reported numbers alone are left out."""
    plan, catalogue = planned(sweep), catalogue_of(ROOT / "configs")
    rows = planned_rows(plan.jobs, tmp_path)
    measured = {row.text("metric") for row in rows}
    named = [spec for spec in tables(plan) if spec.where.get("origin") != ("reported",)]
    wanted = {name for spec in named for name in metrics_of(spec)} & measured
    assert wanted, "a sweep names its tables"
    assert wanted <= {name for spec in named if shows(spec, rows, catalogue) for name in metrics_of(spec)}


@pytest.mark.parametrize("sweep", [name for name in SWEEPS if name not in OF_PAGES])
def test_decoding_on_a_gpu_stands_beside_its_memory_bound_wherever_an_engine_can_tell_it(sweep: str) -> None:
    plan = planned(sweep)
    specs = [job.spec for job in plan.jobs if isinstance(job.spec, MeasureSpec) and job.provider != "cpu"]
    timed = [spec for spec in specs if spec.probe == PROBE.name and can_tell(spec)]
    assert [spec for spec in timed if not spec.workload.get("bandwidth")] == []
    if timed:
        decoding = [spec for spec in tables(plan) if "decode_tps" in metrics_of(spec)]
        assert decoding
        assert [spec.name for spec in decoding if "bandwidth_share" not in metrics_of(spec)] == []


def can_tell(spec: MeasureSpec) -> bool:
    asked = PROBE.workload.model_validate({**spec.workload, "bandwidth": True})
    return PROBE.refuse_on(asked, load(ENGINES, "engine", spec.engine).offers) is None


def test_the_documented_bundle_has_every_gpu_sweep_that_needs_no_hub() -> None:
    (words,) = re.findall(
        r"^    harness bundle (.*) --to", (ROOT / "configs" / "MACHINES.md").read_text("utf-8"), re.MULTILINE
    )
    of_gpus = {name: planned(name).jobs for name in SWEEPS if any(job.provider != "cpu" for job in planned(name).jobs)}
    models = {name: {label.model for job in jobs for label in job.labels} for name, jobs in of_gpus.items()}
    assert set(words.split()) == {name for name, named in models.items() if not any(map(needs_hub, named))}


def needs_hub(model: str) -> bool:
    entry = shipped().models[model].entry
    return bool(entry.hub or (entry.ready and entry.ready.hub))
