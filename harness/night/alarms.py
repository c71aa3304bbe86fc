"""Alarms stay open from night to night, until one of them says otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.night.acknowledged import COVERS
from harness.night.record import VERDICTS, NightNumber, NightRecord, OpenAlarm, judged_of, said_of


def with_open(record: NightRecord, before: NightRecord | None) -> NightRecord:
    """Say which alarms are open after a night, and which canaries stand as missed: those of tonight, and those of before that tonight could not judge.

    What is the same again or better closes an alarm, and so does a cause that is acknowledged; "cannot tell", and worse at first and not again, do not.
    A number whose series began anew, as after another baseline was installed or a GPU replaced, is known by its name. A night that did not find
    its canaries closes nothing, and what it missed stays unproved until a night finds it. What a night was asked for and has no word of is the same for
    both, or not measured any more.
    """
    known = {one.series: one for one in before.open} if before else {}
    since = {one.name: one.since for one in known.values()} | {one.series: one.since for one in known.values()}
    found = {one.series: _opened(one, record, since) for one in record.alarms}
    called = {one.name for one in found.values()}
    judged = record.of(*VERDICTS)
    there = {one.series for one in judged}
    left = [
        one for one in known.values() if one.series not in found and (one.series in there or one.name not in called)
    ]
    closing = {one.series: judged_of(one, judged) for one in left} if record.is_proved else {}
    over = [one for one in left if (mine := closing.get(one.series)) and all(map(_closes, mine))]
    gone = [one for one in left if closing.get(one.series) == [] and _is_gone(one, record)]
    closed = (*(_ended(one, closing[one.series]) for one in over), *_no_longer(gone))
    kept = [one for one in left if one not in over and one not in gone]
    now = (*found.values(), *kept)
    return record.model_copy(update={"open": now, "closed": closed, "unproved": _unproved(record, before)})


def _unproved(record: NightRecord, before: NightRecord | None) -> dict[str, str]:
    """Name the kinds of canary of which the gate stands as broken, and the night that missed each last.

    What a whole night that misses nothing has no canary of is not measured any more.
    """
    missed: dict[str, str] = {one.kind: record.night for one in record.canaries if one.is_missed}
    if before is None:
        return missed
    old: dict[str, str] = {
        one.kind: before.night for one in before.canaries if one.is_missed
    }  # of a record that kept less
    here: dict[str, bool] = {one.kind: one.found for one in record.canaries}
    is_whole = not record.only and len(record.of(*VERDICTS)) == len(record.numbers)
    left = {kind: night for kind, night in {**old, **before.unproved}.items() if not here.get(kind, is_whole)}
    return {**left, **missed}


def _closes(one: NightNumber) -> bool:
    """Say whether a verdict ends an alarm of its number."""
    if one.word == "cannot tell" and one.margin is None and one.change is not None:
        return one.change == 0 or (one.change > 0) == (one.better == "higher")  # nobody said what would be the same
    return one.word in {"same", "better"} or bool(one.is_worse and one.cause)


def _opened(one: NightNumber, record: NightRecord, since: Mapping[str, str]) -> OpenAlarm:
    first = since.get(one.series) or since.get(one.name) or record.night
    return OpenAlarm(
        series=one.series, name=one.name, said=said_of(one), since=first, pair=one.pair, metric=one.metric, covers=one.covers,
        only=record.only, where=record.where, changed=one.since, halfway=one.halfway,
    )  # fmt: skip


def _ended(alarm: OpenAlarm, judged: Sequence[NightNumber]) -> OpenAlarm:
    """Close an alarm by the verdicts of its number; of one that the history called a new series tells nothing."""
    cause = next((one.cause for one in judged if one.cause), "")
    is_anew = alarm.changed is not None and all(one.series != alarm.series for one in judged)
    said = f"{alarm.said}; its series began anew, and the nights before say nothing of it" if is_anew else alarm.said
    return alarm.model_copy(update={"cause": cause, "said": said})


def _no_longer(gone: Sequence[OpenAlarm]) -> Iterator[OpenAlarm]:
    for one in gone:
        yield one.model_copy(update={"said": f"{one.said}; now the same for both, or not measured any more"})


def _is_gone(alarm: OpenAlarm, record: NightRecord) -> bool:
    """Say whether a night that has no verdict of an alarm's number was asked for it, and misses nothing that may be it."""
    is_asked = (alarm.only, alarm.where) == (record.only, record.where) or _is_covered(alarm, record)
    return is_asked and not any(_may_be(one, alarm) for one in record.numbers if one.word not in VERDICTS)


def _is_covered(alarm: OpenAlarm, record: NightRecord) -> bool:
    """Say whether an alarm's number lies in the part of the sweep that a night was narrowed to; `where` narrows speed alone."""
    where = record.where if alarm.pair or not alarm.metric else {}
    conditions = [*record.only.items(), *where.items()]
    return all(_value(alarm, name) in values for name, values in conditions)


def _value(alarm: OpenAlarm, name: str) -> str | None:
    """Return what an alarm's number has of a dimension; None where that is not known."""
    known = {"metric": alarm.metric, "kind": "speed" if alarm.pair else "quality"} if alarm.metric else {}
    if name in known:
        return known[name]
    return alarm.covers.get(name, "") if alarm.covers and name in COVERS else None


def _may_be(lacking: NightNumber, alarm: OpenAlarm) -> bool:
    """Say whether a number without a verdict may be the one that is open: its own, its pair, or what is called as it is."""
    if not alarm.metric:  # of a record that kept less
        return True
    called = " ".join(filter(None, (alarm.covers.get(name) for name in ("model", "method", "engine"))))
    return (
        lacking.series == alarm.series
        or lacking.name == alarm.name
        or (lacking.pair or lacking.name).startswith(called)
    )
