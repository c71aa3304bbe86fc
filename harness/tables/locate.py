"""Where a cell is: from a page's line and column, or from the names of a row and a column, to its place in a table. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.spelling import meant_by
from harness.markdown.markers import MarkedPlace, bodies, marked_places
from harness.markdown.rows import as_before, literal
from harness.tables.markdown import Rendered, pipe_table
from harness.tables.result import Cell, Section

LineKind = Literal["header", "alignment", "row"]
MARK = " / "
"""Stands between the parts of a row's name."""
_FEW = 12
"""Names that a message lists."""


@dataclass(frozen=True)
class Spot:
    """A cell of a table: all three count from 0; row is None in the header line."""

    section: int
    row: int | None
    column: int


@dataclass(frozen=True)
class Beside:
    """A line of a table's part of the page that holds no cells, and what it is in one sentence."""

    said: str


# ---------------------------------------------------------------- names


def bare(heading: str) -> str:
    """Return a heading without tags and emphasis, as it is read."""
    return " ".join(re.sub(r"<[^>]*>|\*\*", " ", heading).split())


def row_names(section: Section, keys: int) -> list[tuple[str, ...]]:
    """Name each row by its key cells; a blank one repeats the one above. Rows of the heading have no name."""
    names: list[tuple[str, ...]] = []
    above: list[str] = []
    for row in section.rows[section.head_rows :]:
        texts = [cell.text for cell in row[:keys]]
        for index in range(min(len(texts), len(above))):
            if texts[index] or texts[:index] != above[:index]:
                break
            texts[index] = above[index]
        above = texts
        names.append(tuple(text for text in texts if text))
    return [() for _ in range(section.head_rows)] + names


def column_names(section: Section, keys: int) -> list[tuple[str, ...]]:
    """Name each column by its headings: that of its group, where there are groups, and its own."""
    heads = [bare(column.header) for column in section.columns]
    if not section.head_rows:
        return [(head,) if head else () for head in heads]
    own = [bare(cell.text) for cell in section.rows[0]]
    pairs = zip(_over(heads, own, keys), own, strict=True)
    return [tuple(text for text in pair if text) for pair in pairs]


def _over(heads: Sequence[str], own: Sequence[str], keys: int) -> list[str]:
    """Give each column its group's label, which stands over one of the columns between two empty ones."""
    found = list(heads)
    begun = keys
    for place in range(keys, len(own) + 1):
        if place == len(own) or not (own[place] or heads[place]):
            labels = [head for head in heads[begun:place] if head]
            found[begun:place] = labels * (place - begun) if len(labels) == 1 else found[begun:place]
            begun = place + 1
    return found


# ---------------------------------------------------------------- by names


def named(rendered: Rendered, row: str, column: str) -> Spot:
    """Find a cell by its row (number, or names of key cells, headings before them) and column (number or heading).

    Raises: HarnessError for what is not there, with the nearest right name, and for what is meant by several, with all of them.
    """
    table = rendered.table
    if not any(section.rows for section in table.sections):
        raise HarnessError(f"table '{table.name}' has no results yet; `harness run` measures them")
    section, place = _row(rendered, row)
    return Spot(section, place, _column(rendered, section, column))


def _row(rendered: Rendered, asked: str) -> tuple[int, int]:
    places, names = [], []
    for number, section in enumerate(rendered.table.sections):
        for place, name in enumerate(row_names(section, rendered.keys)):
            if place >= section.head_rows:
                places.append((number, place))
                names.append((*section.headings, *name))
    sections = rendered.table.sections
    own = [name[len(sections[at].headings) :] for (at, _), name in zip(places, names, strict=True)]
    return places[_one("row", asked, names, own)]


def _column(rendered: Rendered, section: int, asked: str) -> int:
    names = column_names(rendered.table.sections[section], rendered.keys)
    return _one("column", asked, names, [name[-1:] for name in names])


def _one(what: str, asked: str, names: Sequence[tuple[str, ...]], own: Sequence[tuple[str, ...]]) -> int:
    """Find the only name that is meant: the whole of it, its own part, or some parts of it in their order.

    A number is a place, counted from 1, unless it is the name of exactly one.
    """
    parts = _folded(tuple(asked.split(MARK)))
    tests: tuple[Callable[[int], bool], ...] = (
        lambda place: _folded(names[place]) == parts or names[place] == (asked,),
        lambda place: _folded(own[place]) == parts,
        lambda place: _within(parts, _folded(names[place])),
    )
    for test in tests[:2] if asked.isdecimal() else tests:
        found = [place for place in range(len(names)) if names[place] and test(place)]
        if len(found) == 1:
            return found[0]
        if found and not asked.isdecimal():
            raise HarnessError(_several(what, asked, [(place, names[place]) for place in found]))
    if not asked.isdecimal():
        raise HarnessError(_unknown(what, asked, names, own))
    if not 1 <= int(asked) <= len(names):
        raise HarnessError(f"there is no {what} {asked}; the table has {what}s 1 to {len(names)}")
    return int(asked) - 1


def _several(what: str, asked: str, found: Sequence[tuple[int, tuple[str, ...]]]) -> str:
    listed = "; ".join(f"{place + 1}: {MARK.join(name)}" for place, name in found[:_FEW])
    more = f"; and {len(found) - _FEW} more" if len(found) > _FEW else ""
    return f"{len(found)} {what}s are called '{asked}': {listed}{more}; give the number or more of the name"


def _unknown(what: str, asked: str, names: Sequence[tuple[str, ...]], own: Sequence[tuple[str, ...]]) -> str:
    """Say that there is no such name, with the nearest one in any case of letters, else with some of those there are."""
    known = {
        MARK.join(name).casefold(): MARK.join(name)
        for name in (*names, *own, *((part,) for name in names for part in name))
    }
    close = meant_by(asked.casefold(), known)
    if close is not None:
        return f"unknown {what} '{asked}'; did you mean '{known[close]}'?"
    listed = [MARK.join(name) for name in names if name]
    more = f"; and {len(listed) - _FEW} more" if len(listed) > _FEW else ""
    return f"unknown {what} '{asked}'; there is {'; '.join(listed[:_FEW])}{more}"


def _folded(name: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(" ".join(part.split()).casefold() for part in name)


def _within(parts: tuple[str, ...], name: tuple[str, ...]) -> bool:
    rest = iter(name)
    return all(part in rest for part in parts)


# ---------------------------------------------------------------- by line


def block_at(text: str, path: Path, line: int) -> MarkedPlace:
    """Find the table that a line (from 1) of a page belongs to. Raises: HarnessError where it is in none."""
    last = text.count("\n") + (0 if text.endswith("\n") else 1)
    if not 1 <= line <= last:
        raise HarnessError(f"{path}:{line}: the page has lines 1 to {last}")
    found = [place for place in marked_places(text, path) if place.word == "table"]
    here = next((block for block in found if block.begin < line <= block.end + 1), None)
    if here is not None:
        return here
    listed = ", ".join(f"{block.name} in lines {block.begin + 1} to {block.end + 1}" for block in found)
    raise HarnessError(f"{path}:{line}: this line is in no table; the page shows {listed or 'none'}")


def pointed(text: str, path: Path, line: int, column: int, rendered: Rendered) -> Spot | Beside:
    """Find the cell at a line and a column (both from 1) of a page.

    Raises: ConfigError where the page does not show what would be written now; HarnessError for a column that is not there.
    """
    block = block_at(text, path, line)
    body = bodies(text, path)[block.name].replace("\r", "").split("\n")
    if body != ["", *as_before(rendered.markdown.split("\n"), body), ""]:
        message = f"table '{block.name}' is out of date; run `harness report --write`"
        raise ConfigError([Problem(message, path, block.begin + 1)])
    at = line - 1 - (block.begin + 2)
    lines = rendered.markdown.split("\n")
    if not 0 <= at < len(lines):
        return Beside(f"a marker of table '{block.name}', or the empty line beside it")
    held = cell_lines(rendered).get(at)
    if held is None:
        return Beside(_beside(lines[at], rendered))
    section, kind, row = held
    columns = len(rendered.table.sections[section].columns)
    if kind == "alignment":
        return Beside(
            "the alignment row: it says whether Markdown shows the columns left, right or centred, and holds no values"
        )
    if not 1 <= column <= columns:
        raise HarnessError(f"{path}:{line}:{column}: this row has cells 1 to {columns}")
    return Spot(section, row, column - 1)


def cell_lines(rendered: Rendered) -> dict[int, tuple[int, LineKind, int | None]]:
    """Say of each line of a rendered table that holds cells its section, what it is, and its row."""
    lines = rendered.markdown.split("\n")
    found: dict[int, tuple[int, LineKind, int | None]] = {}
    start = 0
    for number, section in enumerate(rendered.table.sections):
        wanted = [line.rstrip() for line in pipe_table(section)]
        at = next((at for at in range(start, len(lines)) if lines[at : at + len(wanted)] == wanted), None)
        if at is None:
            continue
        kinds: list[tuple[LineKind, int | None]] = [("header", None), ("alignment", None)]
        kinds += [("row", row) for row in range(len(section.rows))]
        found |= {at + place: (number, kind, row) for place, (kind, row) in enumerate(kinds)}
        start = at + len(wanted)
    return found


def _beside(line: str, rendered: Rendered) -> str:
    """Say what a line is that holds no cells."""
    if not line.strip():
        return "an empty line of the table's part of the page"
    for number, note in enumerate(rendered.table.notes, start=1):
        if line == f"- <sup>{number}</sup> {literal(note)}".rstrip():
            return f"footnote {number}: it belongs to the cells that are marked with {number}"
    if line.startswith("- "):
        return "a line of the caption, which is made from the runs of the table's cells; it is written, not typed"
    if line.startswith(("#", "<details>", "</details>")) or "<summary>" in line:
        return "a heading: it names the value of 'each' that the rows below share"
    return "a line of the table's template: its title or the text for a table without results"


def spot_of(rendered: Rendered, cell: Cell) -> Spot:
    """Find the place of a cell that was taken from a table."""
    for number, section in enumerate(rendered.table.sections):
        for place, row in enumerate(section.rows):
            for column, one in enumerate(row):
                if one is cell:
                    return Spot(number, place, column)
    raise LookupError("this cell is of another table")
