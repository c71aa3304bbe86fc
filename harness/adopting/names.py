"""What people call models and methods in a page, and the names under which these are data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from harness.markdown.parser import inline
from harness.tables.catalogue import Catalogue
from harness.tables.layout import LACKING
from harness.tables.markdown import cell_text
from harness.tables.result import Cell
from harness.tables.slips import nearest

_LINK = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?P<link>https?://(?:[^()\s]|\([^()\s]*\))+)\)")
_FOOTNOTE = re.compile(r"\s*(?:\[\^[^\[\]]+\]|<sup>[\d,\s]+</sup>)")
_REFERENCE = re.compile(r"\[([^\[\]]+)\]\[[^\[\]]*\]")
"""A link whose address stands elsewhere in the page."""
_SILENT = {"html_inline": " ", "softbreak": " ", "hardbreak": " "}
NAMED = ("model", "method")
"""Dimensions whose values have entries; others are called by their text."""


def slug(text: str, otherwise: str = "x") -> str:
    """Write a text as a name: lower case, words joined by _; + and . stay, since they tell names apart."""
    words = re.sub(r"[^a-z0-9.+]+", "_", seen(text).casefold().replace("Δ".casefold(), "delta "))
    return words.strip("_.+") or otherwise


@lru_cache(maxsize=4096)
def seen(raw: str) -> str:
    """Return a cell as a reader sees it, without links, emphasis and footnote marks."""
    parts = [_SILENT.get(one.type, one.content) for one in inline(_REFERENCE.sub(r"\1", _FOOTNOTE.sub("", raw)))]
    return " ".join(re.sub(r"[*`]+|~~|(?<!\w)_+|_+(?!\w)", "", "".join(parts)).split())


@dataclass
class Names:
    """The names of one adoption: equal cells are called the same in all of its tables."""

    catalogue: Catalogue
    said: Mapping[str, str] = field(default_factory=dict)
    """What a person says: a text of the page -> the name under which it is data."""
    used: set[str] = field(default_factory=set)
    """Texts of `said` that were met."""
    _known: dict[tuple[str, str], str] = field(default_factory=dict)
    """Dimension and Markdown of a cell -> name."""
    new: dict[str, dict[str, Mapping[str, str]]] = field(default_factory=dict)
    """Dimension -> name -> what is declared of it: those that the catalogues lack."""

    def name(self, dimension: str, raw: str) -> str:
        """Give the name of a cell's value: that of the catalogue where it is called so there, else a new one."""
        if dimension not in NAMED:
            return self._asked(raw) or self._plain(dimension, seen(raw))
        if (dimension, raw) not in self._known:
            self._known[dimension, raw] = self._found(dimension, raw)
        return self._known[dimension, raw]

    def _plain(self, dimension: str, text: str) -> str:
        """Give a value that has no entry of its own: an engine that is known by the name it has here, else the text."""
        known = self.catalogue.names(dimension)
        for name in known:
            if text.casefold() in {name.casefold(), self.catalogue.title(dimension, name).casefold()}:
                return name
        if nearest(text, known):  # another one, however near: it must not be taken for a slip
            return f"{text} (published)"
        return "none" if text in {"", LACKING} else text

    def _asked(self, raw: str) -> str | None:
        text = next((one for one in (raw, seen(raw)) if one in self.said), None)
        self.used |= {text} if text is not None else set()
        return None if text is None else self.said[text]

    def _found(self, dimension: str, raw: str) -> str:
        asked = self._asked(raw)
        if asked is not None:
            if asked not in self.catalogue.names(dimension):
                self.new.setdefault(dimension, {})[asked] = self._declared(raw, seen(raw))
            return asked
        taken = {name for (kind, _), name in self._known.items() if kind == dimension}
        text = seen(raw)
        for name in self.catalogue.names(dimension):
            called = {name.casefold(), self.catalogue.title(dimension, name).casefold()}
            if name not in taken and (text.casefold() in called or slug(text) == slug(name)):
                return name
        base = slug(raw, dimension)
        known = taken | set(self.catalogue.names(dimension))
        name = next(one for one in (base, *(f"{base}_{n}" for n in range(2, 10_000))) if one not in known)
        self.new.setdefault(dimension, {})[name] = self._declared(raw, text)
        return name

    def _declared(self, raw: str, text: str) -> dict[str, str]:
        link = _LINK.fullmatch(raw)
        return {"title": seen(link["text"]), "link": link["link"]} if link else {"title": text} if text else {}

    def title(self, dimension: str, name: str, raw: str) -> str | None:
        """Give what the table must call a value so that the cell is as it was; None where it is called so anyway."""
        texts = self.new.get(dimension, {}).get(name) or self.catalogue.entries.get(dimension, {}).get(name, {})
        link = texts.get("link", "")
        plain = Cell(texts.get("title") or name, link=link if link.startswith(("https://", "http://")) else "")
        return None if cell_text(plain) == raw else raw
