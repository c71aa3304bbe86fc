"""Rows of Markdown tables: split into cells, written from cells, and written as they stood before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

Align = Literal["left", "right", "center", "none"]

_RULES: dict[Align, str] = {"left": ":---", "right": "---:", "center": ":---:", "none": "---"}
_RULE = re.compile(r":?-+:?")
_SPECIAL = re.compile(r"[\\`*\[\]|~$]|#(?=#*$)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_PIPE = re.compile(r"(?<!\\)\|")
_ADDRESSED = re.compile(r"(?<!\w)@(?=\w)|(?<!&)#(?=\d)|\b[Gg][Hh]-(?=\d)")
_NOTHING = "&#8203;"


# ---------------------------------------------------------------- reading


def raw_cells(line: str) -> list[str]:
    """Split a row at its pipes into cells with the spaces around them; a pipe behind a backslash belongs to its cell."""
    parts = _PIPE.split(line.strip())
    parts = parts[1:] if parts and not parts[0].strip() else parts
    return parts[:-1] if parts and not parts[-1].strip() else parts


def row_cells(line: str) -> tuple[str, ...]:
    """Return a row's cells as they are written, spaces as one."""
    return tuple(" ".join(cell.split()) for cell in raw_cells(line))


def is_rule(cells: Sequence[str]) -> bool:
    """Tell the alignment row by its cells."""
    return bool(cells) and all(_RULE.fullmatch(cell) for cell in cells)


# ---------------------------------------------------------------- writing


def literal(text: str) -> str:
    """Write a name so that Markdown shows it as it is: no pipe, backtick, tag or emphasis takes effect."""
    flat = " ".join(text.split())
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", "".join(_HTML.get(letter, letter) for letter in flat))


def unaddressed(text: str) -> str:
    """Write Markdown so that GitHub notifies nobody (`@name`) and links no issue (`#12`, `GH-12`) by it: a space of no width stands between."""
    return _ADDRESSED.sub(lambda found: f"{found[0]}{_NOTHING}", text)


def markup(text: str) -> str:
    """Write a text in which Markdown and HTML are meant; only what would break a table is escaped."""
    return _PIPE.sub(r"\\|", " ".join(text.split()))


def table_row(cells: Iterable[str]) -> str:
    """Write one row of cells that are Markdown already."""
    return f"| {' | '.join(cells)} |"


def table_lines(header: Iterable[str], aligns: Iterable[Align], rows: Iterable[Iterable[str]]) -> list[str]:
    """Write a table of cells that are Markdown already."""
    return [table_row(header), table_row(_RULES[align] for align in aligns), *(table_row(row) for row in rows)]


# ---------------------------------------------------------------- as before


def as_before(fresh: Iterable[str], old: Iterable[str]) -> list[str]:
    """Write rows as they stand already, where their cells are the same; new ones as wide as the others, where all are so."""
    rows = [line for line in old if "|" in line]
    standing: dict[tuple[str, ...], list[str]] = {}
    for line in rows:
        standing.setdefault(_same_row(line), []).append(line)
    columns = _columns(rows)
    return [_as_standing(line, standing, columns) if line.startswith("|") else line for line in fresh]


def _same_row(line: str) -> tuple[str, ...]:
    """Return what two rows share that a reader cannot tell apart: their cells, and of the alignment row its colons."""
    cells = row_cells(line)
    if is_rule(cells):
        return ("---", *(f"{cell[:1].strip('-')}-{cell[-1:].strip('-')}" for cell in cells))
    return cells


def _as_standing(line: str, standing: Mapping[tuple[str, ...], list[str]], columns: list[tuple[int, str]]) -> str:
    known = standing.get(_same_row(line))
    if known:
        return known.pop(0) if len(known) > 1 else known[0]
    cells = row_cells(line)
    if len(cells) != len(columns):
        return line
    return table_row(f"{cell:{side}{max(width - 2, 0)}}" for cell, (width, side) in zip(cells, columns, strict=True))


def _columns(rows: list[str]) -> list[tuple[int, str]]:
    """Return width and side of each column where all rows have the same widths; nothing else."""
    widths = {tuple(map(len, raw_cells(line))) for line in rows}
    rule = next((row_cells(line) for line in rows if _same_row(line)[:1] == ("---",)), ())
    if len(widths) != 1 or not rule:
        return []
    sides = [{":-": "<", "-:": ">", "::": "^"}.get(f"{cell[:1]}{cell[-1:]}", "<") for cell in rule]
    return list(zip(next(iter(widths)), sides, strict=True))
