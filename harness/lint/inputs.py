"""Which columns and rows a derived column may be made from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from harness.lint.columns import ASPECT, COMPRESSION, DIFFERENCE
from harness.lint.pairs import InputPair, InputSource
from harness.lint.tables import LintColumn, LintRow, LintTable

OLD = re.compile(r"\b(old|before|base|without|default|master)\b", re.IGNORECASE)
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
BITS = re.compile(r"\bbits\b|\bbpw\b|\bparam", re.IGNORECASE)
METRIC = re.compile(r"^(metrics?|measure(ment)?|quantity)$", re.IGNORECASE)
MOST_BASELINES = 20
"""A table with more rows that could be a baseline than this has none of them."""
MOST_COLUMNS = 10
"""Among more columns than this some two give any values, unless headers say which belong together."""
SPEED = ("throughput", "latency")


def derived(table: LintTable) -> tuple[LintColumn, ...]:
    """Give the columns that are made from others."""
    return tuple(column for column in table.columns if column.meaning.kind == "derived")


def is_called_old(column: LintColumn) -> bool:
    """Tell whether a column is called what another is compared to."""
    return bool(OLD.search(column.title) or BASELINE.search(column.title))


def losses(table: LintTable) -> tuple[LintColumn, ...]:
    """Give a column called Loss beside two of scores: what one is lower by, or else a loss that was measured."""
    found = tuple(one for one in table.columns if one.meaning.kind == "loss")
    return found if len(found) == 1 and len(pool_of(table, found[0])) == 2 else ()


def pool_of(table: LintTable, column: LintColumn) -> tuple[LintColumn, ...]:
    """Give the measured columns that a derived column may compare."""
    plain = tuple(one for one in table.columns if one.meaning.kind not in {"key", "batch", "length", "derived"})
    named_alike = [one for one in derived(table) if one.words == column.words]
    if len(named_alike) > 1:
        return tuple(one for one in plain if one.index == column.index - 1)
    if COMPRESSION.search(column.words) and not any(one.meaning.kind == "memory" for one in table.columns):
        return tuple(one for one in table.columns if BITS.search(one.words))
    unknown = tuple(one for one in plain if one.meaning.kind == "other")
    if of := "accuracy" if column.meaning.kind == "loss" else column.meaning.of:
        return tuple(one for one in plain if one.meaning.kind == of) or unknown
    if DIFFERENCE.search(column.words):
        return plain
    pool = tuple(one for one in plain if one.meaning.kind in SPEED)
    return pool or (unknown if "speed" in column.words.lower() else plain)


def associated(table: LintTable, column: LintColumn, pool: Sequence[LintColumn]) -> tuple[LintColumn, ...]:
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


def _words(column: LintColumn) -> set[str]:
    return set(WORD.findall(column.words.lower()))


def _own_words(table: LintTable, column: LintColumn) -> set[str]:
    """Give the words that set a derived column apart from the others of its table, but for the name of its baseline."""
    said = [
        (one, set(WORD.findall(AGAINST.sub("", one.words.lower()))))
        for one in derived(table)
        if one.meaning.of == column.meaning.of
    ]
    shared = set.intersection(*(words for _, words in said)) if len(said) > 1 else set()
    return next(words for one, words in said if one is column) - shared if len(said) > 1 else set()


def parts(table: LintTable) -> Iterator[tuple[LintRow, ...]]:
    """Split a table whose rows are of several metrics by metric."""
    named = [column for column in table.key_columns if METRIC.match(column.name)]
    if not named:
        yield table.rows
        return
    metrics = list(dict.fromkeys(row.keys[named[0].index] for row in table.rows))
    for metric in metrics:
        yield tuple(row for row in table.rows if row.keys[named[0].index] == metric)


def sources(table: LintTable, rows: Sequence[LintRow], column: LintColumn) -> Iterator[InputSource]:
    """Give every candidate for a derived column's inputs."""
    pool = pool_of(table, column)
    mine = associated(table, column, pool)
    for new, old in _couples(pool, mine):
        yield from _with_factors(table, _columns(rows, column, new, old), new, old)
    for one in mine or (pool if len(pool) <= MOST_COLUMNS else ()):
        for source in _between_rows(table, rows, column, one):
            yield from (source, _swapped(source))


def _couples(pool: Sequence[LintColumn], mine: Sequence[LintColumn]) -> Iterator[tuple[LintColumn, LintColumn]]:
    """Give the columns that may be new and old; of many, those that are called a baseline and the first."""
    few = len(pool) <= MOST_COLUMNS
    others = pool if few else [one for one in pool if BASELINE.search(one.title)][:MOST_COLUMNS] or pool[:1]
    for one in mine or (pool if few else ()):
        for other in others:
            if one is not other and _comparable(one, other):
                yield one, other
                yield from [(other, one)] if mine and other not in mine else []


def _columns(rows: Sequence[LintRow], column: LintColumn, new: LintColumn, old: LintColumn) -> InputSource:
    return InputSource(f"'{new.title}' and '{old.title}'", tuple(
        InputPair(row, printed, first, second)
        for row in rows
        if (printed := row.values[column.index])
        and (first := row.values[new.index])
        and (second := row.values[old.index])
    ))  # fmt: skip


def _comparable(one: LintColumn, other: LintColumn) -> bool:
    """Tell whether two columns may hold the same quantity: a latency is never divided by a throughput, nor TTFT by TPOT."""
    kinds = {one.meaning.kind, other.meaning.kind}
    first, second = (set(ASPECT.findall(column.words.lower().replace("_", " "))) for column in (one, other))
    return (len(kinds) == 1 or "other" in kinds) and (first == second or not (first and second))


def _between_rows(
    table: LintTable, rows: Sequence[LintRow], column: LintColumn, one: LintColumn
) -> Iterator[InputSource]:
    """Give every way to compare the rows of one measured column."""
    for key in table.settings:
        for value in _baselines(rows, column, key):
            yield _rows(table, rows, column, one, key, value)
    anchors = [row for row in rows if _is_anchor(row, column, one)]
    if len(anchors) == 1:
        yield _anchored(rows, column, one, anchors[0])
    yield _blocks(rows, column, one, "above")
    yield _blocks(rows[::-1], column, one, "below")
    if rows and _is_anchor(rows[0], column, one):
        yield _steps(rows, column, one)


def _swapped(source: InputSource) -> InputSource:
    """Exchange new and old: a latency's baseline is divided by the row, a throughput's row by the baseline."""
    return replace(source, pairs=tuple(replace(pair, new=pair.old, old=pair.new) for pair in source.pairs))


def _baselines(rows: Sequence[LintRow], column: LintColumn, key: LintColumn) -> list[str]:
    """Name the rows that may be what others are compared to: called so, or compared to themselves."""
    found = []
    for row in rows:
        name, printed = row.keys[key.index], row.values[column.index]
        if name and (BASELINE.search(name) or printed is None or printed.value in {0, 1, 100}):
            found.append(name)
    return list(dict.fromkeys(found))[:MOST_BASELINES]


def _is_anchor(row: LintRow, column: LintColumn, one: LintColumn) -> bool:
    """Tell whether a row is what others are compared to: measured, and compared to nothing or to itself."""
    return row.values[one.index] is not None and (row.values[column.index] is None or is_itself(row, column))


def is_itself(row: LintRow, column: LintColumn) -> bool:
    """Tell whether a derived cell says that its row is what others are compared to, as 1.00x or 0.00."""
    printed = row.values[column.index]
    if printed is None:
        return False
    zero = printed.suffix == "%" or printed.signed or (not printed.suffix and DIFFERENCE.search(column.words))
    return printed.value == (0 if zero else 1)


def _rows(
    table: LintTable, rows: Sequence[LintRow], column: LintColumn, one: LintColumn, key: LintColumn, value: str
) -> InputSource:
    def place(row: LintRow) -> tuple[str, ...]:
        return tuple(row.keys[other.index] for other in table.settings if other is not key)

    named = [row for row in rows if row.keys[key.index] == value]
    old = {place(row): row.values[one.index] for row in named}
    return InputSource(f"'{one.title}' and its row '{value}'", tuple(
        InputPair(row, printed, first, second)
        for row in rows
        if row.keys[key.index] != value
        and (printed := row.values[column.index])
        and (first := row.values[one.index])
        and (second := old.get(place(row)))
    ), rows=True, anchored=all(is_itself(row, column) for row in named))  # fmt: skip


def _anchored(rows: Sequence[LintRow], column: LintColumn, one: LintColumn, anchor: LintRow) -> InputSource:
    """Compare every row to the only one that is compared to nothing or to itself, whatever else differs."""
    old = anchor.values[one.index]
    return InputSource(f"'{one.title}' and its row {anchor.number}", tuple(
        InputPair(row, printed, first, old)
        for row in rows
        if row is not anchor and old
        and (printed := row.values[column.index])
        and (first := row.values[one.index])
    ), rows=True, anchored=is_itself(anchor, column))  # fmt: skip


def _blocks(rows: Sequence[LintRow], column: LintColumn, one: LintColumn, where: str) -> InputSource:
    """Compare each row to the nearest one that is an anchor, as in blocks that begin or end with their baseline."""
    old: LintRow | None = None
    pairs: list[InputPair] = []
    itself = True
    for row in rows:
        printed, measured = row.values[column.index], row.values[one.index]
        if _is_anchor(row, column, one):
            old, itself = row, itself and is_itself(row, column)
        elif printed and measured and old and (second := old.values[one.index]):
            pairs.append(InputPair(row, printed, measured, second))
    says = f"'{one.title}' and the row {where} that is compared to itself"
    return InputSource(says, tuple(pairs), rows=True, anchored=itself)


def _steps(rows: Sequence[LintRow], column: LintColumn, one: LintColumn) -> InputSource:
    """Compare each row to the one right above, as in a log of improvements."""
    return InputSource(f"'{one.title}' and the row above", tuple(
        InputPair(row, printed, first, second)
        for above, row in pairwise(rows)
        if (printed := row.values[column.index])
        and (first := row.values[one.index])
        and (second := above.values[one.index])
    ), rows=True)  # fmt: skip


def _with_factors(table: LintTable, source: InputSource, new: LintColumn, old: LintColumn) -> Iterator[InputSource]:
    """Give a source as it is, and normalized to the GPU count where headers or text speak of it."""
    yield source
    if not source.pairs or new.meaning.kind != "throughput":
        return
    declared = [(pair, gpus(old, pair.row), gpus(new, pair.row)) for pair in source.pairs]
    if all(before and after for _, before, after in declared):
        yield InputSource(source.says + ", per GPU", tuple(
            InputPair(pair.row, pair.printed, pair.new, pair.old, Fraction(before or 1, after or 1))
            for pair, before, after in declared
        ), declared=True)  # fmt: skip
    elif NORMALIZED.search(table.prose):
        yield InputSource(source.says + ", per GPU", source.pairs, normalized=True)


def gpus(column: LintColumn, row: LintRow) -> int | None:
    """Read how many GPUs a column's header gives for a row: `TP2`, or `8B:TP1, 70B:TP2`."""
    for name, count in GPUS.findall(column.words):
        if not name or any(re.search(rf"(?<![0-9]){re.escape(name)}\b", key, re.IGNORECASE) for key in row.keys):
            return int(count)
    return None
