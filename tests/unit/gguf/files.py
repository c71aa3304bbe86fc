"""GGUF files made here: a tiny Llama with its tokenizer, whole or with something wrong, and wheels that hold them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_model import CONTEXT

gguf = pytest.importorskip("gguf", reason="the package gguf is not in this environment: harness setup installs it")


def tensors_of(folder: Path) -> dict[str, np.ndarray]:
    """A Llama's weights under GGUF's names, query and key rows in GGUF's order. Source: llama.cpp, convert_hf_to_gguf.py."""
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text("utf-8"))
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    parts = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
             "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}  # fmt: skip
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    found = {}
    for name, values in load_file(folder / "model.safetensors").items():
        stem = name.removesuffix(".weight")
        if stem not in names:
            _, _, layer, inner = stem.split(".", 3)
            part = parts[inner]
            if part in heads:
                rows, columns = values.shape
                values = (
                    values.reshape(heads[part], 2, rows // heads[part] // 2, columns)
                    .swapaxes(1, 2)
                    .reshape(values.shape)
                )
            found[f"blk.{layer}.{part}.weight"] = np.ascontiguousarray(values)
        else:
            found[f"{names[stem]}.weight"] = values
    return found


def write_gguf(
    path: Path,
    model: Path,
    *,
    kind: str = "Q8_0",
    architecture: str = "llama",
    tokenizer: str = "gpt2",
    pre: str = "gpt-2",
    drop: str | None = None,
    extra: dict[str, np.ndarray] | None = None,
    fields: dict[str, Any] | None = None,
    adds_bos: bool = False,
) -> Path:
    """Write a model of `tests.tiny_model` as GGUF; matrices in the type `kind`."""
    config = json.loads((model / "config.json").read_text("utf-8"))
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_vocab_size(config["vocab_size"])
    for key, value in (fields or {}).items():
        writer.add_float32(key, value) if isinstance(value, float) else writer.add_string(key, value)
    _add_tokenizer(writer, model, tokenizer, pre, adds_bos=adds_bos)
    for name, values in {**tensors_of(model), **(extra or {})}.items():
        if name == drop:
            continue
        stored = gguf.GGMLQuantizationType[kind if values.ndim == 2 else "F32"]
        writer.add_tensor(name, gguf.quants.quantize(values, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: Any, model: Path, kind: str, pre: str, *, adds_bos: bool) -> None:
    whole = json.loads((model / "tokenizer.json").read_text("utf-8"))
    ids = whole["model"]["vocab"] | {item["content"]: item["id"] for item in whole["added_tokens"]}
    tokens = sorted(ids, key=lambda token: ids[token])
    special = {item["content"] for item in whole["added_tokens"]}
    writer.add_tokenizer_model(kind)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in whole["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(adds_bos)


def write_wheel(folder: Path, name: str, files: Iterable[tuple[str, bytes]]) -> Path:
    """Write a wheel NAME 1.0 with these files; importing it would fail loudly."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    told = {
        f"{name}/__init__.py": b"raise RuntimeError('a package of a model was imported')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for inner, content in (*told.items(), *files):
            archive.writestr(inner, content)
    return path
