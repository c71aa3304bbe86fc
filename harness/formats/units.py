"""Units of published numbers: what one is times to be in a metric's own unit."""

from __future__ import annotations

SCALES = {
    ("ms", "s"): 1e-3, ("us", "s"): 1e-6, ("min", "s"): 60.0, ("h", "s"): 3600.0,
    ("kB", "B"): 1e3, ("MB", "B"): 1e6, ("GB", "B"): 1e9,
    ("KiB", "B"): float(1 << 10), ("MiB", "B"): float(1 << 20), ("GiB", "B"): float(1 << 30), ("%", "fraction"): 1e-2,
}  # fmt: skip
"""From a unit and the metric's own to the factor."""


def why_not(unit: str, own: str) -> str:
    """Say why a unit cannot be converted; empty where it can."""
    if unit == own or (unit, own) in SCALES:
        return ""
    known = sorted({own, *(other for other, target in SCALES if target == own)})
    return f"'{unit}' cannot be converted to '{own}'; write one of {', '.join(known)}"


def scale(unit: str, own: str) -> float:
    """Return what a number of a unit is times to be in the metric's own."""
    return SCALES.get((unit, own), 1.0)
