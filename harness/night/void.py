"""Nights before whose rounds do not count any more, since somebody declared them void: no history, and no alarm, rests on them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.night.alarms import with_open
from harness.night.record import NightNumber, NightRecord, OpenAlarm


@dataclass(frozen=True)
class CountedNights:
    """The nights before as they count now."""

    nights: tuple[NightRecord, ...]
    lost: tuple[OpenAlarm, ...] = ()
    """Alarms that were open after the last of them, and rest on void rounds alone."""
    told: tuple[str, ...] = ()


def counted(nights: Sequence[NightRecord], void: Mapping[str, str]) -> CountedNights:
    """Take out of the nights before, oldest first, what void rounds gave, and say anew which alarms each night since then left open.

    void: session of rounds to why it is void.
    """
    gone = {night.night: void[night.sessions["main"]] for night in nights if night.sessions.get("main") in void}
    once = {night.night: void[night.sessions["again"]] for night in nights if night.sessions.get("again") in void}
    if not gone and not once:
        return CountedNights(tuple(nights))
    now = tuple(_replayed([_unconfirmed(night) if night.night in once else night for night in nights], gone, once))
    left = {one.series for one in now[-1].open}
    lost = (one for one in nights[-1].open if one.series not in left)
    return CountedNights(
        now,
        tuple(one.model_copy(update={"said": f"{one.said}; the rounds that showed it are void"}) for one in lost),
        (
            *(f"the rounds of night {name} do not count, they are void: {why}" for name, why in gone.items()),
            *(f"what night {name} measured again does not count, it is void: {why}" for name, why in once.items()),
        ),
    )


def _replayed(nights: Sequence[NightRecord], gone: Mapping[str, str], once: Mapping[str, str]) -> Iterator[NightRecord]:
    before: NightRecord | None = None
    is_anew = False
    for night in nights:
        is_anew = is_anew or night.night in gone or night.night in once
        before = with_open(_without(night, gone.get(night.night)), before) if is_anew else night
        yield before


def _unconfirmed(night: NightRecord) -> NightRecord:
    """Take away a second measurement of rounds: what was worse at first is not confirmed, and what the history called is not borne out."""
    return night.model_copy(
        update={
            "numbers": tuple(
                one.model_copy(update={"again": None, "confirmed": False, "since": None, "halfway": None})
                if one.pair and one.again is not None
                else one
                for one in night.numbers
            )
        }
    )


def _without(night: NightRecord, why: str | None) -> NightRecord:
    if why is None:
        return night
    return night.model_copy(
        update={
            "numbers": tuple(_lost(one, why) if one.pair and one.change is not None else one for one in night.numbers)
        }
    )


def _lost(one: NightNumber, why: str) -> NightNumber:
    """Leave of a number what it is: it is missing, which neither opens an alarm nor closes one."""
    kept = {
        name: getattr(one, name) for name in ("series", "name", "pair", "metric", "metric_version", "better", "covers")
    }
    return NightNumber(**kept, word="missing", why=f"its rounds are void: {why}")


def with_lost(record: NightRecord, lost: Sequence[OpenAlarm]) -> NightRecord:
    """Close the alarms that rest on void rounds alone, but for those that this night calls itself."""
    there = {one.series for one in record.open}
    return record.model_copy(update={"closed": (*record.closed, *(one for one in lost if one.series not in there))})
