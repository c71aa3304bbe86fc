"""Rules for columns that are made from others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction

from harness.lint.conventions import Convention
from harness.lint.finding import Check, Rule, of_cell
from harness.lint.fits import Fit, FitRow, fits
from harness.lint.numbers import NumberRange, span
from harness.lint.products import products
from harness.lint.tables import LintTable

_Reading = Callable[[FitRow], str | None]
POINTS = re.compile(r"\bdiff|\bdelta|Δ|\bpoints?\b|\bpp\b|\bpts\b|absolute", re.IGNORECASE)
"""Headers that say that a column is a difference, so that its `%` are points."""


def _derived_value(table: LintTable) -> Iterator[Check]:
    for fit in fits(table):
        for row in fit.rows:
            yield of_cell(row.pair.row, fit.column, None if row.agrees else _contradiction(fit, row))


def _contradiction(fit: Fit, row: FitRow) -> str:
    formula = _formula(fit.convention, row)
    per_gpu = f", times {row.pair.factor} for the GPU count" if row.pair.factor != 1 else ""
    return (
        f"{row.pair.printed.text} is not {formula}{per_gpu}, which is {span(row.possible)}; {_allowed(row)}; "
        f"{fit.agreeing} of {len(fit.rows)} rows are this {fit.convention.name} of {fit.source.says}"
    )


def _formula(convention: Convention, row: FitRow) -> str:
    return convention.says.format(new=row.pair.new.text, old=row.pair.old.text)


def _allowed(row: FitRow) -> str:
    printed = row.pair.printed
    return f"rounding allows {printed.step} around the printed value and half a unit of the last digit of each input"


def _improvement_convention(table: LintTable) -> Iterator[Check]:
    yield from _against(table, "one plus the reduction", _against_ratio)


def _points_as_percent(table: LintTable) -> Iterator[Check]:
    for check in _against(table, "difference in points", _against_percent):
        if not POINTS.search(check.column or ""):
            yield check


def _against(table: LintTable, convention: str, reading: _Reading) -> Iterator[Check]:
    """Hold every row of the columns that are made this way against what a reader takes them for."""
    for fit in fits(table):
        if fit.convention.name == convention:
            said = [reading(row) if row.agrees else None for row in fit.rows]
            off = sum(one is not None for one in said)
            for row, message in zip(fit.rows, said, strict=True):
                tail = f"; {off} of {len(said)} rows of this column contradict that reading"
                yield of_cell(row.pair.row, fit.column, message and message + tail)


def _against_ratio(row: FitRow) -> str | None:
    new, old = row.pair.new, row.pair.old
    ratio = old.measured / new.measured
    if ratio is None or row.pair.printed.derived.meets(ratio):
        return None
    return (
        f"{row.pair.printed.text} is one plus the reduction, 1 + ({old.text} - {new.text}) / {old.text}, "
        f"not the ratio {old.text} / {new.text}, which is {span(ratio)}; {_allowed(row)}"
    )


def _against_percent(row: FitRow) -> str | None:
    new, old = row.pair.new, row.pair.old
    ratio = new.measured / old.measured
    if ratio is None or row.pair.printed.suffix != "%":
        return None
    change = NumberRange((ratio.low - 1) * Fraction(100), (ratio.high - 1) * Fraction(100))
    if row.pair.printed.derived.meets(change):
        return None
    return (
        f"{row.pair.printed.text} is the difference {new.text} - {old.text} in points, "
        f"not the change in per cent, which is {span(change)}; {_allowed(row)}"
    )


def _latency_times_throughput(table: LintTable) -> Iterator[Check]:
    for product in products(table):
        yield of_cell(product.row, product.column, product.message)


DERIVED_VALUE = Rule(
    "derived-value",
    "A speed-up, saving, loss or improvement contradicts the numbers it was made from. The linter tries every pair of columns and "
    "every baseline row that the headers allow, either way round, and the row above, with each convention (ratio, one plus the reduction, per cent change, per cent "
    "reduction, per cent of, difference, relative change), also normalized to the GPU count where headers (`TP2`) or text say so, and takes what fits "
    "most rows. At least two rows and 60% of all must fit, or one where the baseline row prints that it is as itself (1.00x) or "
    "nothing else could be meant, or half of them where two columns, one of them called old or a baseline, are all that the column can be made from; "
    "then the other rows are reported. Two metrics, as TTFT and TPOT or two benchmarks, are never compared, and where nothing fits no row is blamed.",
    "| Method | BF16 Tokens/s | INT4 Tokens/s | Speedup |\n| --- | --- | --- | --- |\n| A | 50.0 | 100.0 | 2.00x |\n"
    "| B | 40.0 | 60.0 | 1.50x |\n| C | 30.0 | 60.0 | 1.80x |",
    _derived_value,
)
IMPROVEMENT_CONVENTION = Rule(
    "improvement-convention",
    "A column that reads like a ratio is made by another formula: one plus the reduction, `1 + (old - new) / old`, which never "
    "exceeds 2 and turns a halved latency into 1.50. The column as a whole must fit that formula better than the ratio; each row "
    "where the two differ by more than rounding is reported.",
    "| Method | New Latency (s) | Old Latency (s) | Latency Improvement |\n| --- | --- | --- | --- |\n"
    "| A | 0.050 | 0.100 | 1.50 |\n| B | 0.080 | 0.100 | 1.20 |\n| C | 0.100 | 0.100 | 1.00 |",
    _improvement_convention,
)
POINTS_AS_PERCENT = Rule(
    "points-as-percent",
    "A column of differences between two percentages is printed with `%`, which reads as a change relative to the old value. "
    "Percentage points are `+1.5 pp`, or a header that says difference, points or delta; each row where the two differ by more than rounding is reported.",
    "| Model | Base | Mixed | Improvement |\n| --- | --- | --- | --- |\n| A | 30.0% | 33.0% | +3.0% |\n"
    "| B | 50.0% | 51.0% | +1.0% |",
    _points_as_percent,
)
LATENCY_TIMES_THROUGHPUT = Rule(
    "latency-times-throughput",
    "Latency times throughput is not the batch size (or, for whole requests, not the same multiple of the batch size as in the other "
    "rows); where columns give the tokens of each request, such as Output tokens, tokens are also tried. Columns belong together by group header, by version label, or as the only ones. Whichever of the two relations fits "
    "at least half of the rows (for a multiple: two thirds of three or more) is held against the rest. Without a batch size column, "
    "or where neither fits, nothing is said.",
    "| Batch Size | Latency (s) | Throughput (tokens/s) |\n| --- | --- | --- |\n| 1 | 0.020 | 50.0 |\n| 8 | 0.040 | 200.0 |\n"
    "| 32 | 0.100 | 250.0 |",
    _latency_times_throughput,
)
