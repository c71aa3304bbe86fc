"""Whether what was made of a page's tables gives the very same tables, cell by cell, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.adopting.names import seen
from harness.adopting.reading import PageTable
from harness.core.errors import ConfigError, HarnessError
from harness.markdown.rows import as_before, row_cells
from harness.pages import pages
from harness.published.reading import read_published
from harness.published.records import Published
from harness.published.sources import NumberSource, filled, sweeps_of
from harness.tables.catalogue import TableCatalogue
from harness.tables.declared import together
from harness.tables.specfile import SUFFIX

REPORTED = ".reported.yaml"
"""Ending of a file of adopted numbers: `publish` writes its own beside it."""


@dataclass(frozen=True)
class AdoptedFiles:
    """The texts of one adoption."""

    stem: str
    """Of both of its files."""
    published: str
    spec: str


def rendered(made: AdoptedFiles, catalogue: TableCatalogue, published_in: Path) -> Mapping[str, str]:
    """Render the tables from the new file and those published files that the same tables show; table to Markdown.

    Raises: HarnessError for a table that cannot be read back or rendered.
    """
    with TemporaryDirectory() as folder:
        spec, published_folder = Path(folder) / f"{made.stem}{SUFFIX}", Path(folder) / "published"
        published_folder.mkdir()
        (published_folder / f"{made.stem}{REPORTED}").write_text(made.published, encoding="utf-8")
        spec.write_text(made.spec, encoding="utf-8")
        try:
            published = _with_those_shown(read_published(published_folder), published_in, made.stem)
            with closing(filled(published.sessions, published)) as database:
                source = NumberSource(database, published)
                names = catalogue.declaring(published.declared)
                done = pages.render([spec], source, names)
                source.close()
        except ConfigError as error:
            raise HarnessError("; ".join(problem.message for problem in error.problems)) from None
        return {one.name: one.markdown for one in done}


def _with_those_shown(new: Published, published_folder: Path, sweep: str) -> Published:
    """Add the published runs that answer to the same sweep: they would stand in the same tables."""
    there = read_published(published_folder)
    sessions = [one for one in there.sessions if sweep in sweeps_of(one)]
    runs = {job.run for one in sessions for job in one.jobs}
    return replace(
        there,
        outcomes=(*new.outcomes, *(one for one in there.outcomes if one.job.run in runs)),
        sessions=(*new.sessions, *sessions),
        declared=together([there.declared, new.declared]),
    )


def differences(table: PageTable, lines: Sequence[str], markdown: str) -> list[str]:
    """Say in which cells a rendering is not the table that stands in the page; nothing where both are the same.

    lines: the table's own, as they stand there, without line ends.
    """
    fresh = markdown.split("\n")
    if as_before(fresh, lines) == list(lines):
        return []
    found = (
        [] if len(fresh) == len(lines) else [f"{len(lines)} lines stand in the page, and {len(fresh)} would be written"]
    )
    for number, (old, new) in enumerate(zip(lines, fresh, strict=False)):
        found += _in_row(number - 1 - len(table.heads), row_cells(old), row_cells(new), is_rule=number == 1)
    return found or ["the rows would stand in another order"]


def _in_row(row: int, old: Sequence[str], new: Sequence[str], *, is_rule: bool) -> list[str]:
    where = "the alignment row" if is_rule else f"row {row + 1}" if row >= 0 else "the heading"
    if len(old) != len(new):
        return [f"{where} has {len(old)} cells, and {len(new)} would be written"]
    return [
        f"{where}, column {column}: the page says {', and '.join(_as_read(one, other))} would be written"
        for column, (one, other) in enumerate(zip(old, new, strict=True), start=1)
        if one != other
        and not (is_rule and (one.startswith(":"), one.endswith(":")) == (other.startswith(":"), other.endswith(":")))
    ]


def _as_read(one: str, other: str) -> tuple[str, str]:
    """Quote two cells as a reader sees them; as Markdown where these are the same."""
    texts = (one, other) if seen(one) == seen(other) else (seen(one) or one, seen(other) or other)
    return f"'{texts[0]}'", f"'{texts[1]}'"
