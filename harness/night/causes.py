"""Which numbers of a night that are worse are known to be: covered by an entry of acknowledged.yaml, and no worse than it says. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.night.acknowledged import KnownChange
from harness.night.record import VERDICTS, NightNumber, NightRecord, change_text, said_of


def with_causes(
    record: NightRecord,
    known: Sequence[KnownChange],
    before: Sequence[NightRecord] = (),
    folder: Sequence[NightRecord] = (),
) -> NightRecord:
    """Give numbers that are worse the cause that is known of them; what is worse by more than that and the margin has none.

    What is known of a number is what the entry writes; else its change in the first night since the entry's day in which it was worse. Also tells what was
    beyond, and which entries were never seen. before: the nights before of the same sweep and sides, oldest first; folder: all nights at hand.
    """
    here = [change for change in known if change.entry.since <= record.started.date()]
    told: list[str] = []
    numbers = [_caused(one, here, before, told) if one.is_worse else one for one in record.numbers]
    mine = {record.night, *(night.night for night in before)}
    others = [night for night in folder if night.night not in mine]
    told += _told(record, known, [*before, *others])
    return record.model_copy(update={"numbers": tuple(numbers), "told": tuple(dict.fromkeys((*record.told, *told)))})


def _caused(
    one: NightNumber, known: Sequence[KnownChange], before: Sequence[NightRecord], told: list[str]
) -> NightNumber:
    fitting = [(change, _edge(change, known, one, before)) for change in known if change.fits(one)]
    cause = next((change.entry.cause for change, edge in fitting if not _is_beyond(one, edge)), "")
    if not cause:
        told += [
            f"{change.place}: {one.name} ({said_of(one)}) is worse than what is known of it, with the margin {change_text(one, edge)}; it is called"
            for change, edge in fitting[:1]
            if edge is not None
        ]
    return one.model_copy(update={"cause": cause})


def _way(one: NightNumber) -> int:
    """Return 1 where more is better, else -1."""
    return 1 if one.better == "higher" else -1


def _is_beyond(one: NightNumber, edge: float | None) -> bool:
    """Say whether both measurements are worse than an edge: the whole interval of the first, and the second."""
    if edge is None:
        return False
    near = one.high if one.better == "higher" else one.low
    values = [one.change if near is None else near, one.again.change if one.again else None]
    return all(_way(one) * value < _way(one) * edge for value in values if value is not None)


def _edge(
    change: KnownChange, known: Sequence[KnownChange], one: NightNumber, before: Sequence[NightRecord]
) -> float | None:
    """Return the change up to which a number is known, on its scale: what is known and the margin. None: tonight is the first."""
    size = change.written(one)
    if size is None:
        first = _first(change, known, one, before)
        if first is None or first.change is None:
            return None
        moved = one.against and first.against != one.against  # what was known is what it is held against now
        size = 0.0 if moved else first.change
        if one.margin is None and not (one.exact or moved):
            far = first.low if one.better == "higher" else first.high
            return size if far is None else far
    return size - _way(one) * (one.margin or 0.0)


def _first(
    change: KnownChange, known: Sequence[KnownChange], one: NightNumber, before: Sequence[NightRecord]
) -> NightNumber | None:
    """Find a number as it was in the first night of a known change: by its series, and where that began anew by its name."""
    others = {each.entry.cause for each in known if each is not change} - {change.entry.cause}
    nights = [night for night in before if night.started.date() >= change.entry.since]
    there = [each for night in nights for each in night.numbers if each.is_worse and each.cause not in others]
    same = [each for each in there if each.series == one.series]
    named = [each for each in there if (each.name, each.metric_version) == (one.name, one.metric_version)]
    return next(iter(same or named), None)


def _told(record: NightRecord, known: Sequence[KnownChange], nights: Sequence[NightRecord]) -> Iterator[str]:
    """Say which entries nothing was seen of. A night of a part, or one that lacks numbers, says nothing of what it did not see."""
    night = record.started.date()
    is_part = bool(record.only or record.where) or not all(one.metric for one in record.numbers)
    ever = [one for each in nights for one in each.numbers]
    for change in known:
        entry = change.entry
        if entry.since > night:
            yield f"{change.place}: it counts from {entry.since} on, which is after this night"
            continue
        covered = [one for one in record.numbers if change.fits(one)]
        seen = [one for one in ever if change.fits(one)]
        if is_part or any(one.is_worse for one in (*covered, *seen)):
            continue
        if not covered and not seen:
            yield f"{change.place}: it covers nothing here: no number is a {entry.metric} as it says"
        elif covered and all(one.word in VERDICTS for one in covered):
            yield f"{change.place}: this change of {entry.metric} is not seen in {len(covered)} numbers that it covers ({entry.cause}); remove it"
