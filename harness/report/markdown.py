"""Tables as Markdown, and the text between markers in a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import ConfigError, HarnessError, Problem, unknown
from harness.core.files import write_whole
from harness.report.result import Cell, Section, Table

TEMPLATES = Path(__file__).resolve().parents[2] / "reports" / "templates"
EMPTY = (
    "No results for this table yet: `harness run SWEEP` measures them, "
    "`harness promote SWEEP --to results/published/SWEEP.yaml` keeps them for this page."
)
_ALIGN = {"left": ":---", "right": "---:", "center": ":---:", "none": "---"}
_MARKER = re.compile(r"\s*<!--\s*(?P<word>table|end):\s*(?P<name>[^\s]+)\s*-->\s*")
_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@dataclass(frozen=True)
class Rendered:
    """A table as it stands in a page: Markdown with `\\n` line ends, none at its end."""

    name: str
    markdown: str
    table: Table


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
    return text if cell.note is None else f"{text} <sup>{cell.note}</sup>"


def _address(link: str) -> str:
    """Percent-encode what would end a link or a cell."""
    return re.sub(r"[\s()<>|\\`]", lambda found: f"%{ord(found[0]):02X}", link)


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

    Raises: ConfigError with every marker that is unbalanced, nested or duplicated.
    """
    found: list[Block] = []
    problems: list[Problem] = []
    opened: tuple[str, int] | None = None
    for number, word, name in _markers(text):
        if word == "table":
            if opened:
                problems.append(
                    Problem(f"table '{name}' begins inside table '{opened[0]}', which has no end yet", path, number + 1)
                )
            elif any(block.name == name for block in found):
                problems.append(
                    Problem(f"table '{name}' stands here a second time; a page shows a table once", path, number + 1)
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
    found: list[tuple[int, str, str]] = []
    fence = ""
    for number, line in enumerate(text.split("\n")):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        marker = None if fence else _MARKER.fullmatch(line)
        if marker:
            found.append((number, marker["word"], marker["name"]))
    return found


def replaced(text: str, rendered: Mapping[str, str], path: Path) -> str:
    """Put rendered tables between their markers; the page keeps its line ends.

    Raises: ConfigError for a marker that names no table, with the nearest right name.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n").split("\n")
    problems: list[Problem] = []
    for block in reversed(blocks("\n".join(lines), path)):
        if block.name in rendered:
            lines[block.begin + 1 : block.end] = ["", *rendered[block.name].split("\n"), ""]
        else:
            problems.append(Problem(unknown("table", block.name, rendered), path, block.begin + 1))
    if problems:
        raise ConfigError(reversed(problems))
    return end.join(lines)


def write_tables(path: Path, rendered: Sequence[Rendered]) -> list[str]:
    """Rewrite a page's tables and return the names of those that changed; a page that is current is not touched."""
    text = _read(path)
    stale = check_tables(path, rendered)
    if stale:
        write_whole(path, replaced(text, _by_name(rendered), path))
    return stale


def check_tables(path: Path, rendered: Sequence[Rendered]) -> list[str]:
    """Return the names of a page's tables whose text is not what would be written now."""
    text = _read(path)
    fresh = replaced(text, _by_name(rendered), path)
    pairs = zip(_bodies(text, path), _bodies(fresh, path), strict=True)
    return [name for (name, old), (_, new) in pairs if old != new]


def _bodies(text: str, path: Path) -> list[tuple[str, str]]:
    lines = text.split("\n")
    return [(block.name, "\n".join(lines[block.begin : block.end])) for block in blocks(text, path)]


def _by_name(rendered: Sequence[Rendered]) -> dict[str, str]:
    return {item.name: item.markdown for item in rendered}


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError([Problem("no such page", path)]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(f"is not UTF-8 text: {error}", path)]) from None
