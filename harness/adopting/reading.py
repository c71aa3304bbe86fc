"""The Markdown tables of a page with their own bytes: cells as they are written, and why one cannot be taken as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.lint.tables import LintTable, page_of
from harness.markdown.blocks import HtmlBlock, MarkdownBlock, MarkdownTable, read_blocks
from harness.markdown.markers import marked_places
from harness.markdown.parser import BOM
from harness.markdown.rows import Align

MOST_COLUMNS = 400
"""Columns beyond which a table is refused: nobody reads such a one, and each is asked of the database by itself."""
MOST_ROWS = 2000
_REFUSED = re.compile(
    r"<!--|</?(?:table|thead|tbody|tr|td|th|script|style|details|summary|div|p|ul|ol|li|pre)\b", re.IGNORECASE
)
"""HTML that no cell can hold: comments, which could be markers, and what makes a block of its own."""
_HTML_TABLE = re.compile(r"<table\b", re.IGNORECASE)
_SPANS = re.compile(r"\b(?:colspan|rowspan)\s*=", re.IGNORECASE)


@dataclass(frozen=True)
class PageTable:
    """A table of a page."""

    number: int
    """From 1, in the order of the page."""
    begin: int
    end: int
    """Its lines, by index: the first one and the one behind the last."""
    heads: tuple[tuple[str, ...], ...]
    """Rows of its heading, cells as Markdown: one, or two where the first row below the alignment holds the names."""
    aligns: tuple[Align, ...]
    rows: tuple[tuple[str, ...], ...]
    lint: LintTable
    """What the linter understands of its headings and columns."""
    trouble: str = ""
    """Why it cannot be adopted."""

    @property
    def heading(self) -> str:
        """What it stands under."""
        return self.lint.headings[-1] if self.lint.headings else ""

    @property
    def over(self) -> tuple[str, ...]:
        """Of each column what stands above its heading, spread to the right; empty where there is one row of headings."""
        names = self.heads[-1]
        if len(self.heads) < 2:
            return ("",) * len(names)
        found, last = list[str](), ""
        for at, cell in enumerate(self.heads[0]):
            last = cell or (last if names[at] else "")
            found.append(self.lint.columns[at].group or last)
        return tuple(found)

    @property
    def lines(self) -> range:
        return range(self.begin, self.end)


@dataclass(frozen=True)
class PageTables:
    """All tables of a page, and the lines of those that are written in HTML."""

    tables: tuple[PageTable, ...]
    html: tuple[tuple[int, bool], ...] = ()
    """Line of each, from 1, and whether it has merged cells."""


def tables_in(text: str, path: Path) -> PageTables:
    """Read a page. Raises: ConfigError where its markers are not balanced."""
    blocks = read_blocks(text)
    raw = [block for block in blocks if isinstance(block, MarkdownTable)]
    understood = page_of(text.removeprefix(BOM), str(path)).tables
    taken = [(place.name, range(place.begin, place.end)) for place in marked_places(text, path)]
    found = [
        _table(number, table, lint, next((name for name, inside in taken if table.begin in inside), ""))
        for number, (table, lint) in enumerate(zip(raw, understood, strict=True), start=1)
    ]
    return PageTables(tuple(found), tuple(_html(blocks)))


def _html(blocks: Sequence[MarkdownBlock]) -> Iterator[tuple[int, bool]]:
    for block in blocks:
        text = "\n".join(block.source) if isinstance(block, HtmlBlock) else ""
        if isinstance(block, HtmlBlock) and _HTML_TABLE.search(text):
            yield block.line, bool(_SPANS.search(text))


def _table(number: int, raw: MarkdownTable, lint: LintTable, inside: str) -> PageTable:
    rows = [row.written for row in raw.rows]
    names = 2 if len(lint.rows) < len(rows) - 1 else 1
    table = PageTable(number, raw.begin, raw.end, tuple(rows[:names]), raw.aligns, tuple(rows[names:]), lint)
    return replace(table, trouble=_trouble(table, inside, nested=raw.nested))


def _trouble(table: PageTable, inside: str, *, nested: bool) -> str:
    """Say why a table cannot be taken as it stands, in the words of whoever wrote it; empty where it can."""
    width = len(table.heads[0])
    if nested:
        return "it stands in a list or a quotation, where markers cannot stand on lines of their own; move it out"
    if inside:
        return f"it stands between the markers of table '{inside}' already"
    if not table.rows:
        return "it has no rows"
    if width > MOST_COLUMNS or len(table.rows) > MOST_ROWS:
        return f"it has {width} columns and {len(table.rows)} rows; {MOST_COLUMNS} and {MOST_ROWS} are the most"
    return next(_cells_trouble(table, width), "")


def _cells_trouble(table: PageTable, width: int) -> Iterator[str]:
    for number, row in enumerate((*table.heads[1:], *table.rows), start=1 - len(table.heads[1:])):
        where = f"row {number}" if number > 0 else "the row of names below the heading"
        if len(row) != width:
            yield f"{where} has {len(row)} cells and the heading {width}; give it as many"
    for number, row in enumerate((table.heads[0], *table.heads[1:], *table.rows), start=1 - len(table.heads)):
        for column, cell in enumerate(row, start=1):
            html = _REFUSED.search(cell)
            if html:
                where = f"row {number}" if number > 0 else "the heading"
                yield f"{where}, column {column} holds the HTML '{html[0]}', which a cell cannot carry; write it in Markdown"
    yield from _twice(table)


def _twice(table: PageTable) -> Iterator[str]:
    """Tell of two columns with one heading: nobody could say which is meant."""
    names = [(over, column.name) for over, column in zip(table.over, table.lint.columns, strict=True)]
    for place, name in enumerate(names):
        if name[1] and name in names[:place]:
            called = " / ".join(part for part in name if part)
            yield f"columns {names.index(name) + 1} and {place + 1} are both called '{called}'; rename one"
