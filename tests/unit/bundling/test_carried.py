"""What travels of a sweep: models from wherever they lie, packages, scripts, texts; and what cannot, told all at once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from harness.bundling.freezing import Frozen, freeze
from harness.bundling.records import VARIABLE
from harness.commands.machine import plan_sweep
from harness.commands.workspace import read_workspace
from harness.core.errors import HarnessError
from harness.hub_data import kept
from harness.plan.model_folders import hub_folder
from harness.texts import HUB_TEXTS
from tests.fake_machine import METHODS, Bench

COMMIT = "5" * 40
PROBES = {"perplexity": {"window": 64, "stride": 32, "tokens": 256, "text": "mine"}}


def frozen(bench: Bench, **keys: object) -> Frozen:
    bench.sweep(**{"method": "fp32", "probes": PROBES, **keys})
    return freeze([plan_sweep("s", read_workspace(bench.configs.parent))], by_block=False)


def entry(found: Frozen, what: str, name: str) -> dict[str, object]:
    text = found.files[f"harness/shipped/configs/{what}.yaml"]
    assert isinstance(text, bytes)
    read: dict[str, object] = json.loads(text)[name]
    return read


def snapshot(bench: Bench, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the toy model into a hub cache as the hub's library does: links to blobs."""
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    folder, blobs = cache / "models--somebody--toy" / "snapshots" / COMMIT, cache / "models--somebody--toy" / "blobs"
    folder.mkdir(parents=True)
    blobs.mkdir()
    for path in (bench.configs.parent / "model").iterdir():
        blob = blobs / hashlib.sha256(path.read_bytes()).hexdigest()
        blob.write_bytes(path.read_bytes())
        (folder / path.name).symlink_to(blob)
    return folder


def test_a_model_of_the_hub_travels_as_its_files_and_stays_one_of_the_hub(
    theirs: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = snapshot(theirs, tmp_path / "hub", monkeypatch)
    (theirs.configs / "models.yaml").write_text(
        yaml.safe_dump({"toy": {"hub": "somebody/toy", "revision": COMMIT}}), "utf-8"
    )
    found = frozen(theirs)
    assert {place for place in found.files if place.startswith("models/")} == {
        f"models/toy/{path.name}" for path in folder.iterdir()
    }
    assert found.folders == {"toy": "models/toy"}
    assert entry(found, "models", "toy") == {"hub": "somebody/toy", "revision": COMMIT}


def test_a_folder_and_a_ready_artifact_travel_without_their_places(theirs: Bench, tmp_path: Path) -> None:
    model = theirs.configs.parent / "model"
    (model / "README.md").write_text("counts for nothing", "utf-8")
    models = {
        "toy": {"folder": str(model), "title": "Toy"},
        "made": {"ready": {"path": str(model), "method": "int8", "of": "toy", "format": "hf"}},
    }
    (theirs.configs / "models.yaml").write_text(yaml.safe_dump(models), "utf-8")
    found = frozen(theirs)
    assert entry(found, "models", "toy") == {"folder": "models/toy", "title": "Toy"}
    assert "models/toy/model.safetensors" in found.files
    assert "models/toy/README.md" not in found.files
    assert len(found.said) > 3
    assert not [place for place, text in found.said.items() if str(tmp_path) in text]


def test_files_of_the_hub_that_are_no_model_are_found_once_they_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--some--files" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    assert hub_folder("some/files", COMMIT, files=True) is None
    (folder / "a.bin").write_text("x", "utf-8")
    assert hub_folder("some/files", COMMIT, files=True) == folder
    assert hub_folder("some/files", COMMIT) is None


@pytest.mark.parametrize("form", [{}, {"format": "files"}])
def test_a_folder_of_any_files_travels_whole(theirs: Bench, form: dict[str, str]) -> None:
    folder = theirs.configs.parent / "any"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.bin").write_text("x", "utf-8")
    models = {"net": {"ready": {"path": str(folder), "method": "int8", **form}}}
    (theirs.configs / "models.yaml").write_text(yaml.safe_dump(models), "utf-8")
    probes = {"command": {"run": "x {out}", "read": "lm-eval"}}
    found = frozen(theirs, model="net", method="int8", engine="program", probes=probes)
    assert [place for place in found.files if place.startswith("models/")] == ["models/net/deep/a.bin"]
    assert found.problems == []


def test_a_package_with_a_gguf_travels_as_its_wheel_and_a_file_under_a_name_that_the_machine_fills_in(
    theirs: Bench, tmp_path: Path
) -> None:
    kept_wheel = tmp_path / "results" / "cache" / "packages" / "some-model==1.0" / "some_model-1.0-py3-none-any.whl"
    kept_wheel.parent.mkdir(parents=True)
    kept_wheel.write_bytes(b"a wheel")
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    models = {
        "package": {"gguf": {"package": "some-model==1.0"}},
        "file": {"gguf": {"path": str(tmp_path / "mine.gguf")}},
    }
    (theirs.configs / "models.yaml").write_text(yaml.safe_dump(models), "utf-8")
    found = frozen(theirs, model=["package", "file"])
    assert found.files["cache/packages/some-model==1.0/some_model-1.0-py3-none-any.whl"] == kept_wheel
    assert found.files["models/file/mine.gguf"] == tmp_path / "mine.gguf"
    assert entry(found, "models", "file") == {"gguf": {"path": f"${VARIABLE}/models/file/mine.gguf"}}


def test_a_script_of_a_recipe_travels_where_the_recipe_finds_it_and_entries_of_other_things_stay(
    theirs: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(theirs.configs.parent)
    script = theirs.configs.parent / "tools" / "quantize.py"
    script.parent.mkdir()
    script.write_text("print('quantizing')\n", "utf-8")
    recipe = {
        "command": {
            "run": "python tools/quantize.py {base} {out}",
            "produces": "fake",
            "consumes": "fake",
            "on": "fp32",
        }
    }
    theirs.methods({**METHODS, "scripted": {"recipes": recipe}})
    found = frozen(theirs, method="scripted")
    assert isinstance(source := found.files["workspace/tools/quantize.py"], Path)
    assert source.resolve() == script
    assert isinstance(text := found.files["harness/shipped/configs/methods.yaml"], bytes)
    assert set(json.loads(text)) == {"scripted", "fp32"}, "the method, and what it starts from"


def test_all_that_cannot_travel_is_told_at_once(theirs: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    (theirs.configs / "models.yaml").write_text(
        yaml.safe_dump({"toy": {"hub": "somebody/toy", "revision": COMMIT}}), "utf-8"
    )
    probes = {**PROBES, "perplexity": {**PROBES["perplexity"], "text": "wikitext-2"}, "lm_eval": {"task": "hellaswag"}}
    with pytest.raises(HarnessError) as told:
        frozen(theirs, probes=probes)
    assert str(told.value).splitlines() == [
        f"model 'toy' is not in the local hub cache: hf download somebody/toy --revision {COMMIT}; or harness fetch",
        "lm-eval task hellaswag fetches rows of its own, which a bundle cannot carry",
        "wikitext-2 is not on this machine; harness fetch gets it",
    ]
    assert hub_folder("somebody/toy", COMMIT) is None


def test_what_the_hubs_libraries_keep_of_a_data_set_travels(
    theirs: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "rows"))
    for folder in kept(HUB_TEXTS["wikitext-2"].path):
        folder.mkdir(parents=True)
        (folder / "slice").write_bytes(b"rows")
    found = frozen(theirs, probes={"perplexity": {**PROBES["perplexity"], "text": "wikitext-2"}})
    places = {place for place in found.files if place.startswith("hf/")}
    assert places == {"hf/hub/datasets--Salesforce--wikitext/part", "hf/datasets/Salesforce___wikitext/part"}
