"""Raw tables to tables with understood headers: group headers, headers in the first body row, blank repeated keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.lint.columns import Meaning, meaning_of
from harness.lint.markdown import Broken, RawTable, raw_tables, read_text
from harness.lint.numbers import PrintedNumber, is_missing, number, scaled_unit
from harness.markdown.blocks import MarkdownCell, MarkdownRow, TextLine

CORNER = re.compile(r"^(?P<key>.*?)\s*\\+\s*(?P<metric>.+)$")


@dataclass(frozen=True)
class LintColumn:
    """One column under its resolved header; `title` is group and name, or its place where it has neither."""

    index: int
    name: str
    group: str
    labels: tuple[str, ...]
    corner: str
    meaning: Meaning
    spacer: bool

    @property
    def title(self) -> str:
        return " ".join(part for part in (self.group, self.name) if part) or f"column {self.index + 1}"

    @property
    def words(self) -> str:
        return f"{self.corner} {self.group} {self.name}".strip()


@dataclass(frozen=True)
class LintRow:
    """One row of values; `number` counts from 1 below the last header row; `keys` has blank repeated keys filled in."""

    number: int
    line: int
    cells: tuple[MarkdownCell, ...]
    keys: tuple[str, ...]
    written: int
    units: tuple[str, ...]
    """The unit that a column's values are taken in where its cells name several, as GB for 13.5 GB and 700 MB."""

    @cached_property
    def values(self) -> tuple[PrintedNumber | None, ...]:
        return tuple(one and one.as_in(unit) for one, unit in zip(self.printed, self.units, strict=True))

    @cached_property
    def printed(self) -> tuple[PrintedNumber | None, ...]:
        """The numbers in the units that the cells name."""
        return tuple(number(cell.text) for cell in self.cells)


@dataclass(frozen=True, eq=False)
class LintTable:
    """A table to be checked, with the headings and the text of the sections it stands in; equal to itself only."""

    path: str
    line: int
    columns: tuple[LintColumn, ...]
    rows: tuple[LintRow, ...]
    headings: tuple[str, ...]
    context: tuple[TextLine, ...]

    @property
    def key_columns(self) -> tuple[LintColumn, ...]:
        return tuple(column for column in self.columns if column.meaning.kind == "key")

    @property
    def settings(self) -> tuple[LintColumn, ...]:
        """Columns that say what was measured: text, batch sizes, lengths."""
        return tuple(column for column in self.columns if column.meaning.kind in {"key", "batch", "length"})

    @property
    def prose(self) -> str:
        return "\n".join(line.text for line in self.context)

    def where(self, row: LintRow) -> tuple[str, ...]:
        return tuple(row.keys[column.index] for column in self.settings)


@dataclass(frozen=True)
class LintPage:
    """One file: its tables, and what was meant to be one."""

    path: str
    tables: tuple[LintTable, ...]
    broken: tuple[Broken, ...]


def read_page(path: Path) -> LintPage:
    """Read the tables of a Markdown file. Raises: HarnessError where it cannot be read."""
    return page_of(read_text(path), str(path))


def page_of(text: str, path: str = "page.md") -> LintPage:
    """Read the tables of a Markdown text."""
    raw, broken = raw_tables(text)
    return LintPage(path, tuple(_table(one, path) for one in raw), tuple(broken))


def _table(raw: RawTable, path: str) -> LintTable:
    head, body = _split(raw.table.rows)
    columns = tuple(_columns(head, body))
    keys = _filled(body, columns)
    units = tuple(_unit(body, column.index) for column in columns)
    rows = tuple(
        LintRow(at, row.line, row.cells, keys[at - 1], len(row.written), units) for at, row in enumerate(body, start=1)
    )
    return LintTable(path, raw.table.begin + 1, columns, rows, raw.headings, raw.context)


def _unit(body: Sequence[MarkdownRow], at: int) -> str:
    return scaled_unit([value.suffix for row in body if (value := number(row.cells[at].text))])


def _split(rows: Sequence[MarkdownRow]) -> tuple[Sequence[MarkdownRow], Sequence[MarkdownRow]]:
    """Tell header rows from values: a first body row of words below a header row with gaps is a header too."""
    header, body = rows[0], rows[1:]
    if len(body) < 2 or not _headers_below(header, body[0], body[1:]):
        return rows[:1], body
    return rows[:2], body[1:]


def _headers_below(header: MarkdownRow, first: MarkdownRow, rest: Sequence[MarkdownRow]) -> bool:
    gaps = [at for at, cell in enumerate(header.cells) if not cell.text]
    words = [cell.text and number(cell.text) is None and not is_missing(cell.text) for cell in first.cells]
    filled = [at for at, cell in enumerate(first.cells) if cell.text]
    numeric = {at for row in rest for at, cell in enumerate(row.cells) if number(cell.text)}
    return len(gaps) > 1 and len(filled) > 1 and all(words[at] for at in filled) and bool(numeric & set(filled))


def _columns(head: Sequence[MarkdownRow], body: Sequence[MarkdownRow]) -> Iterator[LintColumn]:
    names = head[-1].cells
    groups = _groups(head[0].cells, names) if len(head) > 1 else [""] * len(names)
    corner = CORNER.match(names[0].text) if names else None
    metric = corner["metric"] if corner else ""
    for at, cell in enumerate(names):
        texts = [row.cells[at].text for row in body]
        over = metric if at else ""
        meaning = meaning_of(f"{over} {groups[at]} {cell.text}", texts)
        spacer = not cell.text and not any(texts)
        group = "" if meaning.kind in {"key", "batch", "length"} else groups[at]
        yield LintColumn(at, cell.text, group, cell.labels, over, meaning, spacer)


def _groups(over: Sequence[MarkdownCell], names: Sequence[MarkdownCell]) -> list[str]:
    """Spread group headers: over all columns between two spacers where there are any, else to the right."""
    spacers = [at for at, cell in enumerate(names) if not cell.text and not over[at].text]
    found, last = [""] * len(names), ""
    if spacers and spacers != [0]:
        for first, end in zip([-1, *spacers], [*spacers, len(names)], strict=True):
            inside = range(first + 1, end)
            said = [over[at].text for at in inside if over[at].text]
            if len(said) == 1:
                for at in inside:
                    found[at] = said[0]
                continue
            for at in inside:
                last = over[at].text or (last if at != first + 1 else "")
                found[at] = last
        return found
    for at, cell in enumerate(over):
        last = cell.text or last
        found[at] = last
    return found


def _filled(body: Sequence[MarkdownRow], columns: Sequence[LintColumn]) -> list[tuple[str, ...]]:
    """Give each row its texts, with a blank key taken from the row above."""
    done: list[tuple[str, ...]] = []
    for row in body:
        above = done[-1] if done else ("",) * len(columns)
        done.append(
            tuple(
                cell.text or (above[column.index] if column.meaning.kind in {"key", "batch", "length"} else "")
                for cell, column in zip(row.cells, columns, strict=True)
            )
        )
    return done
