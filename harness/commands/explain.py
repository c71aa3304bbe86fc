"""Explain one cell of a page or a table: find it, and print everything behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.commands.plain import Filters, narrowed, plain_of, plain_rendered
from harness.commands.workspace import Workspace, database_for_reading, pages_of, spec_files
from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.spelling import unknown
from harness.explain.archive import archive_of
from harness.explain.cell import Explanation, Shown, explain
from harness.explain.text import as_text
from harness.pages import writing
from harness.pages.value_marks import ValueMark, marks
from harness.pages.values import answer, answering
from harness.published.sources import NumberSource, TableQuestion, from_published, question_of
from harness.store.location import is_there
from harness.tables.catalogue import TableCatalogue, catalogue_of
from harness.tables.locate import block_at, named, pointed, spot_of
from harness.tables.spec import TableSpec

_PLACE = re.compile(r"(?P<page>.+?):(?P<line>\d+):(?P<column>\d+)")
GRAMMAR = "write PAGE:LINE:COLUMN, as README.md:26:4, or TABLE ROW COLUMN, as quickstart-speed INT8 'Decode (tok/s)'"


def explanation(
    words: Sequence[str], workspace: Workspace, results: Path | None = None, where: Filters | None = None
) -> Explanation:
    """Find and explain a cell.

    words: PAGE:LINE:COLUMN, or table, row and column. results: folder of a database to take a table's numbers from;
    the published results if not given. Pages are always those of the published results, with their tables' own conditions.
    where: conditions that replace those of the table.
    Raises: HarnessError for what is not there, with the nearest right name, and for a page that is stale.
    """
    place = _PLACE.fullmatch(words[0]) if len(words) == 1 else None
    if place is not None:
        if where:
            raise HarnessError("--where needs TABLE ROW COLUMN; a page shows what its table says")
        if results is not None:
            raise HarnessError("--results needs TABLE ROW COLUMN; a page shows the published results")
        return _of_page(place["page"], int(place["line"]), int(place["column"]), workspace)
    if len(words) != 3:
        raise HarnessError(f"'{' '.join(words)}' is not a cell; {GRAMMAR}")
    table, row, column = words
    known = _known(workspace)
    if results is None and known.spec(table) is None and is_there(workspace.database):
        results = workspace.results  # tables that no spec describes are made from its database
    with _shown(table, known, workspace, where or {}, results) as shown:
        return explain(shown, named(shown.rendered, row, column))


def _of_page(name: str, line: int, column: int, workspace: Workspace) -> Explanation:
    """Explain a cell of a page; in prose, the columns are the values between markers that begin on the line."""
    path = Path(name)
    text = writing.read_page(_page(name, workspace))
    values = [mark for mark in marks(text, path) if mark.line == line]
    asked = values[column - 1].asked if 1 <= column <= len(values) else None
    if values and asked is None:
        raise HarnessError(f"{name}:{line}:{column}: this line has values 1 to {len(values)}")
    table = asked.table if asked else block_at(text, path, line).name
    with _shown(table, _known(workspace), workspace) as shown:
        if asked is None:
            return explain(shown, pointed(text, path, line, column, shown.rendered), f"{name}:{line}:{column}")
        _current(path, line, values[column - 1], text, shown)
        at = spot_of(shown.rendered, answering(asked, {table: shown.rendered}))
        return explain(shown, at, f"{name}:{line}:{column}, {values[column - 1].said}")


def _current(path: Path, line: int, mark: ValueMark, text: str, shown: Shown) -> None:
    """Refuse a value that is not what its table says now."""
    if answer(mark.asked, {mark.asked.table: shown.rendered}) != text[mark.begin : mark.end]:
        message = f"value '{mark.said}' is out of date; run `harness report --write`"
        raise ConfigError([Problem(message, path, line)])


def explained(
    words: Sequence[str],
    workspace: Workspace,
    results: Path | None = None,
    *,
    as_json: bool = False,
    where: Filters | None = None,
) -> str:
    """Explain a cell as text, or as one JSON object."""
    found = explanation(words, workspace, results, where=where)
    return json.dumps(found.as_json(), indent=2, ensure_ascii=False, allow_nan=False) if as_json else as_text(found)


def _page(name: str, workspace: Workspace) -> Path:
    """Find a page from the working directory, else from the workspace's folder."""
    here = Path(name)
    page = here if here.exists() else workspace.root / name
    if not page.is_file():
        known = [workspace.called(path) for path in writing.with_markers(pages_of(workspace))]
        raise HarnessError(unknown("page", name, known))
    return page


@dataclass(frozen=True)
class _Known:
    """The tables that there are, and what names are called in them."""

    specs: Sequence[TableSpec]
    catalogue: TableCatalogue

    def spec(self, name: str) -> TableSpec | None:
        return next((one for one in self.specs if one.name == name), None)


def _known(workspace: Workspace) -> _Known:
    catalogue = catalogue_of(workspace.configs, workspace.own_published)
    return _Known(writing.specs_in(spec_files(workspace), catalogue), catalogue)


@contextmanager
def _source(results: Path | None, workspace: Workspace, asked: TableQuestion | None) -> Iterator[NumberSource]:
    if results is None:
        sweeps, needed = (asked.labels.get("sweep", ()), asked.need) if asked else ((), None)
        with from_published(workspace.own_published, sweeps, needed) as source:
            yield source
    else:
        other = replace(workspace, results=results, beside=workspace.own_published)
        with database_for_reading(workspace if results == workspace.results else other) as database:
            yield NumberSource(database)


@contextmanager
def _shown(
    name: str, known: _Known, workspace: Workspace, where: Filters | None = None, results: Path | None = None
) -> Iterator[Shown]:
    """Render a table from what it needs, and keep that open."""
    found = known.spec(name)
    spec = narrowed(found, where or {}) if found else None
    with _source(results, workspace, question_of(spec) if spec else None) as source:
        if spec is None:
            yield _plain(name, source, workspace, results, known)
            return
        rendered = writing.renderer(source, known.catalogue)(spec)
        yield Shown(rendered, spec, known.catalogue.renamed(spec.titles), archive_of(source))


def _plain(name: str, source: NumberSource, workspace: Workspace, results: Path | None, known: _Known) -> Shown:
    """Find a table that was generated for a sweep. Raises: HarnessError where there is none of this name."""
    found = [
        table
        for sweep in source.database.sweeps()
        if name.startswith(f"{sweep}-")
        for table in plain_of(sweep, source, results or workspace.results)
    ]
    table = next((one for one in found if one.spec.name == name), None)
    if table is None:
        raise HarnessError(unknown("table", name, [one.name for one in (*known.specs, *(one.spec for one in found))]))
    return Shown(plain_rendered(table, source, known.catalogue), table.spec, known.catalogue, archive_of(source))
