"""Models of the hub: which a sweep lacks on this machine, and how they are fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.seam import Facts
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import Catalogue
from harness.plan.hub import Absent, absent_models, fetch_models
from harness.plan.reading import read_sweep
from tests.conftest import ROOT
from tests.unit.plan.conftest import model_folder

CONFIGS = ROOT / "configs"
REVISION = "7ae557604adf67be50417f59c2c2f167def9a775"
GPU = Facts({"onnxruntime-genai-cuda": "0.15.2", "onnxruntime-gpu": "1.31.1", "torch": "2.13.0", "transformers": "4.57.6"},
            "Linux", ("NVIDIA H200",), 1 << 37)  # fmt: skip
NAMES = ["smollm2-360m-it", "qwen25-0.5b-it", "qwen25-1.5b-it"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return tmp_path / "hub"


@pytest.fixture
def shipped() -> Catalogue:
    return load_catalogue(CONFIGS)


def absent(path: Path, shipped: Catalogue, here: dict[str, Facts] | None = None) -> list[str]:
    return [model.name for model in absent_models(read_sweep(path, shipped), shipped, here)]


def written(folder: Path, text: str) -> Path:
    path = folder / "given.yaml"
    path.write_text(text + "method: fp16\nprobes: {generation: }\n", encoding="utf-8")
    return path


def test_a_sweep_lacks_what_is_not_in_the_cache_or_not_whole_there(cache: Path, shipped: Catalogue) -> None:
    gpu = CONFIGS / "sweeps" / "gpu.yaml"
    assert absent(gpu, shipped) == absent(gpu, shipped, {"cuda": GPU}) == NAMES
    folder = model_folder(cache / "models--Qwen--Qwen2.5-0.5B-Instruct" / "snapshots" / REVISION)
    assert absent(gpu, shipped) == ["smollm2-360m-it", "qwen25-1.5b-it"]
    (folder / "model.safetensors").unlink()
    assert absent(gpu, shipped) == NAMES
    assert absent(CONFIGS / "sweeps" / "quickstart.yaml", shipped) == []


def test_models_that_nothing_on_this_box_could_read_are_not_wanted(
    cache: Path, shipped: Catalogue, tmp_path: Path
) -> None:
    engine = "engine: {ort-genai: {provider: cuda}}\nmodel: qwen25-0.5b-it\nenvironment: cuda\n"
    plain = written(tmp_path, engine)
    assert absent(plain, shipped, {"cuda": GPU}) == ["qwen25-0.5b-it"]
    assert absent(plain, shipped, {"cpu": GPU}) == [], "its environment is not here"
    assert absent(plain, shipped, {"cuda": Facts(GPU.packages, "Linux")}) == [], "the engine refuses: no GPU"
    other = written(tmp_path, engine + "on: {gpu: T4}\n")
    assert absent(other, shipped, {"cuda": GPU}) == [], "it belongs to another box"


def test_models_are_fetched_one_by_one_and_a_failure_is_told(cache: Path) -> None:
    said: list[str] = []
    asked: list[str] = []

    def download(model: Absent) -> None:
        asked.append(model.name)
        if model.name == "gone":
            raise OSError("no such host\nand more")

    models = [Absent("gone", "a/gone", None, gated=False), Absent("closed", "a/closed", None, gated=True),
              Absent("good", "a/good", REVISION, gated=False)]  # fmt: skip
    assert fetch_models(models, said.append, download) >= 0
    assert asked == ["gone", "good"]
    assert said == [
        "model gone: a/gone cannot be fetched: no such host",
        "model closed: a/closed asks for an agreement first and is not fetched",
    ]


def test_offline_nothing_is_asked_of_the_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said: list[str] = []
    fetch_models([Absent("good", "a/good", None, gated=False)], said.append)
    assert said == []


def test_the_revision_and_the_files_of_a_model_alone_are_fetched(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    class File:
        def __init__(self, name: str, size: int) -> None:
            self.rfilename, self.size = name, size

    class Info:
        siblings = (File("model.safetensors", 10**9), File("config.json", 10), File("pytorch_model.bin", 10**10))

    asked: list[tuple[str, dict[str, Any]]] = []

    class Api:
        def model_info(self, hub: str, **given: Any) -> Info:
            asked.append((hub, given))
            return Info()

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda hub, **given: asked.append((hub, given)))
    said: list[str] = []
    fetch_models([Absent("good", "a/good", REVISION, gated=False)], said.append)
    assert said == ["model good: fetching a/good (1.00 GB) into the local hub cache"]
    assert [(hub, given["revision"]) for hub, given in asked] == [("a/good", REVISION)] * 2
    assert "*.bin" not in asked[1][1]["allow_patterns"]
