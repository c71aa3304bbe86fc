"""What a model's folder says of the model, read once from its JSON files and the headers of its weights."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core.pipelines import PIPELINE, is_pipeline, read_index
from harness.core.rope import Rope, read_rope

_HEADER_LIMIT = 100_000_000
_PHI3_ORIGINAL = 4096
"""`original_max_position_embeddings` of a phi3 configuration that does not say it (transformers' Phi3Config)."""


HEAD_SIZES = {
    "deepseek_v2": 64, "deepseek_v3": 64, "ernie4_5": 128, "gemma": 256, "gemma2": 256, "gemma3": 256, "gemma3_text": 256,
    "gemma3n": 256, "gemma3n_text": 256, "glm": 128, "glm4": 128, "gpt_oss": 64, "helium": 128, "jetmoe": 128, "llama4": 128,
    "llama4_text": 128, "longcat_flash": 64, "qwen3": 128, "qwen3_next": 256, "seed_oss": 128, "vaultgemma": 256,
}  # fmt: skip
"""`head_dim` of a type of model where its configuration does not say it: of all others it follows from the width (transformers 4.57)."""


@dataclass(frozen=True)
class TensorHeader:
    """One tensor of the weight files, by its header."""

    file: Path
    dtype: str
    """As safetensors writes it: F32, F16, BF16 ..."""
    shape: tuple[int, ...]
    begin: int
    """First byte in the file."""
    end: int


@dataclass(frozen=True)
class ModelRecord:
    """A decoder model by its configuration; what the files do not say is None."""

    config: Mapping[str, Any]
    """config.json, the part of the language model on top."""
    model_type: str = ""
    architecture: str | None = None
    context: int | None = None
    head_size: int | None = None
    rope: Rope = field(default_factory=Rope)
    border: int | None = None
    """Sequences longer than this have other rotary embeddings throughout (LongRoPE)."""
    soft_cap: float | None = None
    """Attention scores are capped at this."""
    ends: tuple[int, ...] = ()
    """Token ids that end a text: those of generation_config.json, else of config.json."""
    custom_code: bool = False
    """The folder brings program code of its own (`auto_map`)."""
    quantized: str | None = None
    """Method of `quantization_config`."""


def read_record(folder: Path) -> ModelRecord | None:
    """Read a model's folder; None where it has no config.json that could be read."""
    config = _object(folder / "config.json")
    if not config and is_pipeline(folder):
        return ModelRecord({}, PIPELINE, str(read_index(folder).get("_class_name")))
    return record_of(config, _object(folder / "generation_config.json")) if config else None


def record_of(config: Mapping[str, Any], generation: Mapping[str, Any] | None = None) -> ModelRecord:
    """Make a record of a configuration; a multimodal one holds the language model in `text_config`."""
    inner = config.get("text_config")
    part = {**config, **inner, "model_type": config.get("model_type")} if isinstance(inner, Mapping) else config
    rope = read_rope(part)
    named = part.get("architectures")
    ends = (generation or {}).get("eos_token_id")
    return ModelRecord(
        config=part,
        model_type=str(part.get("model_type") or ""),
        architecture=str(named[0]) if isinstance(named, list) and named else None,
        context=_whole(part.get("max_position_embeddings")),
        head_size=_head_size(part),
        rope=rope,
        border=_border(part, rope),
        soft_cap=part.get("attn_logit_softcapping"),
        ends=_ids(ends if ends is not None else part.get("eos_token_id")),
        custom_code=bool(config.get("auto_map")),
        quantized=_quantized(config),
    )


def read_tensors(folder: Path) -> dict[str, TensorHeader]:
    """Read the headers of a folder's safetensors files: name to tensor; damaged files are left to those who open them.

    Where an index says which files belong to the model, others are left out.
    """
    index = _object(folder / "model.safetensors.index.json").get("weight_map")
    names = sorted(set(index.values())) if isinstance(index, Mapping) and index else None
    files = [folder / name for name in names] if names else sorted(folder.glob("*.safetensors"))
    found: dict[str, TensorHeader] = {}
    for file in files:
        found |= _header(file)
    return found


def _header(file: Path) -> dict[str, TensorHeader]:
    try:
        with file.open("rb") as stream:
            length = struct.unpack("<Q", stream.read(8))[0]
            entries = json.loads(stream.read(min(length, _HEADER_LIMIT)))
        return {
            name: TensorHeader(
                file, entry["dtype"], tuple(entry["shape"]), *(8 + length + at for at in entry["data_offsets"])
            )
            for name, entry in entries.items()
            if name != "__metadata__"
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return {}


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _head_size(config: Mapping[str, Any]) -> int | None:
    given, hidden, heads = (_whole(config.get(key)) for key in ("head_dim", "hidden_size", "num_attention_heads"))
    by_class = HEAD_SIZES.get(str(config.get("model_type")))
    return given or by_class or (hidden // heads if hidden and heads else None)


def _border(config: Mapping[str, Any], rope: Rope) -> int | None:
    """Give the length beyond which LongRoPE takes its long factors; None where the whole context lies on one side.

    transformers 4 reads it beside `rope_scaling`, transformers 5 inside `rope_parameters`.
    """
    if rope.kind != "longrope":
        return None
    inside = rope.original if config.get("rope_parameters") else None
    default = _PHI3_ORIGINAL if config.get("model_type") == "phi3" else None
    found = _whole(config.get("original_max_position_embeddings")) or inside or default
    context = _whole(config.get("max_position_embeddings"))
    return found if found and (context is None or found < context) else None


def _ids(value: Any) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(item for item in values if isinstance(item, int)))


def _quantized(config: Mapping[str, Any]) -> str | None:
    said = config.get("quantization_config")
    return str(said.get("quant_method", "an unknown method")) if isinstance(said, Mapping) else None
