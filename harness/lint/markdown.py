"""The tables of a page with the text around them, and what is no table though it looks like one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from harness.core import limits
from harness.core.errors import HarnessError
from harness.core.files import regular_bytes
from harness.markdown.blocks import BEFORE, Heading, HtmlBlock, MarkdownTable, Paragraph, TextLine, read_blocks
from harness.markdown.rows import is_rule, row_cells

HIDDEN = ("<!--", "<pre", "<script", "<style", "<table")


@dataclass(frozen=True)
class RawTable:
    """A table before its headers are understood: the first row is Markdown's header row."""

    table: MarkdownTable
    headings: tuple[str, ...] = ()
    context: tuple[TextLine, ...] = ()


@dataclass(frozen=True)
class Broken:
    """Lines that look like a table and are none."""

    line: int
    message: str


@dataclass(frozen=True)
class _Section:
    level: int
    heading: str
    lines: tuple[TextLine, ...] = ()


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
    tables: list[RawTable] = []
    broken: list[Broken] = []
    sections = [_Section(0, "")]
    for block in read_blocks(text):
        match block:
            case Heading():
                sections = [one for one in sections if one.level < block.level]
                sections.append(_Section(block.level, block.text))
            case MarkdownTable():
                headings = tuple(one.heading for one in sections if one.heading)
                tables.append(RawTable(block, headings, tuple(line for one in sections for line in one.lines)))
            case Paragraph():
                broken += _not_a_table(block)
                sections[-1] = _with(sections[-1], block.lines)
            case HtmlBlock():
                broken += _in_html(block)
                said = " ".join(block.summaries)
                sections[-1] = _with(sections[-1], [TextLine(block.line, said)] if said else [])
    return tables, broken


def _with(section: _Section, lines: Sequence[TextLine]) -> _Section:
    return replace(section, lines=(*section.lines, *lines))


def _not_a_table(paragraph: Paragraph) -> Iterator[Broken]:
    """Tell why lines with cells are a paragraph: the alignment row is missing or has another number of cells."""
    rows = [BEFORE.sub("", line).strip() for line in paragraph.source]
    piped = [at for at, line in enumerate(rows) if line.startswith("|") and len(row_cells(line)) > 1]
    if not piped:
        return
    at, below = paragraph.line + piped[0], row_cells(rows[piped[0] + 1]) if piped[0] + 1 < len(rows) else ()
    have, want = len(row_cells(rows[piped[0]])), len(below)
    if is_rule(below) and have != want:
        yield Broken(at, f"no table: the header row has {have} cells, the alignment row {want}; they must be as many")
    elif is_rule(below):
        yield Broken(at, "no table: it runs on from the list or quotation above; put an empty line before it")
    elif len(piped) > 1:
        yield Broken(at, f"{len(piped)} lines with cells are no table: the alignment row (| --- | --- |) is missing")


def _in_html(block: HtmlBlock) -> Iterator[Broken]:
    """Tell of a table that an HTML block swallows, as after `<summary>` without an empty line."""
    if block.source[0].lstrip().lower().startswith(HIDDEN):
        return
    for at, (line, after) in enumerate(pairwise(block.source)):
        if line.lstrip().startswith("|") and "|" in after and is_rule(row_cells(after)):
            said = "no table: it is inside an HTML block, which ends at an empty line; put one before it"
            yield Broken(block.line + at, said)
            return
