"""Verdicts of a night: over all of its numbers together, twice before anybody is called, and with the nights before."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.comparing.comparison import ComparedNumber
from harness.comparing.evidence import counted, student
from harness.comparing.gate import Gate, Margin
from harness.comparing.verdict import ChangeEstimate
from harness.core.metric import METRICS
from harness.night import judging
from harness.night.judging import NightFound, confirmed, judged_numbers, night_numbers, value_of, with_history
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
    late = confirmed(worse, None, "the budget was used")
    assert (late.word, late.alarms) == ("not reached", False)
    assert "worse at first, and not measured again: the budget was used" in late.why


def witness(change: bool, size: float, since: int | None) -> SeriesWitness:
    return SeriesWitness(change, since, size, 0.001, 0.01, 12)


@pytest.mark.parametrize(("size", "since"), [(-0.03, 5), (0.03, None)])
def test_the_nights_before_are_a_second_witness_of_what_got_worse(
    monkeypatch: pytest.MonkeyPatch, size: float, since: int | None
) -> None:
    seen = {}

    def witnesses(series: dict, **given: object) -> dict:
        seen.update(series)
        return {name: witness(True, size, 1) for name in series}

    monkeypatch.setattr(judging, "witnesses", witnesses)
    nights = [
        night(number(), count=4),
        night(number("worse"), count=5),
        night(count=6),
        night(number("skipped"), count=7),
    ]
    (one,) = with_history([number("same")], nights, GATE, 8)
    assert [value and round(value.change, 3) for value in seen["s1"]] == [-0.001, -0.1, None, None, -0.001]
    assert (one.since, one.nights, one.nights_needed, one.night_sd) == (since, 3, 12, 0.01)
    assert one.alarms == (since is not None)


def test_a_new_metric_version_or_gpu_is_another_series_and_an_empty_history_says_nothing() -> None:
    before = [night(number("worse", series="other"), count=1)]
    (one,) = with_history([number("same")], before, GATE, 2)
    assert (one.nights, one.since) == (1, None)
    (one,) = with_history([number("same")], [], GATE, 1)
    assert (one.nights, one.since) == (1, None)


def test_numbers_without_a_verdict_and_counted_ones_have_no_witness() -> None:
    for one in (number("missing"), number("worse", exact=True)):
        assert with_history([one], [night(one)], GATE, 2) == [one]
