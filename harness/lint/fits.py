"""Which convention and inputs a derived column fits best, and where it does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache

from harness.core.marks import PACED
from harness.lint.conventions import CONVENTIONS, Convention, form_of
from harness.lint.inputs import (
    GPU_COUNTS,
    associated,
    derived,
    is_called_old,
    losses,
    parts,
    pool_of,
    sources,
)
from harness.lint.numbers import NumberRange, PrintedNumber, exactly
from harness.lint.pairs import InputPair, InputSource
from harness.lint.tables import LintColumn, LintRow, LintTable

SHARE = 0.6
"""Share of the rows that a convention must fit before the others are held against it."""


@dataclass(frozen=True)
class FitRow:
    """One derived cell with its inputs, and what they give (`possible`: inputs half a unit off either way)."""

    pair: InputPair
    convention: Convention
    agrees: bool
    close: bool

    @cached_property
    def possible(self) -> NumberRange:
        return self.convention.of(self.pair.scaled, self.pair.old.measured) or exactly(0)


@dataclass(frozen=True)
class Fit:
    """The best explanation of a derived column."""

    column: LintColumn
    convention: Convention
    source: InputSource
    rows: tuple[FitRow, ...]

    @property
    def agreeing(self) -> int:
        return sum(row.agrees for row in self.rows)


@lru_cache(maxsize=4)
def fits(table: LintTable) -> tuple[Fit, ...]:
    """Explain every derived column that its table can explain; kept for the next rule that asks about the same table."""
    columns = (*derived(table), *losses(table))
    found = (best_fit(table, rows, column) for column in columns for rows in parts(table))
    return tuple(fit for fit in found if fit is not None)


def best_fit(table: LintTable, rows: Sequence[LintRow], column: LintColumn) -> Fit | None:
    """Find what most rows of a derived column agree with, so that the others are mistakes; None where nothing does."""
    found = list(_candidates(table, rows, column))
    if not found:
        return None
    best = max(found, key=_score)
    free = len({fit.pair.row.keys[0] for fit in best.rows}) if best.source.normalized else 0
    if best.agreeing - free >= 2 and best.agreeing >= SHARE * len(best.rows):
        return best
    if column in losses(table):
        return None
    if (told := _told_by_baseline(table, column, found)) or not _only_inputs(table, column, found):
        return told
    if best.agreeing == len(best.rows):
        return best
    plain = max((fit for fit in found if fit.convention.plain and not fit.source.rows), key=_score, default=None)
    named = any(is_called_old(one) for one in pool_of(table, column))
    return plain if plain and named and (2 * plain.agreeing >= len(plain.rows) or len(rows) == 1) else None


def _candidates(table: LintTable, rows: Sequence[LintRow], column: LintColumn) -> Iterator[Fit]:
    """Give every source with every convention of the column's form."""
    printed = [value for row in rows if (value := row.values[column.index])]
    form = form_of(printed, column.words)
    for source in sources(table, rows, column):
        for convention in CONVENTIONS:
            if form in convention.forms and (fitted := _fitted(source, convention)):
                yield Fit(column, convention, source, fitted)


def _told_by_baseline(table: LintTable, column: LintColumn, found: Sequence[Fit]) -> Fit | None:
    """Give the ratio or difference to baseline rows of the only column in question where one row follows it and nothing else could be meant.

    Nothing else could be meant where the baseline prints that it is as itself, or where all that fits as many rows
    compares the same two numbers.
    """
    if len(associated(table, column, pool_of(table, column)) or pool_of(table, column)) != 1:
        return None
    ratios = [
        fit for fit in found if fit.source.rows and fit.convention.name in {"ratio", "difference"} and fit.agreeing
    ]
    anchored = max((fit for fit in ratios if fit.source.anchored), key=_score, default=None)
    if anchored is not None:
        return anchored
    best = max(ratios, key=_score, default=None)
    if best is None or 2 * best.agreeing < len(best.rows):
        return None
    said = {tuple((row.pair.row.number, row.possible) for row in fit.rows) for fit in ratios}
    return best if len(said) == 1 else None


@lru_cache(maxsize=4)
def partly_explained(table: LintTable) -> frozenset[int]:
    """Give the derived columns of which some row at least follows from another row: their baseline is in the table."""
    return frozenset(
        column.index
        for column in derived(table)
        for rows in parts(table)
        if any(fit.source.rows and fit.convention.plain and fit.agreeing for fit in _candidates(table, rows, column))
    )


def _score(fit: Fit) -> tuple[int, bool, int, int]:
    """Rank what fits: most rows first, then the plain reading, GPU counts that headers declare, and digits."""
    gpus = 0 if fit.source.normalized else 2 if fit.source.declared else 1
    return fit.agreeing, fit.convention.plain, gpus, sum(row.close for row in fit.rows)


def _only_inputs(table: LintTable, column: LintColumn, found: Sequence[Fit]) -> bool:
    """Tell whether there is only one thing that the column can have been made from."""
    pool = pool_of(table, column)
    rivals = [one for one in derived(table) if one is not column and set(pool_of(table, one)) & set(pool)]
    pairs = {fit.source.says.removesuffix(", per GPU") for fit in found}
    return not rivals and (len(pool) == 2 or (len(pool) == 1 and len(pairs) == 1))


def _fitted(source: InputSource, convention: Convention) -> tuple[FitRow, ...]:
    if not source.normalized:
        return tuple(row for pair in source.pairs if (row := _row(pair, convention)))
    done: list[FitRow] = []
    for key in dict.fromkeys(pair.row.keys[0] for pair in source.pairs):
        mine = [pair for pair in source.pairs if pair.row.keys[0] == key]
        factors = sorted({Fraction(a, b) for a in GPU_COUNTS for b in GPU_COUNTS if 1 in {a, b}})
        tries = [
            [row for pair in mine if (row := _row(replace(pair, factor=factor), convention))] for factor in factors
        ]
        done += max(tries, key=lambda rows: sum(row.agrees for row in rows))
    return tuple(done)


def _row(pair: InputPair, convention: Convention) -> FitRow | None:
    found = pair.ratio if convention.times else pair.difference
    if found is None or pair.printed.text.endswith(PACED):  # made of rounds that the table does not show
        return None
    agrees = _undone(convention, pair.printed).meets(found)
    return FitRow(pair, convention, agrees, close=agrees and _is_close(pair, convention))


@lru_cache(maxsize=1 << 16)
def _undone(convention: Convention, printed: PrintedNumber) -> NumberRange:
    return convention.undone(printed.derived)


def _is_close(pair: InputPair, convention: Convention) -> bool:
    """Tell whether the inputs as printed give the derived cell when it is rounded to the nearest."""
    exact = convention.of(exactly(pair.new.exact * pair.factor), exactly(pair.old.exact))
    return exact is not None and pair.printed.measured.meets(exact)


def unexplained(table: LintTable) -> Iterator[tuple[LintColumn, tuple[LintColumn, ...]]]:
    """Give every derived column that nothing in the table explains, with the inputs that belong to it."""
    explained = {fit.column.index for fit in fits(table)}
    for column in derived(table):
        paced = any(value and value.text.endswith(PACED) for row in table.rows if (value := row.values[column.index]))
        if not paced and column.index not in explained | partly_explained(table):
            pool = pool_of(table, column)
            yield column, associated(table, column, pool)
