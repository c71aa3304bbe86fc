"""What is wrong with a model's folder, at its borders."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from harness.core.model_flaws import flaw, unknown_code
from harness.core.model_record import record_of


def folder(path: Path, tensors: dict[str, tuple[str, list[int]]], **files: object) -> Path:
    """Headers of tensors without their bytes, and JSON files beside them."""
    entries = {name: {"dtype": kind, "shape": shape, "data_offsets": [0, 0]} for name, (kind, shape) in tensors.items()}
    header = json.dumps(entries).encode()
    (path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    for name, value in files.items():
        (path / f"{name}.json").write_text(json.dumps(value), "utf-8")
    return path


def added(*tokens: tuple[int, str]) -> dict[str, Any]:
    return {"added_tokens": [{"id": number, "content": text} for number, text in tokens]}


EMBEDDING = {"model.embed_tokens.weight": ("F32", [10, 4])}


@pytest.mark.parametrize(("tensors", "tokens", "padding", "beyond"), [
    (EMBEDDING, added((9, "<a>")), None, ""), (EMBEDDING, added((10, "<a>")), None, "the token '<a>' with id 10, and the embedding has 10 rows"),
    (EMBEDDING, added((3, "<x>"), (11, "<b>"), (12, "<c>")), None, "the token '<b>' with id 11"), (EMBEDDING, added((10, "<pad>")), "<pad>", ""),
    (EMBEDDING, added((10, "<pad>")), {"content": "<pad>"}, ""), (EMBEDDING, added((10, "<a>")), {"content": "<pad>"}, "the token '<a>'"),
    ({"transformer.wte.weight": ("F32", [8, 4])}, added((8, "<a>")), None, "has 8 rows"), ({"x.embed_tokens.weight": ("F32", [8])}, added((8, "<a>")), None, ""),
    ({}, added((12, "<a>")), None, "has 12 rows"), ({}, added((11, "<a>")), None, ""), (EMBEDDING, {"added_tokens": None}, None, ""),
])  # fmt: skip
def test_a_token_beyond_the_embedding_is_told_but_one_that_only_pads(
    tmp_path: Path, tensors: dict[str, tuple[str, list[int]]], tokens: dict[str, Any], padding: object, beyond: str
) -> None:
    made = folder(tmp_path, tensors, tokenizer=tokens, tokenizer_config={"pad_token": padding})
    found = flaw(made, record_of({"vocab_size": 12})) or ""
    assert beyond in found
    assert bool(found) == bool(beyond)


def test_without_a_size_or_a_tokenizer_nothing_is_told(tmp_path: Path) -> None:
    assert flaw(folder(tmp_path, {}, tokenizer=added((99, "<a>"))), record_of({})) is None
    (tmp_path / "tokenizer.json").write_text("[", "utf-8")
    assert flaw(tmp_path, record_of({"vocab_size": 1})) is None


@pytest.mark.parametrize(("tensors", "is_left_over"), [
    ({"a.weight": ("F16", [2, 2]), "b.weight": ("F32", [2, 2])}, True), ({"a.weight": ("F16", [2]), "a.qweight": ("F16", [2])}, False),
    ({"a.weight": ("F16", [2]), "b.weight": ("I32", [2])}, False), ({"a.weight": ("U8", [2])}, False), ({"a.weight": ("F8_E4M3", [2])}, False), ({}, False),
])  # fmt: skip
def test_plain_weights_that_are_called_quantized_are_told(
    tmp_path: Path, tensors: dict[str, tuple[str, list[int]]], is_left_over: bool
) -> None:
    made = folder(tmp_path, tensors)
    found = flaw(made, record_of({"quantization_config": {"quant_method": "gptq"}}))
    assert (found is not None) is is_left_over
    assert found is None or "quantized (gptq), but the files hold plain F16 weights" in found
    assert flaw(made, record_of({})) is None


@pytest.mark.parametrize("layout", ["lib/python3.11/site-packages", "Lib/site-packages", "bin/Lib/site-packages"])
def test_model_types_are_read_beside_an_environments_interpreter(tmp_path: Path, layout: str) -> None:
    site = tmp_path / layout
    auto = site / "transformers" / "models" / "auto"
    auto.mkdir(parents=True)
    (site / "transformers-9.9.dist-info").mkdir()
    (auto / "auto_mappings.py").write_text('X = [\n    ("in-mappings", "InConfig"),\n]\n', "utf-8")
    (auto / "configuration_auto.py").write_text(
        'Y = [\n  ("strange_one", "StrangeConfig"),\n  ("no", "Other"),\n]\n', "utf-8"
    )
    interpreter = tmp_path / "bin" / "python"

    def said(kind: str, version: str = "9.9@abc", **more: object) -> str | None:
        return unknown_code(record_of({"model_type": kind, "auto_map": {"A": "b"}, **more}), version, interpreter)

    assert said("strange_one") is said("in-mappings") is None
    assert "transformers 9.9@abc has no model type 'no'" in str(said("no"))
    assert "has no model type 'strange_one'" in str(said("strange_one", "1.0")), (
        "another version is not there: ours decides"
    )
    assert said("llama", "1.0") is None
    assert said("no", auto_map=None) is None
    (auto / "configuration_auto.py").unlink()
    assert said("no") is None, "where types cannot be found the worker is left to refuse"
