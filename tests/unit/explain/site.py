"""All pages and tables of this project, rendered once, and how their cells are found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.environments import ROOT
from harness.explain.cell import Explanation, Shown, explain
from harness.markdown.markers import marked_places
from harness.pages import writing
from harness.published.sources import NumberSource
from harness.tables.catalogue import TableCatalogue
from harness.tables.locate import Spot, cell_lines, named, pointed

PUBLISHED = ROOT / "results" / "published"


@dataclass(frozen=True)
class Site:
    """All pages, and all tables that they show, rendered once."""

    pages: tuple[Path, ...]
    tables: dict[str, Shown]
    source: NumberSource
    catalogue: TableCatalogue


def split(line: str) -> list[str]:
    """Split a line of a pipe table into its cells."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def cells_of(site: Site, page: Path) -> Iterator[tuple[Shown, Spot, str]]:
    """Find every cell of a page through its line and column, with what the page says there."""
    text = writing.read_page(page)
    lines = text.replace("\r", "").split("\n")
    for block in marked_places(text, page):
        shown = site.tables[block.name]
        for at in cell_lines(shown.rendered):
            number = block.begin + 2 + at + 1
            first = pointed(text, page, number, 1, shown.rendered)
            for column, said in enumerate(split(lines[number - 1])):
                if isinstance(first, Spot):
                    yield shown, replace(first, column=column), said
                else:
                    assert set(said) <= set(":-")


def at(site: Site, table: str, row: str, column: str) -> Explanation:
    shown = site.tables[table]
    return explain(shown, named(shown.rendered, row, column))
