"""Which weights a transformers folder quantizes and how: from its configuration and the headers of its weights files."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.outcome import Scheme
from harness.core.simulated_layers import is_simulated, promised_layers
from harness.quantizers.artifact_check import weight_files
from harness.quantizers.folders import read_json
from harness.quantizers.scheme_text import Matrices, Matrix, product, written

_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
_TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16}
_HEADS = ("lm_head.weight", "embed_out.weight", "output.weight")
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")
_BESIDE = (".bias", ".quant_map", ".nested_quant_map", ".weight_format", "__nf4", "__fp4")
"""Ends of what lies beside a quantized matrix and is neither weight nor scale: a bias, tables of bitsandbytes that are the same for all."""
_PACKED = (".qweight", ".weight_packed", ".weight")
Tensor = tuple[str, tuple[int, ...]]
"""Type as safetensors calls it, and shape."""


def folder_scheme(folder: Path, dtype: str | None = None) -> Scheme | None:
    """Read a folder's scheme; None where its weights are not in safetensors files.

    dtype: type that an engine converts floats to; that of the files where it is not given.
    """
    found = folder_matrices(folder, dtype)
    if found is None:
        return None
    said = read_json(folder / "config.json").get("quantization_config") or {}
    scheme = written(found)
    return scheme.model_copy(update={"bits_per_weight": None}) if is_simulated(said) else scheme


def folder_matrices(folder: Path, dtype: str | None = None) -> Matrices | None:
    """Read a folder's weight matrices, as `folder_scheme`."""
    files = weight_files(folder)
    if any(file.suffix != ".safetensors" for file in files):
        return None
    tensors = {name: tensor for file in files for name, tensor in _header(file).items()}
    config = read_json(folder / "config.json")
    said = config.get("quantization_config") or {}
    matrices = dict(_matrices(tensors, said, dtype))
    if is_simulated(said):
        matrices |= {
            f"{name}.weight": replace(matrices[f"{name}.weight"], text=_simulated(text))
            for name, text in promised_layers(said).items()
        }
    head = next((matrices.pop(name) for name in list(matrices) if name.endswith(_HEADS)), None)
    embedding = next((matrices.pop(name) for name in list(matrices) if name.endswith(_EMBEDDINGS)), None)
    return Matrices(list(matrices.values()), head or embedding, embedding, routed=_has_experts(config))


def _has_experts(config: Mapping[str, Any]) -> bool:
    """Tell a mixture of experts by what configurations of transformers call their number."""
    parts = (config, config.get("text_config") or {})
    return any(isinstance(count := part.get(name), int) and count > 1 for part in parts for name in _EXPERTS)


def _simulated(text: str) -> str:
    """Write a layer as schemes are written, its inputs aside: `int4 b128 simulated`."""
    weights = text.partition(", ")[0]
    return weights if weights in _TYPES.values() else f"{weights} simulated"


def _header(file: Path) -> dict[str, Tensor]:
    with file.open("rb") as stream:
        header = json.loads(stream.read(struct.unpack("<Q", stream.read(8))[0]))
    return {name: (one["dtype"], tuple(one["shape"])) for name, one in header.items() if name != "__metadata__"}


def _matrices(
    tensors: Mapping[str, Tensor], said: Mapping[str, Any], dtype: str | None
) -> Iterator[tuple[str, Matrix]]:
    """Yield the weight matrices by the name of their tensor; quantized ones with what belongs to them."""
    text, width = quantized_text(said)
    for name, (kind, shape) in tensors.items():
        count = product(shape)
        if kind in _TYPES and len(shape) > 1 and name.endswith(".weight"):
            stored = dtype or _TYPES[kind]
            bits = {"float64": 64, "float32": 32}.get(stored, 16)
            yield name, Matrix(stored, name, count, count * bits)
        elif kind not in _TYPES and name.endswith(_PACKED):
            weights = count * _width(kind) // width if width else count
            beside = name.rpartition(".")[0] + "."
            parts = [one for key, one in tensors.items() if key.startswith(beside) and not key.endswith(_BESIDE)]
            yield name, Matrix(text, name, weights, sum(_width(one) * product(sizes) for one, sizes in parts))


def quantized_text(said: Mapping[str, Any]) -> tuple[str, int]:
    """Describe what a `quantization_config` says of a quantized matrix, and its bits per weight; 0 where that is not said."""
    method = str(said.get("quant_method") or "quantized")
    if method == "bitsandbytes":
        if not said.get("load_in_4bit"):
            return "int8 channel sym", 8
        return (
            f"{said.get('bnb_4bit_quant_type', 'fp4')} b64{' dq' if said.get('bnb_4bit_use_double_quant') else ''}",
            4,
        )
    if method == "modelopt":
        algo = str(said.get("quant_algo"))
        return algo.lower(), 4 if algo.startswith(("W4", "NVFP4")) else 8
    groups = [group["weights"] for group in (said.get("config_groups") or {}).values() if group.get("weights")]
    facts = groups[0] if groups else said
    width = int(facts.get("num_bits") or facts.get("bits") or facts.get("w_bit") or 0)
    size = facts.get("group_size") or facts.get("q_group_size")
    symmetric = facts.get("symmetric", facts.get("sym", None if "zero_point" not in facts else not facts["zero_point"]))
    parts = [f"{'fp' if facts.get('type') == 'float' else 'int'}{width}" if width else method]
    parts += [f"b{size}"] if size and int(size) > 0 else ["channel"] if width else []
    parts += [] if symmetric is None else ["sym" if symmetric else "asym"]
    return " ".join(parts), width


def _width(kind: str) -> int:
    return _BITS.get(kind, 8)
