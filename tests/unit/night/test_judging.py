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
from harness.night.judging import NightFound, Suspect, confirmed, judged_numbers, night_numbers, value_of, with_history
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
    (one,), suspects = with_history([tonight], nights, GATE, len(nights) + 1, known)
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
    fluke = confirmed(one, NightValue(0.0, 0.002), suspects["s1"])
    assert (fluke.since, fluke.alarms) == (None, False)
    late = confirmed(one, None, suspects["s1"], "the budget was used")
    assert late.why == "the nights before suspect it, and not measured again: the budget was used"


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
    (one,), _ = with_history([number("same")], nights, GATE, 8)
    assert [value and (round(value.change, 3), value.times) for value in seen["s1"]] == [
        (-0.001, 1), (-0.099, 2), None, None, (-0.001, 1),
    ]  # fmt: skip
    assert (one.nights, one.nights_needed, one.night_sd) == (3, 12, 0.01)
    assert one.recent == (pytest.approx(-0.099), None, None), "of the last three nights before"


def test_a_new_metric_version_or_gpu_is_another_series_and_an_empty_history_says_nothing() -> None:
    for before in ([night(number("worse", series="other"), count=1)], []):
        (one,), suspects = with_history([number("same")], before, GATE, 2)
        assert (one.nights, one.since, suspects) == (1, None, {})


def test_numbers_without_a_verdict_and_counted_ones_have_no_witness() -> None:
    for one in (number("missing"), number("worse", exact=True)):
        assert with_history([one], [night(one)], GATE, 2) == ([one], {})
