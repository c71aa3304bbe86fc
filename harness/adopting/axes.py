"""Headings that are values of a dimension, as `FP16 | INT4`, `Batch 1 | Batch 8`, `7B | 13B`, `A100 (tok/s)`. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.adopting.column import Column
from harness.adopting.corner import NUMBER_ALONE, counted_over
from harness.adopting.heading_words import (
    _BESIDE,
    _NO_WORDS,
    _SIZE,
    _UNIT_BEHIND,
    _VARIANT,
    Axis,
    Said,
    _is_method,
    _plain_method,
    said_by,
)
from harness.adopting.headings import (
    better_in,
    counted_dimension,
    is_method,
    is_statistic,
    metric_in,
    metric_of,
    names_method,
    own_metric,
    unit_of,
)
from harness.adopting.names import seen
from harness.adopting.reading import PageTable
from harness.core.errors import HarnessError
from harness.core.metric import METRICS, OWN, Direction
from harness.lint.columns import BETTER, meaning_of

_IN_BRACKETS = re.compile(r"(?P<words>.+?)\s*[(\[](?P<method>[^()\[\]]+)[)\]]")


@dataclass(frozen=True)
class _Heading:
    """What the two rows of headings say of one column."""

    over: str
    name: str
    above: Said
    own: Said

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.above.axes + self.own.axes

    @property
    def words(self) -> str:
        """What is left of both: what was measured."""
        return " ".join(part for part in (self.above.rest, self.own.rest) if part)

    def keeping(self, dimensions: Collection[str]) -> _Heading:
        """Leave out what is no value of these dimensions; a heading of which one is left out is its words alone, or one method."""
        return replace(
            self, above=_keeping(self.above, self.over, dimensions), own=_keeping(self.own, self.name, dimensions)
        )


def _keeping(said: Said, heading: str, dimensions: Collection[str]) -> Said:
    if all(axis.dimension in dimensions for axis in said.axes):
        return said
    if "method" in dimensions and is_method(seen(heading)):
        return Said((Axis("method", heading),))
    return Said((), seen(heading))


def is_model(heading: str) -> bool:
    """Tell a heading or a cell that is the name of a model alone, and not only a size."""
    said = said_by(heading)
    return [axis.dimension for axis in said.axes] == ["model"] and not said.rest and not _SIZE.fullmatch(seen(heading))


def with_axes(columns: Sequence[Column], table: PageTable) -> list[Column]:
    """Give columns whose headings, or those of their groups, are values of a dimension what is measured in them.

    Raises: HarnessError where a column of the table is that dimension already, and for headings that are numbers alone.
    """
    numbers = [c for c in columns if c.role == "number" and c.guessed and not c.comparison]
    corner = counted_over(table, [c.place for c in columns if c.role == "number"])
    said = {c.place: _heading(corner or table.over[c.place], table.heads[-1][c.place]) for c in numbers}
    said = _of_one_model(said)
    said = {place: _parted(_beside(one, list(said.values())), list(said.values())) for place, one in said.items()}
    kept = _kept(list(said.values()), columns)
    said = {place: one.keeping(kept) for place, one in said.items()}
    found = [_valued(c, said[c.place], table) if c.place in said and said[c.place].axes else c for c in columns]
    _no_numbers_alone([c for c in found if c.place in said and not c.under and not table.over[c.place]], table)
    return found


def _heading(over: str, name: str) -> _Heading:
    counted = counted_dimension(seen(over))
    if counted and NUMBER_ALONE.fullmatch(seen(name)):
        return _Heading("", name, Said(), Said((Axis(counted, seen(name)),)))
    above, own = said_by(over) if over else Said(), said_by(name)
    whole = f"{over} {name}".strip()
    if over and not above.axes and _SIZE.fullmatch(seen(name)) and not _measures(seen(over)):
        return _Heading("", whole, Said(), Said((Axis("model", whole),)))
    if _is_method(above) and _VARIANT.fullmatch(seen(name)):
        return _Heading("", whole, Said(), Said((Axis("method", whole),)))
    if not above.axes and over and names_method(seen(over)):
        above = Said((Axis("method", over),))
    if {axis.dimension for axis in above.axes} & {axis.dimension for axis in own.axes}:
        own = Said((), seen(name))
    return _Heading(over, name, above, own)


def _kept(said: Sequence[_Heading], columns: Sequence[Column]) -> set[str]:
    """Take the dimensions of which headings have several values, or one with what was measured of it.

    Raises: HarnessError where a column is that dimension, too: one of them must be something else.
    """
    kept = set[str]()
    keys = {c.dimension: c for c in columns if c.role == "key"}
    for dimension in dict.fromkeys(axis.dimension for one in said for axis in one.axes):
        here = [(one, axis) for one in said for axis in one.axes if axis.dimension == dimension]
        values = list(dict.fromkeys(seen(axis.value) for _, axis in here))
        if dimension not in keys:
            alone = any(axis in one.above.axes or _measures(one.words) for one, axis in here)
            kept |= {dimension} if len(values) > 1 or alone else set()
        elif dimension != "method" and len(values) > 1:
            listed, key = ", ".join(f"'{value}'" for value in values[:3]), keys[dimension].title
            raise HarnessError(
                f"headings {listed} are each a {dimension}, and so is column '{key}'; say what that one is, as --column '{key}=recipe', "
                f"or what each of those is: --column 'HEADING={OWN}NAME'"
            )
    return kept


def _measures(words: str) -> bool:
    """Say whether words name what was measured, or its unit."""
    kind = meaning_of(words, ["1"]).kind if words else "other"
    return bool(words and unit_of(words, ())) or kind not in {"other", "key", "derived", "batch", "length"}


def beside(headings: Sequence[str]) -> list[Said]:
    """Find of each of several headings what it says, words as `Baseline` among them."""
    said = [_heading("", one) for one in headings]
    return [_beside(one, said).own for one in said]


def _beside(one: _Heading, others: Sequence[_Heading]) -> _Heading:
    """Take `Baseline` and such words for a method: beside methods, or beside each other before the same words or unit."""
    value, rest, unit = _plain_method(one.name)
    if one.axes or not value:
        return one
    words = " ".join(filter(None, (rest, unit)))
    methods = [other.own.rest for other in others if any(axis.dimension == "method" for axis in other.own.axes)]
    alike = [other for other in others if words and _plain_method(other.name)[1:] == (rest, unit)]
    if not (methods and not rest and value.casefold() in _BESIDE) and not (
        words and (words in methods or len(alike) > 1)
    ):
        return one
    return replace(one, own=Said((Axis("method", value if words else one.name),), words))


def _of_one_model(said: Mapping[int, _Heading]) -> dict[int, _Heading]:
    """Take `Llama-3.1-8B` for a method where all others are that name with a method to it, as `Llama-3.1-8B-w4a16`."""

    def alone(dimension: str) -> list[_Heading]:
        return [one for one in said.values() if [axis.dimension for axis in one.axes] == [dimension] and not one.words]

    bases, made = alone("model"), alone("method")
    base = seen(bases[0].name).rpartition("/")[2].casefold() if len(bases) == 1 else ""
    if not base or not made or not all(base in seen(one.name).casefold() for one in made):
        return dict(said)
    return {
        place: replace(one, own=Said((Axis("method", one.name),))) if one in (*bases, *made) else one
        for place, one in said.items()
    }


def _parted(one: _Heading, others: Sequence[_Heading]) -> _Heading:
    """Part `F1 (INT8)` into method and measure where another heading is `F1 (FP32)`: else it is a method with a word to it."""
    found = _IN_BRACKETS.fullmatch(seen(one.name))
    if (
        not found
        or not names_method(found["method"])
        or names_method(found["words"])
        or found["words"].casefold() in _BESIDE
    ):
        return one
    like = [
        other
        for other in others
        if (there := _IN_BRACKETS.fullmatch(seen(other.name))) and there["words"] == found["words"]
    ]
    return replace(one, own=Said((Axis("method", found["method"]),), found["words"])) if len(like) > 1 else one


def _valued(column: Column, said: _Heading, table: PageTable) -> Column:
    """Say what is measured in a column whose heading is a value of a dimension: by the other words, else those above the table."""
    lint = table.lint.columns[column.place]
    under = tuple((axis.dimension, axis.value) for axis in said.axes)
    words = f"{lint.corner if _measures(lint.corner) else ''} {said.words}".strip()
    plain = _UNIT_BEHIND.sub("", f" {words}").strip(f"{_NO_WORDS} ")
    unit = unit_of(words, column.cells)
    if not plain and not metric_of(words, unit):
        metric, better, unit = _metric_above(table, unit)
        return replace(column, metric=metric, better=better, unit=unit, under=under)
    meaning = meaning_of(words, column.cells)
    known = "" if meaning.kind == "derived" or is_statistic(words) else metric_of(words, unit)
    if known and METRICS[known].kind != "quality" and any(one.value < 0 for one in column.numbers):
        known = ""
    better = meaning.better or (METRICS[known].better if known else _by_unit(meaning.kind, unit))
    return replace(column, metric=known or own_metric(plain or words), better=better, unit=unit, under=under)


def _by_unit(kind: str, unit: str) -> Direction:
    """Say which way is better by the unit alone, of what compares nothing."""
    return "none" if kind == "derived" else better_in(unit)


def _metric_above(table: PageTable, unit: str) -> tuple[str, Direction, str]:
    """Name the metric of columns whose headings do not: by the nearest heading that speaks of one; with its direction and unit."""
    corner = seen(table.heads[0][0])
    for words in (*([corner] if _measures(corner) else []), *reversed(table.lint.headings)):
        clean = re.sub(r"^[\d.\s]+", "", words)
        meaning = meaning_of(clean, ["1"])
        if clean and meaning.kind != "other":
            said = unit or unit_of(clean, ())
            known = "" if meaning.kind == "derived" else metric_of(clean, said)
            return known or own_metric(clean), meaning.better or BETTER.get(meaning.kind) or better_in(said), said
    known = metric_of("", unit)
    return known or metric_in(unit), METRICS[known].better if known else better_in(unit), unit


def _no_numbers_alone(columns: Sequence[Column], table: PageTable) -> None:
    """Refuse headings that are numbers alone: nobody could say of what. Raises: HarnessError naming them."""
    bare = [c.title for c in columns if c.role == "number" and NUMBER_ALONE.fullmatch(seen(table.heads[-1][c.place]))]
    if len(bare) > 1:
        listed = ", ".join(f"'{title}'" for title in bare[:3])
        raise HarnessError(
            f"headings {listed} are numbers, and nothing says of what; write it, as 'Batch {bare[0]}', or say --column '{bare[0]}={OWN}NAME' of each"
        )
