"""Weights read once: values that no model can have, two heads where one is meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.core import weights
from harness.core.errors import Unsupported
from harness.core.model_record import record_of
from harness.core.spec import Input
from harness.core.weights import weights_flaw, weights_unread
from harness.worker.inputs import refuse_weights

TIED = record_of({"model_type": "llama", "tie_word_embeddings": True})


def saved(folder: Path, tensors: dict[str, Any]) -> Path:
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_no_number_is_found_in_every_type_with_its_tensor(
    tmp_path: Path, kind: str, value: float
) -> None:
    import torch

    weights = torch.randn(7, 11).to(getattr(torch, kind))
    largest = torch.full((4,), torch.finfo(weights.dtype).max, dtype=weights.dtype)
    folder = saved(tmp_path / "m", {"a": weights, "largest": largest, "numbers": torch.arange(4)})
    assert weights_flaw(folder, None) is None
    weights[3, 5] = value
    assert str(weights_flaw(saved(folder, {"a": weights, "b": largest}), None)).startswith(
        "a in model.safetensors holds 1 values that are NaN or infinite"
    )


def test_a_head_of_its_own_is_named_where_the_configuration_ties_it(tmp_path: Path) -> None:
    import torch

    embedding = torch.randn(9, 4)
    same = {"model.embed_tokens.weight": embedding, "lm_head.weight": embedding.clone()}
    assert weights_flaw(saved(tmp_path / "m", same), TIED) is None
    other = {**same, "lm_head.weight": embedding + 1e-6}
    assert "the files hold another head" in str(weights_flaw(saved(tmp_path / "m", other), TIED))
    assert weights_flaw(saved(tmp_path / "m", other), record_of({"tie_word_embeddings": False})) is None


@pytest.mark.parametrize(("kind", "ties"), [("gemma", True), ("llama", False), ("no such type", False)])
def test_a_class_that_ties_by_itself_is_held_to_it(tmp_path: Path, kind: str, ties: bool) -> None:
    import torch

    embedding = torch.randn(9, 4)
    folder = saved(tmp_path / "m", {"model.embed_tokens.weight": embedding, "lm_head.weight": embedding + 1e-6})
    found = weights_flaw(folder, record_of({"model_type": kind}))
    assert (found is not None) == ties, found


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_pickled_weights_are_read_as_well_and_code_in_them_is_not_run(tmp_path: Path, value: float) -> None:
    import os

    import torch

    weights = torch.randn(3, 4)
    torch.save({"a": weights}, tmp_path / "pytorch_model.bin")
    assert weights_flaw(tmp_path, None) is None
    weights[1, 2] = value
    torch.save({"a": weights}, tmp_path / "pytorch_model.bin")
    assert "a in pytorch_model.bin holds 1 values that are NaN" in str(weights_flaw(tmp_path, None))

    class Marks:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"a": Marks()}, tmp_path / "pytorch_model.bin")
    assert "holds more than weights, or is damaged" in str(weights_flaw(tmp_path, None))
    assert not (tmp_path / "ran").exists()


def test_a_worker_refuses_such_a_model_and_reads_it_once_for_each_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = saved(tmp_path / "m", {"a": torch.tensor([1.0, float("nan")])})
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}), encoding="utf-8")
    model = Input(role="model", id="m", path=str(folder), provenance={"kind": "local"})
    for _ in range(2):
        with pytest.raises(Unsupported, match="holds 1 values that are NaN"):
            refuse_weights(model, folder, "0" * 64)
        monkeypatch.setattr("harness.core.weights.weights_flaw", None)  # the second time nothing is read
    refuse_weights(model.model_copy(update={"provenance": {"kind": "random"}}), folder, "1" * 64)


@pytest.mark.parametrize(("names", "says"), [
    ([], None), (["b.w"], "LlamaModel does not read b.w of the weight files"), (["b.w", "a.w"], "does not read a.w and 1 more of"), (["c", "b", "a"], "does not read a and 2 more of"),
])  # fmt: skip
def test_tensors_that_nobody_reads_are_told(names: list[str], says: str | None) -> None:
    notes = weights_unread(names, "LlamaModel")
    assert [note.code for note in notes] == ["weights-unread"] * bool(names)
    assert says is None or says in notes[0].text


@pytest.mark.parametrize("block", [8, 16, 24, 1 << 24])
def test_values_of_every_block_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    import torch

    monkeypatch.setattr(weights, "_BLOCK", block)
    values = torch.arange(11, dtype=torch.float32)
    before = torch.full((3,), float("inf"))
    whole = {
        "a": values,
        "z.embed_tokens.weight": values.clone().reshape(11, 1),
        "lm_head.weight": values.reshape(11, 1).clone(),
    }
    assert weights_flaw(saved(tmp_path / "m", whole), TIED) is None
    for place in (0, 3, 5, 10):
        broken = values.clone()
        broken[place] = float("nan")
        assert "a in model.safetensors holds 1 values" in str(
            weights_flaw(saved(tmp_path / "m", {**whole, "a": broken}), TIED)
        )
        other = whole["lm_head.weight"].clone()
        other[place] += 1
        assert "another head" in str(weights_flaw(saved(tmp_path / "m", {**whole, "lm_head.weight": other}), TIED))
    assert "a in model.safetensors holds 3 values" in str(
        weights_flaw(saved(tmp_path / "m", {**whole, "a": before}), TIED)
    )
    for head in (whole["lm_head.weight"].half(), whole["lm_head.weight"][:10].contiguous()):
        assert "another head" in str(weights_flaw(saved(tmp_path / "m", {**whole, "lm_head.weight": head}), TIED))
    assert (
        weights_flaw(saved(tmp_path / "m", {"a": values, "lm_head.weight": values.clone().reshape(11, 1)}), TIED)
        is None
    )
    assert weights_flaw(saved(tmp_path / "m", {**whole, "lm_head.weight": values.reshape(11, 1) + 1}), None) is None


def test_exponents_are_those_of_ieee_and_bfloat16() -> None:
    """All ones where the sign is left out: 11 bits of 64, 8 of 32, 5 of 16, and 8 of 16."""
    assert weights._EXPONENTS == {
        "F64": ("<u8", (2**11 - 1) << 52), "F32": ("<u4", (2**8 - 1) << 23), "F16": ("<u2", (2**5 - 1) << 10), "BF16": ("<u2", (2**8 - 1) << 7),
    }  # fmt: skip
    assert weights._BLOCK % 8 == 0
