"""Tables as Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.spelling import unknown
from harness.environments import SHIPPED
from harness.markdown.rows import literal, markup, table_lines
from harness.tables.result import Cell, Section, Table

TEMPLATES = SHIPPED / "reports" / "templates"
EMPTY = "No results for this table yet: `harness run SWEEP` measures them, `harness publish SWEEP` keeps them for this page."


@dataclass(frozen=True)
class Rendered:
    """A table as it stands in a page: Markdown with `\\n` line ends, none at its end."""

    name: str
    markdown: str
    table: Table
    each: tuple[str, ...] = ()
    """Dimensions whose values are the headings of its sections."""
    keys: int = 1
    """Number of its leading columns that tell rows apart."""
    named: tuple[str, ...] = ()
    """Dimensions, or attributes as `method.granularity`, that these columns show."""


def cell_text(cell: Cell) -> str:
    """Write one cell with its link, emphasis and footnote mark."""
    text = literal(cell.text) if cell.literal else markup(cell.text)
    if cell.link:
        text = f"[{text}]({_address(cell.link)})"
    text = f"**{text}**" if cell.bold and text else text
    return f"{text} <sup>{','.join(map(str, cell.notes))}</sup>" if cell.notes else text


def _address(link: str) -> str:
    """Percent-encode what would end a link or a cell."""
    return re.sub(r"[\s\x00-\x20()<>|\\`]", lambda found: quote(found[0], safe=""), link)


def pipe_table(section: Section) -> list[str]:
    """Write a section's table as lines."""
    return table_lines(
        (markup(column.header) for column in section.columns),
        (column.align for column in section.columns),
        ((cell_text(cell) for cell in row) for row in section.rows),
    )


def to_markdown(table: Table, templates: Path = TEMPLATES) -> Rendered:
    """Render a table with its template. Raises: HarnessError for a template that is not there or is wrong."""
    if not any(section.rows for section in table.sections):
        return Rendered(table.name, EMPTY, table)
    text = _template(table.template, templates).render(table=table)
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return Rendered(table.name, re.sub(r"\n{3,}", "\n\n", "\n".join(lines)), table)


@lru_cache(maxsize=8)
def _environment(folder: Path) -> Any:
    """Make what compiles the templates of a folder, each once while its file stays the same."""
    import jinja2

    environment = jinja2.Environment(  # noqa: S701 - the output is Markdown; the filters escape what is data
        loader=jinja2.FileSystemLoader(folder, encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        newline_sequence="\n",
    )
    environment.filters.update(literal=literal, markup=markup, pipe_table=pipe_table)
    return environment


def _template(name: str, folder: Path) -> Any:
    import jinja2

    try:
        return _environment(folder).get_template(f"{name}.md.j2")
    except jinja2.TemplateNotFound:
        names = [path.name.removesuffix(".md.j2") for path in folder.glob("[!_]*.md.j2")]
        raise HarnessError(f"{unknown('template', name, names)} (in {folder})") from None
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError([Problem(f"template: {error.message}", folder / f"{name}.md.j2", error.lineno)]) from None
