"""Rules for how numbers are written: decimals, commas, suffixes, units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from math import comb

from harness.lint.columns import has_unit
from harness.lint.finding import Check, Rule, of_cell, of_column
from harness.lint.inputs import parts
from harness.lint.numbers import PrintedNumber, scaled_unit
from harness.lint.tables import LintColumn, LintRow, LintTable

Written = Sequence[tuple[LintRow, PrintedNumber]]
FEW = 20
"""With more cells than this and no trailing zero among them, zeros are left off, however many cells are short."""
UNLIKELY = 0.0005
"""A column with so improbable a number of short cells did not get them by leaving trailing zeros off."""


def _mixed(table: LintTable) -> Iterator[Check]:
    for column in table.columns:
        if column.meaning.kind in {"key", "batch", "length"}:
            continue
        for written in _written(table, column):
            if len(written) < 2:
                continue
            said = [one for one in (_suffixes(written), _commas(written), _decimals(written)) if one]
            yield from (of_cell(row, column, message) for row, message in said)
            if not said:
                yield of_cell(written[0][0], column, None)


def _written(table: LintTable, column: LintColumn) -> Iterator[Written]:
    """Give the numbers to be written alike; where every cell names its unit and they differ, those of each unit."""
    for rows in _alike(table, column):
        written = [(row, value) for row in rows if (value := row.printed[column.index])]
        scaled = bool(scaled_unit([value.suffix for _, value in written]))
        for unit in dict.fromkeys(value.suffix if scaled else "" for _, value in written):
            yield [(row, value) for row, value in written if not scaled or value.suffix == unit]


def _alike(table: LintTable, column: LintColumn) -> Iterator[list[LintRow]]:
    """Split rows by what they measure: by metric, and where headers name no quantity by the suffix that a whole row shares."""
    for part in parts(table):
        groups: dict[str, list[LintRow]] = {}
        for row in part:
            style = _row_suffix(table, row) if column.meaning.kind == "other" else ""
            groups.setdefault(style, []).append(row)
        yield from groups.values()


def _row_suffix(table: LintTable, row: LintRow) -> str:
    suffixes = [
        value.suffix for one in table.columns if one.meaning.kind == "other" and (value := row.values[one.index])
    ]
    return suffixes[0] if len(suffixes) > 1 and len(set(suffixes)) == 1 else ""


def _odd(written: Written, style: Callable[[PrintedNumber], object]) -> list[tuple[LintRow, PrintedNumber]]:
    """Give the cells that are not written as most are; of two styles that are as frequent the first counts as usual."""
    usual = Counter(style(value) for _, value in written).most_common(1)[0][0]
    return [(row, value) for row, value in written if style(value) != usual]


def _listed(odd: Written) -> str:
    cells = [f"{value.text} (row {row.number})" for row, value in odd[:5]]
    return ", ".join(cells) + (f" and {len(odd) - 5} more" if len(odd) > 5 else "")


def _suffixes(written: Written) -> tuple[LintRow, str] | None:
    some = [(row, value) for row, value in written if value.value]
    if not some or not (odd := _odd(some, lambda value: value.suffix)):
        return None
    usual = next(one[1] for one in some if one not in odd)
    name = f"'{usual.suffix}'" if usual.suffix else "no suffix"
    return odd[0][0], f"mixed suffixes: {_listed(odd)} where most have {name}, as {usual.text}"


def _commas(written: Written) -> tuple[LintRow, str] | None:
    large = [(row, value) for row, value in written if abs(value.value) >= 1000]
    if not large or not (odd := _odd(large, lambda value: value.commas)):
        return None
    usual = next(one[1] for one in large if one not in odd)
    return odd[0][0], f"mixed thousands separators: {_listed(odd)} where most are as {usual.text}"


def _decimals(written: Written) -> tuple[LintRow, str] | None:
    some = [(row, value) for row, value in written if value.value]
    most = max((value.decimals for _, value in some), default=0)
    short = [(row, value) for row, value in some if value.decimals < most]
    if not short or _by_size(some):
        return None
    zeros = [value for _, value in some if value.decimals > 0 and f"{value.value:f}".endswith("0")]
    if not zeros and (len(some) > FEW or _chance(len(short), len(some)) >= UNLIKELY):
        return None
    odd = _odd(some, lambda value: value.decimals)
    usual = next(one[1].decimals for one in some if one not in odd)
    kept = f"trailing zeros are kept ({zeros[0].text})" if zeros else "too many cells are short for stripped zeros"
    return odd[0][0], f"mixed decimals: {_listed(odd)} where most have {usual}; {kept}, so no style explains it"


def _by_size(written: Written) -> bool:
    """Tell whether larger numbers have fewer decimals and numbers of one size as many, which is a style of its own."""
    decimals: dict[int, set[int]] = {}
    for _, value in written:
        decimals.setdefault(value.value.adjusted(), set()).add(value.decimals)
    order = [max(decimals[size]) for size in sorted(decimals)]
    return all(len(one) == 1 for one in decimals.values()) and order == sorted(order, reverse=True)


def _chance(short: int, of: int) -> float:
    """Give the chance that so many of so many random numbers end in a zero that was left off."""
    return sum(comb(of, k) * 0.1**k * 0.9 ** (of - k) for k in range(short, of + 1))


def _units(table: LintTable) -> Iterator[Check]:
    for column in table.columns:
        if column.meaning.kind in {"latency", "throughput", "memory", "energy"}:
            suffixes = [value.suffix for row in table.rows if (value := row.values[column.index])]
            named = has_unit(column.meaning.kind, column.words, suffixes)
            message = f"a {column.meaning.kind} without a unit: neither the header nor every cell names one"
            yield of_column(table, column, None if named else message)


MIXED_FORMAT = Rule(
    "mixed-format",
    "Numbers of one column are written in several ways: some with a suffix (`x`, `%`, a unit) and some without, some with thousands "
    "separators and some without, or with several numbers of decimals. Leaving trailing zeros off everywhere and giving larger "
    "numbers fewer decimals are styles, not findings: decimals count as mixed where trailing zeros are kept elsewhere in the column, "
    "or where stripping them would explain the short cells with a chance below 0.05% only. Zeros may be written in any way; "
    "units that every cell names (`13.5 GB`, `700 MB`) may differ, and each has its own format; and "
    "where a column named Metric says what each row measures, each metric has its own format.",
    "| Model | Speedup (vs FP16) | Tokens/s |\n| --- | --- | --- |\n| A | 1.20x | 1,050.5 |\n| B | 1.4 | 2050.7 |\n| C | 1.31x | 3,050.1 |",
    _mixed,
)
UNIT_MISSING = Rule(
    "unit-missing",
    "A latency, throughput, memory or power column names no unit, neither in its header (with its group header) nor in every cell. "
    "Losses, perplexities, scores and ratios have none to name.",
    "| Model | Latency | Throughput (tokens/s) |\n| --- | --- | --- |\n| A | 12.5 | 80.0 |\n| B | 10.0 | 100.0 |",
    _units,
)
