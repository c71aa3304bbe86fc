"""Tables read back from the Markdown of a page, so that an old page and a new rendering can be held against each other. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.formats.units import CURRENCY
from harness.markdown.blocks import Heading, HtmlBlock, MarkdownTable, read_blocks
from harness.markdown.rows import literal
from harness.tables.locate import MARK
from harness.tables.locate import column_names as named_columns
from harness.tables.printed import ADDRESS
from harness.tables.result import Cell, Section, TableColumn

_NUMBER = re.compile(
    rf"(?P<sign>[-+\u2212]?)(?:{CURRENCY})?(?P<number>(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?)(?P<suffix>[x%]?)"
    r"(?=(?:[num\u00b5\u03bc]?s|min|h|[kKMGT]i?B|[mk]?[JW]|[A-Za-z]+/s)?(?:\s|$))"
)
_NOTE = re.compile(r"\s*<sup>[\d,\s]+</sup>$")
_LINK = re.compile(rf"\[(?P<text>(?:\\.|[^\]\\])*)\]{ADDRESS}")
_FOLD = 7
"""Level of a `<summary>`: below every heading."""


@dataclass(frozen=True)
class Grid:
    """One table of a page: the headings above it and its cells as Markdown."""

    headings: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class RowName:
    """What a row is called, whatever its place: headings, leading cells, and which one it is of rows that are called the same."""

    headings: tuple[str, ...]
    keys: tuple[str, ...]
    nth: int = 0

    @property
    def label(self) -> str:
        """The name as a person types it."""
        return self._joined((*self.headings, *self.keys))

    @property
    def short(self) -> str:
        """The name without its headings."""
        return self._joined(self.keys)

    def _joined(self, parts: Sequence[str]) -> str:
        number = f" #{self.nth + 1}" if self.nth else ""
        return MARK.join(shown(part) for part in parts if part) + number


ColumnName = tuple[str, int]
"""Heading, and which one it is of columns with that heading."""


@dataclass(frozen=True)
class GridLine:
    """A row of a table by its name."""

    name: RowName
    grid: int
    row: int
    """Places in the list of grids and among the grid's rows."""
    cells: dict[ColumnName, tuple[int, str]]
    """Place and Markdown of each cell that is no key."""


def grids(markdown: str) -> list[Grid]:
    """Find the tables of a text with the headings and summaries above each."""
    found: list[Grid] = []
    above: dict[int, str] = {}
    for block in read_blocks(markdown):
        if isinstance(block, Heading):
            above = {**_above(above, block.level), block.level: block.source}
        elif isinstance(block, HtmlBlock):
            if block.summaries:
                above[_FOLD] = literal(block.summaries[-1])
            if block.ends_details:
                above.pop(_FOLD, None)
        elif isinstance(block, MarkdownTable):
            header, *rows = (row.written for row in block.rows)
            found.append(Grid(tuple(above.values()), header, tuple(rows)))
    return found


def _above(headings: dict[int, str], level: int) -> dict[int, str]:
    return {known: text for known, text in headings.items() if known < level}


# ---------------------------------------------------------------- names


def lines_of(found: Sequence[Grid], keys: int, heads: int = 0) -> dict[RowName, GridLine]:
    """Name the rows by their first `keys` cells, blank repetitions filled; the first `heads` rows of each table are headings."""
    named: dict[RowName, GridLine] = {}
    for place, grid in enumerate(found):
        titles = column_names(grid, keys, heads)
        for row, (key, cells) in enumerate(_keyed(grid.rows[heads:], keys), start=heads):
            name = RowName(tuple(plain(text) for text in grid.headings), key)
            while name in named:
                name = RowName(name.headings, key, name.nth + 1)
            values = {titles[index]: (index, cells[index]) for index in range(keys, min(len(cells), len(titles)))}
            named[name] = GridLine(name, place, row, values)
    return named


def column_names(grid: Grid, keys: int, heads: int = 0) -> list[ColumnName]:
    """Name a table's columns by their headings, whichever rows hold them."""
    width = len(grid.header)
    whole = [(*row, *[""] * width)[:width] for row in grid.rows[:heads]]
    rows = tuple(tuple(Cell(shown(cell)) for cell in row) for row in whole)
    section = Section((), tuple(TableColumn(shown(text)) for text in grid.header), rows, head_rows=len(rows))
    names: list[ColumnName] = []
    for parts in named_columns(section, keys):
        names.append((MARK.join(parts), sum(MARK.join(parts) == known for known, _ in names)))
    return names


def _keyed(rows: Sequence[Sequence[str]], keys: int) -> Iterator[tuple[tuple[str, ...], Sequence[str]]]:
    """Yield rows with their keys; a blank key repeats the one above as long as the keys before it do."""
    above: tuple[str, ...] = ()
    for row in rows:
        key: list[str] = []
        for index, cell in enumerate(row[:keys]):
            same = list(above[:index]) == key
            key.append(above[index] if not cell and same and index < len(above) else plain(cell))
        above = tuple(key)
        yield above, row


# ---------------------------------------------------------------- cells


def plain(cell: str) -> str:
    """Return a cell's Markdown without link, emphasis and footnote mark: what is compared."""
    text = _LINK.sub(lambda found: found["text"], _NOTE.sub("", cell.strip())).strip()
    return text[2:-2].strip() if len(text) > 4 and text.startswith("**") and text.endswith("**") else text


def shown(cell: str) -> str:
    """Return a cell's text as a reader sees it."""
    return html.unescape(re.sub(r"\\([^A-Za-z0-9\s])", r"\1", plain(cell)))


def number_text(text: str) -> str:
    """Return the number that a text begins with, as it is written, with its currency, `x` or `%`; empty where there is none."""
    found = _NUMBER.match(text)
    return found[0] if found else ""


def number(text: str) -> Decimal | None:
    """Return the number that a text begins with, None where it begins with none."""
    found = _NUMBER.match(text)
    return Decimal(f"{found['sign']}{found['number']}".replace(",", "").replace("\u2212", "-")) if found else None
