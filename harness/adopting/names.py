"""What people call models and methods in a page, and the names under which these are data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from harness.core.spelling import nearest
from harness.lint.numbers import is_missing
from harness.markdown.parser import inline
from harness.tables.catalogue import TableCatalogue
from harness.tables.markdown import cell_text
from harness.tables.result import Cell
from harness.tables.row_order import LACKING

_LINK = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?P<link>https?://(?:[^()\s]|\([^()\s]*\))+)\)")
_FOOTNOTE = re.compile(r"\s*(?:\[\^[^\[\]]+\]|<sup>[\d,\s]+</sup>)")
_REFERENCE = re.compile(r"\[([^\[\]]+)\]\[[^\[\]]*\]")
"""A link whose address stands elsewhere in the page."""
_SILENT = {"html_inline": " ", "softbreak": " ", "hardbreak": " "}
NAMED = ("model", "method", "recipe")
"""Dimensions whose values can have entries."""
_BY_TEXT = "recipe"
"""Values of this one are called by their text where there is no more to say of them."""
More = tuple[tuple[str, str], ...]
"""What other columns say of a value: attribute and Markdown of the cell, as `bits` and `4`."""


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

    catalogue: TableCatalogue
    said: Mapping[str, str] = field(default_factory=dict)
    """What a person says: a text of the page -> the name under which it is data."""
    used: set[str] = field(default_factory=set)
    """Texts of `said` that were met."""
    _known: dict[tuple[str, str, More], str] = field(default_factory=dict)
    """Dimension, Markdown of a cell and what else is said of it -> name."""
    new: dict[str, dict[str, Mapping[str, str]]] = field(default_factory=dict)
    """Dimension -> name -> what is declared of it: those that the catalogues lack."""

    def name(self, dimension: str, raw: str, more: More = ()) -> str:
        """Give the name of a cell's value: that of the catalogue where it is called so there, else a new one."""
        if dimension not in NAMED or (dimension == _BY_TEXT and not more):
            return self._asked(raw) or self._as_text(dimension, raw)
        if (dimension, raw, more) not in self._known:
            self._known[dimension, raw, more] = self._found(dimension, raw, more)
        return self._known[dimension, raw, more]

    def _as_text(self, dimension: str, raw: str) -> str:
        """Give a value that is called by its text; what is written otherwise, as without its link, is another one."""
        if (dimension, raw, ()) not in self._known:
            taken, text = (
                {name for (kind, _, _), name in self._known.items() if kind == dimension},
                self._plain(dimension, seen(raw)),
            )
            names = (text, *(f"{text} ({number})" for number in range(2, 10_000)))
            self._known[dimension, raw, ()] = next(one for one in names if one not in taken)
        return self._known[dimension, raw, ()]

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

    def _found(self, dimension: str, raw: str, more: More) -> str:
        """Find or make a name. What differs in what else is said of it has another one, `gptq_4bit` and `gptq_3bit`."""
        taken = {name for (kind, _, _), name in self._known.items() if kind == dimension}
        known, text, base = self.catalogue.names(dimension), seen(raw), slug(raw, "")
        asked = self._asked(raw)
        if asked is not None and not self._contradicted(dimension, asked, more):
            if asked not in known:
                self.new.setdefault(dimension, {})[asked] = self._declared(raw, more)
            return asked
        for name in known if asked is None else ():
            called = {name.casefold(), self.catalogue.title(dimension, name).casefold()}
            is_it = text.casefold() in called or (base and base == slug(name))
            if is_it and (name not in taken or self._is_called_by(dimension, name, raw, more)):
                self._meant(dimension, name)
                return name
        base = _longer(asked or base, more) or dimension
        names = (base, *(f"{base}_{n}" for n in range(2, 10_000)))
        name = next(one for one in names if one not in taken and one not in known)
        self.new.setdefault(dimension, {})[name] = self._declared(raw, more)
        return name

    def _meant(self, dimension: str, name: str) -> None:
        """Declare a name of another published file here, too, where it would be taken for a slip of one of the catalogue."""
        if nearest(name, [other for other in self.catalogue.names(dimension) if other != name]):
            texts = self.catalogue.entries[dimension][name]
            said = {key: texts[key] for key in ("title", "link", "bits", "group_size", "size") if texts.get(key)}
            self.new.setdefault(dimension, {})[name] = said or {"title": name}

    def _contradicted(self, dimension: str, name: str, more: More) -> bool:
        """Say whether a name is that of a value of which another cell says otherwise, as other bits."""
        others = [other for (kind, _, other), known in self._known.items() if kind == dimension and known == name]
        return any(dict(other).get(attribute, cell) != cell for other in others for attribute, cell in more)

    def _is_called_by(self, dimension: str, name: str, raw: str, more: More) -> bool:
        """Say whether a name is that of the same text already, of which nothing else is said here."""
        texts = {seen(text) for (kind, text, _), known in self._known.items() if kind == dimension and known == name}
        return texts == {seen(raw)} and not self._contradicted(dimension, name, more)

    def _declared(self, raw: str, more: More) -> dict[str, str]:
        link = _LINK.fullmatch(raw)
        title = seen(link["text"]) if link else seen(raw) or ", ".join(_told(*one) for one in more if _told(*one))
        said = {name: seen(cell) for name, cell in more if not is_missing(seen(cell))}
        return {**({"title": title} if title else {}), **({"link": link["link"]} if link else {}), **said}

    def shows(self, dimension: str, name: str, attribute: str, raw: str) -> bool:
        """Say whether what is known of a value's attribute is shown as a cell stands there."""
        texts = self.catalogue.entries.get(dimension, {}).get(name) or self.new.get(dimension, {}).get(name, {})
        return cell_text(Cell(texts.get(attribute, "") or LACKING)) == raw

    def title(self, dimension: str, name: str, raw: str) -> str | None:
        """Give what the table must call a value so that the cell is as it was; None where it is called so anyway."""
        texts = self.catalogue.entries.get(dimension, {}).get(name) or self.new.get(dimension, {}).get(name, {})
        link = texts.get("link", "")
        plain = Cell(texts.get("title") or name, link=link if link.startswith(("https://", "http://")) else "")
        return None if cell_text(plain) == raw else raw


def _longer(base: str, more: More) -> str:
    """Add to a name what else is said, `gptq` with 4 bits in groups of 128 as `gptq_4bit_g128`, where it does not say it itself."""
    for attribute, cell in more:
        text = seen(cell)
        word = {"bits": f"{text}bit", "group_size": f"g{text}" if text[:1].isdigit() else text}.get(attribute, text)
        if not is_missing(text) and not re.search(
            rf"(?<![a-z0-9.]){re.escape(slug(word))}(?![0-9.])|int{re.escape(text)}(?![0-9])", base
        ):
            base = "_".join(filter(None, (base, slug(word, ""))))
    return base


def _told(attribute: str, cell: str) -> str:
    """Say what an attribute says, for a value that has no name of its own."""
    text = seen(cell)
    return (
        ""
        if is_missing(text)
        else {"bits": f"{text}-bit", "group_size": f"group {text}" if text[:1].isdigit() else text}.get(attribute, text)
    )
