"""Take over the tables of a page: all that can be, with nothing written before each of them is proven."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from harness.adopting import published_text, writing
from harness.adopting.column import Column
from harness.adopting.columns import columns_of, is_called, understand
from harness.adopting.names import Names, slug
from harness.adopting.proof import AdoptedFiles, differences, rendered
from harness.adopting.published_text import Adopted
from harness.adopting.reading import PageTable, PageTables, tables_in
from harness.core.errors import HarnessError
from harness.core.metric import OWN, Direction
from harness.core.spelling import unknown
from harness.markdown.parser import BOM
from harness.published.reading import read_published
from harness.tables.catalogue import TableCatalogue

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,80}")
_FEW = 4
"""Differences that a message lists."""


@dataclass(frozen=True)
class WantedTables:
    """What a person asks for."""

    table: int | None = None
    """Number of the table, from 1; None for all that can be adopted."""
    name: str = ""
    """Of the files and tables; the page's by default."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Column, by heading or number, to what it is."""
    called: Mapping[str, str] = field(default_factory=dict)
    """Text of the page, as a model's or a method's, to the name under which it is data."""


@dataclass(frozen=True)
class AdoptContext:
    """What there is already."""

    catalogue: TableCatalogue
    own_published: Path
    """Folder of published files."""
    stems: Collection[str] = ()
    """Names of files and tables that are taken."""


@dataclass(frozen=True)
class TableRefused:
    """A table that stays as it is, and why."""

    table: PageTable
    why: str


@dataclass(frozen=True)
class Adoption:
    """What would be written; nothing where no table can be taken over."""

    page: PageTables
    tables: tuple[Adopted, ...]
    refused: tuple[TableRefused, ...]
    made: AdoptedFiles | None = None
    text: str = ""
    """The page with markers around its tables."""


def adopt(text: str, page: Path, called: str, wanted: WantedTables, around: AdoptContext, day: date) -> Adoption:
    """Make the files for a page's tables, and prove that they give the very same tables.

    text: of the page, line ends as they are. called: the page as its workspace calls it. Writes nothing.
    Raises: HarnessError where there is no such table, and for a column that is not there.
    """
    if "\r" in text.replace("\r\n", "\n"):
        raise HarnessError(f"{called} has line ends that are neither those of Unix nor of Windows; save it anew")
    if wanted.name and not _NAME.fullmatch(wanted.name):
        raise HarnessError(f"--name {wanted.name}: a name has letters, digits, _ and - alone")
    found = tables_in(text, page)
    chosen = _chosen(found, wanted.table, called)
    stem = _free(wanted.name or slug(page.stem, "page").replace(".", "_"), wanted.table, found, around.stems)
    alone = len(found.tables) == 1
    _known_columns(chosen, wanted.columns)
    lines = [line.removesuffix("\r") for line in text.removeprefix(BOM).split("\n")]
    numbered = not alone and wanted.table is None
    names = {table.number: f"{stem}-{table.number}" if numbered else stem for table in chosen}
    work = _Work(stem, called, around, lines, day, wanted.called)
    good, refused = list[Adopted](), list[TableRefused]()
    for table in chosen:
        try:
            good.append(_understood(table, names[table.number], wanted, Names(around.catalogue)))
        except HarnessError as error:
            refused.append(TableRefused(table, str(error)))
    try:
        made, tables = work.together(good) if good else (None, [])
    except HarnessError:  # one of them at least: find out which
        good = [one for one in good if not _in_vain(work, one, refused)]
        made, tables = work.together(good) if good else (None, [])
    missed = set(wanted.called) - {text for one in tables for text in one.names.used}
    if tables and missed:
        raise HarnessError(f"--called {min(missed)}: nothing is called so in the tables that can be adopted")
    return Adoption(found, tuple(tables), tuple(refused), made, _marked(text, tables) if tables else "")


def _in_vain(work: _Work, table: Adopted, refused: list[TableRefused]) -> bool:
    """Prove one table alone; note why where that cannot be done."""
    try:
        work.together([table])
    except HarnessError as error:
        refused.append(TableRefused(table.understood.table, str(error)))
        return True
    return False


def _chosen(found: PageTables, number: int | None, called: str) -> Sequence[PageTable]:
    if not found.tables:
        html = "; its HTML tables stay as they are" if found.html else ""
        raise HarnessError(f"{called} has no Markdown table{html}")
    if number is None:
        return found.tables
    if not 1 <= number <= len(found.tables):
        raise HarnessError(f"{called} has no table {number}; it has {len(found.tables)}")
    return [found.tables[number - 1]]


def _free(stem: str, number: int | None, found: PageTables, taken: Collection[str]) -> str:
    """Give the files a name that nothing has yet."""
    base = f"{stem}-{number}" if number is not None and len(found.tables) > 1 else stem
    names = (base, *(f"{base}_{n}" for n in range(2, 10_000)))
    return next(one for one in names if not any(name == one or name.startswith(f"{one}-") for name in taken))


def _known_columns(tables: Sequence[PageTable], columns: Mapping[str, str]) -> None:
    """Refuse what the command line says of a column that no table has. Raises: HarnessError with the nearest right one."""
    there = [column for table in tables if not table.trouble for column in columns_of(table)]
    for wanted, meaning in columns.items():
        if not any(is_called(column, wanted) for column in there):
            titles = list(dict.fromkeys(column.title for column in there))
            raise HarnessError(f"--column '{wanted}={meaning}': {unknown('column', wanted, titles)}")


def _understood(table: PageTable, name: str, wanted: WantedTables, names: Names) -> Adopted:
    if table.trouble:
        raise HarnessError(table.trouble)
    words = wanted.table is not None
    return Adopted(name, understand(table, wanted.columns, words=words), names, several=True)


@dataclass(frozen=True)
class _Work:
    """What making the files of one page takes."""

    stem: str
    called: str
    around: AdoptContext
    lines: Sequence[str]
    day: date
    said: Mapping[str, str]

    def together(self, tables: Sequence[Adopted]) -> tuple[AdoptedFiles, list[Adopted]]:
        """Make the files' texts and hold what they give against the page. Raises: HarnessError with the cells that differ."""
        names = Names(self.around.catalogue, self.said)
        named = [replace(one, names=names, several=len(tables) > 1) for one in self._apart(tables)]
        specs = [writing.spec(one) for one in named]  # first: names are given here, and declared below
        head = (
            f"# The tables of {self.called} as they stand there; `harness report --write {self.called}` writes them.\n"
        )
        published = published_text.published(named, self.called, self.stem, self.day)
        made = AdoptedFiles(self.stem, published, head + "\n".join(specs))
        given = rendered(made, self.around.catalogue, self.around.own_published)
        for one in named:
            table = one.understood.table
            _same(differences(table, [self.lines[at] for at in table.lines], given[one.name]))
        return made, named

    def _apart(self, tables: Sequence[Adopted]) -> list[Adopted]:
        """Give metrics of their own that are not counted alike names of their own: one name has one unit and direction."""
        declared = read_published(self.around.own_published).declared.metrics
        known = {name: (own.unit, own.better) for name, own in declared.items()}
        found = []
        for table in tables:
            columns = [_with_own_name(column, known) for column in table.understood.columns]
            names = {
                old.metric: new.metric
                for old, new in zip(table.understood.columns, columns, strict=True)
                if not old.comparison
            }
            columns = [
                replace(one, metric=names.get(one.metric, one.metric)) if one.comparison else one for one in columns
            ]
            found.append(replace(table, understood=replace(table.understood, columns=tuple(columns))))
        return found


def _with_own_name(column: Column, known: dict[str, tuple[str, Direction]]) -> Column:
    if not column.metric.startswith(OWN) or column.comparison:
        return column
    counted = (column.unit, column.better)
    names = (column.metric, *(f"{column.metric}_{number}" for number in range(2, 10_000)))
    name = next(one for one in names if known.get(one, counted) == counted)
    known[name] = counted
    return replace(column, metric=name)


def _same(wrong: Sequence[str]) -> None:
    if wrong:
        more = f"; and {len(wrong) - _FEW} more" if len(wrong) > _FEW else ""
        raise HarnessError(f"{'; '.join(wrong[:_FEW])}{more}")


def _marked(text: str, tables: Sequence[Adopted]) -> str:
    """Put markers around tables; every other byte stays."""
    bom = BOM if text.startswith(BOM) else ""
    lines = text.removeprefix(BOM).split("\n")
    end = "\r" if lines[0].endswith("\r") else ""
    for table in reversed(tables):
        begin, behind = table.understood.table.begin, table.understood.table.end
        last = behind == len(lines)
        lines[behind - 1] = lines[behind - 1].removesuffix("\r") + end
        lines[behind:behind] = [end, f"<!-- end: {table.name} -->{'' if last else end}"]
        lines[begin:begin] = [f"<!-- table: {table.name} -->{end}", end]
    return bom + "\n".join(lines)
