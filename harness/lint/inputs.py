"""Which columns and rows a derived column may be made from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from harness.lint.numbers import Number
from harness.lint.tables import Column, LintTable, Row

BASELINE = re.compile(r"baseline|reference|\b(fp32|fp16|bf16|dense|original|unquantized)\b", re.IGNORECASE)
NORMALIZED = re.compile(
    r"normali[sz]ed (to|by) the (gpu count|number of gpus)|per[- ]gpu|gpu-count-normali", re.IGNORECASE
)
GPUS = re.compile(r"(?:([\w.-]+)\s*:\s*)?\bTP\s*=?\s*(\d+)", re.IGNORECASE)
GPU_COUNTS = (1, 2, 3, 4, 8)
AGAINST = re.compile(
    r"(?:\bv\.?s\.?|versus|compared (?:to|with)|relative to|over)\s+(?:the\s+)?([\w.-]+(?:\s+[\w.-]+)*)", re.IGNORECASE
)
WORD = re.compile(r"[a-z0-9]+")
METRIC = re.compile(r"^metrics?$", re.IGNORECASE)
MOST_BASELINES = 20
"""A table with more rows that could be a baseline than this has none of them."""
MOST_COLUMNS = 10
"""Among more columns than this some two give any values, unless headers say which belong together."""
SPEED = ("throughput", "latency")


@dataclass(frozen=True)
class Pair:
    """The two numbers that a derived cell may come from; `factor` is old's GPUs over new's."""

    row: Row
    printed: Number
    new: Number
    old: Number
    factor: Fraction = Fraction(1)


@dataclass(frozen=True)
class Source:
    """One candidate for a column's inputs, in words, with its pairs."""

    says: str
    pairs: tuple[Pair, ...]
    normalized: bool = False
    """Text says that numbers are per GPU and no header says of how many: a small whole factor is to be found."""
    declared: bool = False
    """Headers say how many GPUs each number is of."""


def derived(table: LintTable) -> tuple[Column, ...]:
    """Give the columns that are made from others."""
    return tuple(column for column in table.columns if column.meaning.kind == "derived")


def pool_of(table: LintTable, column: Column) -> tuple[Column, ...]:
    """Give the measured columns that a derived column may compare."""
    kinds = (column.meaning.of,) if column.meaning.of else SPEED
    pool = tuple(one for one in table.columns if one.meaning.kind in kinds)
    plain = tuple(one for one in table.columns if one.meaning.kind not in {"key", "batch", "length", "derived"})
    if pool or column.meaning.of is not None or any(one.meaning.kind in SPEED for one in plain):
        return pool
    return plain if "speed" not in column.words.lower() else ()


def associated(table: LintTable, column: Column, pool: Sequence[Column]) -> tuple[Column, ...]:
    """Tell which columns of the pool belong to a derived column: by group header, by words, or as the only one."""
    group = tuple(one for one in pool if one.group and one.group == column.group)
    if group:
        return group
    if len(pool) == 1:
        return tuple(pool) if _own_words(table, column) <= _words(pool[0]) else ()
    mine = _words(column)
    return tuple(
        one for one in pool if mine & (_words(one) - {w for other in pool if other is not one for w in _words(other)})
    )


def _words(column: Column) -> set[str]:
    return set(WORD.findall(column.words.lower()))


def _own_words(table: LintTable, column: Column) -> set[str]:
    """Give the words that set a derived column apart from the others of its table, but for the name of its baseline."""
    said = [
        (one, set(WORD.findall(AGAINST.sub("", one.words.lower()))))
        for one in derived(table)
        if one.meaning.of == column.meaning.of
    ]
    shared = set.intersection(*(words for _, words in said)) if len(said) > 1 else set()
    return next(words for one, words in said if one is column) - shared if len(said) > 1 else set()


def parts(table: LintTable) -> Iterator[tuple[Row, ...]]:
    """Split a table whose rows are of several metrics by metric."""
    named = [column for column in table.key_columns if METRIC.match(column.name)]
    if not named:
        yield table.rows
        return
    metrics = list(dict.fromkeys(row.keys[named[0].index] for row in table.rows))
    for metric in metrics:
        yield tuple(row for row in table.rows if row.keys[named[0].index] == metric)


def sources(table: LintTable, rows: Sequence[Row], column: Column) -> Iterator[Source]:
    """Give every candidate for a derived column's inputs."""
    pool = pool_of(table, column)
    mine = associated(table, column, pool)
    for new, old in _couples(pool, mine):
        yield from _with_factors(table, _columns(rows, column, new, old), new, old)
    for one in mine or pool:
        for key in table.settings:
            for value in _baselines(rows, column, key):
                yield _rows(table, rows, column, one, key, value)
        yield _blocks(rows, column, one)


def _couples(pool: Sequence[Column], mine: Sequence[Column]) -> Iterator[tuple[Column, Column]]:
    """Give the columns that may be new and old; of many, those that are called a baseline and the first."""
    few = len(pool) <= MOST_COLUMNS
    others = pool if few else [one for one in pool if BASELINE.search(one.title)][:MOST_COLUMNS] or pool[:1]
    for one in mine or (pool if few else ()):
        for other in others:
            if one is not other:
                yield one, other
                yield from [(other, one)] if mine and other not in mine else []


def _columns(rows: Sequence[Row], column: Column, new: Column, old: Column) -> Source:
    return Source(f"'{new.title}' and '{old.title}'", tuple(
        Pair(row, printed, first, second)
        for row in rows
        if (printed := row.values[column.index])
        and (first := row.values[new.index])
        and (second := row.values[old.index])
    ))  # fmt: skip


def _baselines(rows: Sequence[Row], column: Column, key: Column) -> list[str]:
    """Name the rows that may be what others are compared to: called so, or compared to themselves."""
    found = []
    for row in rows:
        name, printed = row.keys[key.index], row.values[column.index]
        if name and (BASELINE.search(name) or printed is None or printed.value in {0, 1}):
            found.append(name)
    return list(dict.fromkeys(found))[:MOST_BASELINES]


def _rows(table: LintTable, rows: Sequence[Row], column: Column, one: Column, key: Column, value: str) -> Source:
    def place(row: Row) -> tuple[str, ...]:
        return tuple(row.keys[other.index] for other in table.settings if other is not key)

    old = {place(row): row.values[one.index] for row in rows if row.keys[key.index] == value}
    return Source(f"'{one.title}' and its row '{value}'", tuple(
        Pair(row, printed, first, second)
        for row in rows
        if row.keys[key.index] != value
        and (printed := row.values[column.index])
        and (first := row.values[one.index])
        and (second := old.get(place(row)))
    ))  # fmt: skip


def _blocks(rows: Sequence[Row], column: Column, one: Column) -> Source:
    """Compare each row to the nearest one above whose ratio is 1, as in blocks that begin with their baseline."""
    old: Number | None = None
    pairs: list[Pair] = []
    for row in rows:
        printed, measured = row.values[column.index], row.values[one.index]
        if printed and measured and printed.value == 1:
            old = measured
        elif printed and measured and old:
            pairs.append(Pair(row, printed, measured, old))
    return Source(f"'{one.title}' and the row above that is compared to itself", tuple(pairs))


def _with_factors(table: LintTable, source: Source, new: Column, old: Column) -> Iterator[Source]:
    """Give a source as it is, and normalized to the GPU count where headers or text speak of it."""
    yield source
    if not source.pairs or new.meaning.kind != "throughput":
        return
    declared = [(pair, gpus(old, pair.row), gpus(new, pair.row)) for pair in source.pairs]
    if all(before and after for _, before, after in declared):
        yield Source(source.says + ", per GPU", tuple(
            Pair(pair.row, pair.printed, pair.new, pair.old, Fraction(before or 1, after or 1))
            for pair, before, after in declared
        ), declared=True)  # fmt: skip
    elif NORMALIZED.search(table.prose):
        yield Source(source.says + ", per GPU", source.pairs, normalized=True)


def gpus(column: Column, row: Row) -> int | None:
    """Read how many GPUs a column's header gives for a row: `TP2`, or `8B:TP1, 70B:TP2`."""
    for name, count in GPUS.findall(column.words):
        if not name or any(re.search(rf"(?<![0-9]){re.escape(name)}\b", key, re.IGNORECASE) for key in row.keys):
            return int(count)
    return None
