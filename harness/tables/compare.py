"""The closed list of comparisons that a cell can show, each with its formula, inputs and rounding. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import Literal

from harness.core.errors import HarnessError
from harness.core.metric import Direction

Inputs = Literal["raw", "displayed"]
Result = Literal["metric", "number", "percent"]


@dataclass(frozen=True)
class Operand:
    """One input of a comparison in the metric's shown unit, with its interval and the number of GPUs it took."""

    value: Decimal
    low: Decimal | None = None
    high: Decimal | None = None
    gpus: int = 1


@dataclass(frozen=True)
class Comparison:
    """What is computed from a value and its baseline.

    inputs: raw measurements, or the digits that the table displays; a spec may say otherwise.
    result: in the unit of the metric, a plain number, or a percentage.
    All results are rounded once, half to even, when they are written.
    """

    name: str
    formula: str
    of: Callable[[Operand, Operand], Decimal]
    inputs: Inputs = "raw"
    result: Result = "number"
    needs_baseline: bool = True
    divides_by: Literal["nothing", "value", "baseline"] = "baseline"
    neutral: int | None = None
    """The result where there is no difference."""


def _per_gpu(value: Operand, baseline: Operand) -> Decimal:
    return value.value / value.gpus / (baseline.value / baseline.gpus)


WORSE = "worse_percent"
"""By how many percent a number got worse, whichever way that is; less than 0 where it got better."""

COMPARISONS: dict[str, Comparison] = {
    item.name: item
    for item in (
        Comparison("value", "value", lambda value, _: value.value, result="metric",
                   needs_baseline=False, divides_by="nothing"),
        Comparison("baseline", "baseline", lambda _, base: base.value, result="metric", divides_by="nothing"),
        Comparison("ratio", "value / baseline", lambda value, base: value.value / base.value, neutral=1),
        Comparison("inverse_ratio", "baseline / value", lambda value, base: base.value / value.value,
                   divides_by="value", neutral=1),
        Comparison("ratio_per_gpu", "(value / its GPUs) / (baseline / its GPUs)", _per_gpu, neutral=1),
        Comparison("loss_percent", "(baseline - value) / baseline x 100",
                   lambda value, base: (base.value - value.value) / base.value * 100, result="percent",
                   neutral=0),
        Comparison("change_percent", "(value - baseline) / baseline x 100",
                   lambda value, base: (value.value - base.value) / base.value * 100, result="percent", neutral=0),
        Comparison(WORSE, "(value - baseline) / baseline x 100, turned where higher is better",
                   lambda value, base: (value.value - base.value) / base.value * 100, result="percent", neutral=0),
        Comparison("difference", "value - baseline", lambda value, base: value.value - base.value,
                   result="metric", divides_by="nothing", neutral=0),
        Comparison("one_plus_reduction", "1 + (baseline - value) / baseline",
                   lambda value, base: 2 - value.value / base.value, inputs="displayed", neutral=1),
    )
}  # fmt: skip


_TURNED = frozenset({"inverse_ratio", "loss_percent", "one_plus_reduction"})
"""Comparisons that grow where the metric shrinks."""


def better_way(comparison: str, metric: Direction) -> Direction:
    """Say which way a comparison's number is better, given that of its metric."""
    turned: dict[Direction, Direction] = {"higher": "lower", "lower": "higher", "none": "none"}
    if comparison == WORSE:
        return "none" if metric == "none" else "lower"
    return turned[metric] if comparison in _TURNED else metric


def directed(comparison: Comparison, better: Direction) -> Comparison:
    """Turn a comparison that depends on which way is better. Raises: HarnessError where nobody says which it is."""
    if comparison.name != WORSE or better == "lower":
        return comparison
    if better == "none":
        raise HarnessError("no percent of worse: nobody says which way the metric is better")
    return replace(comparison, of=COMPARISONS["loss_percent"].of)


def compared(comparison: Comparison, value: Operand, baseline: Operand | None) -> Operand:
    """Compute a comparison; the interval is that of independent inputs where both have one.

    Raises: HarnessError for a baseline that is missing or a division by zero.
    """
    if not comparison.needs_baseline:
        return value
    if baseline is None:
        raise HarnessError("the baseline is missing")
    result = result_of(comparison, value, baseline)
    with localcontext(prec=28):
        half = _half_width(comparison, value, baseline)
    return Operand(result) if half is None else Operand(result, result - half, result + half)


def result_of(comparison: Comparison, value: Operand, baseline: Operand) -> Decimal:
    """Compute a comparison's result alone. Raises: HarnessError for a division by zero."""
    divisor = {"nothing": None, "value": value.value, "baseline": baseline.value}[comparison.divides_by]
    if divisor is not None and divisor.is_zero():
        raise HarnessError(f"the {comparison.divides_by} is zero and {comparison.name} divides by it")
    with localcontext(prec=28):
        return comparison.of(value, baseline)


def _half_width(comparison: Comparison, value: Operand, baseline: Operand) -> Decimal | None:
    """Propagate the half widths of two independent inputs to first order (partial derivatives by differences)."""
    if value.low is None or value.high is None or baseline.low is None or baseline.high is None:
        return None
    of_value = _slope(lambda step: comparison.of(_moved(value, step), baseline), value)
    of_baseline = _slope(lambda step: comparison.of(value, _moved(baseline, step)), baseline)
    return decimal_of(math.hypot(of_value * _half(value), of_baseline * _half(baseline)))


def _slope(result: Callable[[Decimal], Decimal], at: Operand) -> float:
    step = max(abs(at.value), Decimal("1e-9")) * Decimal("1e-6")
    return float((result(step) - result(-step)) / (2 * step))


def _moved(operand: Operand, step: Decimal) -> Operand:
    return Operand(operand.value + step, gpus=operand.gpus)


def _half(operand: Operand) -> float:
    if operand.low is None or operand.high is None:
        return 0.0
    return float(operand.high - operand.low) / 2


def decimal_of(value: float) -> Decimal:
    """Take a computed float as a decimal of 12 digits, so that the last bit of a platform's libm is not shown."""
    return Decimal(f"{value:.12g}")
