"""Verdicts of a night: over all of its numbers together, twice before anybody is called, and with the nights before."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.comparing.comparison import ComparedNumber
from harness.comparing.evidence import counted, student
from harness.comparing.gate import Gate, Margin
from harness.comparing.verdict import ChangeEstimate
from harness.core.metric import METRICS
from harness.night import judging
from harness.night.acknowledged import AcknowledgedEntry, KnownChange
from harness.night.alarms import with_open
from harness.night.judging import (
    NightFound,
    Suspect,
    confirmed,
    history_margin,
    judged_numbers,
    night_numbers,
    value_of,
    with_history,
)
from harness.night.record import NightNumber, NightRecord
from harness.numbers.nights import NightValue, SeriesWitness
from tests.unit.night.numbers import night, number

GATE = Gate({"speed": Margin(0.05, relative=True)})
DECODE = METRICS["decode_tps"]


def compared(change: float, error: float = 0.005, name: str = "") -> ComparedNumber:
    estimate = ChangeEstimate(change, student(change, error, 40), "rounds", log=True)
    return ComparedNumber(name, DECODE, "higher", (100.0, 100.0 * math.exp(change)), estimate)


def words(*changes: float, unknown: int = 0) -> list[str]:
    return [one.word for one in judged_numbers([compared(change) for change in changes], (), GATE, unknown)]


def test_what_one_number_alone_would_show_is_not_shown_among_many() -> None:
    assert words(-0.019) == ["worse"] or words(-0.019) == ["same"]
    alone, among = words(0.08)[0], words(0.08, *[0.0] * 200)[0]
    assert alone == among == "better", "a great change is seen among any number"
    small = compared(-0.045, 0.0155)
    assert judged_numbers([small], (), GATE)[0].word == "worse"
    assert judged_numbers([small], [compared(0.0)] * 50, GATE)[0].word == "cannot tell"
    assert judged_numbers([small], (), GATE, unknown=50)[0].word == "cannot tell", (
        "what nobody looked at yet counts, too"
    )


def test_an_interval_without_an_end_is_no_verdict_and_says_why() -> None:
    endless = replace(compared(0.0), estimate=ChangeEstimate(0.0, lambda _: (-math.inf, math.inf), "rounds", log=True))
    (one,) = night_numbers([NightFound(endless, "p")], GATE)
    assert (one.word, one.change) == ("missing", None)
    assert one.why.startswith("its interval has no end")


def test_numbers_keep_what_they_are_and_why_there_is_no_verdict() -> None:
    base = ComparedNumber("", DECODE, "higher", (1.0, None), why="new does not have it", weight="missing")
    found = [
        NightFound(compared(-0.2), "p", "s1", {"model": "tiny"}),
        NightFound(base, "p"),
        NightFound(replace(base, why="2 whole blocks", disturbed=True), "p", covers={"gpu": "H200"}),
        NightFound(replace(base, weight="told"), "p"),
    ]
    numbers = night_numbers(found, GATE)
    assert [one.word for one in numbers] == ["worse", "missing", "skipped"]
    assert numbers[0].change == pytest.approx(-0.2)
    assert numbers[0].error == pytest.approx(0.005, rel=0.05)
    assert numbers[0].margin == pytest.approx(math.log(1.05))
    assert (numbers[0].confirmed, numbers[0].covers) == (None, {"model": "tiny"})
    assert numbers[2].why == "another process used the GPU (2 whole blocks)"


def test_what_is_counted_needs_no_second_measurement() -> None:
    size = ComparedNumber("", METRICS["artifact_bytes"], "lower", (100.0, 200.0), counted((100.0, 200.0)))
    (one,) = night_numbers([NightFound(size, "")], GATE)
    assert (one.word, one.confirmed, one.exact, one.error) == ("worse", True, True, 0.0)
    assert one.alarms


def test_nothing_finite_is_made_of_what_is_not() -> None:
    wild = ChangeEstimate(0.1, lambda _: (-math.inf, math.inf), "nothing")
    assert value_of(ComparedNumber("", DECODE, "higher", (1.0, 1.0), wild)) is None
    (one,) = night_numbers([NightFound(ComparedNumber("", DECODE, "higher", (math.nan, 1.0), wild), "p")], GATE)
    assert (one.change, one.a) == (None, None)
    assert one.word == "missing"


@pytest.mark.parametrize("degrees", [5, 40, 1000])
def test_the_error_that_is_kept_is_the_estimates_own_and_not_a_part_of_its_interval(degrees: int) -> None:
    """Half of Student's interval over the quantile of a normal was 1.31 times the error at 5 degrees, and more where looks share the level."""
    made = ChangeEstimate(-0.1, student(-0.1, 0.01, degrees), "rounds", log=True, error=0.01, degrees=degrees)
    value = value_of(replace(compared(0.0), estimate=made))
    assert value == NightValue(-0.1, 0.01, degrees=degrees)
    (one,) = night_numbers([NightFound(replace(compared(0.0), estimate=made), "p")], GATE)
    assert (one.error, one.degrees) == (0.01, degrees)
    again = confirmed(one, NightValue(-0.019, 0.01, degrees=degrees))
    assert again.again is not None
    assert again.again.degrees == degrees
    assert again.confirmed is (degrees > 5), "1.9 errors are beyond a normal's 5 % and within that of 5 degrees"


def test_an_estimate_without_an_error_of_its_own_has_that_of_a_normal_as_wide() -> None:
    wide = ChangeEstimate(0.0, lambda _: (-1.959964, 1.959964), "resampled")
    assert value_of(replace(compared(0.0), estimate=wide)) == NightValue(0.0, pytest.approx(1.0))


def test_only_what_is_worse_again_is_called() -> None:
    worse = number("worse", again=None, confirmed=None)
    good = confirmed(worse, NightValue(-0.1, 0.005))
    assert good.alarms
    assert good.again is not None
    fluke = confirmed(worse, NightValue(0.001, 0.005))
    assert (fluke.confirmed, fluke.alarms) == (False, False)
    late = confirmed(worse, None, why="the budget was used")
    assert (late.word, late.alarms) == ("not reached", False)
    assert "worse at first, and not measured again: the budget was used" in late.why


def quiet(count: int, change: float = 0.0, first: int = 1) -> list[NightRecord]:
    """Nights whose one series differs by half a percent from night to night."""
    draw = random.Random(first)
    return [
        night(number("same", change=change + draw.gauss(0, 0.005), error=0.002), count=first + place)
        for place in range(count)
    ]


def suspected(
    nights: list[NightRecord], change: float, known: Sequence[KnownChange] = ()
) -> tuple[NightNumber, dict[str, Suspect]]:
    tonight = number("same", change=change, error=0.002)
    (one,), suspects = with_history(night(tonight, count=len(nights) + 1), nights, GATE, known)
    return one, suspects


def test_the_nights_before_are_a_second_witness_of_what_got_worse() -> None:
    nights = [*quiet(30), *quiet(2, -0.06, first=31)]
    one, suspects = suspected(nights, -0.062)
    assert (one.nights, one.since) == (33, None), "a suspect is no alarm before it was measured again"
    assert suspects["s1"].since in {30, 31, 32}
    again = confirmed(one, NightValue(-0.061, 0.002), suspects["s1"])
    assert again.since == suspects["s1"].since
    assert again.alarms
    assert again.word == "same", "tonight's rounds alone did not show it"
    fluke = confirmed(one, NightValue(0.06, 0.002), suspects["s1"])
    assert (fluke.since, fluke.alarms) == (None, False)
    late = confirmed(one, None, suspects["s1"], "the budget was used")
    assert late.why == "the nights before suspect it, and not measured again: the budget was used"


def creeping(nights: int, step: float = 0.0, size: float = 0.0) -> list[NightRecord]:
    """Nights of which the first thirty are steady, and each later one is worse by a step more; size: at once."""
    later = [quiet(1, -size - step * (place + 1), first=31 + place)[0] for place in range(nights)]
    return [*quiet(30), *later]


def test_the_history_sees_what_is_less_than_the_gates_margin_and_a_night_alone_never_calls() -> None:
    """A creep to 3 %, and a step of 1.5 %, at a margin of 5 %: the first ones are hidden for ever where the history waits for a margin, too."""
    for nights in (creeping(20, step=0.0015), creeping(9, size=0.015)):
        change = nights[-1].numbers[0].change
        assert change is not None
        one, suspects = suspected(nights, change)
        assert one.word == "same"
        again = confirmed(one, NightValue(change, 0.002), suspects["s1"])
        assert again.alarms
        assert abs(change) < 0.7 * math.log(1.05)


def test_what_is_shown_to_be_less_than_its_part_of_the_margin_is_nothing_to_the_history() -> None:
    assert history_margin(0.05) == pytest.approx(0.005)
    assert history_margin(None) is None
    sharp = [
        night(number("same", change=one.numbers[0].change / 10, error=0.0002), count=one.number)
        for one in creeping(20, size=0.03)
    ]  # type: ignore[operator]
    (one,), suspects = with_history(night(number("same", change=-0.003, error=0.0002), count=51), sharp, GATE)
    assert (suspects, one.since) == ({}, None), "0.3 % is seen at so little noise, and is no tenth of 5 %"


def called_by_history(before: list[NightRecord], since: int = 31) -> list[NightRecord]:
    """Let the last night have called a change for the worse of three percent."""
    last = before[-1]
    worse = last.numbers[0].model_copy(update={"since": since, "halfway": -0.015})
    return [*before[:-1], with_open(last.model_copy(update={"numbers": (worse,)}), None)]


def test_what_the_history_called_stays_called_until_the_newest_nights_are_back() -> None:
    """After months a change is most of what is known of a series, and shows no longer: it is none the better for it."""
    nights = called_by_history(creeping(9, size=0.03))
    for change in (-0.03, 0.0):
        one, suspects = suspected(nights, change)
        assert (one.since, one.alarms, suspects) == (31, True, {}), "one good night is none"
        again = with_open(night(one, count=40), nights[-1])
        assert [(alarm.changed, alarm.halfway) for alarm in again.open] == [(31, -0.015)]
        assert again.closed == ()
    back = [
        *nights,
        *(night(number("same", change=0.0, error=0.002), count=40 + place, open=nights[-1].open) for place in range(3)),
    ]
    one, _ = suspected(back, 0.0)
    assert (one.since, one.alarms) == (None, False)
    assert [alarm.series for alarm in with_open(night(one, count=43), back[-1]).closed] == ["s1"]


def test_a_known_change_ends_what_the_history_called() -> None:
    nights = called_by_history(creeping(9, size=0.03))
    entry = AcknowledgedEntry.model_validate({"metric": "decode_tps", "cause": "x", "since": nights[30].started.date()})
    one, _ = suspected(nights, -0.03, [KnownChange(entry, "a:1")])
    assert (one.since, one.alarms) == (None, False)
    assert one.cause == "x", "and it is not told as mended"
    assert [alarm.cause for alarm in with_open(night(one, count=40), nights[-1]).closed] == ["x"]


def test_a_known_change_of_a_day_to_come_changes_nothing_yet() -> None:
    nights = called_by_history(creeping(9, size=0.03))
    entry = AcknowledgedEntry.model_validate({"metric": "decode_tps", "cause": "x", "since": "2030-01-01"})
    one, _ = suspected(nights, -0.03, [KnownChange(entry, "a:1")])
    assert (one.since, one.alarms, one.nights) == (31, True, len(nights) + 1)


def test_what_got_better_suspects_nothing_and_neither_does_a_constant_series() -> None:
    assert suspected([*quiet(30), *quiet(2, 0.06, first=31)], 0.062)[1] == {}
    constant = [night(number("same", change=0.0, error=0.0), count=count) for count in range(1, 31)]
    one, suspects = suspected(constant, 0.0)
    assert (suspects, one.nights) == ({}, 31)


def test_a_known_change_ends_its_series_and_what_comes_after_is_seen() -> None:
    nights = [*quiet(30), *quiet(2, -0.06, first=31)]
    entry = AcknowledgedEntry.model_validate({"metric": "decode_tps", "cause": "x", "since": nights[30].started.date()})
    one, suspects = suspected(nights, -0.062, [KnownChange(entry, "a:1")])
    assert suspects == {}
    assert one.nights == 3
    known = number("worse", cause="x", since=40)
    assert known.alarms, "it got worse since the change that is known"


def test_a_night_that_measured_twice_keeps_both(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def witnesses(series: dict, **given: object) -> dict:
        seen.update(series)
        return {name: SeriesWitness(False, None, 0.0, 1.0, 0.01, 12) for name in series}

    monkeypatch.setattr(judging, "witnesses", witnesses)
    nights = [
        night(number(), count=4),
        night(number("worse"), count=5),
        night(count=6),
        night(number("skipped"), count=7),
    ]
    (one,), _ = with_history(night(number("same"), count=8), nights, GATE)
    assert [value and (round(value.change, 3), value.times) for value in seen["s1"]] == [
        (-0.001, 1), (-0.099, 2), None, None, (-0.001, 1),
    ]  # fmt: skip
    assert (one.nights, one.nights_needed, one.night_sd) == (3, 12, 0.01)
    assert one.recent == (pytest.approx(-0.099), None, None), "of the last three nights before"


def test_a_new_metric_version_or_gpu_is_another_series_and_an_empty_history_says_nothing() -> None:
    for before in ([night(number("worse", series="other"), count=1)], []):
        (one,), suspects = with_history(night(number("same"), count=2), before, GATE)
        assert (one.nights, one.since, suspects) == (1, None, {})


def test_numbers_without_a_verdict_and_counted_ones_have_no_witness() -> None:
    for one in (number("missing"), number("worse", exact=True)):
        assert with_history(night(one, count=2), [night(one)], GATE) == ([one], {})
