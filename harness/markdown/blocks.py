"""A page as its blocks: headings, paragraphs, HTML and tables, each with its lines; fenced code is none of them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.markdown.parser import BOM, tokens_of
from harness.markdown.rows import Align, row_cells

if TYPE_CHECKING:
    from markdown_it.token import Token

BEFORE = re.compile(r"^(?:\s*(?:>|[-*+]\s|\d+[.)]\s))*\s*")
"""What stands before a line of a list or a quotation."""
_SUMMARY = re.compile(r"<summary[^>]*>(.*?)</summary>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_NAMED_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_BOLD_TAG = re.compile(r"^<(/?)(?:b|strong)>$", re.IGNORECASE)
_SUB_TAG = re.compile(r"^<(/?)su[bp]>$", re.IGNORECASE)


@dataclass(frozen=True)
class TextLine:
    """One line of text; `number` counts from 1."""

    number: int
    text: str


@dataclass(frozen=True)
class Heading:
    """A heading as it is written and as it is read."""

    line: int
    level: int
    source: str
    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph: its lines as they are written, and what is read of them."""

    line: int
    source: tuple[str, ...]
    lines: tuple[TextLine, ...]


@dataclass(frozen=True)
class HtmlBlock:
    """Lines of HTML, comments too, up to the end that Markdown gives them."""

    line: int
    source: tuple[str, ...]

    @property
    def summaries(self) -> tuple[str, ...]:
        """The texts of its `<summary>` elements, as they are read."""
        found = _SUMMARY.findall("\n".join(self.source))
        return tuple(" ".join(html.unescape(_TAG.sub(" ", one)).split()) for one in found)

    @property
    def ends_details(self) -> bool:
        """Whether a `<details>` element ends in it, behind its last summary."""
        text = "\n".join(self.source).lower()
        return text.rfind("</details>") > text.rfind("</summary>")


@dataclass(frozen=True)
class MarkdownCell:
    """One cell."""

    source: str
    """As it is written, spaces as one."""
    text: str
    """What a reader sees."""
    tagged: str
    """What a reader sees, HTML tags left in; links, emphasis and code lose their marks."""
    bold: bool
    """All that is seen is bold."""
    labels: tuple[str, ...]
    """The parts in `<sub>` or `<sup>`."""


@dataclass(frozen=True)
class MarkdownRow:
    """One row: `cells` has one for each column, `written` those that stand in the line, as they are written."""

    line: int
    cells: tuple[MarkdownCell, ...]
    written: tuple[str, ...]


@dataclass(frozen=True)
class MarkdownTable:
    """A table; the first of its rows is the header."""

    begin: int
    end: int
    """Its lines, by index: the first one and the one behind the last."""
    aligns: tuple[Align, ...]
    rows: tuple[MarkdownRow, ...]
    nested: bool
    """It stands in a list or a quotation."""


MarkdownBlock = Heading | Paragraph | HtmlBlock | MarkdownTable


def read_blocks(text: str) -> list[MarkdownBlock]:
    """Read a text, whatever its line ends, in its order; what stands in lists and quotations counts as if it stood alone."""
    source = text.removeprefix(BOM).replace("\r\n", "\n").replace("\r", "\n")
    tokens = tokens_of(source)
    return list(_blocks(tokens, source.split("\n")))


def bare(text: str) -> str:
    """Give a text without tags, its spaces as one."""
    return " ".join(_NAMED_TAG.sub(" ", text).split())


def _blocks(tokens: Sequence[Token], lines: Sequence[str]) -> Iterator[MarkdownBlock]:
    for at, token in enumerate(tokens):
        first, last = token.map or (0, 0)
        if token.type == "heading_open":
            inside = tokens[at + 1]
            said = " ".join(line.text for line in _text_lines(inside, 0))
            yield Heading(first + 1, int(token.tag[1:]), inside.content, said)
        elif token.type == "table_open":
            yield _table(tokens, at, lines)
        elif token.type == "inline" and tokens[at - 1].type == "paragraph_open":
            yield Paragraph(first + 1, tuple(lines[first:last]), tuple(_text_lines(token, first + 1)))
        elif token.type == "html_block":
            yield HtmlBlock(first + 1, tuple(lines[first:last]))


def _text_lines(token: Token, first: int) -> Iterator[TextLine]:
    """Split what is read of a text at its line ends, so that a finding can name the line."""
    parts = [""]
    for child in token.children or ():
        if child.type in {"softbreak", "hardbreak"}:
            parts.append("")
        else:
            parts[-1] += child.content if child.type != "html_inline" else " "
    return (TextLine(first + at, " ".join(part.split())) for at, part in enumerate(parts) if part.strip())


def _table(tokens: Sequence[Token], start: int, lines: Sequence[str]) -> MarkdownTable:
    begin, end = tokens[start].map or (0, 0)
    nested = tokens[start].level > 0
    aligns: list[Align] = []
    rows: list[MarkdownRow] = []
    inside: list[Token] = []
    line = begin
    for token in tokens[start:]:
        if token.type == "table_close":
            break
        if token.type == "th_open":
            aligns.append(_align(token))
        elif token.type == "inline":
            inside.append(token)
        elif token.type == "tr_open":
            inside, line = [], token.map[0] if token.map else line
        elif token.type == "tr_close":
            written = row_cells(BEFORE.sub("", lines[line]) if nested else lines[line])
            sources = (*written, *[""] * len(inside))
            cells = tuple(_cell(source, one) for source, one in zip(sources, inside, strict=False))
            rows.append(MarkdownRow(line + 1, cells, written))
    return MarkdownTable(begin, end, tuple(aligns), tuple(rows), nested)


def _align(token: Token) -> Align:
    said = str(token.attrGet("style") or "").removeprefix("text-align:")
    known: dict[str, Align] = {"left": "left", "right": "right", "center": "center"}
    return known.get(said, "none")


def _cell(source: str, token: Token) -> MarkdownCell:
    parts: list[tuple[str, bool]] = []
    labels: list[str] = []
    bold, label = 0, False
    for child in token.children or ():
        tag = child.content.strip() if child.type == "html_inline" else ""
        if child.type in {"strong_open", "strong_close"}:
            bold += child.nesting
        elif found := _BOLD_TAG.match(tag):
            bold += -1 if found[1] else 1
        elif found := _SUB_TAG.match(tag):
            label = not found[1]
            parts.append((" ", bold > 0))
        elif tag or "break" in child.type:
            parts.append((" ", bold > 0))
        elif child.content:
            parts.append((child.content, bold > 0))
            labels += [child.content.strip()] if label else []
    seen = [(text, strong) for text, strong in parts if text.strip()]
    return MarkdownCell(
        source,
        text=_visible("".join(text for text, _ in parts)),
        tagged="".join(" " if "break" in child.type else child.content for child in token.children or ()).strip(),
        bold=bool(seen) and all(strong for _, strong in seen),
        labels=tuple(labels),
    )


def _visible(text: str) -> str:
    """Leave off what no reader sees: repeated spaces, zero-width and control characters."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
