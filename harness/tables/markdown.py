"""Tables as Markdown, and the text between markers in a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.core.errors import ConfigError, HarnessError, Problem, unknown
from harness.environments import SHIPPED
from harness.tables.result import Cell, Section, Table

TEMPLATES = SHIPPED / "reports" / "templates"
EMPTY = "No results for this table yet: `harness run SWEEP` measures them, `harness publish SWEEP` keeps them for this page."
_ALIGN = {"left": ":---", "right": "---:", "center": ":---:", "none": "---"}
_MARKER = re.compile(r"\s*<!--\s*(?P<word>table|end):\s*(?P<name>[^\s]+)\s*-->\s*")
_ALMOST = re.compile(r"<!--\s*(?:table|end)\b\s*:", re.IGNORECASE)
_CODE = re.compile(r"(`+).*?(?<!`)\1(?!`)")
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)")
_RULE = re.compile(r":?-+:?")
BOM = "\ufeff"
_SPECIAL = re.compile(r"[\\`*\[\]|~$]|#(?=#*$)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


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


# ---------------------------------------------------------------- tables


def literal(text: str) -> str:
    """Write a name so that Markdown shows it as it is: no pipe, backtick, tag or emphasis takes effect."""
    flat = " ".join(text.split())
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", "".join(_HTML.get(letter, letter) for letter in flat))


def markup(text: str) -> str:
    """Write a text of a spec, in which Markdown and HTML are meant; only what would break the table is escaped."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


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
    return [
        _line(markup(column.header) for column in section.columns),
        _line(_ALIGN[column.align] for column in section.columns),
        *(_line(cell_text(cell) for cell in row) for row in section.rows),
    ]


def _line(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def to_markdown(table: Table, templates: Path = TEMPLATES) -> Rendered:
    """Render a table with its template. Raises: HarnessError for a template that is not there or is wrong."""
    if not any(section.rows for section in table.sections):
        return Rendered(table.name, EMPTY, table)
    text = _template(table.template, templates).render(table=table)
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return Rendered(table.name, re.sub(r"\n{3,}", "\n\n", "\n".join(lines)), table)


def _template(name: str, folder: Path) -> Any:
    import jinja2

    environment = jinja2.Environment(  # noqa: S701 - the output is Markdown; the filters escape what is data
        loader=jinja2.FileSystemLoader(folder, encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        newline_sequence="\n",
    )
    environment.filters.update(literal=literal, markup=markup, pipe_table=pipe_table)
    try:
        return environment.get_template(f"{name}.md.j2")
    except jinja2.TemplateNotFound:
        names = [path.name.removesuffix(".md.j2") for path in folder.glob("[!_]*.md.j2")]
        raise HarnessError(f"{unknown('template', name, names)} (in {folder})") from None
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError([Problem(f"template: {error.message}", folder / f"{name}.md.j2", error.lineno)]) from None


# ---------------------------------------------------------------- pages


@dataclass(frozen=True)
class Block:
    """A marked place in a page: the lines between its markers, by index."""

    name: str
    begin: int
    end: int


def blocks(text: str, path: Path) -> list[Block]:
    """Find the marked places of a page; markers inside fenced code are examples.

    Raises: ConfigError with every marker that is unbalanced, nested, duplicated or not alone on its line.
    """
    found: list[Block] = []
    problems: list[Problem] = []
    opened: tuple[str, int] | None = None
    for number, word, name in _markers(text):
        if not word:
            message = "a table's marker stands alone on its line and says <!-- table: NAME --> or <!-- end: NAME -->"
            problems.append(Problem(message, path, number + 1))
        elif word == "table":
            if opened:
                problems.append(
                    Problem(f"table '{name}' begins inside table '{opened[0]}', which has no end yet", path, number + 1)
                )
            elif any(block.name == name for block in found):
                problems.append(
                    Problem(f"table '{name}' is shown twice on this page; remove one of them", path, number + 1)
                )
            opened = (name, number)
        elif opened is None or opened[0] != name:
            expected = f"; table '{opened[0]}' of line {opened[1] + 1} is still open" if opened else ""
            problems.append(Problem(f"the end of '{name}' has no beginning{expected}", path, number + 1))
        else:
            found.append(Block(name, opened[1], number))
            opened = None
    if opened:
        problems.append(Problem(f"table '{opened[0]}' has no end; add <!-- end: {opened[0]} -->", path, opened[1] + 1))
    if problems:
        raise ConfigError(problems)
    return found


def _markers(text: str) -> list[tuple[int, str, str]]:
    """List line, word and name of each marker; without word and name what looks like one and does not stand alone."""
    found: list[tuple[int, str, str]] = []
    lines = text.removeprefix(BOM).split("\n")
    for number, (line, code) in enumerate(zip(lines, fenced(lines), strict=True)):
        marker = _MARKER.fullmatch(line)
        if not code and (marker or _ALMOST.search(_CODE.sub("", line))):
            found.append((number, marker["word"], marker["name"]) if marker else (number, "", ""))
    return found


def fenced(lines: Iterable[str]) -> list[bool]:
    """Say of each line whether it belongs to fenced code; a fence ends with a bare one of its kind, at least as long."""
    found: list[bool] = []
    fence = ""
    for line in lines:
        mark = _FENCE.match(line.rstrip())
        if fence:
            found.append(True)
            if mark and mark["fence"].startswith(fence) and not mark["info"].strip():
                fence = ""
        else:
            fence = mark["fence"] if mark else ""
            found.append(bool(fence))
    return found


def replaced(text: str, rendered: Mapping[str, str], path: Path) -> str:
    """Put rendered tables between their markers, with the line ends of the marker; all else keeps its bytes.

    So does a row whose cells are the same: how far they stand apart is the page's matter. Raises: ConfigError for a marker that names no table, with the nearest right name.
    """
    lines = text.split("\n")
    problems: list[Problem] = []
    for block in reversed(blocks(text, path)):
        end = "\r" if lines[block.begin].endswith("\r") else ""
        if block.name in rendered:
            old = [line.removesuffix("\r") for line in lines[block.begin + 1 : block.end]]
            fresh = ["", *as_before(rendered[block.name].split("\n"), old), ""]
            lines[block.begin + 1 : block.end] = [f"{line}{end}" for line in fresh]
        else:
            problems.append(Problem(unknown("table", block.name, rendered), path, block.begin + 1))
    if problems:
        raise ConfigError(reversed(problems))
    return "\n".join(lines)


# ---------------------------------------------------------------- rows of a page


def raw_cells(line: str) -> list[str]:
    """Split a row at its pipes into cells with the spaces around them; an escaped pipe belongs to its cell."""
    parts = re.split(r"(?<!\\)\|", line.strip())
    parts = parts[1:] if parts and not parts[0].strip() else parts
    return parts[:-1] if parts and not parts[-1].strip() else parts


def row_cells(line: str) -> tuple[str, ...]:
    """Return a row's cells as Markdown, spaces as one."""
    return tuple(" ".join(cell.split()) for cell in raw_cells(line))


def _same_row(line: str) -> tuple[str, ...]:
    """Return what two rows share that a reader cannot tell apart: their cells, and of the alignment row its colons."""
    cells = row_cells(line)
    if cells and all(_RULE.fullmatch(cell) for cell in cells):
        return ("---", *(f"{cell[:1].strip('-')}-{cell[-1:].strip('-')}" for cell in cells))
    return cells


def as_before(fresh: Iterable[str], old: Iterable[str]) -> list[str]:
    """Write rows as they stand already, where their cells are the same; new ones as wide as the others, where all are so."""
    rows = [line for line in old if "|" in line]
    standing: dict[tuple[str, ...], list[str]] = {}
    for line in rows:
        standing.setdefault(_same_row(line), []).append(line)
    columns = _columns(rows)
    return [_as_standing(line, standing, columns) if line.startswith("|") else line for line in fresh]


def _as_standing(line: str, standing: Mapping[tuple[str, ...], list[str]], columns: list[tuple[int, str]]) -> str:
    known = standing.get(_same_row(line))
    if known:
        return known.pop(0) if len(known) > 1 else known[0]
    cells = row_cells(line)
    if len(cells) != len(columns):
        return line
    return _line(f"{cell:{side}{max(width - 2, 0)}}" for cell, (width, side) in zip(cells, columns, strict=True))


def _columns(rows: list[str]) -> list[tuple[int, str]]:
    """Return width and side of each column where all rows have the same widths; nothing else."""
    widths = {tuple(map(len, raw_cells(line))) for line in rows}
    rule = next((row_cells(line) for line in rows if _same_row(line)[:1] == ("---",)), ())
    if len(widths) != 1 or not rule:
        return []
    sides = [{":-": "<", "-:": ">", "::": "^"}.get(f"{cell[:1]}{cell[-1:]}", "<") for cell in rule]
    return list(zip(next(iter(widths)), sides, strict=True))


def bodies(text: str, path: Path) -> dict[str, str]:
    """Return what stands between the markers of each table, with its line ends as they are."""
    lines = text.split("\n")
    return {block.name: "\n".join(lines[block.begin + 1 : block.end]) for block in blocks(text, path)}
