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
    if _factor(unit, own) is not None:
        return ""
    base, _ = _base(own)
    known = sorted({own, base, *(other for other, target in SCALES if target == base)})
    return f"'{unit}' cannot be converted to '{own}'; write one of {', '.join(known)}"


def scale(unit: str, own: str) -> float:
    """Return what a number of a unit is times to be in the metric's own."""
    found = _factor(unit, own)
    return 1.0 if found is None else found


def _factor(unit: str, own: str) -> float | None:
    (base, up), (other, down) = _base(unit), _base(own)
    return 1.0 if unit == own else up / down if base == other else None


def _base(unit: str) -> tuple[str, float]:
    """Give the unit that this one is a multiple of, and how many of those it is."""
    return next(((base, factor) for (one, base), factor in SCALES.items() if one == unit), (unit, 1.0))
