"""What work needs of its environment: told by what is installed, or by the pins of an environment that is not here, with what to do."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.core.seam import Facts
from harness.core.spec import MeasureSpec
from harness.engines.tensorrt_accuracy import ENVIRONMENT, LEAST, refuse_versions
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import Catalogue
from harness.plan.expand import expand
from harness.plan.reading import read_sweep
from harness.plan.requirements import unmet
from harness.probes.command import CommandWorkload
from tests.conftest import ROOT

PLACES = {"old": {"packages": ["Their.Bench==1.2.1"]}, "new": {"packages": ["their-bench==1.3.0rc11", "more==2.0"]}}
NEEDS = ("their-bench>=1.3.0rc11", "more>=2")


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    for name, content in (("environments", PLACES), ("models", {}), ("methods", {})):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(content), "utf-8")
    return load_catalogue([ROOT / "configs", tmp_path])


@pytest.mark.parametrize(("environment", "packages", "told"), [
    ("old", None, "environment 'old' has their-bench 1.2.1, and the command needs their-bench>=1.3.0rc11: take environment new, which `harness setup --env new` makes"),
    ("new", None, None), ("cpu", None, None), ("unknown", None, None),
    ("cpu", {"their_bench": "1.3.0rc11", "more": "2.1"}, None), ("cpu", {"their_bench": "1.3.0@abc", "more": "2.1"}, None),
    ("cpu", {"their_bench": "1.3.0rc10", "more": "2.1"}, "environment 'cpu' has their-bench 1.3.0rc10"),
    ("cpu", {"their_bench": "1.4"}, "environment 'cpu' lacks more, and the command needs more>=2: take environment new"),
])  # fmt: skip
def test_what_is_installed_or_pinned_is_held_against_what_is_needed(
    environment: str, packages: Mapping[str, str] | None, told: str | None, catalogue: Catalogue
) -> None:
    facts = None if packages is None else Facts(packages, "Linux")
    found = unmet(NEEDS, environment, facts, catalogue)
    assert found is None if told is None else str(found).startswith(told)


def test_where_no_environment_has_it_the_command_that_installs_it_is_told(catalogue: Catalogue) -> None:
    found = unmet(("nobody-has>=3",), "cpu", Facts({}, "Linux"), catalogue)
    assert str(found).endswith("lacks nobody-has, and the command needs nobody-has>=3: run there `python -m pip install 'nobody-has>=3'`")  # fmt: skip
    assert unmet((), "cpu", Facts({}, "Linux"), catalogue) is None


def test_a_plan_says_it_before_it_says_that_the_environment_is_not_here(tmp_path: Path, catalogue: Catalogue) -> None:
    work = {"run": "python -m theirs {artifact} {out}", "read": {"decode_tps": "tps"}, "requires": list(NEEDS)}
    sweep = {"model": "reference", "method": "dense", "engine": "program", "probes": {"command": work}}
    refused = {}
    for place in ("old", "new"):
        (tmp_path / "sweep.yaml").write_text(json.dumps({**sweep, "environment": place}), "utf-8")
        plan = expand(read_sweep(tmp_path / "sweep.yaml", catalogue), catalogue, {})
        (refused[place],) = {str(job.refused) for job in plan.jobs if job.kind == "speed"}
    assert "take environment new" in refused["old"]
    assert refused["new"] == "environment 'new' is not on this machine: harness setup --env new"


def test_a_result_of_a_command_stands_on_what_the_command_needs(tmp_path: Path, catalogue: Catalogue) -> None:
    work = {"run": "python -m theirs {artifact} {out}", "read": {"decode_tps": "tps"}, "requires": list(NEEDS)}
    sweep = {"model": "reference", "method": "dense", "engine": "program", "environment": "cpu", "probes": {"command": work}}  # fmt: skip
    (tmp_path / "sweep.yaml").write_text(json.dumps(sweep), "utf-8")
    there = Facts({"their-bench": "1.4", "more": "2.1", "beside": "1"}, "Linux")
    plan = expand(read_sweep(tmp_path / "sweep.yaml", catalogue), catalogue, {"cpu": there})
    (known,) = (job.known_by for job in plan.jobs if job.kind == "speed" and job.round == 0)
    assert known["packages"] == {"more": "2.1", "their-bench": "1.4"}


@pytest.mark.parametrize("sweep", ["modelopt_h100", "modelopt_h200"])
def test_the_environment_of_lm_evals_backend_on_tensorrt_llm_passes_its_own_check(sweep: str) -> None:
    shipped = load_catalogue(ROOT / "configs")
    plan = expand(read_sweep(ROOT / "configs" / "sweeps" / f"{sweep}.yaml", shipped), shipped, {})
    scored = [(job, job.spec) for job in plan.jobs if isinstance(job.spec, MeasureSpec) and job.spec.probe == "command"]
    assert {job.environment for job, _ in scored} == {ENVIRONMENT}
    pins = dict(pin.split("==") for pin in shipped.environments[ENVIRONMENT].packages)
    refuse_versions(pins)
    for _, spec in scored:
        assert set(spec.workload["requires"]) == {f"{name}>={least}" for name, least in LEAST.items()}
        assert unmet(spec.workload["requires"], ENVIRONMENT, None, shipped) is None
        assert f"take environment {ENVIRONMENT}" in str(unmet(spec.workload["requires"], "trtllm", None, shipped))
    assert {job.environment for job in plan.jobs if job.kind == "build"} == {"trtllm"}, "one checkpoint for both"


def test_what_a_lock_file_pins_counts_and_what_is_for_another_system_does_not(catalogue: Catalogue) -> None:
    found = str(unmet(("lm-eval>=0.4.13",), "torch-cuda", Facts({}, "Linux"), catalogue))
    assert "take environment cpu" in found
    other = str(unmet(("onnxruntime-genai-directml>=0.1",), "cpu", Facts({}, "Linux"), catalogue))
    assert ("take environment dml" in other) == (platform.system() == "Windows")


@pytest.mark.parametrize("one", ["lm-eval>=0.4.*", "lm-eval>=0.4.x", "lm-eval==main", "two words"])
def test_what_pip_does_not_read_is_told_where_it_is_written(one: str) -> None:
    with pytest.raises(ValueError, match="is no package with its versions"):
        CommandWorkload.model_validate({"run": "x {artifact} {out}", "read": {"decode_tps": "tps"}, "requires": [one]})


def test_environments_that_stand_on_each_other_end_no_plan(tmp_path: Path) -> None:
    circle = {"a": {"on": "b", "packages": ["x==1"]}, "b": {"on": "a", "packages": ["y==1"]}}
    for name, content in (("environments", circle), ("models", {}), ("methods", {})):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(content), "utf-8")
    catalogue = load_catalogue([ROOT / "configs", tmp_path])
    assert "take environment a" in str(unmet(("x>=1", "y>=1"), "cpu", Facts({}, "Linux"), catalogue))
    assert "pip install" in str(unmet(("z>=1",), "cpu", Facts({}, "Linux"), catalogue))
