"""What was quantized is read back from the files: scheme and bits per weight, each against a count by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.seam import Base
from harness.quantizers.modelopt_onnx import QUANTIZER as MODELOPT
from harness.quantizers.ort_genai import QUANTIZER as BUILDER
from harness.quantizers.scheme import graph_scheme, scheme_of
from harness.quantizers.scheme_hf import quantized_text
from tests.unit.quantizers.conftest import made

WIDE, TALL, WORDS = 64, 96, 50


def graph(folder: Path, head: str, zero: bytes | None, *, shared: bool = False) -> Path:
    """Write a graph of two packed layers of 4 bits in blocks of 32, an embedding and a head, with external weights."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    table = numpy_helper.from_array(np.zeros((WORDS, WIDE), np.float32), "table")
    constants, nodes = [table], [helper.make_node("Gather", ["table", "input_ids"], ["x0"], "/embed/Gather")]
    for number, (wide, tall) in enumerate(((WIDE, TALL), (TALL, WIDE))):
        blocks = wide // 32
        constants += [
            numpy_helper.from_array(np.zeros((tall, blocks, 16), np.uint8), f"w{number}"),
            numpy_helper.from_array(np.ones((tall * blocks,), np.float32), f"s{number}"),
        ]
        inputs = [f"x{number}", f"w{number}", f"s{number}"]
        if zero is not None:
            rows = np.frombuffer(zero * (tall * -(-blocks // 2)), np.uint8)
            constants.append(numpy_helper.from_array(rows, f"z{number}"))
            inputs.append(f"z{number}")
        settings = {"K": wide, "N": tall, "bits": 4, "block_size": 32, "domain": "com.microsoft"}
        name = f"/model/layers.{number}/mlp/MatMul_Q4"
        nodes.append(helper.make_node("MatMulNBits", inputs, [f"x{number + 1}"], name, **settings))
    if shared:
        nodes.append(helper.make_node("Transpose", ["table"], ["turned"], "/turn", perm=[1, 0]))
    else:
        constants.append(numpy_helper.from_array(np.zeros((WIDE, WORDS), np.float32), "turned"))
    nodes += [
        helper.make_node("MatMul", ["x2", "turned"], ["raw"], head),
        helper.make_node("Tanh", ["raw"], ["logits"], "/cap"),
    ]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n"])
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", WORDS])
    model = helper.make_model(helper.make_graph(nodes, "g", [ids], [out], constants))
    onnx.save_model(model, str(folder / "model.onnx"), save_as_external_data=True, location="d", size_threshold=0)
    return folder / "model.onnx"


@pytest.mark.parametrize(
    ("zero", "said"), [(None, "sym"), (b"\x88", "sym"), (b"\x87", "asym"), (b"\x78", "asym"), (b"\x08", "asym")]
)
def test_zero_points_in_the_middle_are_symmetric(tmp_path: Path, zero: bytes | None, said: str) -> None:
    scheme = graph_scheme(graph(tmp_path, "/lm_head/MatMul", zero))
    # Blocks of 96 inputs are three: their row of zero points has half a byte that means nothing.
    assert scheme.text == f"int4 b32 {said} x2; head float32; embedding float32"


def test_half_a_byte_that_pads_a_row_of_zero_points_says_nothing(tmp_path: Path) -> None:
    from onnx import numpy_helper

    from harness.quantizers.scheme import _is_packed_middle

    rows = numpy_helper.from_array(np.array([0x88, 0x08] * 4, np.uint8), "z")
    assert _is_packed_middle(rows, 4, 3, tmp_path)
    assert not _is_packed_middle(rows, 4, 4, tmp_path)


@pytest.mark.parametrize("head", ["/lm_head/MatMul", "/anything"])
def test_bits_per_weight_count_scales_and_zero_points_over_all_weights(tmp_path: Path, head: str) -> None:
    scheme = graph_scheme(graph(tmp_path, head, b"\x87"))
    packed, ends = 2 * WIDE * TALL, 2 * WORDS * WIDE
    scales = TALL * (WIDE // 32) + WIDE * (TALL // 32)
    zeros = TALL * 1 + WIDE * 2
    assert scheme.bits_per_weight == round((4 * packed + 32 * ends + 32 * scales + 8 * zeros) / (packed + ends), 3)


def test_weights_that_two_nodes_share_count_once(tmp_path: Path) -> None:
    scheme = graph_scheme(graph(tmp_path, "/lm_head/MatMul", None, shared=True))
    packed, ends = 2 * WIDE * TALL, WORDS * WIDE
    scales = TALL * (WIDE // 32) + WIDE * (TALL // 32)
    assert scheme.bits_per_weight == round((4 * packed + 32 * ends + 32 * scales) / (packed + ends), 3)


def test_real_artifacts_say_what_they_quantize(fp32_export: Path, byte_model: Path, tmp_path: Path) -> None:
    before = scheme_of(fp32_export, "ort-genai")
    assert before is not None
    assert (before.text, before.bits_per_weight) == ("float32 x20; head float32; embedding float32", 32.0)
    base = Base(fp32_export, "ort-genai", byte_model)
    rounded, _ = made(MODELOPT, base, tmp_path / "a", {"algo": "rtn_dq", "block_size": 32})
    scheme = scheme_of(rounded, "ort-genai")
    assert scheme is not None
    assert scheme.text == "int4 b32 sym x20; head float32; embedding float32"
    layers = 4 * (128 * (128 + 64 + 64 + 128) + 3 * 128 * 256)
    ends = 2 * 320 * 128
    assert scheme.bits_per_weight == round((layers * (4 + 32 / 32) + ends * 32) / (layers + ends), 3)
    built, _ = made(
        BUILDER,
        Base(byte_model, "hf", byte_model),
        tmp_path / "b",
        {"precision": "int4", "algo_config": "k_quant_mixed"},
    )
    mixed = scheme_of(built, "ort-genai")
    assert mixed is not None
    assert mixed.text == "int4 b32 asym x16 + int8 b32 asym x4; head int8 b32 asym; embedding float32"


def test_a_transformers_folder_says_its_type_or_that_of_its_engine(byte_model: Path) -> None:
    stored, run = scheme_of(byte_model, "hf"), scheme_of(byte_model, "hf", "bfloat16")
    assert stored is not None
    assert run is not None
    assert (stored.text, stored.bits_per_weight) == ("float32 x28; head float32; embedding float32", 32.0)
    assert (run.text, run.bits_per_weight) == ("bfloat16 x28; head bfloat16; embedding bfloat16", 16.0)


def test_a_quantized_transformers_folder_is_read_from_its_configuration_and_headers(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    name = "model.layers.0.mlp.up_proj"
    tensors: dict[str, Any] = {
        "model.embed_tokens.weight": np.zeros((10, 64), np.float16),
        f"{name}.qweight": np.zeros((8, 32), np.int32),
        f"{name}.qzeros": np.zeros((2, 4), np.int32),
        f"{name}.scales": np.zeros((2, 32), np.float16),
    }
    save_file(tensors, str(tmp_path / "model.safetensors"))
    said = {"quant_method": "gptq", "bits": 4, "group_size": 32, "sym": True}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "quantization_config": said}), "utf-8")
    scheme = scheme_of(tmp_path, "hf", "float16")
    assert scheme is not None
    assert scheme.text == "int4 b32 sym x1; head float16; embedding float16"
    bits = 640 * 16 + 8 * 32 * 32 + 2 * 4 * 32 + 2 * 32 * 16
    assert scheme.bits_per_weight == round(bits / (640 + 64 * 32), 3)


def test_a_folder_that_cannot_be_described_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", "utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"odd")
    assert scheme_of(tmp_path, "hf") is None
    (tmp_path / "genai_config.json").write_text("{}", "utf-8")
    assert scheme_of(tmp_path, "ort-genai") is None
    assert scheme_of(tmp_path, "fake") is None


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"quant_method": "awq", "w_bit": 4, "q_group_size": 128, "zero_point": True}, "int4 b128 asym"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "nf4 b64"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8 channel sym"),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1, "sym": True}, "int8 channel sym"),
        ({"quant_method": "newer"}, "newer"),
    ],
)
def test_configurations_of_quantized_folders_are_put_into_the_same_words(said: dict[str, Any], text: str) -> None:
    assert quantized_text(said)[0] == text
