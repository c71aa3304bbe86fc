"""Broken models in real engines: the job fails with the file and the remedy, and what does not need the model goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.reference import model_folder
from tests.fake_machine import Bench, Say

METHODS = {
    "plain": {"recipes": {"source": {"dtype": "float32"}, "fake": {}}},
    "exported": {"recipes": {"ort-genai": {"precision": "fp32"}}},
}
FOR_SCORES = {"perplexity": {"window": 64, "stride": 64, "tokens": 128, "text": "reference"}}
QUICK = {"generation": {"prompt": 8, "output": 4, "warmup": 0, "repetitions": 1}}


def _box(bench: Bench, models: dict[str, Any], cases: list[dict[str, Any]], probes: dict[str, Any]) -> None:
    bench._write("models.yaml", models)
    bench.methods(METHODS)
    bench.sweep(cases=cases, probes=probes, model=list(models), method="plain")


def _reference(folder: Path) -> Path:
    shutil.copytree(model_folder(), folder)
    return folder


@pytest.mark.slow
def test_a_cut_safetensors_file_fails_its_builds_and_measurements_and_nothing_else(
    bench: Bench, say: Say, tmp_path: Path
) -> None:
    folder = _reference(tmp_path / "cut")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    cases = [{"engine": "transformers"}, {"engine": "ort-genai", "method": "exported"}, {"engine": "fake"}]
    _box(bench, {"cut": {"folder": str(folder)}}, cases, QUICK)
    said = say(bench, "run", "s")
    found = bench.statuses()
    assert said.code == 1
    status, reason = found["cut plain transformers generation"]
    assert status == "failed"
    assert reason.startswith(f"{weights} is damaged or incomplete")
    assert reason.endswith("copy or build the model again")
    status, reason = found["cut exported build"]
    assert status == "failed"
    assert reason.startswith(f"{weights} is a corrupt safetensors file")
    assert reason.endswith("download or build it again")
    assert found["cut exported ort-genai generation"][0] == "failed"
    assert found["cut plain fake generation"][0] == "ok"


def test_weights_that_are_no_numbers_are_named_and_give_no_perplexity(bench: Bench, say: Say, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = _reference(tmp_path / "nan")
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if "norm" in name)
    tensors[name] = tensors[name] * float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _box(bench, {"nan": {"folder": str(folder)}}, [{"engine": "transformers"}, {"engine": "fake"}], FOR_SCORES)
    said = say(bench, "run", "s")
    assert said.code == 1
    status, reason = bench.statuses()["nan plain transformers perplexity"]
    assert status == "unsupported"
    assert reason.startswith(f"{name} in model.safetensors holds")
    assert "values that are NaN or infinite" in reason
    assert reason in bench.statuses()["nan plain fake perplexity"][1]
    assert bench.frame({"metric": "perplexity"}).empty


def _ready(folder: Path, without: str) -> Path:
    folder.mkdir()
    shutil.copy(model_folder() / "tokenizer.json", folder)
    decoder = {"filename": "model.onnx", "num_hidden_layers": 1, "inputs": {}, "outputs": {}}
    config = {"model": {"decoder": decoder, "context_length": 256, "vocab_size": 1024, "type": "llama"}}
    (folder / "genai_config.json").write_text(json.dumps(config), "utf-8")
    (folder / "model.onnx").write_bytes(b"\x08\x09 this is no graph" * 50)
    if without:
        (folder / without).unlink()
    return folder


@pytest.mark.slow
def test_broken_onnx_artifacts_are_named_with_file_and_remedy(bench: Bench, say: Say, tmp_path: Path) -> None:
    flaws = {
        "corrupt": ("", "model.onnx cannot be opened by onnxruntime"),
        "no_graph": ("model.onnx", "model.onnx is missing; delete the artifact and build it again"),
        "no_tokenizer": (
            "tokenizer.json",
            "tokenizer.json is missing; save the model's fast tokenizer into the folder",
        ),
    }
    models: dict[str, Any] = {"toy": {"folder": str(tmp_path / "model")}}
    for name, (without, _) in flaws.items():
        folder = _ready(tmp_path / name, without)
        models[name] = {"ready": {"path": str(folder), "method": name, "of": "toy"}}
    cases: list[dict[str, Any]] = [{"engine": "ort-genai", "model": list(flaws)}, {"engine": "fake", "model": "toy"}]
    _box(bench, models, cases, {"perplexity": {**FOR_SCORES["perplexity"], "text": str(bench.text)}})
    bench.methods(METHODS | dict.fromkeys(flaws, METHODS["exported"]))
    assert say(bench, "run", "s").code == 1
    for name, (_, told) in flaws.items():
        status, reason = bench.statuses()[f"toy {name} ort-genai perplexity"]
        assert status == "failed"
        assert reason.startswith(f"{tmp_path / name}/{told}")
    assert "build it again" in bench.statuses()["toy corrupt ort-genai perplexity"][1]
    assert bench.statuses()["toy plain fake perplexity"][0] == "ok"
