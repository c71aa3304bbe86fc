"""Units of published numbers in a metric's own."""

from __future__ import annotations

import pytest

from harness.formats.units import scale, why_not


@pytest.mark.parametrize(("unit", "own", "factor"), [
    ("ms", "s", 1e-3), ("s", "s", 1.0), ("GiB", "B", 2.0**30), ("GB", "MB", 1e3), ("%", "fraction", 0.01), ("min", "ms", 60_000.0),
    ("tok/s", "tok/s", 1.0),
])  # fmt: skip
def test_a_unit_is_a_multiple_of_another(unit: str, own: str, factor: float) -> None:
    assert scale(unit, own) == pytest.approx(factor)
    assert why_not(unit, own) == ""


def test_a_unit_that_measures_something_else_is_told_with_those_that_fit() -> None:
    assert why_not("GB", "s") == "'GB' cannot be converted to 's'; write one of h, min, ms, s, us"
    assert scale("GB", "s") == 1.0
