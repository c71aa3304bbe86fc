"""Which inputs and outputs of a decoder graph are its key/value cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError

Settings = dict[str, Any]
"""Of genai_config.json, as it was read."""


def pairs_of(folder: Path, decoder: Settings, inputs: set[str], outputs: Sequence[str]) -> dict[str, str]:
    """Pair cache inputs with outputs by genai_config.json's name patterns. Raises: HarnessError for a graph that is no plain decoder."""
    pairs: dict[str, str] = {}
    for part in ("key", "value"):
        took = decoder["inputs"].get(f"past_{part}_names", f"past_key_values.%d.{part}")
        gives = decoder["outputs"].get(f"present_{part}_names", f"present.%d.{part}")
        pairs |= {took % layer: gives % layer for layer in range(int(decoder["num_hidden_layers"]))}
    unknown = inputs - set(pairs) - {"input_ids", "attention_mask", "position_ids"}
    absent = (set(pairs) | {"input_ids", "attention_mask"}) - inputs | ({"logits", *pairs.values()} - set(outputs))
    if unknown or absent:
        raise HarnessError(
            f"{folder}: the graph is no plain decoder with key/value cache ("
            f"unknown inputs: {', '.join(sorted(unknown)) or 'none'}; missing: {', '.join(sorted(absent)) or 'none'}); "
            "score it with another engine, or export it with the GenAI builder"
        )
    return pairs


def dimension(value: object, config: Settings, name: str) -> int:
    """Return a fixed dimension; symbolic ones stand in genai_config.json (an unbound one must not become 1)."""
    return value if isinstance(value, int) else int(config["decoder"][name])
