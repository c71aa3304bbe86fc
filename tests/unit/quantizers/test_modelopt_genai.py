"""Checkpoints packed by Model Optimizer as graphs: the same integers and scales, the same log-probabilities, and what is none is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.seam import Base, Built, Facts
from harness.engines.ort_genai import ENGINE
from harness.quantizers import modelopt_genai, modelopt_torch
from harness.quantizers.folders import graph_file
from harness.quantizers.modelopt_genai import (
    QUANTIZER,
    ModeloptGenaiOptions,
    PackedLayer,
    hold_graph,
    layers_of,
    read_packed,
)
from harness.quantizers.scheme import scheme_of
from tests.conftest import ROOT
from tests.unit.quantizers.conftest import made

IDS = np.random.default_rng(5).integers(2, 300, 40).tolist()
FP32 = {"accuracy_level": 1}
"""Products in float32, so that nothing but the weights is rounded."""
Exported = tuple[Path, Path, Built]


@pytest.fixture(scope="module")
def awq(byte_model: Path, calibration_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return exported(byte_model, tmp_path_factory.mktemp("awq"), calibration_file, "INT4_AWQ_CFG")


def packed(model: Path, folder: Path, text: Path, config: str, **options: Any) -> Path:
    given = {"config": config, "export": True, "dataset": str(text), "calib_size": 2, **options}
    return made(modelopt_torch.QUANTIZER, Base(model, "hf", model), folder, given)[0]


def exported(model: Path, folder: Path, text: Path, config: str) -> Exported:
    checkpoint = packed(model, folder / "packed", text, config, block_size=32)
    return checkpoint, *made(QUANTIZER, Base(checkpoint, "hf", model), folder / "graph", FP32)


def unpacked(model: Path, checkpoint: Path) -> Any:
    """The model in torch whose layers multiply with what lies in the checkpoint, unpacked by hand; float32."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    opened, tensors = (
        AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval(),
        load_file(checkpoint / "model.safetensors"),
    )
    for name, module in opened.named_modules():
        if f"{name}.weight_scale" in tensors:
            stored, scale = tensors[f"{name}.weight"].to(torch.int32), tensors[f"{name}.weight_scale"].float()
            whole = torch.stack([stored & 15, stored >> 4], dim=1).reshape(module.weight.shape)
            signed = torch.where(whole > 7, whole - 16, whole).float()
            before = tensors.get(f"{name}.pre_quant_scale", torch.ones(module.in_features)).float()
            module.weight.data = signed * scale.repeat_interleave(signed.shape[1] // scale.shape[1], dim=1) * before
        elif f"{name}.weight" in tensors:
            module.weight.data = tensors[f"{name}.weight"].float()
    return opened


@pytest.mark.parametrize("config", ["INT4_AWQ_CFG", "INT4_BLOCKWISE_WEIGHT_ONLY_CFG"])
def test_a_graph_computes_what_lies_in_the_checkpoint(
    config: str, byte_model: Path, calibration_file: Path, awq: Exported, tmp_path: Path
) -> None:
    import torch

    checkpoint, graph, built = (
        awq if config == "INT4_AWQ_CFG" else exported(byte_model, tmp_path, calibration_file, config)
    )
    layers = read_packed(checkpoint).layers
    scaled = [name for name, layer in layers.items() if layer.before is not None]
    notes = [note.text for note in built.notes if note.code == "scaled-inputs"]
    if config == "INT4_AWQ_CFG":
        assert {name.rpartition(".")[2] for name in scaled} == {"o_proj", "down_proj"}, "the rest lies in norms"
        assert len(scaled) == 8
        assert notes == [
            f"AWQ's scales of the inputs of 8 layers, as {scaled[1]}, are products of their own before these"
        ]
    else:
        assert (scaled, notes) == ([], [])
    with torch.inference_mode():
        wanted = torch.log_softmax(unpacked(byte_model, checkpoint)(torch.tensor([IDS])).logits[0], dim=-1).numpy()
    with ENGINE.open(graph, ENGINE.options.model_validate({"provider": "cpu"})) as session:
        found = np.concatenate([tile.logprobs.copy() for tile in session.logprobs(IDS, range(len(IDS)))])  # type: ignore[attr-defined]
    assert np.abs(found - wanted).max() < 1e-4
    assert built.layers == {"float32 matmul": 1, "float32 gather": 1, "uint4 b32 matmulnbits": 20}
    scheme = scheme_of(graph, "ort-genai")
    assert scheme is not None
    assert scheme.text == "int4 b32 sym x20; head float32; embedding float32"


def test_a_number_that_is_not_the_checkpoints_is_found(awq: Exported, tmp_path: Path) -> None:
    from dataclasses import replace

    checkpoint, graph, _ = awq
    layers = read_packed(checkpoint).layers
    hold_graph(graph_file(graph), layers)
    name = "model.layers.2.mlp.down_proj"
    one = layers[name]
    assert one.before is not None
    values, scales, before = one.values.copy(), one.scales.copy(), one.before.copy()
    values[3, 7] ^= 1
    scales[3, 1] *= 1.001
    before[5] *= 1.001
    for other in (
        replace(one, values=values),
        replace(one, scales=scales),
        replace(one, before=before),
        replace(one, before=None),
    ):
        with pytest.raises(
            HarnessError, match=r"'/model/layers.2/mlp/down_proj/MatMulNBits' of model.onnx is not what"
        ):
            hold_graph(graph_file(graph), {**layers, name: other})
    with pytest.raises(
        HarnessError, match=r"layer 'model.layers.9.mlp.up_proj' of the checkpoint is no quantized product"
    ):
        hold_graph(graph_file(graph), {**layers, "model.layers.9.mlp.up_proj": one})


@pytest.mark.slow
def test_what_is_no_packed_int4_is_refused(byte_model: Path, calibration_file: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="is no checkpoint that Model Optimizer packed; start from a method of"):
        read_packed(byte_model)
    for config in ("FP8_DEFAULT_CFG", "W4A8_AWQ_BETA_CFG", "INT8_SMOOTHQUANT_CFG"):
        folder = packed(byte_model, tmp_path / config, calibration_file, config)
        with pytest.raises(HarnessError, match="and the model builder takes INT4 weights with a scale per block alone"):
            read_packed(folder)


def test_one_product_of_layers_of_which_some_are_packed_is_refused_in_words(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    settings = {"K": 32, "N": 96, "bits": 4, "block_size": 32, "domain": "com.microsoft"}
    node = helper.make_node(
        "MatMulNBits", ["x", "w", "s"], ["y"], "/model/layers.0/attn/qkv_proj/MatMulNBits", **settings
    )
    onnx.save(helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:])), tmp_path / "model.onnx")
    layer = PackedLayer(np.full((32, 32), 8, np.uint8), np.ones((32, 1), np.float32), None)
    place = "model.layers.0.self_attn"
    with pytest.raises(HarnessError, match=f"and the checkpoint packs only {place}.q_proj, {place}.v_proj; pack all"):
        hold_graph(tmp_path / "model.onnx", {f"{place}.q_proj": layer, f"{place}.v_proj": layer})


def test_nodes_name_the_layers_whose_rows_they_hold() -> None:
    place = "model.layers.3.self_attn"
    assert layers_of("/model/layers.3/attn/qkv_proj/MatMulNBits") == [f"{place}.{name}_proj" for name in "qkv"]
    assert layers_of("/model/layers.3/mlp/down_proj/MatMulNBits") == ["model.layers.3.mlp.down_proj"]
    assert layers_of("/lm_head/MatMul") == []


def test_a_plan_refuses_what_the_builder_refuses() -> None:
    facts = Facts({"onnxruntime-genai": "0.15.2", "torch": "2.13.0", "transformers": "4.57.6"}, "Linux")
    assert modelopt_genai.refuse(ModeloptGenaiOptions(), facts) is None
    assert QUANTIZER.provider_field == "provider"


LATEST = ROOT / ".venvs" / "genai-latest" / "bin" / "python"
TAKES = """
import json, sys
from onnxruntime_genai.models.builder import create_model, parse_extra_options
folder, out, provider = sys.argv[1:]
said = [f"hf_remote=false"]
try:
    options = parse_extra_options("", folder, out, "int4", provider, out + "-cache", said)
except TypeError:
    options = parse_extra_options(said)
create_model("", folder, out, "int4", provider, out + "-cache", **options)
"""


def taken(python: str, checkpoint: Path, out: Path, provider: str) -> str:
    """What a builder says last when it is given a checkpoint as it is; empty where it takes it."""
    words = [python, "-c", TAKES, str(checkpoint), str(out), provider]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=250, cwd=out.parent)
    return ran.stderr.strip().splitlines()[-1] if ran.returncode else ""


@pytest.mark.slow
def test_the_builder_of_0_15_takes_no_checkpoint_of_model_optimizer_by_itself(awq: Exported, tmp_path: Path) -> None:
    """Once this fails, a builder takes them: the conversion here may go."""
    assert "The modelopt quantized model is not currently supported" in taken(
        sys.executable, awq[0], tmp_path / "o", "cpu"
    )


@pytest.mark.slow
@pytest.mark.skipif(
    not LATEST.is_file(), reason="environment genai-latest is not here; `harness setup --env genai-latest`"
)
def test_the_builder_of_0_18_takes_neither_int4_nor_fp8_of_a_llama(
    awq: Exported, byte_model: Path, calibration_file: Path, tmp_path: Path
) -> None:
    """Once this fails, a builder takes them, and the chain can be offered without a conversion."""
    eight = packed(byte_model, tmp_path / "fp8", calibration_file, "FP8_DEFAULT_CFG")
    only = "ModelOpt FP8/NVFP4 checkpoints are only supported on the CUDA EP"
    assert only in taken(str(LATEST), awq[0], tmp_path / "a", "cpu")
    assert only in taken(str(LATEST), eight, tmp_path / "b", "cpu")
    for number, checkpoint in enumerate((awq[0], eight)):
        assert "has neither 'model.language_model.layers.0" in taken(
            str(LATEST), checkpoint, tmp_path / f"c{number}", "cuda"
        )
