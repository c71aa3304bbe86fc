from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.identity import folder_sha256
from harness.core.options import problems_of
from harness.core.seam import Base, Context, Facts
from harness.quantizers import graph_check, ort_genai_rotation
from harness.quantizers.artifact_check import check_folder
from harness.quantizers.ort_genai import QUANTIZER, refuse
from harness.quantizers.ort_genai_options import OrtGenaiOptions
from harness.quantizers.ort_genai_promise import check_built, sensitive
from tests.unit.quantizers.conftest import made

TORCH = {"torch": "2.13.0", "transformers": "4.57.6"}
CPU = Facts(packages={**TORCH, "onnxruntime-genai": "0.15.2"}, system="Linux")
CUDA = Facts(packages={**TORCH, "onnxruntime-genai-cuda": "0.15.2"}, system="Linux", gpus=("NVIDIA T4",))


def codes(built: Any) -> set[str]:
    return {note.code for note in built.notes}


@pytest.mark.parametrize(
    ("options", "layers"),
    [
        ({"precision": "fp32"}, {"float32 gather": 1, "float32 matmul": 21}),
        ({"precision": "int8"}, {"float32 gather": 1, "int8 b32 matmulnbits": 21}),
        ({"precision": "int4", "block_size": 64}, {"float32 gather": 1, "int4 b64 matmulnbits": 21}),
        ({"precision": "int4", "use_qdq": True}, {"float32 gather": 1, "int4 b32 dq": 21}),
        (
            {"precision": "int4", "algo_config": "k_quant_mixed"},
            {"float32 gather": 1, "uint4 b32 matmulnbits": 16, "uint8 b32 matmulnbits": 5},
        ),
        (
            {"precision": "int4", "algo_config": "rtn_last", "nodes_to_exclude": "/model/layers.0/attn/o_proj/MatMul"},
            {"float32 gather": 1, "float32 matmul": 1, "int4 b32 matmulnbits": 19, "int8 b32 matmulnbits": 1},
        ),
        ({"precision": "fp16", "provider": "cuda"}, {"float16 gather": 1, "float16 matmul": 21}),
        ({"precision": "int4", "provider": "dml"}, {"float16 gather": 1, "int4 b32 matmulnbits": 29}),
    ],
)
def test_a_build_is_complete_and_its_weights_are_what_the_options_promise(
    options: dict[str, Any], layers: dict[str, int], byte_model: Path, tmp_path: Path
) -> None:
    out, built = made(QUANTIZER, Base(byte_model, "hf", byte_model), tmp_path, options)
    check_folder(out, "ort-genai")
    assert built.layers == layers
    assert [path.name for path in (tmp_path / "run").iterdir()] == []


def test_building_twice_gives_the_same_content(byte_model: Path, fp32_export: Path, tmp_path: Path) -> None:
    again, _ = made(QUANTIZER, Base(byte_model, "hf", byte_model), tmp_path, {"precision": "fp32"})
    assert folder_sha256(again) == folder_sha256(fp32_export)


def test_one_layer_left_in_floats_fails_with_its_name(byte_model: Path, fp32_export: Path, tmp_path: Path) -> None:
    """A mutation: one MatMulNBits of an INT4 graph is put back to the float MatMul of the fp32 graph."""
    import onnx

    out, built = made(QUANTIZER, Base(byte_model, "hf", byte_model), tmp_path, {"precision": "int4"})
    options = OrtGenaiOptions(precision="int4")
    assert check_built(out, options)[0] == built.layers
    graph, floats = onnx.load(out / "model.onnx", load_external_data=False), onnx.load(fp32_export / "model.onnx")
    name = "/model/layers.2/mlp/up_proj/MatMul"
    node = next(node for node in graph.graph.node if node.name == f"{name}_Q4")
    original = next(node for node in floats.graph.node if node.name == name)
    weight = next(tensor for tensor in floats.graph.initializer if tensor.name == original.input[1])
    output = node.output[0]
    node.CopyFrom(original)
    node.output[0] = output
    graph.graph.initializer.append(weight)
    onnx.save(graph, out / "model.onnx")
    with pytest.raises(HarnessError, match=rf"{name}.*float32 matmul.*int4/uint4 b32"):
        check_built(out, options)


def test_a_decoder_layer_without_weights_is_noticed(fp32_export: Path) -> None:
    weights = graph_check.read_weights(graph_check.load_graph(fp32_export / "model.onnx"), "model.onnx")
    with pytest.raises(HarnessError, match="decoder layer 4 of 5"):
        graph_check.hold_layers(weights, 5, "model.onnx")


def test_an_option_that_the_builder_ignores_is_noted(byte_model: Path, tmp_path: Path) -> None:
    base = Base(byte_model, "hf", byte_model)
    _, built = made(QUANTIZER, base, tmp_path / "a", {"precision": "int4", "algo_config": "rtn", "use_qdq": True})
    assert codes(built) == {"no-effect"}
    _, built = made(QUANTIZER, base, tmp_path / "b", {"precision": "fp32", "block_size": 64})
    assert "block_size" in built.notes[0].text


def test_int8_that_came_out_as_int4_is_not_kept(byte_model: Path, tmp_path: Path) -> None:
    """onnxruntime-genai 0.15.2 does this for algo_config rtn; the plan refuses it and the check would find it."""
    options = {"precision": "int8", "algo_config": "rtn"}
    for facts in (CPU, CUDA):
        assert "onnxruntime-genai 0.15.2 writes INT4" in str(refuse(OrtGenaiOptions(**options), facts))
    with pytest.raises(HarnessError, match="int8/uint8 b32 was promised"):
        made(QUANTIZER, Base(byte_model, "hf", byte_model), tmp_path, options)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_on_cpu_is_refused_with_the_reason(precision: Any) -> None:
    assert "CPU" in str(refuse(OrtGenaiOptions(precision=precision), CPU))
    assert refuse(OrtGenaiOptions(precision=precision, provider="cuda"), CPU) is None


@pytest.mark.parametrize("name", ["prune_lm_head", "exclude_lm_head", "exclude_embeds"])
def test_a_graph_that_cannot_be_scored_is_refused(name: str) -> None:
    assert name in str(refuse(OrtGenaiOptions.model_validate({"precision": "fp32", name: True}), CPU))


def test_a_pair_that_the_builder_does_not_have_is_refused() -> None:
    assert "fp32" in str(refuse(OrtGenaiOptions(precision="fp32", provider="dml"), CPU))


@pytest.mark.parametrize(
    "given",
    [{}, {"precision": "int3"}, {"precision": "int4", "block_size": 33}, {"precision": "int8", "use_qdq": True},
     {"precision": "int4", "matmul_mixed_precision": "first:int8"}, {"precision": "int4", "blocksize": 32}],
)  # fmt: skip
def test_mistaken_options_are_found_while_planning(given: dict[str, Any]) -> None:
    assert problems_of(OrtGenaiOptions, given, "ort-genai")


def test_mixed_layers_are_the_first_and_last_eighth_and_every_third_between() -> None:
    assert [layer for layer in range(16) if sensitive(layer, 16)] == [0, 1, 4, 7, 10, 13, 14, 15]


def test_block_sizes_that_the_builder_cannot_pack_are_refused_with_the_sizes(byte_model: Path, tmp_path: Path) -> None:
    options = {"precision": "int4", "algo_config": "k_quant", "block_size": 128}
    with pytest.raises(HarnessError, match="hidden_size 128 makes 1 blocks of 128"):
        made(QUANTIZER, Base(byte_model, "hf", byte_model), tmp_path, options)


def test_a_model_without_tokenizer_configuration_is_an_error(byte_model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(byte_model, copy)
    (copy / "tokenizer.json").unlink()
    with pytest.raises(HarnessError, match="no tokenizer"):
        check_folder(copy, "hf")


def test_a_real_model_with_tied_embeddings_and_narrow_heads_gives_the_same_logits(
    shared_data: Path, tmp_path: Path
) -> None:
    """stories260K: heads of 8, one matrix for embedding and LM head, saved by transformers 5."""
    import numpy as np
    import onnxruntime_genai as og
    import torch
    from transformers import LlamaForCausalLM

    model = shared_data / "models" / "stories260K"
    out, built = made(QUANTIZER, Base(model, "hf", model), tmp_path / "fp32", {"precision": "fp32"})
    assert codes(built) >= {"tokenizer-class", "rotation-outside-attention"}
    ids = np.arange(1, 65, dtype=np.int32)
    opened = og.Model(str(out))
    parameters = og.GeneratorParams(opened)
    parameters.set_search_options(max_length=80)
    generator = og.Generator(opened, parameters)
    generator.append_tokens(ids)
    with torch.no_grad():
        wanted = LlamaForCausalLM.from_pretrained(model)(torch.tensor(ids[None].astype(np.int64))).logits.numpy()
    assert np.abs(generator.get_output("logits") - wanted).max() < 1e-3
    _, built = made(QUANTIZER, Base(model, "hf", model), tmp_path / "int8", {"precision": "int8"})
    assert "embedding-not-shared" in codes(built)
    assert built.layers == {"float32 gather": 1, "int8 b32 matmulnbits": 36}


def test_rotation_tables_are_computed_in_one_thread_and_all_else_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    angles = torch.arange(1 << 16, dtype=torch.float32)
    right = angles.cos(), torch.sin(angles), angles.exp()
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    with ort_genai_rotation._steady_rotation():
        made = angles.cos(), torch.sin(angles), angles.exp()
    assert asked == [1, torch.get_num_threads()] * 2
    assert all(torch.equal(one, other) for one, other in zip(made, right, strict=True))


def test_a_build_tells_which_layer_it_reads(byte_model: Path, tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    (tmp_path / "out").mkdir()
    context = Context(tmp_path, progress=lambda share, what: told.append((share, what)))
    QUANTIZER.build(Base(byte_model, "hf", byte_model), OrtGenaiOptions(precision="fp32"), tmp_path / "out", context)
    words = [what for _, what in told]
    assert [what for what in words if what.startswith("reading layer")] == [
        f"reading layer {n} of 4" for n in (1, 2, 3, 4)
    ]
    assert "quantizing and saving" in words
    assert [share for share, _ in told] == sorted(share for share, _ in told)


def test_weights_that_the_builder_does_not_take_are_told_and_those_it_lacks_refused(
    byte_model: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    more, less = tmp_path / "more", tmp_path / "less"
    for folder in (more, less):
        shutil.copytree(byte_model, folder)
    weights = load_file(byte_model / "model.safetensors")
    save_file(
        {**weights, "model.layers.0.self_attn.q_proj.extra": weights["lm_head.weight"].clone()},
        more / "model.safetensors",
        {"format": "pt"},
    )
    _, built = made(QUANTIZER, Base(more, "hf", more), tmp_path / "a", {"precision": "fp32"})
    assert [note.code for note in built.notes if note.code == "weights-unread"] == ["weights-unread"]
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, less / "model.safetensors", {"format": "pt"})
    with pytest.raises(HarnessError, match="the weight files lack what the configuration asks for"):
        made(QUANTIZER, Base(less, "hf", less), tmp_path / "b", {"precision": "fp32"})
