"""Whether a changed cell is inside its noise, and what changed between the runs behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from harness.core.outcome import Environment
from harness.numbers import sessions
from harness.pages.changes import Change, header_rows_of
from harness.pages.history import Sessions
from harness.pages.readback import ColumnName, RowName, grids, lines_of, plain
from harness.plan.keys import exact
from harness.published.sources import NumberSource
from harness.tables.columns import PACKAGES
from harness.tables.compare import COMPARISONS, Operand
from harness.tables.markdown import Rendered, cell_text
from harness.tables.mixing import packages_of
from harness.tables.result import Cell
from harness.tables.rows import TableRow

Noise = Literal["inside", "outside", "unknown"]
_Way = Literal["", "better", "worse"]
_PLACE = (("gpu", "GPU"), ("gpu_count", "GPUs"), ("driver", "driver"), ("cuda", "CUDA"), ("python", "Python"), ("cpu", "CPU"), ("cores", "cores"),
          ("system", "system"), ("environment", "environment"), ("harness", "harness"))  # fmt: skip
_WAY = (("protocol", "protocol"), ("protocol_version", "protocol version"), ("provider", "provider"), ("dtype", "data type"),
        ("artifact_content", "artifact"))  # fmt: skip
SAME = "nothing behind it: the same runs, by another spec or format, or an old page that was not written from them"
"""Said of a cell whose runs are those of before."""
_AGAIN = {
    "measured": "measured again in the same environment",
    "reported": "the published number was edited",
    "imported": "the imported file changed",
}
"""Said by origin of a cell whose runs are others, and nothing that is told of them differs."""
_LONG = 12
"""Characters of a hash that are shown."""


@dataclass(frozen=True)
class CellInterval:
    """A number with its bounds, in the unit of its column."""

    value: Decimal
    low: Decimal
    high: Decimal


CellNames = tuple[RowName, ColumnName]


@dataclass(frozen=True)
class Evidence:
    """A rendered table with what stands behind its cells, and the facts of their runs."""

    cells: Mapping[CellNames, Cell] = field(default_factory=dict)
    runs: Mapping[str, TableRow] = field(default_factory=dict)
    environments: Mapping[str, Environment] = field(default_factory=dict)

    def behind(self, change: Change) -> Cell | None:
        """Find the cell at a change's place."""
        return self.cells.get((change.row, change.column))


def cells_of(rendered: Rendered, keys: int) -> dict[CellNames, Cell]:
    """Name the cells of a rendered table; `keys` columns name its rows."""
    found, sections = grids(rendered.markdown), rendered.table.sections
    if len(found) != len(sections):
        return {}
    cells: dict[CellNames, Cell] = {}
    for name, line in lines_of(found, keys, header_rows_of(rendered)).items():
        row = sections[line.grid].rows[line.row]
        cells |= {(name, column): row[index] for column, (index, _) in line.cells.items()}
    return cells


def evidence(rendered: Rendered, source: NumberSource, keys: int) -> Evidence:
    """Gather what stands behind a table that was rendered from a source; `keys` columns name its rows."""
    cells = cells_of(rendered, keys)
    runs = {run for cell in cells.values() for run in cell.runs}
    return Evidence(cells, _facts(source, runs), source.environments())


def _facts(source: NumberSource, runs: Iterable[str]) -> dict[str, TableRow]:
    columns = ["run", "job_key", "environment_id", "engine", "probe", "origin", *(name for name, _ in (*_PLACE, *_WAY))]
    return {record["run"]: TableRow(record) for record in source.select({"run": sorted(runs)}, columns)}


def interval(cell: Cell) -> CellInterval | None:
    """Return a cell's number and bounds before they were rounded; None where there is no interval."""
    trace = cell.trace
    if trace is None or trace.low is None or trace.high is None:
        return None
    return CellInterval(trace.result, trace.low, trace.high)


def shows(cell: Cell, text: str) -> bool:
    """Say whether a page that shows a text was written from this cell."""
    return plain(cell_text(cell)) == text


@dataclass(frozen=True)
class ChangeVerdict:
    """Whether a change is noise, and which way it went."""

    noise: Noise
    way: _Way = ""
    why: str = ""
    """Why it is not known."""

    def __str__(self) -> str:
        if self.noise == "inside":
            return "noise"
        if self.noise == "outside":
            return f"beyond noise{self.way and f', {self.way}'}"
        return f"not known{self.why and f' ({self.why})'}"


def way(change: Change, cell: Cell | None) -> _Way:
    """Say whether a number went to the worse or to the better; empty where nobody can say."""
    if cell is None or not change.by or cell.better == "none":
        return ""
    return "better" if (change.by > 0) == (cell.better == "higher") else "worse"


def between_sessions(old: Cell, new: Cell, found: Sessions) -> tuple[Noise, str]:
    """Judge a change of a mean over rounds by the spread between sessions; says how many are known where they are too few."""
    assert old.trace is not None
    assert new.trace is not None
    values = _in_seconds(old), _in_seconds(new)
    log = found.log and min(values) > 0
    beyond = sessions.is_beyond(*values, found.known, log=log)
    if beyond is None:
        return "unknown", f"{sessions.sessions(found.known)} of {sessions.LEAST} sessions"
    return ("outside" if beyond else "inside"), ""


def _in_seconds(cell: Cell) -> float:
    """Give a cell's comparison of the seconds that passed, as the sessions before are known: not at one pace."""
    assert cell.trace is not None
    if cell.trace.at_1ms is None:
        return float(cell.trace.result)
    value, baseline = (Operand(side.stored or side.value, gpus=side.gpus) for side in cell.trace.sides)
    return float(COMPARISONS[cell.trace.comparison].of(value, baseline))


def noise(old: CellInterval | None, new: CellInterval | None) -> Noise:
    """Say whether a difference is within the root of the sum of squares of both half widths; unknown without two intervals."""
    if old is None or new is None:
        return "unknown"
    halves = [(one.high - one.low) / 2 for one in (old, new)]
    return "inside" if abs(new.value - old.value) <= (halves[0] ** 2 + halves[1] ** 2).sqrt() else "outside"


# ---------------------------------------------------------------- what changed


def causes(old: Evidence, new: Evidence, was: Sequence[str], now: Sequence[str]) -> list[str]:
    """Say what differs between the runs behind a cell before and now: machine, driver, packages, harness, way of measuring."""
    if not was or not now:
        return ["unknown"]
    if tuple(was) == tuple(now):
        return [SAME]
    found: list[str] = []
    origins: set[str] = set()
    for before, after in zip(was, now, strict=False):
        rows = old.runs.get(before), new.runs.get(after)
        if rows[0] is None or rows[1] is None:
            return ["unknown"]
        origins |= {rows[1].text("origin") or "measured"} if before != after else set()
        told = [*_facts_changed(rows[0], rows[1]), *_packages_changed(old, new, rows[0], rows[1])]
        found += told or _asked_anew(rows[0], rows[1])
    return list(dict.fromkeys(found)) or [text for origin, text in _AGAIN.items() if origin in origins]


def _asked_anew(was: TableRow, now: TableRow) -> list[str]:
    """Say that another job was run, where the facts of the two runs alone do not tell it: its key hashes all that was asked."""
    keys = was.text("job_key"), now.text("job_key")
    return [] if None in keys or keys[0] == keys[1] else ["what was asked (settings, program, text or model)"]


def _facts_changed(was: TableRow, now: TableRow) -> list[str]:
    return [
        _said(title, was.text(name), now.text(name))
        for name, title in (*_PLACE, *_WAY)
        if was.text(name) != now.text(name)
    ]


def _packages_changed(old: Evidence, new: Evidence, was: TableRow, now: TableRow) -> list[str]:
    before, after = (_packages(*pair) for pair in ((old, was), (new, now)))
    more = packages_of(was) | packages_of(now) | exact(before) | exact(after)
    told = [*PACKAGES, *sorted(more - set(PACKAGES))]
    return [_said(name, before.get(name), after.get(name)) for name in told if before.get(name) != after.get(name)]


def _packages(known: Evidence, row: TableRow) -> Mapping[str, str]:
    environment = known.environments.get(row.text("environment_id") or "")
    return environment.packages if environment else {}


def _said(title: str, was: str | None, now: str | None) -> str:
    texts = [text[:_LONG] if text and title == "artifact" else text for text in (was, now)]
    return f"{title} {texts[0] or 'none'} to {texts[1] or 'none'}"
