"""How much disk a job will need, roughly: models by their weights, artifacts by parameters and precision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BYTES: Mapping[str, float] = {
    "fp32": 4, "float32": 4, "fp16": 2, "float16": 2, "bf16": 2, "bfloat16": 2, "int8": 1.125, "int4": 0.625,
}  # fmt: skip
"""Bytes of a weight; of integers with the scales of small blocks."""
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt")
_FLOATS = 4
"""What stays in floats beside integers is written in up to this many bytes."""
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers")
_WIDTH = ("hidden_size", "n_embd", "d_model")
_INNER = ("moe_intermediate_size", "intermediate_size", "n_inner", "ffn_dim")
_HEADS = ("num_attention_heads", "n_head")
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")


@dataclass(frozen=True)
class Size:
    """What a model weighs."""

    bytes: int
    """Its folder, or what making it will write."""
    parameters: int
    embedding: int = 0
    """Parameters of the embedding, which most recipes leave in floats."""

    def built(self, precision: object, base: int | None) -> int:
        """Estimate an artifact in bytes: by precision where the recipe says one, else no larger than its base."""
        each = BYTES.get(str(precision))
        if each is None:
            return self.bytes if base is None else base
        floats = self.embedding * _FLOATS if each < 2 else 0
        return int(self.parameters * each) + floats


def of_folder(folder: Path) -> Size:
    """Weigh a model that lies in a folder: every file's size, and weights by the type its configuration says."""
    config = _config(folder)
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    weights = next((found for pattern in _WEIGHTS if (found := [p for p in sizes if p.match(pattern)])), [])
    each = BYTES.get(str(_first(config, ("dtype", "torch_dtype"))), 2)
    return Size(sum(sizes.values()), int(sum(sizes[path] for path in weights) / each), _embedding(config))


def of_config(config: Mapping[str, Any], dtype: str) -> Size:
    """Weigh a model that its configuration describes: embedding, attention and feed-forward matrices."""
    width, inner = _number(config, _WIDTH), _number(config, _INNER)
    heads = _number(config, _HEADS) or 1
    head = _number(config, ("head_dim",)) or width // heads
    shared = _number(config, ("num_key_value_heads",)) or heads
    attention = width * head * (2 * heads + 2 * shared)
    feed = 3 * width * (inner or 4 * width) * max(1, _number(config, _EXPERTS))
    embedding = _embedding(config)
    tied = bool(_first(config, ("tie_word_embeddings",)))
    parameters = _number(config, _LAYERS) * (attention + feed) + embedding * (1 if tied else 2)
    return Size(int(parameters * BYTES.get(dtype, 4)), parameters, embedding)


def _embedding(config: Mapping[str, Any]) -> int:
    return _number(config, ("vocab_size",)) * _number(config, _WIDTH)


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """Read the first of several names for one thing; multimodal configurations hold it one level down."""
    inner = config.get("text_config")
    parts = [config, inner] if isinstance(inner, Mapping) else [config]
    return next((part[name] for part in parts for name in names if part.get(name) is not None), None)


def _number(config: Mapping[str, Any], names: tuple[str, ...]) -> int:
    found = _first(config, names)
    return found if isinstance(found, int) else 0
