from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.quantizers.artifact_check import check_folder
from harness.quantizers.folders import model_contents


@pytest.fixture
def model(byte_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(byte_model, tmp_path / "model"))


@pytest.fixture
def artifact(fp32_export: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fp32_export, tmp_path / "artifact"))


def test_readmes_and_hidden_folders_do_not_change_a_models_content(model: Path) -> None:
    before = model_contents(model)
    (model / "README.md").write_text("# A model")
    (model / ".cache").mkdir()
    (model / ".cache" / "x.bin").write_bytes(b"x")
    assert model_contents(model) == before
    (model / "config.json").write_text((model / "config.json").read_text() + " ")
    assert model_contents(model) != before


def test_a_missing_model_folder_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="nowhere"):
        model_contents(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), r"config\.json is missing"),
        (lambda folder: (folder / "config.json").write_text("{"), "not valid JSON"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"abc"), "corrupt safetensors"),
        (lambda folder: _cut(folder / "model.safetensors", 100), "corrupt safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 64), "corrupt safetensors"),
        (lambda folder: (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "b.safetensors"}}'),
         "b.safetensors is missing"),
        (shutil.rmtree, "does not exist"),
    ],
)  # fmt: skip
def test_a_broken_model_folder_is_named_with_the_file(model: Path, spoil: object, message: str) -> None:
    check_folder(model, "hf")
    spoil(model)  # type: ignore[operator]
    with pytest.raises(HarnessError, match=message):
        check_folder(model, "hf")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "genai_config.json").unlink(), r"genai_config\.json is missing"),
        (lambda folder: (folder / "genai_config.json").write_text("{}"), "names no decoder file"),
        (lambda folder: (folder / "tokenizer.json").unlink(), r"tokenizer\.json is missing"),
        (lambda folder: (folder / "model.onnx").unlink(), "missing or empty"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"this is no graph"), "not a readable ONNX file"),
        (lambda folder: _cut(folder / "model.onnx", 10), "not a readable ONNX file"),
        (lambda folder: (folder / "model.onnx.data").unlink(), r"model\.onnx\.data is missing"),
        (lambda folder: _cut(folder / "model.onnx.data", 1000), "truncated"),
    ],
)
def test_a_broken_artifact_is_named_with_the_file(artifact: Path, spoil: object, message: str) -> None:
    check_folder(artifact, "ort-genai")
    spoil(artifact)  # type: ignore[operator]
    with pytest.raises(HarnessError, match=message):
        check_folder(artifact, "ort-genai")


def _cut(path: Path, size: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-size])
