"""Every table of this project is read back as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from harness.core.errors import HarnessError
from harness.markdown.rows import literal
from harness.pages.changes import compare_tables, header_rows_of
from harness.pages.noise import evidence, shows
from harness.pages.readback import RowName, grids, lines_of, plain, shown
from harness.pages.value_marks import parse
from harness.pages.values import answer
from harness.pages.writing import render
from harness.published.sources import NumberSource, from_published
from harness.tables.catalogue import catalogue_of
from harness.tables.markdown import Rendered, cell_text, to_markdown
from harness.tables.result import Cell, Section
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def shipped() -> Iterator[tuple[list[Rendered], NumberSource]]:
    """All tables of this project, from its published results."""
    with from_published(ROOT / "results" / "published") as source:
        yield render([ROOT / "reports" / "tables"], source, catalogue_of(ROOT / "configs")), source


def test_every_table_is_read_back_as_it_was_written(shipped: tuple[list[Rendered], NumberSource]) -> None:
    for table in shipped[0]:
        found = compare_tables(table.markdown, table)
        assert (found.gone, found.came, found.changes) == ((), (), ()), table.name
        rows = sum(len(section.rows) - section.head_rows for section in table.table.sections)
        assert len(lines_of(grids(table.markdown), table.keys, header_rows_of(table))) == rows, table.name


def test_every_row_of_every_table_would_be_missed(shipped: tuple[list[Rendered], NumberSource]) -> None:
    for table in shipped[0]:
        lines = lines_of(grids(table.markdown), table.keys, header_rows_of(table))
        assert not [name for name in lines if name.nth], table.name
        for name in lines:
            sections = tuple(_without(section, name, table.keys) for section in table.table.sections)
            smaller = replace(to_markdown(replace(table.table, sections=sections)), each=table.each, keys=table.keys)
            if any(len(section.rows) > section.head_rows for section in sections):
                missed = [gone.label for gone in compare_tables(table.markdown, smaller).gone if gone.what == "row"]
                assert missed == [name.label], table.name


def _without(section: Section, name: RowName, keys: int) -> Section:
    """Take a row out of a section, with its keys given to the row below where that one repeats them."""
    if tuple(shown(plain(literal(part))) for part in section.headings) != tuple(shown(part) for part in name.headings):
        return section
    kept: list[tuple[Cell, ...]] = []
    above: list[Cell] = []
    for row in section.rows:
        whole = list(row)
        for place in range(min(keys, len(above))):
            if not whole[place].text and [cell.text for cell in whole[:place]] == [cell.text for cell in above[:place]]:
                whole[place] = above[place]
        above = whole
        if tuple(plain(cell_text(cell)) for cell in whole[:keys]) != name.keys:
            kept.append(tuple(whole))
    return replace(section, rows=tuple(kept))


def test_what_stands_behind_every_number_reaches_its_place_in_the_page(
    shipped: tuple[list[Rendered], NumberSource],
) -> None:
    tables, source = shipped
    for table in tables:
        known = evidence(table, source, table.keys)
        lines = lines_of(grids(table.markdown), table.keys, header_rows_of(table))
        cells = [cell for section in table.table.sections for row in section.rows for cell in row if cell.runs]
        behind = [known.cells[name, column] for name, line in lines.items() for column in line.cells]
        assert [cell for cell in behind if cell.runs] == cells, table.name
        assert all(run in known.runs for cell in cells for run in cell.runs), table.name
        texts = [text for line in lines.values() for _, text in line.cells.values()]
        assert all(shows(cell, plain(text)) for cell, text in zip(behind, texts, strict=True)), table.name


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ('h100-speed max "FP8 / Speedup"', "1.91x"),
        ('h100-speed max "INT4 AWQ Speedup" where Model=Llama3-8B', "1.53x"),
        ('h100-speed cell "INT4 AWQ / Mem Saving" where Model=Llama3-8B and "Batch Size"=32', "1.89x"),
        ('bnb cell "Throughput v0.44.1" where gpu="NVIDIA T4 16GB" and method=NF4 and batch=1', "14.08"),
        ('bnb cell "Throughput <sub>v0.44.1</sub>" where GPU="NVIDIA T4 16GB" and ""=NF4 and "Batch Size"=1', "14.08"),
        ('bnb max "Throughput Improvement"', "1.835x"),
    ],
)
def test_prose_can_quote_the_published_tables(
    shipped: tuple[list[Rendered], NumberSource], said: str, text: str
) -> None:
    assert answer(parse(said), {table.name: table for table in shipped[0]}) == text


def test_a_column_that_stands_under_two_groups_is_not_guessed(shipped: tuple[list[Rendered], NumberSource]) -> None:
    with pytest.raises(HarnessError, match="2 columns are called 'Speedup': 'FP8 / Speedup', 'INT4 AWQ / Speedup'"):
        answer(parse("h100-speed max Speedup"), {table.name: table for table in shipped[0]})
