"""Markdown to raw tables: cells, lines and the text around them, and what is no table though it looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token

from harness.core import limits
from harness.core.errors import HarnessError
from harness.core.files import regular_bytes

QUOTE = re.compile(r"^(?:\s*(?:>|[-*+]\s|\d+[.)]\s))*\s*")
ALIGNMENT = re.compile(r"^\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?$")
SUMMARY = re.compile(r"<summary[^>]*>(.*?)</summary>", re.IGNORECASE | re.DOTALL)
TAG = re.compile(r"<[^>]*>")
BOLD_TAG = re.compile(r"^<(/?)(?:b|strong)>$", re.IGNORECASE)
SUB_TAG = re.compile(r"^<(/?)su[bp]>$", re.IGNORECASE)
HIDDEN = ("<!--", "<pre", "<script", "<style", "<table")


@dataclass(frozen=True)
class Cell:
    """What a reader sees in one cell; `labels` are the parts in `<sub>` or `<sup>`."""

    text: str = ""
    bold: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """One line of text around a table."""

    number: int
    text: str


@dataclass(frozen=True)
class RawRow:
    """One row as it was written; `written` counts the cells in the file, `cells` has one for each column."""

    line: int
    cells: tuple[Cell, ...]
    written: int


@dataclass(frozen=True)
class RawTable:
    """A table before its headers are understood: the first row is Markdown's header row."""

    rows: tuple[RawRow, ...]
    headings: tuple[str, ...] = ()
    context: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Broken:
    """Lines that look like a table and are none."""

    line: int
    message: str


@dataclass(frozen=True)
class Section:
    level: int
    heading: str
    lines: tuple[Line, ...] = ()


def read_text(path: Path) -> str:
    """Read a Markdown file. Raises: HarnessError where it is not there, no file or not UTF-8."""
    try:
        return regular_bytes(path, limits.READ_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        raise HarnessError(f"{path}: there is no such file; give the path of a Markdown file") from None
    except OSError as error:
        raise HarnessError(f"{path}: cannot be read: {error.strerror}; give the path of a Markdown file") from None
    except UnicodeDecodeError as error:
        raise HarnessError(
            f"{path}: is not UTF-8 (byte {error.start} is 0x{error.object[error.start]:02x}); save it as UTF-8"
        ) from None


def raw_tables(text: str) -> tuple[list[RawTable], list[Broken]]:
    """Find all tables of a page, and the lines that were meant to be one."""
    source = text.replace("\r\n", "\n").replace("\r", "\n")
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(source)
    lines = source.split("\n")
    tables: list[RawTable] = []
    broken: list[Broken] = []
    sections = [Section(0, "")]
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            level = int(token.tag[1:])
            sections = [one for one in sections if one.level < level]
            sections.append(Section(level, _text(tokens[index + 1])))
        elif token.type == "table_open":
            tables.append(_table(tokens, index, lines, sections))
        elif token.type == "inline" and tokens[index - 1].type == "paragraph_open" and token.map:
            first, last = token.map
            broken += _not_a_table(lines[first:last], first + 1)
            sections[-1] = _with(sections[-1], _paragraph(token, first + 1))
        elif token.type == "html_block" and token.map:
            first, last = token.map
            broken += _in_html(lines[first:last], first + 1)
            said = " ".join(TAG.sub(" ", one) for one in SUMMARY.findall(token.content)).strip()
            sections[-1] = _with(sections[-1], [Line(first + 1, said)] if said else [])
    return tables, broken


def _with(section: Section, lines: Sequence[Line]) -> Section:
    return replace(section, lines=(*section.lines, *lines))


def _paragraph(token: Token, first: int) -> list[Line]:
    """Split a paragraph at its line ends, so that a finding can name the line."""
    parts, line = [""], first
    for child in token.children or ():
        if child.type in {"softbreak", "hardbreak"}:
            parts.append("")
        else:
            parts[-1] += child.content if child.type != "html_inline" else ""
    return [Line(line + number, part.strip()) for number, part in enumerate(parts) if part.strip()]


def _text(token: Token) -> str:
    return " ".join(line.text for line in _paragraph(token, 0))


def _table(tokens: Sequence[Token], start: int, lines: list[str], sections: list[Section]) -> RawTable:
    rows: list[RawRow] = []
    cells: list[Cell] = []
    for token in tokens[start:]:
        if token.type == "table_close":
            break
        if token.type == "inline":
            cells.append(_cell(token))
        elif token.type == "tr_open":
            cells = []
            line = token.map[0] if token.map else 0
        elif token.type == "tr_close":
            rows.append(RawRow(line + 1, tuple(cells), _written(lines[line], nested=tokens[start].level > 0)))
    return RawTable(
        tuple(rows),
        tuple(one.heading for one in sections if one.heading),
        tuple(line for one in sections for line in one.lines),
    )


def _written(line: str, *, nested: bool) -> int:
    """Count the cells of a line; in a list or a quotation what stands before the table is left off."""
    return len(split_cells(QUOTE.sub("", line) if nested else line))


def split_cells(line: str) -> list[str]:
    """Split a line of a table into its cells, as Markdown does."""
    cells = escapedSplit(line.strip())
    if cells and not cells[0]:
        cells = cells[1:]
    return cells[:-1] if cells and not cells[-1] else cells


def _cell(token: Token) -> Cell:
    parts: list[tuple[str, bool]] = []
    labels: list[str] = []
    bold, label = 0, False
    for child in token.children or ():
        tag = child.content.strip() if child.type == "html_inline" else ""
        if child.type in {"strong_open", "strong_close"}:
            bold += child.nesting
        elif found := BOLD_TAG.match(tag):
            bold += -1 if found[1] else 1
        elif found := SUB_TAG.match(tag):
            label = not found[1]
            parts.append((" ", bold > 0))
        elif tag or child.type == "softbreak":
            parts.append((" ", bold > 0))
        elif child.content:
            parts.append((child.content, bold > 0))
            labels += [child.content.strip()] if label else []
    seen = [(text, strong) for text, strong in parts if text.strip()]
    return Cell(
        _visible("".join(text for text, _ in parts)),
        bold=bool(seen) and all(strong for _, strong in seen),
        labels=tuple(labels),
    )


def _visible(text: str) -> str:
    """Leave off what no reader sees: repeated spaces, zero-width and control characters."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def _not_a_table(lines: list[str], first: int) -> Iterator[Broken]:
    """Tell why lines with cells are a paragraph: the alignment row is missing or has another number of cells."""
    rows = [QUOTE.sub("", line).strip() for line in lines]
    piped = [at for at, line in enumerate(rows) if line.startswith("|") and len(split_cells(line)) > 1]
    if not piped:
        return
    at, below = first + piped[0], rows[piped[0] + 1] if piped[0] + 1 < len(rows) else ""
    have, want = len(split_cells(rows[piped[0]])), len(split_cells(below))
    if ALIGNMENT.match(below) and have != want:
        yield Broken(at, f"no table: the header row has {have} cells, the alignment row {want}; they must be as many")
    elif ALIGNMENT.match(below):
        yield Broken(at, "no table: it runs on from the list or quotation above; put an empty line before it")
    elif len(piped) > 1:
        yield Broken(at, f"{len(piped)} lines with cells are no table: the alignment row (| --- | --- |) is missing")


def _in_html(lines: list[str], first: int) -> Iterator[Broken]:
    """Tell of a table that an HTML block swallows, as after `<summary>` without an empty line."""
    if lines[0].lstrip().lower().startswith(HIDDEN):
        return
    for at, (line, after) in enumerate(pairwise(lines)):
        if line.lstrip().startswith("|") and ALIGNMENT.match(after.strip()) and "|" in after:
            yield Broken(
                first + at, "no table: it is inside an HTML block, which ends at an empty line; put one before it"
            )
            return
