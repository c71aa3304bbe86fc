"""Rounds of nights before that somebody declared void: they are no history, and no alarm rests on them alone."""

from __future__ import annotations

from typing import Any

from harness.comparing.gate import Gate, Margin
from harness.night.alarms import with_open
from harness.night.judging import with_history
from harness.night.record import NightNumber, NightRecord, Remeasured
from harness.night.void import CountedNights, counted, with_lost
from tests.unit.night.numbers import night, number

VOID = {"s2": "fan"}


def nights(*words: str, **more: Any) -> list[NightRecord]:
    """Nights that each judged a number, each with a session of its own."""
    found = list[NightRecord]()
    for count, word in enumerate(words, 1):
        record = night(number(word, **more), count=count, sessions={"main": f"s{count}"})
        found.append(with_open(record, found[-1] if found else None))
    return found


def test_nights_of_which_nothing_is_void_are_as_they_are() -> None:
    some = nights("same", "worse")
    assert counted(some, {"s9": "fan"}) == CountedNights(tuple(some))
    assert counted([night(number())], {"s1": "fan"}).nights == (night(number()),), "of before sessions were on record"
    assert counted([], VOID) == CountedNights(())


def test_an_alarm_that_void_rounds_alone_called_is_closed_and_told() -> None:
    past = counted(nights("same", "worse", "skipped"), VOID)
    assert [one.open for one in past.nights] == [(), (), ()]
    assert [one.series for one in past.lost] == ["s1"]
    assert past.told == ("the rounds of night 20261129-aaaaaa do not count, they are void: fan",)
    tonight = with_lost(with_open(night(number("cannot tell"), count=4), past.nights[-1]), past.lost)
    assert (tonight.open, [one.said for one in tonight.closed]) == ((), [past.lost[0].said])
    assert past.lost[0].said.endswith("the rounds that showed it are void")
    worse = with_lost(with_open(night(number("worse"), count=4), past.nights[-1]), past.lost)
    assert ([one.since for one in worse.open], worse.closed) == (["20261201-aaaaaa"], ())
    assert counted([*past.nights, tonight], VOID).lost == (), "it is told once"


def test_an_alarm_that_another_night_called_too_stays_open() -> None:
    for words, since in ((("worse", "worse"), "20261128-aaaaaa"), (("same", "worse", "worse"), "20261130-aaaaaa")):
        past = counted(nights(*words), VOID)
        assert ([one.since for one in past.nights[-1].open], past.lost) == ([since], ())


def test_an_alarm_that_void_rounds_closed_is_open_again() -> None:
    recorded = nights("worse", "same", "cannot tell")
    assert recorded[-1].open == ()
    past = counted(recorded, VOID)
    assert [one.since for one in past.nights[-1].open] == ["20261128-aaaaaa"]
    assert counted(nights("worse", "same", "same"), VOID).nights[-1].open == (), "a later night has closed it"


def test_builds_and_quality_of_such_a_night_stay() -> None:
    scored = number("worse", series="q", name="Perplexity", pair="", metric="perplexity")
    record = with_open(night(number(), scored, count=1, sessions={"main": "s2"}), None)
    (one,) = counted([record], VOID).nights
    assert [(each.series, each.word) for each in one.numbers] == [("s1", "missing"), ("q", "worse")]
    assert [each.series for each in one.open] == ["q"]


def drifting(change: float) -> NightNumber:
    return number(change=change, low=change - 0.01, high=change + 0.01)


def test_the_history_has_no_void_night() -> None:
    some = [
        night(drifting(-0.3 if count == 2 else 0.001 * (-1) ** count), count=count, sessions={"main": f"s{count}"})
        for count in range(1, 9)
    ]
    tonight, gate = night(drifting(0.0), count=9), Gate({"speed": Margin(0.05, relative=True)})
    (with_all,), _ = with_history(tonight, some, gate)
    (without,), _ = with_history(tonight, counted(some, VOID).nights, gate)
    assert (with_all.nights, without.nights) == (9, 8)
    assert with_all.night_sd is not None
    assert without.night_sd is not None
    assert without.night_sd < with_all.night_sd


def test_a_second_measurement_that_is_void_confirms_nothing() -> None:
    one = number("worse", confirmed=True, again=Remeasured(change=-0.2, error=0.01, degrees=5))
    there = night(one, count=1, sessions={"main": "s1", "again": "a1"})
    recorded = [with_open(there, None)]
    assert [each.series for each in recorded[-1].open] == ["s1"]
    past = counted(recorded, {"a1": "fan"})
    (left,) = past.nights[-1].numbers
    assert (left.word, left.again, left.confirmed, left.alarms) == ("worse", None, False, False)
    assert ([one.series for one in past.lost], past.nights[-1].open) == (["s1"], ())
    assert past.told == ("what night 20261128-aaaaaa measured again does not count, it is void: fan",)
