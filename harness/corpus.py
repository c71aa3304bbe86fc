"""What a text declares: where it lies, how its rows become one text, and where its documents begin. Pure.

A text is cut into documents that follow one another without a gap: joined they are the text again, so that each of its
tokens lies in exactly one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from harness.core.options import Options

Rows = Literal["plain", "wikitext", "jsonl"]
Border = Literal["titles", "blank-lines", "lines", "records", "files", "whole"]
JOIN = "\n\n"
"""What stands between two rows, records or files of one text."""
_TITLE = re.compile(r"= (?!=)(?:\S|\S.*\S) =")
_ALLOWED: dict[Rows, tuple[Border, ...]] = {
    "plain": ("titles", "blank-lines", "lines", "files", "whole"),
    "wikitext": ("titles", "blank-lines", "whole"),
    "jsonl": ("records", "whole"),
}
_USUAL: dict[Rows, Border] = {"plain": "blank-lines", "wikitext": "titles", "jsonl": "records"}
_SAID: dict[Border, str] = {
    "titles": "articles under ` = Title = ` lines",
    "blank-lines": "passages between blank lines",
    "lines": "lines",
    "records": "JSONL records",
    "files": "files",
    "whole": "the whole text",
}
_NOUNS: dict[Border, str] = {
    "titles": "articles",
    "blank-lines": "passages",
    "lines": "lines",
    "records": "records",
    "files": "files",
    "whole": "whole text",
}


class Corpus(Options):
    """How a text is read, as configs/texts.yaml or a sweep declares it."""

    path: str | None = None
    """File, or folder of `.txt` files; `~` and environment variables are expanded. Absent: the text's name is its path."""
    rows: Rows = "plain"
    """plain: the characters as they stand. wikitext: lines are the rows of the published data set, joined by blank
    lines. jsonl: a record in each line, joined by blank lines."""
    documents: Border | None = None
    """What a document is: `titles` (articles under ` = Title = ` lines), `blank-lines`, `lines`, `records`, `files` or
    `whole`. Absent: titles of wikitext, records of jsonl, files of a folder, titles of a plain text that has any, else
    blank lines."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """Hash of the text as it is read, in UTF-8; another text is refused."""

    @model_validator(mode="after")
    def _documents_fit_rows(self) -> Corpus:
        if self.documents is not None and self.documents not in _ALLOWED[self.rows]:
            raise ValueError(f"rows: {self.rows} has no documents: {self.documents}; it has "
                             f"{', '.join(_ALLOWED[self.rows])}")  # fmt: skip
        return self


@dataclass(frozen=True)
class Text:
    """A text as it was read."""

    documents: tuple[str, ...]
    """In order; joined they are the text."""
    rows: Rows
    border: Border
    changes: tuple[str, ...] = ()
    """What was made the same for all copies, as CRLF line ends."""
    declared: bool = True
    """Somebody said how it is to be read."""

    @property
    def whole(self) -> str:
        return "".join(self.documents)

    @property
    def alone(self) -> tuple[str, ...]:
        """The documents without what joins them."""
        if self.border in {"records", "files"}:
            return tuple(part.removesuffix(JOIN) for part in self.documents[:-1]) + self.documents[-1:]
        return tuple(part.strip("\n") for part in self.documents if part.strip())

    @property
    def noun(self) -> str:
        """Name what a document is, in the plural."""
        return _NOUNS[self.border]

    @property
    def form(self) -> str:
        """Say how rows became a text, and what a document is."""
        rows = {
            "plain": "",
            "wikitext": "WikiText rows joined by blank lines; ",
            "jsonl": "records joined by blank lines; ",
        }
        return f"{rows[self.rows]}documents are {_SAID[self.border]}"


def normalized(text: str) -> tuple[str, tuple[str, ...]]:
    """Give the one content that all copies of a text share: without byte-order mark, lines ended by LF alone."""
    changes = []
    if text.startswith("\ufeff"):
        text = text.removeprefix("\ufeff")
        changes.append("byte-order mark left out")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        changes.append("line ends CR or CRLF read as LF")
    return text, tuple(changes)


def cut(rows: Rows, border: Border | None, parts: Sequence[str]) -> tuple[tuple[str, ...], Border]:
    """Cut a text into documents, and say what they are.

    parts: the characters of one plain file, the rows of WikiText, or the records or files of a text that has several.
    """
    if rows == "plain" and border != "files":
        pieces = _lines(parts[0])
    else:
        pieces = _joined(parts)
    titles = _titles(pieces)
    if border is None:
        border = "titles" if rows == "plain" and sum(titles) > 1 else _USUAL[rows]
    return _grouped(pieces, titles if border == "titles" else _begins(pieces, border)), border


def wikitext_rows(text: str) -> list[str]:
    """Give the rows of the published data set: a line with its line end, or nothing where the line is blank."""
    rows = text.split("\n")
    if rows[-1] == "":
        rows.pop()
    return [f"{row}\n" if row.strip() else "" for row in rows]


def looks_like_wikitext(text: str) -> bool:
    """Say whether a text has several article headings as WikiText writes them."""
    return sum(_titles(_lines(text))) > 1


def _lines(text: str) -> list[str]:
    """Cut after each LF, and nowhere else."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _joined(parts: Iterable[str]) -> list[str]:
    listed = list(parts)
    return [f"{part}{JOIN}" for part in listed[:-1]] + listed[-1:]


def _titles(pieces: Sequence[str]) -> list[bool]:
    """Find article headings: lines ` = Title = ` with a blank line before and after, which formulas in prose lack."""
    blank = [True, *(not piece.strip() for piece in pieces), True]
    found = [bool(_TITLE.fullmatch(piece.strip())) for piece in pieces]
    return [here and blank[place] and blank[place + 2] for place, here in enumerate(found)]


def _begins(pieces: Sequence[str], border: Border) -> list[bool]:
    words = [bool(piece.strip()) for piece in pieces]
    if border == "lines":
        return words
    if border == "blank-lines":
        return [here and not before for here, before in zip(words, [False, *words], strict=False)]
    return [border in {"records", "files"}] * len(pieces)


def _grouped(pieces: Sequence[str], begins: Sequence[bool]) -> tuple[str, ...]:
    """Join pieces into documents; what stands before the first beginning belongs to the first document."""
    starts = [place for place, begin in enumerate(begins) if begin][1:]
    found = ["".join(pieces[start:end]) for start, end in zip([0, *starts], [*starts, len(pieces)], strict=True)]
    return tuple(document for document in found if document)
