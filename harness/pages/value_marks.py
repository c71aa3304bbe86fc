"""Numbers in prose, taken from tables: the text between two markers in a page is what a table says.

    up to <!-- value: gpu-speed max "Decode speed-up" where Model=Llama -->2.70x<!-- /value --> faster

`value:` is followed by the name of a table, a function and a column in quotes; then, if wanted, conditions and `whole`:

    <!-- value: TABLE min "COLUMN" -->...<!-- /value -->
    <!-- value: TABLE max "COLUMN" where KEY=TEXT and KEY="MORE TEXT" -->...<!-- /value -->
    <!-- value: TABLE cell "COLUMN" where KEY=TEXT whole -->...<!-- /value -->

`min` and `max` take the least and the greatest number of the column among the rows that meet the conditions, `cell` the only
row that does. A condition names a column by its heading, or a dimension of the table's rows or `each` (`gpu`, `model`), and the text that
stands there; a column below a group is `GROUP / COLUMN`. Without a condition, all rows of all sections count. What is written is the number as the table shows it, with its sign,
commas, `x` or `%`; `whole` adds what the cell says beside it, as `± 0.2`. A name with a blank stands in double or single quotes.

Both markers stand in one paragraph, outside of generated tables; in code, fenced or between backticks, they are text. One may be wrapped over
lines. The same number may be named at several places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.spelling import unknown
from harness.markdown.marked import code_lines, marked_places

FUNCTIONS = ("min", "max", "cell")
END = "<!-- /value -->"
GRAMMAR = 'TABLE min|max|cell "COLUMN" [where KEY=TEXT [and KEY=TEXT ...]] [whole]'
_WORD = re.compile(r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<sign>=)|(?P<plain>[^\s="']+))""")
_TOKEN = re.compile(
    r"\\[^\n]|(?P<ticks>`+)|(?P<comment><!--(?P<said>.*?)-->)|(?P<open><!--\s*(?:value\s*:|/\s*value\b))", re.DOTALL
)
_OPEN = re.compile(r"\s*value\s*:(?P<said>.*)", re.DOTALL | re.IGNORECASE)
_CLOSE = re.compile(r"\s*/\s*value\s*", re.IGNORECASE)


@dataclass(frozen=True)
class ValueQuestion:
    """What a marker asks for."""

    table: str
    function: Literal["min", "max", "cell"]
    column: str
    where: tuple[tuple[str, str], ...] = ()
    whole: bool = False


@dataclass(frozen=True)
class ValueMark:
    """A marked place in prose: offsets of the text between its markers."""

    asked: ValueQuestion
    said: str
    """The question as the page puts it."""
    begin: int
    end: int
    line: int


# ---------------------------------------------------------------- finding


def marks(text: str, path: Path) -> list[ValueMark]:
    """Find the marked numbers of a page.

    Raises: ConfigError with every marker that is unbalanced, nested, inside a table or not understood.
    """
    found: list[ValueMark] = []
    problems: list[Problem] = []
    for begin, part, table in _parts(text, path):
        opened: tuple[str, int, int] | None = None
        for offset, after, said in _comments(part):
            line = text.count("\n", 0, begin + offset) + 1
            what = _trouble(said, opened, table)
            if what:
                problems.append(Problem(what, path, line))
            if said is None or table:
                continue
            if opening := _OPEN.fullmatch(said):
                opened = (" ".join(opening["said"].split()), begin + after, line)
            elif opened is not None:
                if not what:
                    _take(found, problems, opened, begin + offset, path)
                opened = None
        if opened is not None:
            problems.append(
                Problem(f"value '{opened[0]}' has no end in its part of the page; add {END}", path, opened[2])
            )
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: problem.line or 0))
    return found


def _trouble(said: str | None, opened: tuple[str, int, int] | None, table: str) -> str:
    """Say what is wrong with a marker where it stands."""
    if said is None:
        return "a value's marker is not closed; end it with -->"
    if table:
        return f"a value's marker stands inside table '{table}', which is written anew; move it out"
    if _OPEN.fullmatch(said):
        return f"a value begins inside value '{opened[0]}', which has no end yet" if opened else ""
    return "" if opened else "the end of a value has no beginning"


def _take(found: list[ValueMark], problems: list[Problem], opened: tuple[str, int, int], end: int, path: Path) -> None:
    said, begin, line = opened
    try:
        found.append(ValueMark(parse(said), said, begin, end, line))
    except HarnessError as error:
        problems.append(Problem(str(error), path, line))


def _parts(text: str, path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield paragraphs of prose, and the insides of tables, with their offsets; a table's name with the latter."""
    lines = text.split("\n")
    code = code_lines(text)
    inside = {at: block.name for block in marked_places(text, path) for at in range(block.begin, block.end + 1)}
    offset, begun, kind = 0, 0, ""
    for at, line in enumerate(lines):
        here = "```" if at in code else inside.get(at, "" if line.strip() else " ")
        if here != kind:
            if begun < offset and kind not in {"```", " "}:
                yield begun, text[begun:offset], kind
            begun, kind = offset, here
        offset += len(line) + 1
    if kind not in {"```", " "}:
        yield begun, text[begun:], kind


def _comments(part: str) -> Iterator[tuple[int, int, str | None]]:
    """Yield begin, end and content of the comments that are values' markers, outside of code; None for one that is not closed."""
    place = 0
    while found := _TOKEN.search(part, place):
        place = found.end()
        if ticks := found["ticks"]:
            close = re.compile(rf"(?<!`){ticks}(?!`)").search(part, place)
            place = close.end() if close else place
        elif found["open"]:
            yield found.start(), place, None
        elif found["comment"] and (_OPEN.fullmatch(found["said"]) or _CLOSE.fullmatch(found["said"])):
            yield found.start(), place, found["said"]


def parse(said: str) -> ValueQuestion:
    """Read what stands behind `value:`. Raises: HarnessError with the grammar."""
    words = _words(said)
    if len(words) < 3:
        raise HarnessError(f"value '{said}' is not understood; write {GRAMMAR}")
    table, function, column = words[:3]
    if function not in FUNCTIONS:
        raise HarnessError(f"value '{said}': {unknown('function', function, FUNCTIONS)}")
    rest = words[3:]
    whole = bool(rest) and rest[-1] == "whole" and rest[-2:-1] != ["="]
    rest = rest[:-1] if whole else rest
    where: list[tuple[str, str]] = []
    while rest:
        if len(rest) < 4 or rest[0] != ("and" if where else "where") or rest[2] != "=":
            raise HarnessError(f"value '{said}' is not understood at '{' '.join(rest)}'; write {GRAMMAR}")
        where.append((rest[1], rest[3]))
        rest = rest[4:]
    names = [name for name, _ in where]
    if len(set(names)) < len(names):
        raise HarnessError(f"value '{said}' has two conditions on one column; no row meets both")
    return ValueQuestion(table, cast("Literal['min', 'max', 'cell']", function), column, tuple(where), whole)


def _words(said: str) -> list[str]:
    words, place = [], 0
    text = said.strip()
    while place < len(text):
        found = _WORD.match(text, place)
        if found is None:
            raise HarnessError(f"value '{said}' has a quote without its other one")
        words.append(next(group for group in found.groups() if group is not None))
        place = found.end()
    return words
