"""Measured numbers beside those that others reported, cell by cell of one table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile
from typing import Literal

from harness.numbers import sessions
from harness.pages.history import Sessions
from harness.tables.result import Cell, Section, Table, TableColumn
from harness.tables.rows import text_of

Agrees = Literal["yes", "no", "not known"]
_Place = tuple[tuple[tuple[str, str], ...], str]
"""What a cell is about, and the heading that it stands under."""
_COLUMNS = ("Row", "Column", "Measured", "Reported", "Difference", "Agrees")


@dataclass(frozen=True)
class Pair:
    """One cell, measured and reported; either may be missing."""

    name: str
    """Of its row."""
    head: str
    measured: Cell | None
    reported: Cell | None
    sessions: Sessions | None = None
    """Of a mean over rounds: the number in each session that is known."""

    @property
    def difference(self) -> str:
        """Say by how much the measured number is off: in percent of the reported one, in points of percentages."""
        ours, theirs = _number(self.measured), _number(self.reported)
        if ours is None or theirs is None or self.reported is None or self.reported.trace is None:
            return "-"
        off = ours - theirs
        if self.reported.trace.comparison in {"loss_percent", "change_percent"}:
            return f"{off:+.2f} points"
        share = f"{off / theirs * 100:+.1f}%" if theirs else f"{off:+.4g}"
        return "0.0%" if share in {"+0.0%", "-0.0%"} else share

    @property
    def agrees(self) -> Agrees:
        """Say whether what was measured reaches what the reported digits can stand for.

        not known where a difference alone proves nothing: a measurement without interval, speed in fewer than five sessions.
        """
        ours = self.measured.trace if self.measured else None
        theirs = _number(self.reported)
        if ours is None or theirs is None or self.reported is None:
            return "not known"
        half = rounding(self.reported)
        if self.sessions is not None:
            return self._by_sessions(float(ours.result), float(theirs), float(half), self.sessions)
        if ours.low is None or ours.high is None:
            return "not known"
        return "yes" if ours.low <= theirs + half and theirs - half <= ours.high else "no"

    def _by_sessions(self, ours: float, theirs: float, half: float, found: Sessions) -> Agrees:
        """Judge by the spread between sessions; the reported number counts as a session of its own."""
        nearest = min(max(ours, theirs - half), theirs + half)
        log = found.log and min(ours, nearest) > 0
        beyond = (
            sessions.is_beyond(ours, nearest, found.known, log=log) if len(found.known[0]) >= sessions.LEAST else None
        )
        return "not known" if beyond is None else "no" if beyond else "yes"

    @property
    def verdict(self) -> str:
        """Say whether the two agree, and why it is not known."""
        few = self.sessions is not None and len(self.sessions.known[0]) < sessions.LEAST
        why = (
            f" ({len(self.sessions.known[0])} of {sessions.LEAST} sessions)"
            if self.sessions is not None and few
            else ""
        )
        return f"{self.agrees}{why if self.agrees == 'not known' else ''}"


def against(
    measured: Table, reported: Table, sessions_of: Callable[[Cell], Sessions | None] = lambda _cell: None
) -> Table:
    """Put two renderings of one table side by side, a row per number that was reported (or reported as not available).

    sessions_of: of a measured mean over rounds, its numbers by session.
    """
    ours, theirs = _cells(measured), _cells(reported)
    named = {place: name for place, (name, _) in _named(reported).items()}
    pairs = [
        Pair(named[place], place[1], ours.get(place), cell, sessions_of(ours[place]) if place in ours else None)
        for place, cell in theirs.items()
        if cell.runs
    ]
    columns = tuple(TableColumn(name, "left" if name in _COLUMNS[:2] else "right") for name in _COLUMNS)
    rows = tuple(_row(pair) for pair in pairs)
    more = sum(
        _number(cell) is not None for place, cell in ours.items() if not (place in theirs and theirs[place].runs)
    )
    apart = _apart(ours, theirs) if not any(pair.measured for pair in pairs) else ""
    caption = (
        *summary(pairs),
        *([f"Nothing meets: {apart}."] if apart else []),
        *([f"{more} further numbers were measured and not reported."] if more else []),
    )
    return Table(f"{reported.name}-against", reported.title, "table", (Section((), columns, rows),), caption, ())


def summary(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Count what was reproduced."""
    both = [pair for pair in pairs if _number(pair.measured) is not None and _number(pair.reported) is not None]
    counts = {word: sum(pair.agrees == word for pair in both) for word in ("yes", "no", "not known")}
    told = f"{counts['yes']} agree, {counts['no']} do not, of {counts['not known']} it is not known"
    meant = (
        "Agreement: a value that rounds to the reported digits lies within the measured interval; of speed and memory, within "
        "the spread between at least 5 sessions, the interval of one session's processes being no measure of another session."
    )
    return (
        f"{len(both)} of {len(pairs)} cells are both measured and reported: {told}.",
        f"{meant} Machines, protocols and versions may differ.",
    )


def rounding(cell: Cell) -> Decimal:
    """Return half a unit of the last digit that a cell shows, in the unit of its trace."""
    digits = cell.text.replace(",", "").rstrip("x%")
    places = len(digits.split()[0].partition(".")[2]) if digits.split() else 0
    return Decimal(1).scaleb(-places) / 2


def _cells(table: Table) -> Mapping[_Place, Cell]:
    return {place: cell for place, (_, cell) in _named(table).items()}


def _named(table: Table) -> Mapping[_Place, tuple[str, Cell]]:
    """Find each number's place, with the names that stand before it, repeated ones filled in."""
    found = {}
    for section in table.sections:
        heads = _heads(section)
        above: list[str] = []
        for row in section.rows[section.head_rows :]:
            names = [cell.text for cell in takewhile(lambda cell: not cell.address, row)]
            names = [name or (above[at] if at < len(above) else "") for at, name in enumerate(names)]
            for head, cell in zip(heads, row, strict=True):
                if cell.address:
                    here = {name: text_of(value) for name, value in cell.address.items() if name != "origin"}
                    found[tuple(sorted(here.items())), head] = (" / ".join([*section.headings, *names]), cell)
            above = names
    return found


def _apart(ours: Iterable[_Place], theirs: Iterable[_Place]) -> str:
    """Say which dimensions never have the same value on both sides, so that nothing meets."""
    sides = [[dict(address) for address, _ in places] for places in (ours, theirs)]
    told = []
    for name in sorted({name for side in sides for here in side for name in here}):
        values = [sorted({here[name] for here in side if name in here}) for side in sides]
        if all(values) and not set(values[0]) & set(values[1]):
            told.append(f"{name}: {', '.join(values[0])} measured, {', '.join(values[1])} reported")
    return "; ".join(told)


def _heads(section: Section) -> list[str]:
    if section.head_rows:
        return [cell.text for cell in section.rows[section.head_rows - 1]]
    return [column.header.strip("*") for column in section.columns]


def _number(cell: Cell | None) -> Decimal | None:
    return cell.trace.result if cell is not None and cell.trace is not None else None


def _row(pair: Pair) -> tuple[Cell, ...]:
    texts = [cell.text if cell is not None else "-" for cell in (pair.measured, pair.reported)]
    known = _number(pair.measured) is not None and _number(pair.reported) is not None
    said = (*texts, pair.difference, pair.verdict if known else "-")
    links = [pair.measured, pair.reported]
    runs = tuple(run for cell in links if cell is not None for run in cell.runs)
    names = (Cell(pair.name), Cell(pair.head, literal=False))
    return (*names, *(Cell(text, literal=False, runs=runs) for text in said))
