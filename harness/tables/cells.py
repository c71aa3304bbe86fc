"""What stands in one cell: values and statistics of samples, comparisons, uncertainty, failures. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.marks import PACED, marking
from harness.core.spec import Note
from harness.numbers.pairing import Paired, paired_difference, reproduces
from harness.numbers.rounds import is_over_rounds
from harness.numbers.sample_statistics import over_processes, statistic_of
from harness.tables import sitting
from harness.tables.compare import COMPARISONS, Comparison, Operand, compared, decimal_of, directed
from harness.tables.formats import NumberFormat, decimal, factor, rounded, without_paths, written
from harness.tables.question import CellQuestion, CellReader, Filled
from harness.tables.result import CellTrace, Side
from harness.tables.rows import TableRow, direction, distinct
from harness.tables.sitting import marked_apart, marks_of, over_rounds
from harness.tables.spec import CellSpec, TableSpec
from harness.tables.specfields import ABSENT

_TOO_WIDE = 2
"""An interval wider than its value over this is shown with its ends: behind ± it would be read as a small error."""
INCONCLUSIVE = "~"
"""Stands behind a comparison that the data cannot tell from no difference."""


def filled(question: CellQuestion, reader: CellReader) -> Filled:
    """Write a cell. What cannot be computed is shown as absent, with the reason in a footnote."""
    spec, cell, row, baseline = question.spec, question.cell, question.row, question.baseline
    published = row.text("comparison") is not None
    if not row.ok:
        return _failed(spec, row)
    if question.comparison.needs_baseline and not published and (baseline is None or not baseline.ok):
        return _uncompared(question)
    absent = Filled(spec.missing.get(ABSENT, "-"), runs=(row.run,))
    itself = baseline is not None and len(distinct([row, baseline])) == 1
    if cell.paired and itself:
        return absent
    try:
        result, trace = _published(question) if published else _result(question, reader)
        result = Operand(result.value) if itself else result  # nothing is uncertain about a number over itself
    except ConfigError:
        raise
    except HarnessError as error:
        return replace(absent, note=str(error))
    rows = (row,) if baseline is None else (row, baseline)
    done = Filled(
        "", result.value, runs=tuple(one.run for one in rows),
        measurements=tuple(str(one.get("measurement_id")) for one in rows), trace=trace, better=direction(row),
        marks=_marks(question, rows),
    )  # fmt: skip
    paired = result
    if cell.paired and baseline is not None:
        found = _paired(row, baseline, reader)
        if isinstance(found, str):
            return replace(done, text=_text(question, Operand(result.value)), note=found)
        scale = factor(row.text("unit") or "", cell.unit)
        paired = Operand(result.value, decimal_of(found.low) * scale, decimal_of(found.high) * scale)
        trace = replace(trace, interval=found.how)
    mark = f" {PACED}" if trace.at_1ms else ""
    mark += f" {INCONCLUSIVE}" if cell.inconclusive and not itself and _even(question.comparison, paired) else ""
    done = replace(done, trace=replace(trace, low=paired.low, high=paired.high))
    return replace(done, text=_text(question, paired) + mark, note=_footnote(question, paired, trace.interval))


def _marks(question: CellQuestion, rows: Sequence[TableRow]) -> tuple[Note, ...]:
    """Gather what marks a number: a comparison has what marks its baseline, too."""
    found = (note for row in rows for note in marks_of(row))
    apart = marked_apart(rows) if over_rounds(question.spec, question.row) else ()
    return marking((*found, *apart))


def _failed(spec: TableSpec, row: TableRow) -> Filled:
    status = row.text("status") or "failed"
    if status in spec.missing:
        return Filled(spec.missing[status], failed=True, runs=(row.run,))
    what = row.text("probe") or row.text("kind") or "run"
    reason = without_paths(row.text("reason") or "no reason was given")
    return Filled(status, failed=True, note=f"{what}: {status}: {reason}", runs=(row.run,))


def _uncompared(question: CellQuestion) -> Filled:
    """Show a comparison without its baseline: as the spec says for what became of that, else as absent."""
    spec, baseline, row = question.spec, question.baseline, question.row
    if baseline is not None and baseline.text("status") in spec.missing:
        return _failed(spec, baseline)
    note = _no_baseline(question)
    return Filled(spec.missing.get(ABSENT, "-"), absent=baseline is None, note=note, runs=(row.run,))


def _no_baseline(question: CellQuestion) -> str:
    named = ", ".join(f"{name} {value}" for name, value in question.cell.baseline.items())
    if question.baseline is not None:
        what = f"has status {question.baseline.text('status')}"
    else:
        what = question.elsewhere or "was not measured"
    return f"no comparison: the baseline ({named}) {what}"


# ---------------------------------------------------------------- numbers


def _result(question: CellQuestion, reader: CellReader) -> tuple[Operand, CellTrace]:
    spec, cell = question.spec, question.cell
    comparison = directed(question.comparison, direction(question.row))
    displayed = comparison.needs_baseline and (cell.inputs or comparison.inputs) == "displayed"
    digits = _shown_decimals(spec, cell) if displayed else None
    rows = [row for row in (question.row, question.baseline) if row is not None]
    operands = [_operand(question, row, reader, digits) for row in rows]
    at_1ms = None
    if _are_sittings(question, rows) and not displayed:
        scale = factor(rows[0].text("unit") or "", cell.unit)
        pair = (operands[0], operands[1])
        found = sitting.compared(comparison, (rows[0], rows[1]), pair, scale, question.at_pace)
        operands, result, how, at_1ms = list(found.operands), found.result, found.how, found.at_1ms
    else:
        result = compared(comparison, operands[0], operands[1] if len(operands) > 1 else None)
        how = sitting.said(rows[-1]) if over_rounds(spec, rows[-1]) and cell.stat is None and not displayed else ""
    trace = _trace(question, operands, result, "displayed" if displayed else "raw")
    return result, replace(trace, interval=how, at_1ms=at_1ms)


def _are_sittings(question: CellQuestion, rows: Sequence[TableRow]) -> bool:
    """Say whether a comparison is one of rounds with rounds."""
    both = len(rows) > 1 and all(over_rounds(question.spec, row) for row in rows)
    return both and question.cell.stat is None and question.comparison.name != "baseline"


def _published(question: CellQuestion) -> tuple[Operand, CellTrace]:
    """Take a comparison as it was published."""
    value = Operand(decimal(question.row.get("value")))
    return value, replace(_trace(question, [value], value, "raw"), published=True)


def _trace(
    question: CellQuestion, operands: Sequence[Operand], result: Operand, inputs: Literal["raw", "displayed"]
) -> CellTrace:
    roles: tuple[Literal["value", "baseline"], ...] = ("value", "baseline")
    rows = [row for row in (question.row, question.baseline) if row is not None]
    sides = [
        Side(role, row.run, str(row.get("measurement_id")), operand.value, operand.gpus, *_over_rounds(question, row))
        for role, row, operand in zip(roles, rows, operands, strict=False)
    ]
    comparison = question.comparison
    return CellTrace(
        question.row.metric or "", comparison.name, comparison.formula, inputs, tuple(sides), result.value,
        low=result.low, high=result.high,
    )  # fmt: skip


def _over_rounds(question: CellQuestion, row: TableRow) -> tuple[Decimal | None, int | None]:
    """Return the mean over rounds that entered, and how many there were."""
    if not over_rounds(question.spec, row):
        return None, None
    if question.cell.stat is None:
        return decimal(row.get("summary_value")), int(row.get("rounds"))
    return None, len(question.beside) or 1


def _shown_decimals(spec: TableSpec, cell: CellSpec) -> int:
    """Return the decimals with which the table displays this metric, in its value column or its metric row."""
    if cell.metric is not None and cell.metric in spec.metrics:
        return spec.metrics[cell.metric].format.decimals
    for other in spec.cells:
        if other.metric == cell.metric and other.comparison == "value" and other.stat == cell.stat:
            return other.format.decimals
    raise ConfigError(
        [Problem(f"'{cell.comparison}' takes the digits that the table displays, and no column displays "
                 f"{cell.metric}; add one, or say 'inputs: raw'", spec.path, cell.line)]
    )  # fmt: skip


def _operand(question: CellQuestion, row: TableRow, reader: CellReader, digits: int | None) -> Operand:
    spec, cell, mean = question.spec, question.cell, over_rounds(question.spec, row)
    try:
        scale = factor(row.text("unit") or "", cell.unit)
    except HarnessError as error:
        raise ConfigError([Problem(str(error), spec.path, cell.line)]) from None
    if cell.comparison == "ratio_per_gpu" and not row.get("gpu_count"):
        raise HarnessError(f"no ratio per GPU: it is not told on how many GPUs {row.run} ran; give its gpu_count")
    gpus = int(row.get("gpu_count") or 1)
    if cell.stat is None:
        raw = float(row.get("summary_value" if mean else "value"))
    else:
        of = question.beside if row is question.row and question.beside else (row,)
        raw = over_processes(cell.stat, [_statistic(cell.stat, one, reader) for one in of])
    value = decimal(raw) * scale
    if digits is not None:
        return Operand(rounded(value, digits), gpus=gpus)
    low, high = (row.get("summary_low"), row.get("summary_high")) if mean else (row.get("low"), row.get("high"))
    # What is known of a published number's rounding is no uncertainty of what was measured; nor are repetitions in a process.
    if not mean and is_over_rounds(row.metric or "", row.text("origin") or "measured"):
        low = high = None
    if low is None or high is None or cell.stat is not None or row.text("interval") == "rounding":
        return Operand(value, gpus=gpus)
    return Operand(value, decimal(low) * scale, decimal(high) * scale, gpus)


def _statistic(stat: str, row: TableRow, reader: CellReader) -> float:
    measurement = row.get("measurement_id")
    kept = reader.statistics(measurement).get(stat)
    if kept is not None:
        return kept
    samples = reader.samples(measurement)
    if samples is None:
        raise HarnessError(f"{stat} of {row.metric}: the samples of run {row.run} are not at hand")
    found = statistic_of(samples, stat)
    if found is None:
        raise HarnessError(f"{stat} of {row.metric}: run {row.run} has too few samples")
    return found


def _paired(row: TableRow, baseline: TableRow, reader: CellReader) -> Paired | str:
    """Compare two measurements item by item, or say in a footnote why that cannot be."""
    name = row.metric or ""
    if row.get("items") is None or row.get("items") != baseline.get("items"):
        return "no paired interval: the two were not measured on the same items"
    sides = [reader.all_items(str(side.get("measurement_id"))) for side in (row, baseline)]
    for side, items in zip((row, baseline), sides, strict=True):
        if not reproduces(name, items, float(side.get("value"))):
            return f"no paired interval: the samples of run {side.run} do not give its value"
    try:
        return paired_difference(name, sides[0], sides[1])
    except HarnessError as error:
        return f"no paired interval: {error}"


# ---------------------------------------------------------------- text


def _text(question: CellQuestion, result: Operand) -> str:
    cell, form, name = question.cell, question.cell.format, question.row.metric
    kind = COMPARISONS[cell.comparison].result
    # A plain ratio that is asked for in percent is scaled here; percentages and fractions already are.
    scale = Decimal(100) if kind == "number" and form.suffix == "%" else Decimal(1)
    number = written(result.value * scale, form)
    if number in cell.words:
        return cell.words[number]
    text = led(number, cell) + _uncertainty(cell, result, scale) + cell.behind
    # Where metrics of both directions share a column, the reader must be told which way is better.
    both = name is not None and name in question.spec.metrics and cell.comparison == "difference" and not form.suffix
    return f"{text} (lower is better)" if both and direction(question.row) == "lower" else text


def led(number: str, cell: CellSpec) -> str:
    """Put what stands before a cell's numbers before one: behind its sign, as `-$0.52`."""
    sign = number[: number[:1] in {"-", "+"}]
    return f"{sign}{cell.before}{number.removeprefix(sign)}"


def _even(comparison: Comparison, result: Operand) -> bool:
    """Say whether the interval of a comparison holds the result that there is without a difference."""
    if comparison.neutral is None or result.low is None or result.high is None:
        return False
    return result.low <= comparison.neutral <= result.high


def _footnote(question: CellQuestion, result: Operand, how: str = "") -> str:
    cell, row = question.cell, question.row
    if cell.uncertainty != "footnote" or cell.paired or result.low is None or result.high is None:
        return ""
    ends = NumberFormat(cell.format.decimals, sign=cell.format.sign, comma=cell.format.comma)
    kind = COMPARISONS[cell.comparison].result
    scale = Decimal(100) if kind == "number" and cell.format.suffix == "%" else Decimal(1)
    said = row.text("interval") if question.baseline is None else "from both inputs' intervals"
    said = how or said
    return f"[{written(result.low * scale, ends)}, {written(result.high * scale, ends)}], {said}"


def _uncertainty(cell: CellSpec, result: Operand, scale: Decimal) -> str:
    style = "interval" if cell.paired else cell.uncertainty
    if style in {"none", "footnote"} or result.low is None or result.high is None:
        return ""
    low, high = result.low * scale, result.high * scale
    scientific = "e" if cell.format.suffix == "e" else ""
    half = max(result.value * scale - low, high - result.value * scale)
    narrow = high - low <= abs(result.value * scale) / _TOO_WIDE
    if style == "pm" and (narrow or not (scientific or rounded(half, cell.format.decimals))):
        spread = NumberFormat(cell.format.decimals, comma=cell.format.comma, suffix=scientific)
        if half and not scientific and not rounded(half, spread.decimals):  # too small for the digits shown
            return f" ± <{Decimal(1).scaleb(-spread.decimals)}"
        return f" ± {written(half, spread)}"
    ends = NumberFormat(cell.format.decimals, sign=cell.format.sign, comma=cell.format.comma, suffix=scientific)
    return f" [{written(low, ends)}, {written(high, ends)}]"
