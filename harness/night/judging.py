"""From compared numbers to what a night says of each: verdicts over all of them together, and what must be measured again. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.comparing.comparison import ComparedNumber, judged_together
from harness.comparing.gate import Gate
from harness.comparing.text import title
from harness.comparing.verdict import ChangeEstimate, Judged, limits
from harness.core.metric import METRICS
from harness.night.acknowledged import KnownChange
from harness.night.record import NightNumber, NightRecord, NightWord, Remeasured
from harness.numbers.night_series import LEAST
from harness.numbers.nights import NightEvidence, NightValue, SeriesWitness, is_confirmed, joined, witnesses

CREEPS = 10
"""The history calls what is worse by this part of the gate's margin: so many of them, one after another, make a margin, and a comparison within a
night calls none of them before the last."""
_NORMAL_95 = 1.959964
RECENT = 3
"""Nights before whose changes are shown beside tonight's, and must be back with it before a change is over."""
UNKNOWN = ComparedNumber(
    "", METRICS["decode_tps"], "higher", (1.0, 1.0), ChangeEstimate(0.0, lambda _: (-math.inf, math.inf), "nothing")
)
"""Stands for a number of which nothing is known yet: it counts among those over which verdicts are adjusted."""


@dataclass(frozen=True)
class NightFound:
    """A compared number, and what it is."""

    number: ComparedNumber
    pair: str
    """Whose rounds it is of; empty for builds and quality."""
    series: str = ""
    covers: Mapping[str, str] = field(default_factory=dict)
    against: str = ""
    """Night against which the baseline itself is held."""


def judged_numbers(
    found: Sequence[ComparedNumber], others: Sequence[ComparedNumber], gate: Gate, unknown: int = 0
) -> list[Judged]:
    """Judge numbers as members of a family with others, some of which are unknown yet; those without an estimate take no part."""
    good = [one for one in (*found, *others) if one.estimate is not None]
    result = judged_together(("", ""), [*good, *[UNKNOWN] * unknown], gate)
    return [judged for _, judged, _ in result.judged][: sum(one.estimate is not None for one in found)]


def value_of(one: ComparedNumber) -> NightValue | None:
    """Return a number's change and its standard error; None where there is no estimate, or its interval has no end.

    Where the interval is not made from an error (resampled, or counted answers), the error is that of a normal as wide.
    """
    found = one.estimate
    if found is None:
        return None
    low, high = found.bounds(0.05)
    error = (high - low) / 2 / _NORMAL_95 if found.error is None else found.error
    value = NightValue(found.value, 0.0 if found.exact else error, degrees=found.degrees)
    return value if all(map(math.isfinite, (value.change, value.error, low, high))) else None


def history_margin(margin: float | None) -> float | None:
    """Return the least change that matters to the nights before."""
    return None if margin is None else margin / CREEPS


def margin_of(one: ComparedNumber, gate: Gate) -> float | None:
    """Return the margin on the scale of a number's change."""
    return limits(gate.margin(one.metric), one.estimate, one.values[0] or 0.0) if one.estimate is not None else None


def night_numbers(found: Sequence[NightFound], gate: Gate) -> list[NightNumber]:
    """Judge all numbers of a night together."""
    verdicts = iter(judged_numbers([one.number for one in found], (), gate))
    return [
        _number(one, next(verdicts) if one.number.estimate is not None else None, gate)
        for one in found
        if _counts(one.number)
    ]


def _counts(one: ComparedNumber) -> bool:
    return one.estimate is not None or one.weight == "missing" or one.disturbed


def _number(found: NightFound, judged: Judged | None, gate: Gate) -> NightNumber:
    one, value = found.number, value_of(found.number)
    word: NightWord = "skipped" if one.disturbed else "missing"
    head = NightNumber(
        series=found.series or f"{found.pair} {one.metric.name} {one.name}", name=title(one), pair=found.pair, metric=one.metric.name, better=one.better,
        metric_version=one.metric.version, covers=dict(found.covers), against=found.against, a=_finite(one.values[0]), b=_finite(one.values[1]), word=word,
        why=why_of(one, found.covers) or "its interval has no end: too few rounds or items for one",
    )  # fmt: skip
    if judged is None or one.estimate is None or value is None:
        return head
    low, high = judged.interval
    return head.model_copy(
        update={
            "word": judged.word, "why": "", "log": one.estimate.log, "low": low, "high": high, **_kept(value),
            "p": judged.p, "margin": margin_of(one, gate), "exact": one.estimate.exact, "how": one.estimate.how,
            "confirmed": True if judged.word == "worse" and one.estimate.exact else None,
        }
    )  # fmt: skip


def _kept(value: NightValue) -> dict[str, float | None]:
    """Say of a change what a record keeps."""
    degrees = None if math.isinf(value.degrees) else value.degrees
    return {"change": value.change, "error": value.error, "degrees": degrees}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def why_of(one: ComparedNumber, covers: Mapping[str, str]) -> str:
    """Say why a number has no verdict."""
    if one.disturbed:
        return f"another process used the {'GPU' if covers.get('gpu') else 'machine'} ({one.why})"
    return one.why


@dataclass(frozen=True)
class Suspect:
    """What the nights before say of a number: a candidate, to be measured again."""

    since: int
    """Number of the night at which it most likely got worse."""
    halfway: float
    """Half way of the change, on the scale of the number's change."""
    evidence: NightEvidence


def confirmed(one: NightNumber, again: NightValue | None, suspect: Suspect | None = None, why: str = "") -> NightNumber:
    """Hold a second measurement against the first, and against the nights before where these suspect it; why: there is none."""
    if again is None:
        first_said = "worse at first" if one.word == "worse" else "the nights before suspect it"
        return one.model_copy(update={"word": "not reached", "why": f"{first_said}, and not measured again: {why}"})
    first = _measured(one)
    found: dict[str, object] = {"again": Remeasured.model_validate(_kept(again))}
    if one.word == "worse":
        found["confirmed"] = is_confirmed(first, again, margin=one.margin)
    least = history_margin(one.margin)
    if suspect is not None and is_confirmed(first, again, margin=least, evidence=suspect.evidence):
        found |= {"since": suspect.since, "halfway": suspect.halfway}
    return one.model_copy(update=found)


def with_history(
    tonight: NightRecord, nights: Sequence[NightRecord], gate: Gate, known: Sequence[KnownChange] = ()
) -> tuple[list[NightNumber], dict[str, Suspect]]:
    """Let the nights before say what they know: how noisy a series is, how many nights are enough, and, by series, what got worse.

    What they called stays called until its newest nights are back: a change that has become old shows less and less, and is none the better for it.
    known: a known change ends its series, which begins anew on the day that it says, once that day is there.
    """
    numbers = tonight.numbers
    here = [change for change in known if change.entry.since <= tonight.started.date()]
    kept = {
        one.series: one
        for one in numbers
        if one.change is not None and one.error is not None and not one.exact and not one.against
    }
    there = [(night, {one.series: one for one in night.numbers}) for night in nights]
    lines, orders = dict[str, list[NightValue | None]](), dict[str, list[int]]()
    for series, one in kept.items():
        begin = max((change.entry.since for change in here if change.fits(one)), default=None)
        some = [(night, found.get(series)) for night, found in there if begin is None or night.started.date() >= begin]
        lines[series] = [*(_value(other) for _, other in some), _value(one)]
        orders[series] = [*(night.number for night, _ in some), tonight.number]
    said = witnesses(
        lines, margin={name: history_margin(one.margin) for name, one in kept.items()}, false_alarms=gate.false_alarms, power=gate.power,
        groups={name: one.metric for name, one in kept.items()},
    )  # fmt: skip
    found = [_told(one, said[one.series], lines[one.series]) if one.series in said else one for one in numbers]
    held = _held(nights, lines, orders, kept)
    found = [one.model_copy(update=held.get(one.series, {})) for one in found]
    found = [_acknowledged(one, nights, orders, here) for one in found]
    suspects = {
        name: Suspect(orders[name][witness.since], witness.evidence.level + witness.size / 2, witness.evidence)
        for name, witness in said.items()
        if witness.is_change
        and name not in held
        and witness.since is not None
        and witness.evidence is not None
        and _is_worse(kept[name], witness.size)
    }
    return found, suspects


def _held(
    nights: Sequence[NightRecord],
    lines: Mapping[str, Sequence[NightValue | None]],
    orders: Mapping[str, Sequence[int]],
    kept: Mapping[str, NightNumber],
) -> dict[str, dict[str, float | None]]:
    """Say which alarms of the history are as they were, by series. A series that began anew since, as by a known change, holds none."""
    found = dict[str, dict[str, float | None]]()
    for alarm in nights[-1].open if nights else ():
        if alarm.halfway is None or alarm.changed is None or alarm.series not in kept:
            continue
        there = [
            (number, value) for number, value in zip(orders[alarm.series], lines[alarm.series], strict=True) if value
        ]
        before = sum(number < alarm.changed for number, _ in there)
        way = 1 if kept[alarm.series].better == "higher" else -1
        if before >= LEAST and any(way * (value.change - alarm.halfway) <= 0 for _, value in there[-1 - RECENT :]):
            found[alarm.series] = {"since": alarm.changed, "halfway": alarm.halfway}
    return found


def _acknowledged(
    one: NightNumber, nights: Sequence[NightRecord], orders: Mapping[str, Sequence[int]], known: Sequence[KnownChange]
) -> NightNumber:
    """Give a number of which the history called a change its cause, where a known change ended the series from which that was seen."""
    alarm = next((alarm for alarm in nights[-1].open if alarm.series == one.series), None) if nights else None
    if alarm is None or alarm.changed is None or one.series not in orders:
        return one
    there = sum(
        night.number < alarm.changed and any(alarm.series == other.series for other in night.numbers)
        for night in nights
    )
    if there < LEAST or sum(number < alarm.changed for number in orders[one.series]) >= LEAST:
        return one
    causes = (change for change in known if change.fits(one))
    latest = max(causes, key=lambda change: change.entry.since, default=None)
    return one if latest is None else one.model_copy(update={"cause": latest.entry.cause})


def _told(one: NightNumber, witness: SeriesWitness, line: Sequence[NightValue | None]) -> NightNumber:
    counted = sum(value is not None for value in line)
    recent = tuple(value and value.change for value in line[-1 - RECENT : -1])
    return one.model_copy(
        update={
            "nights": counted,
            "recent": recent,
            "night_sd": witness.night_sd,
            "nights_needed": witness.nights_needed,
        }
    )


def _is_worse(one: NightNumber, size: float) -> bool:
    return one.better != "none" and (size < 0) == (one.better == "higher")


def _value(one: NightNumber | None) -> NightValue | None:
    """Return what a night keeps of a number: of one that was measured twice both."""
    if one is None or one.change is None or one.error is None:
        return None
    first = _measured(one)
    return joined(first, _measured(one.again)) if one.again else first


def _measured(one: NightNumber | Remeasured) -> NightValue:
    return NightValue(one.change or 0.0, one.error or 0.0, degrees=one.degrees or math.inf)
