"""What a model's folder says of the model."""

from __future__ import annotations

import inspect
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from harness.core.model_record import HEAD_SIZES, TensorHeader, _border, read_record, read_tensors, record_of
from harness.core.rope import read_rope

SCALING = {"type": "longrope", "short_factor": [1.0], "long_factor": [2.0]}


@pytest.mark.parametrize(("config", "border"), [
    ({"model_type": "phi3", "rope_scaling": SCALING, "max_position_embeddings": 131072}, 4096),
    ({"model_type": "minicpm3", "rope_scaling": SCALING, "max_position_embeddings": 131072}, None),
    ({"model_type": "minicpm3", "rope_scaling": SCALING, "original_max_position_embeddings": 300, "max_position_embeddings": 512}, 300),
    ({"model_type": "phi3", "rope_scaling": SCALING, "max_position_embeddings": 4096}, None),
    ({"model_type": "phi3", "rope_parameters": {**SCALING, "original_max_position_embeddings": 8192}}, 8192),
    ({"model_type": "phi3", "rope_scaling": {"type": "yarn", "factor": 4.0}}, None),
])  # fmt: skip
def test_a_border_is_where_the_long_factors_begin_inside_the_context(
    config: dict[str, Any], border: int | None
) -> None:
    assert _border(config, read_rope(config)) == border


def test_head_sizes_that_no_configuration_says_are_those_of_transformers() -> None:
    from transformers import CONFIG_MAPPING

    here = {
        kind: inspect.signature(CONFIG_MAPPING[kind].__init__).parameters
        for kind in HEAD_SIZES
        if kind in CONFIG_MAPPING
    }
    said = {kind: given["head_dim"].default for kind, given in here.items() if "head_dim" in given}
    theirs = {kind: size for kind, size in said.items() if isinstance(size, int)}
    assert len(theirs) >= 10
    assert theirs == {kind: HEAD_SIZES[kind] for kind in theirs}


def test_head_sizes_are_powers_of_two_as_kernels_want_them() -> None:
    assert set(HEAD_SIZES.values()) == {64, 128, 256}
    assert {kind for kind, size in HEAD_SIZES.items() if size == 64} == {
        "deepseek_v2",
        "deepseek_v3",
        "gpt_oss",
        "longcat_flash",
    }
    wide = {"gemma", "gemma2", "gemma3", "gemma3_text", "gemma3n", "gemma3n_text", "qwen3_next", "vaultgemma"}
    assert {kind for kind, size in HEAD_SIZES.items() if size == 256} == wide


@pytest.mark.parametrize(("config", "size"), [
    ({"head_dim": 96, "hidden_size": 512, "num_attention_heads": 8, "model_type": "gemma"}, 96),
    ({"hidden_size": 512, "num_attention_heads": 8, "model_type": "gemma"}, 256), ({"hidden_size": 512, "num_attention_heads": 8}, 64),
    ({"hidden_size": 100, "num_attention_heads": 8}, 12), ({"hidden_size": 512}, None), ({"num_attention_heads": 8}, None),
    ({"hidden_size": 512, "num_attention_heads": 0}, None), ({"hidden_size": True, "num_attention_heads": 8}, None),
    ({"hidden_size": 512.0, "num_attention_heads": 8}, None), ({}, None),
])  # fmt: skip
def test_a_head_is_as_wide_as_it_says_else_as_its_class_else_its_part_of_the_width(
    config: dict[str, Any], size: int | None
) -> None:
    assert record_of(config).head_size == size


def test_a_record_says_what_the_files_say() -> None:
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM", "Other"], "max_position_embeddings": 2048, "eos_token_id": [2, 7, 2, None],
        "attn_logit_softcapping": 50.0, "auto_map": {"AutoModel": "x"}, "quantization_config": {"quant_method": "gptq"},
    }  # fmt: skip
    found = record_of(config)
    assert (found.model_type, found.architecture, found.context, found.soft_cap) == (
        "llama",
        "LlamaForCausalLM",
        2048,
        50.0,
    )
    assert (found.ends, found.custom_code, found.quantized) == ((2, 7), True, "gptq")
    assert record_of(config, {"eos_token_id": 0}).ends == (0,), (
        "generation_config.json comes first, also where the id is 0"
    )
    assert record_of(config, {"eos_token_id": None}).ends == (2, 7)
    bare = record_of({"architectures": [], "max_position_embeddings": False, "quantization_config": {}})
    assert (bare.model_type, bare.architecture, bare.context, bare.ends, bare.custom_code) == (
        "",
        None,
        None,
        (),
        False,
    )
    assert bare.quantized == "an unknown method"
    assert record_of({"architectures": "One", "quantization_config": None}).quantized is None


def test_a_multimodal_configuration_has_its_language_model_inside() -> None:
    inner = {"model_type": "gemma3_text", "max_position_embeddings": 99, "vocab_size": 5}
    found = record_of(
        {"model_type": "gemma3", "text_config": inner, "architectures": ["G"], "max_position_embeddings": 1}
    )
    assert (found.model_type, found.context, found.architecture, found.config["vocab_size"]) == ("gemma3", 99, "G", 5)


def test_headers_tell_where_each_tensor_lies(tmp_path: Path) -> None:
    header = json.dumps({
        "__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
        "b": {"dtype": "BF16", "shape": [3], "data_offsets": [8, 14]},
    }).encode()  # fmt: skip
    file = tmp_path / "one.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1.5, -2.0) + bytes(6))
    found = read_tensors(tmp_path)
    begin = 8 + len(header)
    assert found == {
        "a": TensorHeader(file, "F32", (1, 2), begin, begin + 8), "b": TensorHeader(file, "BF16", (3,), begin + 8, begin + 14),
    }  # fmt: skip
    assert struct.unpack("<2f", file.read_bytes()[found["a"].begin : found["a"].end]) == (1.5, -2.0)


@pytest.mark.parametrize("broken", [b"", b"1234567", struct.pack("<Q", 3) + b"{}", struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 8) + b'{"a": 1}',
                                    struct.pack("<Q", 9) + b'{"a": {}}', struct.pack("<Q", 2) + b"{"])  # fmt: skip
def test_damaged_files_are_left_to_those_who_open_them(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / "one.safetensors").write_bytes(broken)
    assert read_tensors(tmp_path) == {}


@pytest.mark.parametrize(
    ("index", "read"),
    [({"weight_map": {"t": "a.safetensors"}}, {"t_a"}), ({"weight_map": {}}, {"t_a", "t_b"}), ([], {"t_a", "t_b"})],
)
def test_an_index_says_which_files_belong_to_the_model(tmp_path: Path, index: object, read: set[str]) -> None:
    for name in "ab":
        header = json.dumps({f"t_{name}": {"dtype": "I8", "shape": [0], "data_offsets": [0, 0]}}).encode()
        (tmp_path / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    assert set(read_tensors(tmp_path)) == read


def test_a_folder_without_a_readable_configuration_has_no_record(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    for text in ("{", "[1]", "{}"):
        (tmp_path / "config.json").write_text(text, "utf-8")
        assert read_record(tmp_path) is None
    (tmp_path / "config.json").write_text('{"model_type": "llama", "eos_token_id": 2}', "utf-8")
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [3, 4]}', "utf-8")
    found = read_record(tmp_path)
    assert found is not None
    assert found.ends == (3, 4)
