"""What a night comes to: exit codes, and alarms that stay open until a night says otherwise."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from harness.night.record import exit_code, said_of, with_open, without_folders
from tests.unit.night.numbers import FOUND, night, number

MISSED = (FOUND[0].model_copy(update={"found": False}), FOUND[1])
KNOWN = {"cause": "graphs are off by default"}


@pytest.mark.parametrize(("numbers", "more", "code"), [
    ((number(), number("better"), number("cannot tell")), {}, 0),
    ((), {"unchanged": 3}, 0),
    ((number(), number("worse")), {}, 1),
    ((number("worse", confirmed=False),), {}, 0),
    ((number("worse", **KNOWN),), {}, 0),
    ((number("same", since=3),), {}, 1),
    ((number("worse"), number("missing")), {}, 1),
    ((number(), number("missing")), {}, 3),
    ((number(), number("skipped")), {}, 3),
    ((number(), number("not reached")), {}, 3),
    ((), {}, 3),
    ((number(),), {"canaries": MISSED}, 2),
    ((number("worse"),), {"canaries": MISSED}, 2),
])  # fmt: skip
def test_the_exit_code_says_worse_before_missing_and_a_missed_canary_before_both(
    numbers: tuple, more: dict, code: int
) -> None:
    assert exit_code(night(*numbers, **more)) == code


def test_an_alarm_is_open_until_a_night_judges_the_number_and_does_not_call_it() -> None:
    first = with_open(night(number("worse"), count=1), None)
    assert [one.since for one in first.open] == ["20261128-aaaaaa"]
    again = with_open(night(number("worse"), count=2), first)
    assert [one.since for one in again.open] == ["20261128-aaaaaa"], "it is open since the first night"
    skipped = with_open(night(number("skipped"), count=3), again)
    assert [one.name for one in skipped.open] == ["Decode, tiny int4 ort-genai"]
    assert skipped.closed == ()
    good = with_open(night(number(), count=4), skipped)
    assert good.open == ()
    assert [one.series for one in good.closed] == ["s1"]
    assert with_open(night(number(), count=5), good).closed == ()


def test_a_series_that_began_anew_is_known_by_its_name() -> None:
    """Another baseline was installed, or a GPU replaced: the alarm of before may neither stay for ever nor be told twice."""
    first = with_open(night(number("worse"), count=1), None)
    good = with_open(night(number("same", series="s2"), count=2), first)
    assert (good.open, [one.series for one in good.closed]) == ((), ["s1"])
    again = with_open(night(number("worse", series="s2"), count=2), first)
    assert [(one.series, one.since) for one in again.open] == [("s2", "20261128-aaaaaa")]
    assert again.closed == ()


def test_what_a_whole_night_has_no_word_of_is_open_no_longer_and_else_stays() -> None:
    first = with_open(night(number("worse"), count=1), None)
    other = number("same", series="s2", name="Perplexity")
    closed = with_open(night(other, count=2), first, whole=True).closed
    assert [one.said for one in closed] == [f"{first.open[0].said}; now the same for both, or not measured any more"]
    assert with_open(night(other, count=2), first).open, "of a part of the sweep nobody knows"
    lacking = number("missing", series="", name="tiny int4 ort-genai")
    assert with_open(night(other, lacking, count=2), first, whole=True).open, "what is missing may be it"


def test_a_night_that_missed_a_canary_closes_nothing() -> None:
    first = with_open(night(number("worse"), count=1), None)
    blind = with_open(night(number(), count=2, canaries=MISSED), first, whole=True)
    assert blind.open == first.open
    assert blind.closed == ()


def test_a_change_is_said_with_its_interval_and_what_came_of_the_second_measurement() -> None:
    assert said_of(number("worse")) == "-9.52% [-10.42%, -8.61%], again -9.34%"
    assert said_of(number("worse", log=False, exact=True, again=None, change=3.0)) == "+3"
    assert said_of(number("missing")) == "a reason"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_none_cannot_be_put_on_record(value: float) -> None:
    with pytest.raises(ValidationError, match="not finite"):
        number("same", change=value)


def test_folders_of_the_machine_are_in_no_report() -> None:
    lacking = number(
        "missing", why="/home/ada/bench/results/artifacts/b-1 is gone; see /home/ada/x and /home/ada/bench"
    )
    told = "/home/ada/bench/configs/acknowledged.yaml:4: it counts from 2027 on"
    folders = {"/home/ada/bench/results": "results", "/home/ada/bench": "", "/home/ada": "~"}
    record = without_folders(night(lacking, number(), told=(told,)), folders)
    assert record.numbers[0].why == "results/artifacts/b-1 is gone; see ~/x and ."
    assert record.told == ("configs/acknowledged.yaml:4: it counts from 2027 on",)
    assert record.numbers[1] == number()
    tabled = without_folders(night(tables=("| /home/ada/bench/x.onnx |",)), folders)
    assert tabled.tables == ("| x.onnx |",)
    other = night(told=("/home/adam/x and /home/ada",))
    assert without_folders(other, folders).told == ("/home/adam/x and ~",)
    assert without_folders(other, {"/": "~", "~": "~"}).told == other.told, (
        "of a home folder that is everything, or unknown"
    )
