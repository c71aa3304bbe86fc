"""Checkpoints packed by Model Optimizer: what lies in the files is what the simulation computes with, and a float layer is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.identity import folder_sha256
from harness.core.options import problems_of
from harness.core.seam import Base
from harness.core.simulated_layers import rounded
from harness.engines.torch_loading import TransformersOptions
from harness.engines.transformers import open_artifact
from harness.quantizers.modelopt_export import hold_packed
from harness.quantizers.modelopt_torch import QUANTIZER
from harness.quantizers.modelopt_torch_options import ModeloptTorchOptions
from harness.quantizers.scheme import scheme_of
from tests.tiny_model import write_model
from tests.unit.quantizers.conftest import made

Q_PROJ = "model.layers.1.self_attn.q_proj"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("export") / "hf")


def packed(model: Path, folder: Path, text: Path, **options: Any) -> tuple[Path, Any]:
    given = {"export": True, "dtype": "bfloat16", "dataset": str(text), "calib_size": 2, **options}
    return made(QUANTIZER, Base(model, "hf", model), folder, given)


@pytest.mark.parametrize(
    ("options", "layers", "scheme"),
    [
        ({"config": "INT4_AWQ_CFG", "block_size": 32}, {"int4 b32": 14}, "w4a16_awq x14; head bfloat16; embedding bfloat16"),
        ({"config": "FP8_DEFAULT_CFG"}, {"fp8 tensor": 14}, "fp8 x14; head bfloat16; embedding bfloat16"),
        ({"config": "W4A8_AWQ_BETA_CFG", "block_size": 32}, {"int4 b32 > fp8 tensor": 14}, "w4a8_awq x14; head bfloat16; embedding bfloat16"),
        ({"config": "INT8_SMOOTHQUANT_CFG"}, {"int8 channel": 14}, "w8a8_sq_per_channel x14; head bfloat16; embedding bfloat16"),
    ],
)  # fmt: skip
def test_each_format_is_packed_and_is_the_same_twice(
    options: dict[str, Any], layers: dict[str, int], scheme: str, model: Path, tmp_path: Path, calibration_file: Path
) -> None:
    folders = [packed(model, tmp_path / name, calibration_file, **options) for name in ("one", "two")]
    assert folders[0][1].layers == layers
    assert folder_sha256(folders[0][0]) == folder_sha256(folders[1][0])
    found = scheme_of(folders[0][0], "hf")
    assert found is not None
    assert found.text == scheme
    assert found.bits_per_weight is not None
    assert (folders[0][0] / "tokenizer.json").is_file()
    with (
        pytest.raises(HarnessError, match=r"is packed by Model Optimizer .* a method that simulates it \(sim_\*\)"),
        open_artifact(folders[0][0], TransformersOptions()),
    ):
        pass


def test_unpacked_weights_are_those_that_the_simulation_rounds_to(
    model: Path, tmp_path: Path, calibration_file: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    options = {"config": "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "block_size": 32, "dtype": "float32"}
    folder, _ = packed(model, tmp_path, calibration_file, **options)
    tensors, floats = load_file(folder / "model.safetensors"), load_file(model / "model.safetensors")
    stored, scale, exact = tensors[f"{Q_PROJ}.weight"], tensors[f"{Q_PROJ}.weight_scale"], floats[f"{Q_PROJ}.weight"]
    low, high = (stored & 15).to(torch.int8), (stored >> 4).to(torch.int8)
    whole = torch.stack([low, high], dim=1).reshape(exact.shape)  # two rows of outputs lie in one byte
    whole = torch.where(whole > 7, whole - 16, whole).float() * scale.repeat_interleave(32, dim=1)
    largest = exact.reshape(-1, 32).abs().amax(dim=1, keepdim=True)
    assert whole.numpy() == pytest.approx(rounded(exact, 4, largest, 32).numpy(), rel=1e-5, abs=1e-6)


def test_a_layer_that_lies_in_floats_is_found(model: Path, tmp_path: Path, calibration_file: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder, _ = packed(model, tmp_path, calibration_file, config="FP8_DEFAULT_CFG")
    layers, shapes = {Q_PROJ: "fp8 tensor, inputs fp8 tensor"}, {Q_PROJ: (64, 64)}
    hold_packed(folder, layers, shapes)
    tensors = load_file(folder / "model.safetensors")
    changed: tuple[tuple[dict[str, Any], str], ...] = (
        ({f"{Q_PROJ}.weight": torch.ones(64, 64, dtype=torch.bfloat16)}, "its weights are BF16"),
        (
            {f"{Q_PROJ}.weight": torch.ones(64, 32).to(torch.float8_e4m3fn)},
            "2048 weights lie in the file where the model has 4096",
        ),
        ({f"{Q_PROJ}.weight_scale": None}, "it has no weight_scale"),
        ({f"{Q_PROJ}.weight": None}, "its weights lie nowhere"),
    )
    for change, told in changed:
        kept = {name: tensor for name, tensor in {**tensors, **change}.items() if tensor is not None}
        save_file(kept, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(HarnessError, match=f"layer '{Q_PROJ}' should be packed as fp8 tensor.*, but {told}"):
            hold_packed(folder, layers, shapes)


def test_what_the_format_cannot_hold_is_refused() -> None:
    for given in ({"config": "MXFP4_DEFAULT_CFG"}, {"config": "INT4_AWQ_CFG", "int8_layers": "block"}):
        told = " ".join(
            message for _, message in problems_of(ModeloptTorchOptions, {**given, "export": True}, "modelopt-torch")
        )
        assert "'export' packs" in told
