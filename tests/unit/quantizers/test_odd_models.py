"""Models of odd sizes, with dead channels, or in shards beside a stray file: each made anew, and held against one whole pass."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.identity import folder_sha256
from harness.core.model_record import read_record, read_tensors
from harness.core.seam import Base, Quantizer
from harness.core.weights import weights_flaw
from harness.engines import ort_genai as genai
from harness.engines import torch_loading, transformers
from harness.quantizers.modelopt_onnx import QUANTIZER as MODELOPT
from harness.quantizers.ort_genai import QUANTIZER as BUILDER
from tests.model_kinds import KINDS, Kind, Whole, token_ids, write_kind
from tests.unit.quantizers.conftest import made

ODD = {
    "hidden_size": 48,
    "intermediate_size": 72,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "initializer_range": 0.12,
}
LENGTH = 100


def odd_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(KINDS, "odd", Kind("Llama", ODD))
    return write_kind(folder, "odd")


def rows_of(artifact: Path) -> Any:
    """Return float64 [LENGTH, vocabulary] log-probabilities of an artifact."""
    with genai.open_artifact(artifact, genai.OrtGenaiEngineOptions(threads=1)) as session:
        tiles = [tile.logprobs.astype(np.float64) for tile in session.logprobs(token_ids(LENGTH), range(LENGTH))]
    return np.concatenate(tiles)


def divergence(found: Any, right: Any) -> float:
    assert np.isfinite(found).all()
    return float((np.exp(right) * (right - found)).sum(axis=1).mean())


def test_widths_that_no_block_divides_are_exported_exactly_and_quantized_closely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calibration_file: Path
) -> None:
    model = odd_model(tmp_path / "model", monkeypatch)
    right = Whole(model).rows(token_ids(LENGTH))
    with transformers.open_artifact(model, torch_loading.TransformersOptions(threads=1)) as session:
        ours = np.concatenate([tile.logprobs for tile in session.logprobs(token_ids(LENGTH), range(LENGTH))])
    assert np.abs(ours - right).max() < 2e-3
    fp32, _ = made(BUILDER, Base(model, "hf", model), tmp_path / "fp32", {"precision": "fp32"})
    assert np.abs(rows_of(fp32) - right).max() < 2e-3
    awq = {"calib_size": 2, "block_size": 32, "dataset": str(calibration_file)}
    unknowing = divergence(np.full_like(right, -np.log(right.shape[1])), right)
    recipes: list[tuple[Quantizer, Base, dict[str, Any], float]] = [
        (BUILDER, Base(model, "hf", model), {"precision": "int8"}, 0.005),
        (BUILDER, Base(model, "hf", model), {"precision": "int4", "block_size": 32}, 0.25),
        (MODELOPT, Base(fp32, "ort-genai", model), {"algo": "rtn_dq", "block_size": 32}, 0.25),
        (MODELOPT, Base(fp32, "ort-genai", model), {"algo": "awq_lite", **awq}, 0.25),
    ]
    for number, (quantizer, base, options, share) in enumerate(recipes):
        out, _ = made(quantizer, base, tmp_path / str(number), options)
        far = divergence(rows_of(out), right) / unknowing
        assert 0 < far < share, options


@pytest.mark.parametrize("algo", ["awq_lite", pytest.param("awq_clip", marks=pytest.mark.slow)])
def test_channels_that_never_carry_anything_do_not_break_awq(
    tmp_path: Path, byte_model: Path, calibration_file: Path, algo: str
) -> None:
    """Two channels are nought before every layer's projections, one behind its up projection; their weights stay as they were."""
    from safetensors.numpy import load_file, save_file

    model = shutil.copytree(byte_model, tmp_path / "model")
    weights = load_file(model / "model.safetensors")
    for name, weight in weights.items():
        if name.endswith("layernorm.weight"):
            weight[[3, 77]] = 0
        if name.endswith("up_proj.weight"):
            weight[11] = 0
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    right = Whole(model).rows(token_ids(LENGTH))
    fp32, _ = made(BUILDER, Base(model, "hf", model), tmp_path / "fp32", {"precision": "fp32"})
    found = []
    for options in ({"algo": "rtn_dq", "block_size": 32}, {
        "algo": algo, "block_size": 32, "calib_size": 2, "dataset": str(calibration_file)}):  # fmt: skip
        out, _ = made(MODELOPT, Base(fp32, "ort-genai", model), tmp_path / options["algo"], options)
        found.append(divergence(rows_of(out), right))
    assert 0 < found[1] < 3 * found[0], "about as near as rounding: scales of random weights win nothing"


def test_a_model_in_shards_is_read_whole_and_a_stray_file_beside_them_is_not(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForCausalLM

    one = write_kind(tmp_path / "one", "theta")
    many = shutil.copytree(one, tmp_path / "many")
    (many / "model.safetensors").unlink()
    AutoModelForCausalLM.from_pretrained(one).save_pretrained(many, max_shard_size="200KB")
    shards = sorted(many.glob("model-*.safetensors"))
    assert len(shards) > 2
    stray = {name: torch.full_like(weight, torch.nan) for name, weight in load_file(one / "model.safetensors").items()}
    save_file(stray, many / "consolidated.safetensors", metadata={"format": "pt"})
    save_file({"model.left_over": torch.zeros(3)}, many / "model-old.safetensors", metadata={"format": "pt"})
    assert {tensor.file for tensor in read_tensors(many).values()} == set(shards)
    assert read_tensors(many).keys() == read_tensors(one).keys()
    assert weights_flaw(many, read_record(many)) is None
    right = Whole(one).rows(token_ids(LENGTH))
    with transformers.open_artifact(many, torch_loading.TransformersOptions(threads=1)) as session:
        assert session.notes == ()
        rows = np.concatenate([tile.logprobs for tile in session.logprobs(token_ids(LENGTH), range(LENGTH))])
    assert np.abs(rows - right).max() < 2e-3
    exports = [
        made(BUILDER, Base(model, "hf", model), tmp_path / f"{model.name} out", {"precision": "fp32"})
        for model in (one, many)
    ]
    assert [built.notes for _, built in exports] == [(), ()]
    assert np.abs(rows_of(exports[1][0]) - right).max() < 2e-3
    assert folder_sha256(exports[0][0]) == folder_sha256(exports[1][0])
