"""The arithmetic of a cell, told so that a person can do it again with what is printed. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.core.errors import HarnessError
from harness.core.metric import metric as metric_named
from harness.core.outcome import Measurement
from harness.tables.cells import led
from harness.tables.compare import COMPARISONS, Operand, compared
from harness.tables.formats import DEFAULT_UNIT, NumberFormat, factor, written
from harness.tables.result import Cell, CellTrace, Side
from harness.tables.spec import CellSpec

_ROLE = re.compile(r"\b(?P<role>value|baseline)\b(?P<gpus> / its GPUs)?")


@dataclass(frozen=True)
class Term:
    """An input of the arithmetic, with how it came from what is stored."""

    role: str
    run: str
    measurement: str
    value: Decimal
    """As it entered: in the shown unit, rounded where displayed digits are compared."""
    unit: str
    stored: float
    stored_unit: str
    factor: Decimal
    """From the stored to the shown unit."""
    gpus: int
    rounds: int | None = None
    """Processes whose mean entered; None where the value of the one run did."""
    at_1ms: Decimal | None = None
    """Mean at a pace of 1 ms of the machine, in the shown unit, where rounds are compared at one pace."""


@dataclass(frozen=True)
class Arithmetic:
    """From inputs to the text that stands in the cell."""

    metric: str
    definition: str
    better: str
    comparison: str
    formula: str
    inputs: str
    """raw measurements, or the digits that the table displays."""
    published: bool
    """The comparison was published as it stands; there is nothing to compute."""
    published_inputs: tuple[Operand, Operand] | None
    """Value and baseline where the source published them beside such a comparison, in the stored unit."""
    stat: str
    """Statistic of the samples that entered, empty for the value itself."""
    slice: str
    terms: tuple[Term, ...]
    equation: str
    result: Decimal
    """Computed anew from the terms."""
    low: Decimal | None
    high: Decimal | None
    interval: str
    """What low and high of the result are."""
    format: str
    rounding: str
    number: str
    """The result as it is written."""
    beside: str
    """What the cell says beside its number: an uncertainty, a mark or words."""
    agrees: bool
    """Whether the number is what stands in the cell."""


def arithmetic(cell: Cell, stored: Sequence[Measurement], beside: tuple[Operand, Operand] | None = None) -> Arithmetic:
    """Do a cell's arithmetic again from its trace.

    stored: the measurements behind `cell.trace.sides`, in their order. beside: of a comparison that was published as it
    stands, value and baseline where they were published too.
    """
    trace, asked = cell.trace, cell.asked
    assert trace is not None
    assert asked is not None
    metric = metric_named(trace.metric)
    result = recomputed(trace)
    scale = percent_scale(trace, asked)
    number = written(result * scale, asked.format)
    shown = asked.words.get(number) or led(number, asked)
    agrees = cell.text == shown or cell.text.startswith((f"{shown} ", f"{shown}{asked.behind or ' '}"))
    terms = tuple(_term(trace, side, asked, held) for side, held in zip(trace.sides, stored, strict=True))
    return Arithmetic(
        metric=trace.metric,
        definition=_definition(metric.definition, stored),
        better=next((item.better for item in stored if item.better), metric.better),
        comparison=trace.comparison,
        formula=trace.formula,
        inputs=trace.inputs,
        published=trace.published,
        published_inputs=beside,
        stat=asked.stat or "",
        slice=asked.slice,
        terms=terms,
        equation=_as_published(trace, asked, beside) if trace.published else _equation(trace, terms, result, scale),
        result=result,
        low=trace.low,
        high=trace.high,
        interval=_interval(trace, stored),
        format=format_text(asked.format),
        rounding=_rounding(asked.format),
        number=number,
        beside=_beside(cell.text, shown, number, asked) if agrees else "",
        agrees=agrees,
    )


def _definition(ours: str, stored: Sequence[Measurement]) -> str:
    """Say what a metric is; numbers of others (version 0) are as their source defines them."""
    return f"as its source defines it; here it would be: {ours}" if stored[0].metric_version == 0 else ours


def recomputed(trace: CellTrace) -> Decimal:
    """Compute a cell's result from its inputs alone."""
    operands = [Operand(side.value, gpus=side.gpus) for side in trace.sides]
    if trace.published:
        return operands[0].value
    return compared(COMPARISONS[trace.comparison], operands[0], operands[1] if len(operands) > 1 else None).value


def percent_scale(trace: CellTrace, asked: CellSpec) -> Decimal:
    """Return what a result is multiplied with when written: a plain ratio that is asked for in percent, with 100."""
    plain = COMPARISONS[trace.comparison].result == "number"
    return Decimal(100) if plain and asked.format.suffix == "%" else Decimal(1)


def _term(trace: CellTrace, side: Side, asked: CellSpec, held: Measurement) -> Term:
    unit = asked.unit if asked.unit is not None else DEFAULT_UNIT.get(held.unit, held.unit)
    if trace.published:
        unit = held.unit
    return Term(
        role=side.role,
        run=side.run,
        measurement=side.measurement,
        value=side.value,
        unit=unit,
        stored=held.value if side.stored is None else float(side.stored),
        rounds=side.rounds,
        stored_unit=held.unit,
        factor=Decimal(1) if trace.published else factor(held.unit, asked.unit),
        gpus=side.gpus,
        at_1ms=trace.at_1ms[("value", "baseline").index(side.role)] if trace.at_1ms else None,
    )


def digits(value: Decimal | float) -> str:
    """Write a number with the ten digits that a person can do with."""
    return f"{float(value):,.10g}"


def _equation(trace: CellTrace, terms: Sequence[Term], result: Decimal, scale: Decimal) -> str:
    """Put the inputs into the formula."""
    by_role = {term.role: term for term in terms}

    def number(found: re.Match[str]) -> str:
        term = by_role.get(found["role"])
        if term is None:
            return found["role"]
        return _entered(Operand(term.value, gpus=term.gpus), bool(found["gpus"]))

    said = _ROLE.sub(number, trace.formula)
    equation = said if said == digits(result) else f"{said} = {digits(result)}"
    return f"{equation}, x 100 for %" if scale != 1 else equation


def _entered(operand: Operand, shared: bool) -> str:
    """Write an input as it stands in the formula, with the GPUs that share it where they count."""
    return f"{digits(operand.value)} / {operand.gpus}" if shared else digits(operand.value)


def _as_published(trace: CellTrace, asked: CellSpec, inputs: tuple[Operand, Operand] | None) -> str:
    """Hold a published comparison against what its published inputs give."""
    number = digits(trace.result * percent_scale(trace, asked))
    if inputs is None:
        return f"published as {number}"
    by_role = dict(zip(("value", "baseline"), inputs, strict=True))
    said = _ROLE.sub(lambda found: _entered(by_role[found["role"]], bool(found["gpus"])), trace.formula)
    try:
        given = compared(COMPARISONS[trace.comparison], *inputs).value
    except HarnessError as error:
        return f"published as {number}; the published inputs {said} give nothing: {error}"
    return f"published as {number}; the published inputs {said} give {written(given * percent_scale(trace, asked), asked.format)}"


def _interval(trace: CellTrace, stored: Sequence[Measurement]) -> str:
    if trace.low is None:
        return ""
    if trace.interval:
        return trace.interval
    if len(stored) > 1:
        return "from the intervals of both inputs, taken as independent"
    return stored[0].interval or ""


def _beside(text: str, shown: str, number: str, asked: CellSpec) -> str:
    return f"written in words for {number}" if number in asked.words else text.removeprefix(shown).strip()


def format_text(form: NumberFormat) -> str:
    """Write a format as specs do: `2x`, `+1`, `2 stripped`."""
    stripped = " stripped" if form.stripped else ""
    return f"{'+' if form.sign else ''}{form.decimals}{',' if form.comma else ''}{form.suffix}{stripped}"


def _rounding(form: NumberFormat) -> str:
    """Say in words what a format does."""
    places = f"{form.decimals} decimal{'' if form.decimals == 1 else 's'}"
    how = f"scientific with {places}" if form.suffix == "e" else f"rounded once, half to even, to {places}"
    more = ["with a sign"] if form.sign else []
    more += ["with thousands commas"] if form.comma else []
    more += ["without trailing zeros"] if form.stripped else []
    more += [f"'{form.suffix}' behind it"] if form.suffix in {"x", "%"} else []
    return ", ".join([how, *more])
