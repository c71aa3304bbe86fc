"""A table of strings: what a template gets, and what stands behind each cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Cell:
    """A cell's text as people read it."""

    text: str
    literal: bool = True
    """Shown as it is, as a name; else a number or a text of the spec, in which markup is meant."""
    link: str = ""
    bold: bool = False
    note: int | None = None
    """Number of the footnote."""
    runs: tuple[str, ...] = ()
    measurements: tuple[str, ...] = ()
    """Ids of the measurements: the cell's own, then its baseline's."""


@dataclass(frozen=True)
class Column:
    header: str
    align: Literal["left", "right", "center", "none"] = "right"


@dataclass(frozen=True)
class Section:
    """The rows for one value of `each`; a table without `each` is one section without headings."""

    headings: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Table:
    """A table of strings, ready for a template."""

    name: str
    title: str
    template: str
    sections: tuple[Section, ...]
    caption: tuple[str, ...]
    notes: tuple[str, ...]
