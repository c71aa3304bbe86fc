"""Tables of a sweep that has none of its own: generated from what answered its last session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from harness.commands.answers import answers
from harness.commands.workspace import Workspace
from harness.core.errors import ConfigError
from harness.markdown.rows import literal
from harness.pages import writing
from harness.published.sources import NumberSource
from harness.store.columns import COLUMNS as STORED
from harness.store.where import as_texts, parse_where
from harness.tables.catalogue import TableCatalogue, catalogue_of
from harness.tables.columns import COLUMNS, DIMENSIONS
from harness.tables.markdown import Rendered, to_markdown
from harness.tables.plain import MOST, Plain, plain_tables
from harness.tables.rows import rows_of, text_of
from harness.tables.spec import TableSpec
from harness.tables.table import build

NO_TABLE = "no table"
"""What stands in place of a table that was refused, with the reason behind it."""
Filters = Mapping[str, tuple[str, ...]]
"""Filters on dimensions, as a table's own."""


def conditions(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read `--where` as conditions on a table's dimensions. Raises: HarnessError for what is none."""
    return as_texts(parse_where(words, DIMENSIONS), text_of)


def narrowed(spec: TableSpec, where: Filters) -> TableSpec:
    """Replace conditions of a table."""
    return replace(spec, where={**spec.where, **where})


def plain(
    sweep: str, source: NumberSource, workspace: Workspace, title: str = "", where: Filters = MappingProxyType({})
) -> list[str]:
    """Write generated tables of what answered a sweep's last session; of all its runs where none was finished."""
    texts, names = [], []
    catalogue = catalogue_of(workspace.named, workspace.own_published)
    for table in plain_of(sweep, source, workspace.results, title, where):
        try:
            rendered = plain_rendered(table, source, catalogue)
        except ConfigError as error:
            texts.append(f"{table.spec.title}: {NO_TABLE}: {error}")
            continue
        more = f"\n\n{table.rows} rows, {MOST} shown; `harness export FILE --where sweep={sweep}` writes all."
        texts.append(rendered.markdown + (more if table.rows > MOST else ""))
        names.append(table.spec.name)
    told = f"`harness explain TABLE ROW COLUMN` explains a cell; tables: {', '.join(names)}."
    return [*texts, told] if names else texts


def plain_of(
    sweep: str, source: NumberSource, results: Path, title: str = "", where: Filters = MappingProxyType({})
) -> list[Plain]:
    """Generate the tables of what answered a sweep's last session; of all its runs where none was finished."""
    answered = answers(sweep, results)
    runs = {} if answered is None else {"run": answered}
    found = source.select({"sweep": [sweep], **runs}, [name for name in COLUMNS if name in STORED])
    rows = [row for row in rows_of(found) if all(row.text(name) in values for name, values in where.items())]
    return plain_tables(sweep, rows, literal(title))


def plain_rendered(table: Plain, source: NumberSource, catalogue: TableCatalogue) -> Rendered:
    """Render a generated table. Raises: ConfigError where it would mix what must not be mixed."""
    versions = {name: environment.packages for name, environment in source.environments().items()}
    built = build(table.spec, table.filled_from, catalogue, source.reader(), lambda name: versions.get(name, {}))
    return writing.named_keys(to_markdown(built), table.spec)
