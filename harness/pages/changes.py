"""What a new rendering changes in a committed table: rows that would vanish, cells that changed and by how much. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from harness.core.errors import HarnessError
from harness.pages.readback import (
    ColumnName,
    Grid,
    GridLine,
    RowName,
    column_names,
    grids,
    lines_of,
    number,
    plain,
)
from harness.tables.markdown import Rendered


@dataclass(frozen=True)
class Gone:
    """A table, row or column that stood in a page and would stand there no more."""

    table: str
    what: Literal["table", "row", "column"]
    label: str = ""
    """Name of the row or column as `--allow-missing` takes it."""
    short: str = ""
    """The row's name without its headings, which does as well."""

    @property
    def names(self) -> set[str]:
        """All that would allow it."""
        return {self.table, *(f"{self.table}:{label}" for label in (self.label, self.short) if label)}


@dataclass(frozen=True)
class Change:
    """A cell whose text is another now."""

    row: RowName
    column: ColumnName
    old: str
    new: str
    """Markdown of the cells, without emphasis and footnote marks."""

    @property
    def by(self) -> Decimal | None:
        """The difference, None where one of the two is no number."""
        old, new = number(self.old), number(self.new)
        return None if old is None or new is None else new - old

    @property
    def share(self) -> Decimal | None:
        """The difference as a share of the old number, None where that is zero or there is none."""
        old, by = number(self.old), self.by
        return None if by is None or not old else by / abs(old)

    @property
    def is_lost(self) -> bool:
        """Say whether a number stands there no more."""
        return number(self.old) is not None and number(self.new) is None

    def beyond(self, most: Decimal) -> bool:
        """Say whether the number changed by more than a share of it, or is gone."""
        if number(self.old) is None:
            return False
        return bool(self.by is None or (self.share is None and self.by) or (self.share and abs(self.share) > most))

    @property
    def heading(self) -> str:
        """The column's heading as a reader sees it; its number where several have it."""
        text, nth = self.column
        return (text or "column") + (f" #{nth + 1}" if nth or not text else "")


@dataclass(frozen=True)
class TableComparison:
    """An old table and a new rendering of it, row by row."""

    gone: tuple[Gone, ...]
    came: tuple[RowName, ...]
    changes: tuple[Change, ...]
    cells: int
    """Number of cells that stand in both."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Rows that are gone to rows that came and have the same cells."""


def compare_tables(old: str, new: Rendered) -> TableComparison:
    """Hold the committed Markdown of a table against its new rendering; rows are matched by name, columns by heading."""
    before, after = grids(old), grids(new.markdown)
    if before and not any(grid.rows for grid in after):
        return TableComparison((Gone(new.name, "table"),) if any(grid.rows for grid in before) else (), (), (), 0)
    keys, heads = shared_keys(before, after, new.keys), header_rows_of(new)
    old_lines, new_lines = lines_of(before, keys, _heads_in(before, after, heads)), lines_of(after, keys, heads)
    gone = [Gone(new.name, "row", name.label, name.short) for name in old_lines if name not in new_lines]
    gone += [Gone(new.name, "column", label) for label in _columns_gone(before, after, keys, heads)]
    pairs = [(old_lines[name], line) for name, line in new_lines.items() if name in old_lines]
    return TableComparison(
        gone=tuple(gone),
        came=tuple(name for name in new_lines if name not in old_lines),
        changes=tuple(change for was, now in pairs for change in _changes(was, now)),
        cells=sum(column in was.cells for was, now in pairs for column in now.cells),
        renamed=_renamed(old_lines, new_lines),
    )


def _renamed(old: Mapping[RowName, GridLine], new: Mapping[RowName, GridLine]) -> dict[str, str]:
    """Pair rows that are gone with those that came, by the text of all their cells, where that is one and one."""
    came: dict[tuple[tuple[ColumnName, str], ...], list[RowName]] = {}
    for name, line in new.items():
        if name not in old:
            came.setdefault(_texts(line), []).append(name)
    gone: dict[tuple[tuple[ColumnName, str], ...], list[RowName]] = {}
    for name, line in old.items():
        if name not in new:
            gone.setdefault(_texts(line), []).append(name)
    return {
        names[0].label: came[texts][0].label
        for texts, names in gone.items()
        if texts and len(names) == 1 and len(came.get(texts, [])) == 1
    }


def _texts(line: GridLine) -> tuple[tuple[ColumnName, str], ...]:
    return tuple((column, plain(text)) for column, (_, text) in line.cells.items())


def shared_keys(before: Sequence[Grid], after: Sequence[Grid], keys: int) -> int:
    """Return how many leading columns name rows in both: all keys of the new table whose headings the old one has too."""
    if not before or not after:
        return keys
    pairs = zip(before[0].header[:keys], after[0].header[:keys], strict=False)
    same = [plain(was) == plain(now) for was, now in pairs]
    return max(1, same.index(False) if False in same else len(same))


def header_rows_of(rendered: Rendered) -> int:
    """Return how many rows of each table are headings that stand in its body."""
    return max((section.head_rows for section in rendered.table.sections), default=0)


def _heads_in(before: Sequence[Grid], after: Sequence[Grid], heads: int) -> int:
    """Say of an old table how many of its rows are headings: as many as of the new one, where they are the same."""
    if not heads or not before:
        return 0
    first = [[[plain(cell) for cell in row[:1]] for row in grid.rows[:heads]] for grid in (before[0], after[0])]
    return heads if first[0] == first[1] else 0


def _columns_gone(before: Sequence[Grid], after: Sequence[Grid], keys: int, heads: int) -> list[str]:
    known = {tuple(plain(text) for text in grid.headings): set(column_names(grid, keys, heads)) for grid in after}
    old_heads = _heads_in(before, after, heads)
    found = []
    for grid in before:
        here = known.get(tuple(plain(text) for text in grid.headings))
        if here is not None:
            found += [
                name
                for place, name in enumerate(column_names(grid, keys, old_heads))
                if place >= keys and name not in here and _has_text(grid, place, old_heads)
            ]
    return [text + (f" #{nth + 1}" if nth else "") for text, nth in dict.fromkeys(found)]


def _has_text(grid: Grid, place: int, heads: int) -> bool:
    """Say whether a column holds anything; spacers do not."""
    return any(place < len(row) and row[place] for row in grid.rows[heads:])


def _changes(was: GridLine, now: GridLine) -> list[Change]:
    pairs = [(column, was.cells[column][1], text) for column, (_, text) in now.cells.items() if column in was.cells]
    return [Change(now.name, column, plain(old), plain(new)) for column, old, new in pairs if plain(old) != plain(new)]


def share_of(text: str) -> Decimal:
    """Read a limit such as `5%` or `0.5%`. Raises: HarnessError for anything else."""
    found = number(text.strip())
    if found is None or found < 0 or not text.strip().endswith("%"):
        raise HarnessError(f"--max-change '{text}' is not a percentage; write e.g. 5%")
    return found / 100
