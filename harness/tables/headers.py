"""How a section's heading is laid out: plain, in bold, as the first row, or in two rows with groups. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.core.errors import ConfigError, Problem
from harness.markdown.rows import Align
from harness.tables.layout import Slot
from harness.tables.result import Cell, Section, TableColumn
from harness.tables.spec import Style, TableSpec

_Rows = Sequence[tuple[Cell, ...]]


@dataclass(frozen=True)
class Head:
    """The heading of one column."""

    text: str
    align: Align = "right"
    group: str = ""


def head_of(spec: TableSpec, slot: Slot) -> Head:
    """Return the heading of a column of cells."""
    return Head(slot.header, "left" if slot.cell.attribute else "right", slot.group if spec.style.groups else "")


def check_head(spec: TableSpec, columns: int) -> None:
    """Hold the rows of a written heading against the columns. Raises: ConfigError."""
    if any(len(row) != columns for row in spec.style.head):
        message = (
            f"table '{spec.name}' has {columns} columns, and a row of its style's 'head' has "
            f"{' or '.join(str(len(row)) for row in spec.style.head)} texts; write one for each column"
        )
        raise ConfigError([Problem(message, spec.path, spec.line)])


def with_headers(style: Style, headings: tuple[str, ...], heads: Sequence[Head], rows: _Rows) -> Section:
    """Put headings and rows together as the style says."""
    if style.head:
        first, *below = style.head
        written = [tuple(Cell(text, literal=False) for text in row) for row in below]
        return Section(headings, _columns(style, heads, first), (*written, *rows), head_rows=len(below))
    if style.groups:
        heads, rows = _spaced(heads, rows)
        names = tuple(Cell(head.text, literal=False) for head in heads)
        return Section(headings, _columns(style, heads, _over(heads)), (names, *rows), head_rows=1)
    if style.header == "body":
        names = tuple(Cell(head.text, literal=False, bold=True) for head in heads)
        return Section(headings, _columns(style, heads, [""] * len(heads)), (names, *rows), head_rows=1)
    bold = style.header == "bold"
    texts = [f"**{head.text}**" if bold and head.text else head.text for head in heads]
    return Section(headings, _columns(style, heads, texts), tuple(rows))


def _columns(style: Style, heads: Sequence[Head], texts: Sequence[str]) -> tuple[TableColumn, ...]:
    aligns = style.aligns if len(style.aligns) == len(heads) else [style.align or head.align for head in heads]
    return tuple(TableColumn(text, align) for align, text in zip(aligns, texts, strict=True))


def _runs(heads: Sequence[Head]) -> list[list[int]]:
    """List the places of the columns of each group, in order; columns without a group are one."""
    return [[place for place, _ in same] for _, same in groupby(enumerate(heads), key=lambda item: item[1].group)]


def _spaced(heads: Sequence[Head], rows: _Rows) -> tuple[list[Head], list[tuple[Cell, ...]]]:
    """Put an empty column between two groups."""
    order: list[int | None] = []
    for places in _runs(heads):
        if order and heads[places[0]].group and heads[places[0] - 1].group:
            order.append(None)
        order += places
    spacer = Head("", "center")
    return (
        [spacer if place is None else heads[place] for place in order],
        [tuple(Cell("") if place is None else row[place] for place in order) for row in rows],
    )


def _over(heads: Sequence[Head]) -> list[str]:
    """Write each group's label over the middle of its columns, over the left one of two."""
    texts = [""] * len(heads)
    for places in _runs(heads):
        texts[places[(len(places) - 1) // 2]] = heads[places[0]].group
    return texts
