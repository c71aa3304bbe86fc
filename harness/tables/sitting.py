"""Cells over the rounds of a sitting: values, intervals and comparisons between processes, and what marks a number. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from harness.core.marks import PACED, concerns, marking
from harness.core.metric import METRICS
from harness.core.metric import metric as metric_named
from harness.core.spec import Note
from harness.numbers import rounds
from harness.numbers.rounds import Round
from harness.tables.compare import Comparison, Operand, decimal_of, result_of
from harness.tables.rows import TableRow
from harness.tables.spec import TableSpec

SINGLE = frozenset({"round", "run"})
"""Dimensions that tell the rounds of a sitting apart: a table that names one shows single processes."""
AT_PACE = (
    f"{PACED} the rounds compared at one pace of the machine, which was timed between repetitions and moved more than what is compared; "
    "the means shown are those of the seconds that passed."
)
OTHER_SESSION = Note(
    code="other-session",
    text="value and baseline were measured in different sessions; how far sessions differ is not in their rounds, so that there is no interval",
)


def over_rounds(spec: TableSpec, row: TableRow) -> bool:
    """Say whether a cell shows the mean over a sitting's rounds instead of one process's value."""
    return row.get("rounds") is not None and spec.pick == "latest" and not SINGLE & _named(spec)


def _named(spec: TableSpec) -> set[str]:
    conditions = [spec.where, *(cell.where for cell in spec.cells), *(cell.baseline for cell in spec.cells)]
    return {*spec.keyed, *(name for where in conditions for name in where)}


def rounds_of(row: TableRow) -> list[Round]:
    """Return each process's value, as stored, and at one pace of the machine where that is known."""
    return [
        Round(int(number), int(order), float(value), *map(float, at_pace))
        for number, order, value, *at_pace in json.loads(row.get("round_values"))
    ]


def said(row: TableRow) -> str:
    """Say of how many processes a number is, and what its interval is."""
    count = int(row.get("rounds"))
    if row.get("summary_low") is None:
        return f"mean of {count} processes" if count > 1 else "one process"
    return f"{rounds.INTERVAL}, {count} processes"


@dataclass(frozen=True)
class Sittings:
    """A comparison of two sittings."""

    operands: tuple[Operand, Operand]
    """What entered: the means in the shown unit, at the pace of the machine that both sides share where `at_pace`."""
    result: Operand
    how: str = ""
    """What the interval is; empty where there is none."""
    at_1ms: tuple[Decimal, Decimal] | None = None
    """Means at a pace of 1 ms, in the shown unit, where they are what is compared."""


Measure = tuple[str | None, ...]
"""Which sittings may be compared at one pace: of one metric and session, of one interpreter, beside engines that load it alike."""
_MEASURE = ("session", "environment", "engine", "engine_options", "metric", "slice")


def paced(rows: Sequence[TableRow]) -> frozenset[Measure]:
    """Say which measures a table compares at one pace of the machine: where all of its sittings together are sharper so."""
    return frozenset(one for one, sittings in _sittings(rows).items() if rounds.are_sharper_at_pace(sittings))


def _sittings(rows: Sequence[TableRow]) -> dict[Measure, list[list[Round]]]:
    """Return the rounds of each sitting with as many of them as an interval needs, by what may be compared."""
    groups: dict[Measure, dict[str | None, list[Round]]] = {}
    for row in rows:
        if row.get("rounds") is not None and int(row.get("rounds")) >= rounds.LEAST:
            known = groups.setdefault(measure_of(row), {})
            if row.text("sitting") not in known:
                known[row.text("sitting")] = rounds_of(row)
    return {measure: list(found.values()) for measure, found in groups.items()}


def measure_of(row: TableRow) -> Measure:
    """Name what a row may be compared with at one pace."""
    return tuple(row.text(name) for name in _MEASURE)


def compared(
    comparison: Comparison,
    sides: tuple[TableRow, TableRow],
    operands: tuple[Operand, Operand],
    scale: Decimal,
    at_pace: frozenset[Measure] = frozenset(),
) -> Sittings:
    """Compute a comparison of two sittings with its interval; none below three rounds.

    operands: both means in the shown unit. scale: from the stored to the shown unit. at_pace: see `paced`.
    """
    plain = Sittings(operands, Operand(result_of(comparison, *operands)))
    if len({row.text("session") for row in sides}) > 1:
        return plain
    ours, theirs = (rounds_of(row) for row in sides)
    measures = {measure_of(row) for row in sides}
    moved = (
        len(measures) == 1 and measures <= at_pace and ours != theirs and min(map(len, (ours, theirs))) >= rounds.LEAST
    )
    unit = sides[0].text("unit") or ""
    if any(operand.value.is_zero() for operand in operands):
        return plain
    if comparison.name == "difference":
        found = rounds.difference(ours, theirs, unit)
    else:
        found = rounds.ratio(ours, theirs, unit, moved)
    if found.low is None or found.high is None:
        return plain
    value, baseline = _at_pace(found.value, operands) if found.at_pace else operands
    ends = sorted(_end(comparison, end, value, baseline, scale) for end in (found.low, found.high))
    how = "paired by round" if found.paired else "Welch's"
    where = ", at one pace of the machine" if found.at_pace else ""
    said = f"{how} 95% between processes, {len(ours)} and {len(theirs)} of them{where}"
    result = Operand(result_of(comparison, value, baseline), ends[0], ends[1])
    if not found.at_pace:
        return Sittings((value, baseline), result, said)
    one, other = (rounds.mean([each.value for each in rounds.at_one_pace(some)], unit) for some in (ours, theirs))
    return Sittings((value, baseline), result, said, (decimal_of(one) * scale, decimal_of(other) * scale))


def _at_pace(ratio: float, operands: tuple[Operand, Operand]) -> tuple[Operand, Operand]:
    """Move two means to the pace that they share: as far up as down, until their ratio is that at one pace."""
    value, baseline = operands
    by = (decimal_of(ratio) * baseline.value / value.value).sqrt()
    return replace(value, value=value.value * by), replace(baseline, value=baseline.value / by)


def _end(comparison: Comparison, end: float, value: Operand, baseline: Operand, scale: Decimal) -> Decimal:
    """Turn an end of the ratio's interval into the comparison's; every comparison but the difference follows from the ratio."""
    if comparison.name == "difference":
        return decimal_of(end) * scale
    moved = Operand(baseline.value * decimal_of(end), gpus=value.gpus)
    return decimal_of(float(result_of(comparison, moved, baseline)))


# ---------------------------------------------------------------- marks

_OF_SPEED = frozenset({"unstable", "disturbed"})
"""Marks that say nothing of memory."""


def marks_of(row: TableRow) -> tuple[Note, ...]:
    """Return the notes that mark a row's number: of all rounds where it is a mean of them, else of its run."""
    given = row.get("marks") if row.get("rounds") is not None else row.get("notes")
    found = marking(Note.model_validate(one) for one in json.loads(given)) if given else ()
    known = METRICS.get(row.metric or "")
    speed = known is None or known.kind == "speed"
    found = tuple(note for note in found if concerns(note, row.text("slice") or ""))
    return tuple(note for note in found if speed or note.code not in _OF_SPEED)


def marked_apart(sides: Sequence[TableRow]) -> tuple[Note, ...]:
    """Mark a comparison of rounds of two sessions."""
    apart = len(sides) > 1 and len({row.text("session") for row in sides}) > 1
    return (OTHER_SESSION,) if apart and all(row.get("rounds") is not None for row in sides) else ()


# ---------------------------------------------------------------- caption


def captions(spec: TableSpec, rows: Sequence[TableRow]) -> list[str]:
    """Say of how many processes the numbers of a table are, what their intervals are, and what change they could show."""
    shown = [row for row in rows if over_rounds(spec, row)]
    if not shown:
        return []
    counts = sorted({int(row.get("rounds")) for row in shown})
    many = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    processes = f"the mean over {many} processes" if counts[-1] > 1 else "that of 1 process"
    lines = [f"Speed and memory: each number is {processes} of its latest session; {_interval(counts)}."]
    seen = smallest_changes(shown)
    if seen:
        told = ", ".join(f"{_lowered(metric_named(name).title)} {_share(share)}" for name, share in seen.items())
        lines.append(f"Smallest difference within a session that so many processes can show (90% power): {told}.")
    return lines


def _interval(counts: Sequence[int]) -> str:
    none = f"no interval below {rounds.LEAST} processes"
    if counts[-1] < rounds.LEAST:
        return none
    between = "intervals are Student's 95% between processes, on the log scale"
    return between if counts[0] >= rounds.LEAST else f"{between}; {none}"


def smallest_changes(rows: Sequence[TableRow]) -> dict[str, float]:
    """Return by speed metric the smallest change, as a share, that its rounds can see: where what is compared spreads most."""
    found: dict[str, float] = {}
    speed = [row for row in rows if metric_named(row.metric or "").kind == "speed"]
    for measure, sittings in _sittings(speed).items():
        moved = [one for one in sittings if rounds.spread([each.value for each in one])]
        if moved:
            name = str(measure[_MEASURE.index("metric")])
            change = rounds.smallest_change(rounds.pooled(moved), min(map(len, moved)))
            found[name] = max(change, found.get(name, 0.0))
    return {name: found[name] for name in METRICS if name in found}


def _share(share: float) -> str:
    return f"{share:.1%}" if share <= 1 else "more than 100%"


def _lowered(title: str) -> str:
    return title[0].lower() + title[1:] if title[1:2].islower() else title
