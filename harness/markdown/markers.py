"""Marked places of a page: what stands between `<!-- table: NAME -->` and `<!-- end: NAME -->`, and what is code."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.core.errors import ConfigError, Problem
from harness.core.spelling import unknown
from harness.markdown.parser import BOM, fences
from harness.markdown.rows import as_before

_MARKER = re.compile(r"\s*<!--\s*(?P<word>table|plot|end):\s*(?P<name>[^\s]+)\s*-->\s*")
_ALMOST = re.compile(r"<!--\s*(?:table|plot|end)\b\s*:", re.IGNORECASE)
_CODE = re.compile(r"(`+).*?(?<!`)\1(?!`)")


@dataclass(frozen=True)
class MarkedPlace:
    """A marked place in a page: the lines of its markers, by index."""

    name: str
    begin: int
    end: int
    word: str = "table"
    """Whether it is a table's or a plot's."""


def marked_places(text: str, path: Path) -> list[MarkedPlace]:
    """Find the marked places of a page; markers inside fenced code are examples.

    Raises: ConfigError with every marker that is unbalanced, nested, duplicated or not alone on its line.
    """
    found: list[MarkedPlace] = []
    problems: list[Problem] = []
    opened: tuple[str, int, str] | None = None
    for number, word, name in _markers(text):
        if not word:
            message = (
                "a table's marker stands alone on its line and says <!-- table: NAME --> or <!-- end: NAME -->; a plot's says "
                "<!-- plot: NAME -->"
            )
            problems.append(Problem(message, path, number + 1))
        elif word != "end":
            if opened:
                problems.append(
                    Problem(
                        f"{word} '{name}' begins inside {opened[2]} '{opened[0]}', which has no end yet",
                        path,
                        number + 1,
                    )
                )
            elif any(place.name == name for place in found):
                problems.append(
                    Problem(f"{word} '{name}' is shown twice on this page; remove one of them", path, number + 1)
                )
            opened = (name, number, word)
        elif opened is None or opened[0] != name:
            expected = f"; {opened[2]} '{opened[0]}' of line {opened[1] + 1} is still open" if opened else ""
            problems.append(Problem(f"the end of '{name}' has no beginning{expected}", path, number + 1))
        else:
            found.append(MarkedPlace(name, opened[1], number, opened[2]))
            opened = None
    if opened:
        problems.append(
            Problem(f"{opened[2]} '{opened[0]}' has no end; add <!-- end: {opened[0]} -->", path, opened[1] + 1)
        )
    if problems:
        raise ConfigError(problems)
    return found


def _markers(text: str) -> list[tuple[int, str, str]]:
    """List line, word and name of each marker; without word and name what looks like one and does not stand alone."""
    found: list[tuple[int, str, str]] = []
    code = code_lines(text)
    for number, line in enumerate(text.removeprefix(BOM).split("\n")):
        marker = _MARKER.fullmatch(line)
        if number not in code and (marker or _ALMOST.search(_CODE.sub("", line))):
            found.append((number, marker["word"], marker["name"]) if marker else (number, "", ""))
    return found


@lru_cache(maxsize=16)
def code_lines(text: str) -> frozenset[int]:
    """Give the lines of fenced code, by index; lines end at `\\n` alone, so that offsets in the page are kept."""
    lines = [line.removesuffix("\r").replace("\r", " ") for line in text.removeprefix(BOM).split("\n")]
    return frozenset(at for fence in fences("\n".join(lines)) for at in fence)


def replaced(text: str, rendered: Mapping[str, str], path: Path) -> str:
    """Put rendered tables between their markers, with the line ends of the marker; all else keeps its bytes.

    So does a row whose cells are the same: how far they stand apart is the page's matter. Raises: ConfigError for a marker that names no table, with the nearest right name.
    """
    lines = text.split("\n")
    problems: list[Problem] = []
    for place in reversed(marked_places(text, path)):
        end = "\r" if lines[place.begin].endswith("\r") else ""
        if place.name in rendered:
            old = [line.removesuffix("\r") for line in lines[place.begin + 1 : place.end]]
            fresh = ["", *as_before(rendered[place.name].split("\n"), old), ""]
            lines[place.begin + 1 : place.end] = [f"{line}{end}" for line in fresh]
        elif place.word == "table":  # a plot that nobody drew now stays as it is
            problems.append(Problem(unknown("table", place.name, rendered), path, place.begin + 1))
    if problems:
        raise ConfigError(reversed(problems))
    return "\n".join(lines)


def bodies(text: str, path: Path, words: Collection[str] = ("table",)) -> dict[str, str]:
    """Return what stands between the markers of each table, with its line ends as they are. words: also of plots, with `plot`."""
    lines, places = text.split("\n"), marked_places(text, path)
    return {place.name: "\n".join(lines[place.begin + 1 : place.end]) for place in places if place.word in words}
