"""Each sweep of a published page ends in it: behind every number of its tables stands a job, and what has none is named with the reason."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.commands.plain import narrowed
from harness.core.spec import MeasureSpec
from harness.pages.against import against
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import Catalogue
from harness.plan.expand import Plan, expand
from harness.plan.reading import read_sweep
from harness.published.sources import NumberSource, from_published, rows_for
from harness.tables.catalogue import catalogue_of
from harness.tables.result import Table
from harness.tables.rows import text_of
from harness.tables.spec import TableSpec
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.conftest import ROOT
from tests.mission import ELSEWHERE, PAGES
from tests.planned_rows import planned_rows
from tests.unit.tables.frames import frame, row

SWEEPS = ("bnb", "modelopt_windows", "modelopt_h100", "modelopt_h200")
LEFT_OUT = {seed.table for seeds in PAGES.values() for seed in seeds if seed.measured_in != (seed.table,)}
"""Tables of a page that take no measured rows: configs/MISSION.md says where these stand."""


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load_catalogue(ROOT / "configs")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NumberSource]:
    folder = tmp_path_factory.mktemp("published")
    for sweep in SWEEPS:
        (folder / f"{sweep}.yaml").write_bytes((ROOT / "results" / "published" / f"{sweep}.yaml").read_bytes())
    with from_published(folder) as source:
        yield source


def planned(sweep: str, catalogue: Catalogue) -> Plan:
    return expand(read_sweep(ROOT / "configs" / "sweeps" / f"{sweep}.yaml", catalogue), catalogue, {})


def tables(sweep: str) -> list[TableSpec]:
    return read_specs(ROOT / "reports" / "tables" / f"{sweep}.tables.yaml")


def reported(spec: TableSpec, source: NumberSource) -> Table:
    return build(narrowed(spec, {"origin": ("reported",)}), rows_for(spec, source), catalogue_of(ROOT / "configs"))


@pytest.mark.parametrize("sweep", SWEEPS)
def test_behind_every_number_of_a_page_stands_a_job_of_its_sweep(
    sweep: str, shipped: Catalogue, published: NumberSource, tmp_path: Path
) -> None:
    measured = planned_rows(planned(sweep, shipped).jobs, tmp_path)
    for spec in tables(sweep):
        ours = build(spec, measured, catalogue_of(ROOT / "configs"))
        if spec.name in LEFT_OUT:
            assert not any(cell.runs for section in ours.sections for line in section.rows for cell in line), spec.name
            continue
        if spec.name in ELSEWHERE:
            assert all(cell.runs for section in ours.sections for line in section.rows for cell in line[1:]), spec.name
            continue
        beside = against(ours, reported(spec, published)).sections[0].rows
        lacking = {(line[0].text, line[1].text) for line in beside if line[2].text == "-"}
        assert lacking == set(), spec.name
        assert len(beside) > len(lacking), spec.name


def test_what_a_sweep_leaves_out_is_a_table_of_its_page_and_said_in_the_sweep() -> None:
    names = {spec.name for sweep in SWEEPS for spec in tables(sweep)}
    assert names >= LEFT_OUT
    for sweep in ("modelopt_h100", "modelopt_h200"):
        said = " ".join((ROOT / "configs" / "sweeps" / f"{sweep}.yaml").read_text("utf-8").replace("\n#", "").split())
        for word in ("mmlu", "Stable Diffusion", "training", "sparsity"):
            assert word in said.partition("title:")[0]


@pytest.mark.parametrize(
    ("sweep", "models", "batches"),
    [("modelopt_h200", {"llama31-8b", "llama31-70b"}, {1, 8, 64}), ("modelopt_h100", {"llama3-8b", "llama3-70b"}, {1, 32, 64})],
)  # fmt: skip
def test_only_the_dense_70b_takes_two_gpus(sweep: str, models: set[str], batches: set[int], shipped: Catalogue) -> None:
    jobs = [job for job in planned(sweep, shipped).jobs if job.kind == "speed" and job.labels[0].block == "speed"]
    assert {job.labels[0].model for job in jobs} == models
    assert {job.spec.workload.get("batch", 1) for job in jobs if isinstance(job.spec, MeasureSpec)} == batches
    two = {(job.labels[0].model[-3:], job.labels[0].method) for job in jobs if isinstance(job.spec, MeasureSpec)
           and job.spec.engine_options.get("tp") == 2}  # fmt: skip
    assert two in ({("70b", "bf16")}, {("70b", "fp16")})
    assert {job.other_gpu for job in jobs} == {"H200" if "h200" in sweep else "H100"}


@pytest.mark.parametrize("sweep", SWEEPS)
def test_every_job_says_why_it_cannot_run_on_a_machine_without_a_gpu(sweep: str, shipped: Catalogue) -> None:
    jobs = planned(sweep, shipped).jobs
    assert all(job.refused or job.other_gpu for job in jobs)
    reasons = {job.refused for job in jobs if job.refused}
    if sweep == "modelopt_windows" and sys.platform != "win32":
        assert "environment 'dml' is for Windows, and this machine is not" in reasons
        assert any(why.startswith("environment 'cuda' is not on this machine") for why in reasons)
    else:
        assert not reasons, "each case is for a machine of its own"


def test_measured_numbers_take_the_place_of_reported_ones_table_by_table_and_never_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "demo.tables.yaml"
    path.write_text(
        "speed: {where: {origin: [measured, reported]}, rows: [method], cells: {metric: decode_tps, format: 0}}\n", "utf-8"
    )  # fmt: skip
    (spec,) = read_specs(path)
    theirs = [
        row("decode_tps", value, method=name, origin="reported") for name, value in (("fp32", 1.0), ("int8", 2.0))
    ]
    ours = row("decode_tps", 7.0, method="int8")
    texts = [
        [[text_of(cell.text) for cell in line] for line in build(spec, frame(*given), None).sections[0].rows]
        for given in (theirs, [*theirs, ours])
    ]
    assert texts == [[["fp32", "1"], ["int8", "2"]], [["int8", "7"]]]
