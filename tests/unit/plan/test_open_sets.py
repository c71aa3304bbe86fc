"""Engines of somebody's own in a plan: their capabilities and their formats of folders are names like any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.core.folder_formats import FolderFormat
from harness.core.options import Options
from harness.core.seam import Engine
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import Catalogue
from tests.unit.plan.conftest import CATALOGUE, Planner
from tests.unit.plan.fakes import SPEED, adapters

HERE = "tests.unit.plan.test_open_sets"


def _open(*_args: object) -> object:
    raise NotImplementedError


THEIRS = Engine(
    "theirs", 1, ("theirs", "hf"), frozenset({"sings", "reports"}), Options, (), _open,  # type: ignore[arg-type]
    formats=(FolderFormat("theirs", lambda folder: (folder / "theirs.bin").is_file()),),
)  # fmt: skip
SONG = replace(SPEED, name="song", needs=(frozenset({"dances"}), frozenset({"sings"})))
EITHER = replace(
    SPEED, name="either", needs=(frozenset({"generates"}), frozenset({"reports"})),
    refuse_on=lambda workload, offers: None if "generates" in offers else "its prompts are its own",
)  # fmt: skip


def with_theirs(tmp_path: Path, more: str = "") -> Catalogue:
    known = adapters()
    known = replace(
        known,
        engines={**known.engines, "theirs": f"{HERE}:THEIRS"},
        probes={**known.probes, "song": f"{HERE}:SONG", "either": f"{HERE}:EITHER"},
    )
    folder = tmp_path / "configs"
    folder.mkdir()
    for path in CATALOGUE.glob("*.yaml"):
        text = path.read_text("utf-8")
        (folder / path.name).write_text(text + (more if path.name == "models.yaml" else ""), "utf-8")
    return load_catalogue(folder, known)


def theirs(tmp_path: Path, *files: str) -> Path:
    folder = tmp_path / "their-model"
    folder.mkdir()
    for name in files:
        (folder / name).write_text("{}", "utf-8")
    return folder


def ready(folder: Path, form: str = "") -> str:
    said = f", format: {form}" if form else ""
    return f"\nnet: {{ready: {{path: {folder}, method: awq, of: tiny{said}}}}}\n"


def test_a_capability_that_only_others_know_plans(plan: Planner, models: Path, tmp_path: Path) -> None:
    known = with_theirs(tmp_path)
    made = plan("model: tiny\nmethod: dense\nengine: theirs\nprobes: song\n", catalogue=known)
    assert [job.refused for job in made.jobs if job.kind == "speed"] == [None]
    with pytest.raises(ConfigError, match="needs an engine that offers 'dances' or offers 'sings'; 'torch' does not"):
        plan("model: tiny\nmethod: dense\nengine: torch\nprobes: song\n", catalogue=known)


def test_a_workload_that_one_of_the_ways_cannot_do_is_refused_with_its_reason(
    plan: Planner, models: Path, tmp_path: Path
) -> None:
    made = plan(
        "model: tiny\nmethod: dense\nengine: [torch, theirs]\nprobes: either\n", catalogue=with_theirs(tmp_path)
    )
    assert {job.spec.engine: job.refused for job in made.jobs if job.kind == "speed"} == {
        "torch": None, "theirs": "its prompts are its own",
    }  # fmt: skip


def test_a_folder_in_a_format_of_ones_own_is_a_ready_artifact(plan: Planner, models: Path, tmp_path: Path) -> None:
    known = with_theirs(tmp_path, ready(theirs(tmp_path, "theirs.bin")))
    made = plan("model: net\nmethod: awq\nengine: theirs\nprobes: song\n", catalogue=known)
    assert [job.refused for job in made.jobs if job.kind == "speed"] == [None]
    with pytest.raises(ConfigError, match="'net' is a ready artifact of format theirs, and engine 'runtime' takes"):
        plan("model: net\nmethod: awq\nengine: runtime\nprobes: perplexity\n", catalogue=known)


def test_a_folder_that_two_formats_claim_is_told_until_the_catalogue_says_which(
    plan: Planner, models: Path, tmp_path: Path
) -> None:
    folder = theirs(tmp_path, "theirs.bin", "config.json", "model.safetensors", "tokenizer.json")
    text = "model: net\nmethod: awq\nengine: theirs\nprobes: song\n"
    with pytest.raises(ConfigError, match=r"looks like hf and like theirs: say which with `format`"):
        plan(text, catalogue=with_theirs(tmp_path, ready(folder)))
    (tmp_path / "configs").rename(tmp_path / "before")
    made = plan(text, catalogue=with_theirs(tmp_path, ready(folder, "theirs")))
    assert [job.refused for job in made.jobs if job.kind == "speed"] == [None]


def test_a_format_that_no_adapter_knows_is_a_slip(models: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown format 'their'; did you mean 'theirs'\?"):
        with_theirs(tmp_path, ready(theirs(tmp_path, "theirs.bin"), "their"))
