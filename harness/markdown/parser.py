"""The one Markdown parser: CommonMark with HTML and the tables of GitHub."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

BOM = "\ufeff"


def tokens_of(text: str) -> list[Token]:
    """Parse a text without a mark of byte order, its line ends `\\n`; every token names its lines, from 0."""
    return _parser().parse(text)


def inline(text: str) -> list[Token]:
    """Parse what stands in one line or cell; links to addresses elsewhere in a page stay as they are written."""
    return [child for token in _parser().parseInline(text) for child in token.children or ()]


def fences(text: str) -> list[range]:
    """List the lines, by index, of each piece of fenced code, the fences themselves among them; line ends are `\\n`."""
    if "```" not in text and "~~~" not in text:
        return []
    return [range(*token.map) for token in _blocks_only().parse(text) if token.type == "fence" and token.map]


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable("table")


@cache
def _blocks_only() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    parser.core.ruler.disable(["inline", "text_join"])
    return parser
