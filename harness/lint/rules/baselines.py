"""Rules for baselines that the table does not show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from harness.lint.columns import COMPRESSION
from harness.lint.conventions import form_of
from harness.lint.finding import Check, Rule, of_cell, of_column
from harness.lint.fits import unexplained
from harness.lint.inputs import AGAINST, GPU_COUNTS, NORMALIZED, WORD, gpus, is_itself, pool_of
from harness.lint.numbers import NumberRange, PrintedNumber, exactly, span
from harness.lint.tables import LintColumn, LintRow, LintTable

QUANTIZED = re.compile(
    r"^(fp\d+|bf16|int\d+|nf\d|mx\w+|nvfp\d|w\d+a\d+\w*|awq|gptq|rtn|smoothquant|q\d\w*|\d+bit|quant\w*)$",
    re.IGNORECASE,
)
"""Words that tell two methods apart; columns of two phases or two batch sizes have two baselines."""
METHOD = re.compile(r"method|precision|quant|format|dtype|recipe|scheme|variant|weights", re.IGNORECASE)


@dataclass(frozen=True)
class Hint:
    """What one derived cell says of the baseline that the table does not show."""

    row: LintRow
    column: LintColumn
    printed: PrintedNumber
    measured: PrintedNumber
    inputs: LintColumn
    baseline: NumberRange
    gpus: int | None

    def __str__(self) -> str:
        return f"'{self.column.title}' {self.printed.text} at {self.measured.text} needs {span(self.baseline)}"


def _missing(table: LintTable) -> Iterator[Check]:
    left = {column.index: mine for column, mine in unexplained(table)}
    for column in table.columns:
        if column.meaning.kind == "derived":
            unknown = column.index in left and len(left[column.index]) != 1
            pool = pool_of(table, column)
            shown = any(is_itself(row, column) for row in table.rows)
            unknown = unknown and not shown and not (COMPRESSION.search(column.words) and not pool)
            yield of_column(table, column, _why_missing(table, column) if unknown else None)


def _why_missing(table: LintTable, column: LintColumn) -> str:
    pool = pool_of(table, column)
    if not pool:
        return "what it compares is not in the table: neither the measured values nor the baseline"
    names = ", ".join(f"'{one.title}'" for one in pool)
    return f"its baseline is not in the table: no two of {names} and no row give its values, rounding allowed for"


def _hidden(table: LintTable) -> Iterator[Check]:
    """Compare hints within a row, then between the rows that differ in nothing but the method."""
    hints = list(_hints(table))
    for row in table.rows:
        for same in _by_baseline([hint for hint in hints if hint.row is row]):
            if len(same) > 1:
                yield _agreement(table, same)
    methods = [column for column in table.key_columns if METHOD.search(column.name)]
    if len(methods) == 1:
        yield from _between_rows(table, hints, methods[0])


def _between_rows(table: LintTable, hints: Sequence[Hint], method: LintColumn) -> Iterator[Check]:
    groups: dict[tuple[object, ...], list[Hint]] = {}
    for hint in hints:
        place = tuple(hint.row.keys[one.index] for one in table.settings if one is not method)
        groups.setdefault((hint.column.index, *place), []).append(hint)
    for same in groups.values():
        if len(same) > 1:
            yield _agreement(table, same)


def _hints(table: LintTable) -> Iterator[Hint]:
    for column, inputs in unexplained(table):
        values = [value for row in table.rows if (value := row.values[column.index])]
        if len(inputs) != 1 or form_of(values, column.words) != "times":
            continue
        for row in table.rows:
            printed, measured = row.values[column.index], row.values[inputs[0].index]
            if printed and measured:
                baseline = _baseline(inputs[0], printed.derived, measured.measured)
                if baseline is not None:
                    yield Hint(row, column, printed, measured, inputs[0], baseline, gpus(inputs[0], row))


def _baseline(inputs: LintColumn, times: NumberRange, measured: NumberRange) -> NumberRange | None:
    """Undo the speed-up: throughput was divided by the baseline, the baseline's latency or size by the new one's."""
    return measured / times if inputs.meaning.better == "higher" else measured * times


def _by_baseline(hints: Sequence[Hint]) -> Iterator[list[Hint]]:
    """Group the hints of one row that speak of the same baseline: the same one by name, for columns that differ in the method."""
    groups: dict[object, list[Hint]] = {}
    for hint in hints:
        found = AGAINST.search(hint.column.words)
        words = WORD.findall(AGAINST.sub("", hint.inputs.words.lower()))
        rest = frozenset(word for word in words if not QUANTIZED.match(word))
        groups.setdefault((found[1].lower() if found else "", hint.column.meaning.of, rest), []).append(hint)
    yield from groups.values()


def _agreement(table: LintTable, hints: Sequence[Hint]) -> Check:
    """Check that one value lies in what all hints need."""
    low = max(hints, key=lambda hint: hint.baseline.low)
    high = min(hints, key=lambda hint: hint.baseline.high)
    if low.baseline.low <= high.baseline.high or _by_gpus(table, low, high):
        return of_cell(low.row, low.column, None)
    rows = f" (row {high.row.number})" if high.row is not low.row else ""
    return of_cell(
        low.row,
        low.column,
        f"no single baseline fits: {low}, {high}{rows}; rounding allows one unit of the last digit of the derived value and half "
        "a unit of the measured one",
    )


def _by_gpus(table: LintTable, low: Hint, high: Hint) -> bool:
    """Tell whether GPU counts explain two baselines: the declared ones, or small whole ones where the text normalizes."""
    if low.gpus and high.gpus:
        factors = {Fraction(low.gpus, high.gpus)}
    elif NORMALIZED.search(table.prose):
        factors = {Fraction(count) for count in GPU_COUNTS} | {Fraction(1, count) for count in GPU_COUNTS}
    else:
        return False
    return any((low.baseline * exactly(factor)).meets(high.baseline) for factor in factors)


BASELINE_MISSING = Rule(
    "baseline-missing",
    "A derived column whose baseline is not in the table and cannot be inferred: nothing that it could have been made from is there, or "
    "no pair of columns and no row gives its values. A speed-up next to its own throughput is not reported, since its "
    "baseline follows from the two, nor a column with a row that is compared to itself, as 1.00x.",
    "| Model | Memory Saving | Speedup |\n| --- | --- | --- |\n| A | 2.44x | 2.68x |\n| B | 2.53x | 2.51x |",
    _missing,
)
HIDDEN_BASELINE = Rule(
    "hidden-baseline",
    "Speed-ups that are relative to one baseline outside the table, which no single value of it fits. Each derived cell next to its "
    "measured value gives an interval for the baseline, one unit of the last digit of the derived value and half a unit of the measured one wide "
    "to either side; the intervals of one row, and of the rows that differ in the method only, must have a value in common. Where "
    "the text says that numbers are normalized to the GPU count, a factor that is a small whole number is allowed.",
    "| Model | FP8 Tokens/s | FP8 Speedup | INT4 Tokens/s | INT4 Speedup |\n| --- | --- | --- | --- | --- |\n"
    "| A | 175.42 | 1.26x | 213.45 | 1.53x |\n| B | 175.42 | 1.26x | 213.45 | 1.73x |",
    _hidden,
)
