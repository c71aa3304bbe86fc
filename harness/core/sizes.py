"""Sizes as people write them."""

from __future__ import annotations

import re

from harness.core.errors import HarnessError

_UNITS = {"": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}  # fmt: skip


def size_of(text: str, option: str = "--pieces", example: str = "60MB or 64MiB") -> int:
    """Read a size in bytes: 60MB, 64MiB, 1.5TB, or bytes. Raises: HarnessError naming the option."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?b|)", text.strip().lower())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < 1000:
        raise HarnessError(f"{option} {text}: write it as {example}, of 1 kB at least")
    return size


def size_text(size: float) -> str:
    """Write a size in bytes as people read it."""
    for unit, each in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(size) >= each:
            return f"{size / each:.1f} {unit}"
    return f"{size:.0f} bytes"
