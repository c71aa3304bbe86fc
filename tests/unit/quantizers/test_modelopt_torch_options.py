"""Options of Model Optimizer in torch: which layers they choose, what fits together, and what is refused while planning."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.options import problems_of, validated
from harness.core.seam import Facts
from harness.quantizers.modelopt_torch import QUANTIZER
from harness.quantizers.modelopt_torch_options import PRESETS, ModeloptTorchOptions, eight_bit, promises


def test_eight_bit_layers_are_those_of_the_onnx_strategy() -> None:
    names = [
        f"model.layers.{layer}.{part}"
        for layer in range(16)
        for part in (
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.v_proj",
            "self_attn.o_proj",
            "mlp.up_proj",
            "mlp.down_proj",
        )
    ]
    chosen = eight_bit(names)
    for kind in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.down_proj"):
        assert [layer for layer in range(16) if f"model.layers.{layer}.{kind}" in chosen] == [0, 1, 2, 5, 8, 11, 14, 15]
    assert not any("o_proj" in name or "up_proj" in name for name in chosen)


def test_layers_that_choose_experts_stay_in_floats() -> None:
    options = validated(ModeloptTorchOptions, {"config": "INT8_WEIGHT_ONLY_CFG"}, "x")
    names = [
        "model.layers.0.mlp.gate",
        "model.layers.0.block_sparse_moe.gate",
        "model.layers.0.mlp.experts.0.gate_proj",
    ]
    assert list(promises(options, names).values()) == ["float32", "float32", "int8 channel"]


GPU = Facts({"torch": "2.13.0", "transformers": "4.57.6", "nvidia-modelopt": "0.47.0"}, "Linux", gpus=("NVIDIA H200",))
CPU = Facts(GPU.packages, "Linux")


@pytest.mark.parametrize("config", [name for name, preset in PRESETS.items() if preset.cuda])
def test_what_needs_cuda_is_told_while_planning(config: str) -> None:
    options = validated(ModeloptTorchOptions, {"config": config}, "x")
    refused = QUANTIZER.refuse(options, CPU)
    assert refused is not None
    assert f"{config} is computed by CUDA kernels alone" in refused
    assert QUANTIZER.refuse(options.model_copy(update={"device": "cuda"}), GPU) is None
    assert "needs an NVIDIA GPU" in str(QUANTIZER.refuse(options.model_copy(update={"device": "cuda"}), CPU))


def test_a_package_that_is_absent_is_named() -> None:
    options = validated(ModeloptTorchOptions, {"config": "INT8_DEFAULT_CFG"}, "x")
    assert "nvidia-modelopt is not installed" in str(
        QUANTIZER.refuse(options, Facts({"torch": "2.13.0", "transformers": "4.57.6"}, "Linux"))
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"config": "INT8_DEFAULT_CFG", "block_size": 32}, "'block_size' is about INT4 weights, which INT8_DEFAULT_CFG has none of"),
        ({"config": "FP8_DEFAULT_CFG", "int8_layers": "block"}, "'int8_layers' is about INT4 weights"),
        ({"config": "W4A8_AWQ_BETA_CFG", "activations": "int8"}, "which W4A8_AWQ_BETA_CFG does itself; leave it out"),
        ({"config": "MXFP4_DEFAULT_CFG", "algorithm": "max"}, "takes them from each block; leave it out"),
        ({"config": "INT4_AWQ_CFG", "algorithm": "smoothquant"}, "algorithm smoothquant is for INT8"),
        ({"config": "INT8_DEFAULT_CFG", "algorithm": "awq_lite"}, "algorithm awq_lite needs weights in blocks"),
        ({"config": "INT4_AWQ_CFG", "batch_size": 64}, "batch_size 64 exceeds calib_size 32"),
        ({"config": "INT4_AWQ"}, "INT4_AWQ_CFG"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused_in_words(given: dict[str, Any], told: str) -> None:
    assert told in " ".join(message for _, message in problems_of(ModeloptTorchOptions, given, "modelopt-torch"))
