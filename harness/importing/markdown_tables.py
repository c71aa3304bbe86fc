"""The tables of a file, rows of cells as text: of Markdown with the heading above, and records of JSON or CSV as one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.errors import ConfigError, Problem
from harness.core.spelling import unknown
from harness.formats.fields import flat
from harness.formats.paths import rows_of
from harness.formats.source import FileSource
from harness.markdown.blocks import Heading, HtmlBlock, MarkdownTable, bare, read_blocks
from harness.plan.yamlfile import Node


@dataclass(frozen=True)
class ImportedTable:
    """A table: its own header and its body, cells as a reader sees them, tags left in."""

    heading: str
    line: int
    header: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]


def tables_of(source: FileSource, paths: Sequence[str] = ()) -> list[ImportedTable]:
    """Read all tables of a file. paths: columns that a map names, which in JSON may go into lists, as `runs[*].tps`.

    Raises: ConfigError for a file that is neither Markdown nor records, and for lists that share no rows.
    """
    if not source.is_markdown:
        return [_of_records(source, paths)]
    found: list[ImportedTable] = []
    heading = ""
    for block in read_blocks(source.text):
        if isinstance(block, Heading):
            heading = bare(block.text)
        elif isinstance(block, HtmlBlock) and block.summaries:
            heading = block.summaries[0]
        elif isinstance(block, MarkdownTable):
            header, *body = (tuple(cell.tagged for cell in row.cells) for row in block.rows)
            found.append(ImportedTable(heading, block.begin + 1, header, tuple(body)))
    return found


def _of_records(source: FileSource, paths: Sequence[str]) -> ImportedTable:
    """Write records of JSON or CSV as a table whose columns are their fields by dotted name, and the paths into lists."""
    records: list[dict[str, Any]] = []
    for number, record in enumerate(source.records, 1):
        fields = flat(record)
        deep = [path for path in paths if path not in fields]
        gone = [name for name in fields if any(path.startswith((f"{name}[", f"{name}.")) for path in deep)]
        try:
            rows = rows_of(record, deep)
        except ValueError as error:
            raise source.wrong(f"record {number}: {error}") from None
        records += [{name: value for name, value in fields.items() if name not in gone} | row for row in rows]
    if not any(records):
        raise source.wrong("holds no records; --map explains Markdown tables, JSON objects and rows of CSV")
    names = tuple(dict.fromkeys(name for record in records for name in record))
    return ImportedTable("", 1, names, tuple(tuple(_text(record.get(name)) for name in names) for record in records))


def _text(value: Any) -> str:
    """Write a field as a cell: numbers with all their digits, what is absent as an empty one."""
    return "" if value is None or isinstance(value, dict | list) else str(value)


def choose(tables: list[ImportedTable], wanted: Node) -> ImportedTable:
    """Find the table that a map names by number or heading. Raises: ConfigError naming those there are."""
    if isinstance(wanted.value, int):
        if 1 <= wanted.value <= len(tables):
            return tables[wanted.value - 1]
        raise _wrong(wanted, f"there is no table {wanted.value}; the file has {len(tables)}")
    found = [place for place, table in enumerate(tables, 1) if table.heading == str(wanted.value)]
    if len(found) == 1:
        return tables[found[0] - 1]
    if found:
        numbers = ", ".join(str(place) for place in found)
        raise _wrong(wanted, f"several tables stand below '{wanted.value}': name one by its number, {numbers}")
    raise _wrong(wanted, unknown("heading of a table", wanted.value, {table.heading for table in tables}))


def position(names: tuple[str, ...], wanted: Node) -> int:
    """Find a column by name or number. Raises: ConfigError naming those there are."""
    text = str(wanted.value)
    known = [bare(name) for name in names]
    found = [place for place, name in enumerate(known) if name == text]
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        numbers = ", ".join(str(place + 1) for place in found)
        raise _wrong(wanted, f"several columns are called '{text}': name one by its number, {numbers}")
    if text.isdigit() and 1 <= int(text) <= len(names):
        return int(text) - 1
    raise _wrong(wanted, unknown("column", text, known))


def _wrong(node: Node, message: str) -> ConfigError:
    return ConfigError([Problem(message, node.path, node.line)])
