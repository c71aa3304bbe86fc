"""What becomes of a width that blocks do not divide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def widths(config: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Name the widths of a model's layers, as its configuration says them."""
    found = [(name, config.get(name)) for name in ("hidden_size", "intermediate_size")]
    return [(name, size) for name, size in found if isinstance(size, int)]


def short_blocks(size: int, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Say of each width that blocks of a size do not divide that its last block is a shorter one."""
    return tuple(
        f"block_size {size} does not divide {name} {width}: the last scale of each row stands for {width % size} weights"
        for name, width in (widths(config) if size > 0 else ())
        if width % size
    )
