"""Alarms stay open until a night that was asked for them, and could see, does not call them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.night.alarms import with_open
from harness.night.record import NightNumber, NightRecord, exit_code
from tests.unit.night.numbers import FOUND, night, number

MISSED = (FOUND[0].model_copy(update={"found": False}), FOUND[1])
SKIPPED = (FOUND[0].model_copy(update={"found": False, "skipped": True}), FOUND[1])


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


@pytest.mark.parametrize(("numbers", "is_open"), [
    ((number("cannot tell"),), True), ((number("worse", confirmed=False),), True), ((number("better"),), False),
    ((number("worse", cause="a link"),), False), ((number("worse", cause="a link", confirmed=False),), True),
    ((number("cannot tell", series="s2"),), True), ((number(series="s2"), number("cannot tell", series="s3")), True),
    ((number(), number("cannot tell", series="s3")), False),
    ((number("cannot tell", margin=None),), True), ((number("cannot tell", margin=None, change=0.0),), False),
    ((number("cannot tell", margin=None, change=0.01),), False), ((number("cannot tell", margin=None, change=0.01, better="lower"),), True),
])  # fmt: skip
def test_only_the_same_the_better_and_the_acknowledged_close_an_alarm(
    numbers: tuple[NightNumber, ...], *, is_open: bool
) -> None:
    """What a night cannot tell may be as bad as ever, and neither is a night good of which the half was worse."""
    first = with_open(night(number("worse"), count=1), None)
    second = with_open(night(*numbers, count=2), first)
    assert (bool(second.open), bool(second.closed)) == (is_open, not is_open)
    assert exit_code(second) == (3 if is_open else 0)
    assert [one.cause for one in second.closed] == [numbers[0].cause for _ in second.closed]
    assert with_open(night(number(), count=3), second).open == ()


def test_a_series_that_began_anew_is_known_by_its_name() -> None:
    """Another baseline was installed, or a GPU replaced: the alarm of before may neither stay for ever nor be told twice."""
    first = with_open(night(number("worse"), count=1), None)
    good = with_open(night(number("same", series="s2"), count=2), first)
    assert (good.open, [one.series for one in good.closed]) == ((), ["s1"])
    again = with_open(night(number("worse", series="s2"), count=2), first)
    assert [(one.series, one.since) for one in again.open] == [("s2", "20261128-aaaaaa")]
    assert again.closed == ()


OTHER = number("same", series="s2", name="Perplexity", pair="", metric="perplexity")
COVERS = {"model": "tiny", "method": "int4", "engine": "ort-genai", "batch": "1"}


def is_gone(
    alarm: NightNumber, asked: dict[str, Any], *more: NightNumber, called: dict[str, Any] | None = None
) -> bool:
    """Say whether a night that was narrowed, and has no word of an alarm's number, closes the alarm."""
    first = with_open(night(alarm, count=1, **(called or {})), None)
    second = with_open(night(OTHER, *more, count=2, **asked), first)
    assert bool(second.open) != bool(second.closed)
    return not second.open


def test_what_a_whole_night_has_no_word_of_is_open_no_longer_and_says_so() -> None:
    first = with_open(night(number("worse"), count=1), None)
    closed = with_open(night(OTHER, count=2), first).closed
    assert [one.said for one in closed] == [f"{first.open[0].said}; now the same for both, or not measured any more"]


def test_what_is_missing_may_be_it_and_keeps_it_open_and_what_is_another_does_not() -> None:
    alarm = number("worse", covers=COVERS)
    for lacking in (
        number("missing", series="", name="tiny int4 ort-genai", metric=""),
        number("skipped", series="s9"),
        number(
            "missing",
            series="",
            name="tiny int4 ort-genai perplexity",
            pair="tiny int4 ort-genai perplexity",
            metric="",
        ),
    ):
        assert not is_gone(alarm, {}, lacking)
    assert is_gone(
        alarm, {}, number("missing", series="", name="tiny fp32 ort-genai", pair="tiny fp32 ort-genai", metric="")
    )


@pytest.mark.parametrize(("asked", "gone"), [
    ({"only": {"method": ("int4", "int8")}}, True),
    ({"only": {"method": ("int8",)}}, False),
    ({"only": {"model": ("tiny",)}, "where": {"metric": ("decode_tps",)}}, True),
    ({"where": {"metric": ("ttft",)}}, False),
    ({"where": {"batch": ("1",)}}, True),
    ({"where": {"gpu": ("",)}}, True),
    ({"where": {"gpu": ("H200",)}}, False),
    ({"only": {"kind": ("speed",)}}, True),
    ({"only": {"depth": ("7",)}}, False),
])  # fmt: skip
def test_a_night_of_a_part_closes_what_that_part_covers(asked: dict[str, Any], *, gone: bool) -> None:
    assert is_gone(number("worse", covers=COVERS), asked) is gone


def test_where_narrows_speed_alone() -> None:
    loss = number("worse", name="Perplexity, tiny int8", pair="", metric="perplexity", covers=COVERS)
    assert is_gone(loss, {"where": {"metric": ("decode_tps",)}})
    assert not is_gone(loss, {"only": {"kind": ("speed",)}})


def test_a_night_of_the_same_part_as_the_one_that_called_it_closes_it_whatever_it_is_narrowed_by() -> None:
    part = {"only": {"depth": ("7",)}}
    assert is_gone(number("worse"), part, called=part)
    assert not is_gone(number("worse"), {"only": {"depth": ("8",)}}, called=part)


def test_an_alarm_of_a_record_that_kept_less_waits_for_a_night_that_misses_nothing() -> None:
    first = with_open(night(number("worse"), count=1), None)
    bare = first.model_copy(
        update={"open": tuple(one.model_copy(update={"metric": "", "covers": {}}) for one in first.open)}
    )
    lacking = number("missing", series="", name="x", pair="x", metric="")
    assert with_open(night(OTHER, lacking, count=2), bare).open
    assert with_open(night(OTHER, count=2, only={"method": ("int4",)}), bare).open
    assert not with_open(night(OTHER, count=2), bare).open


@pytest.mark.parametrize("canaries", [MISSED, SKIPPED])
def test_a_night_that_did_not_find_its_canary_closes_nothing(canaries: tuple) -> None:
    first = with_open(night(number("worse"), count=1), None)
    blind = with_open(night(number(), count=2, canaries=canaries), first)
    assert blind.open == first.open
    assert blind.closed == ()


def test_a_canary_that_was_missed_stays_unproved_until_a_night_finds_it() -> None:
    missed = with_open(night(number(), count=1, canaries=MISSED), None)
    assert missed.unproved == {"speed": "20261128-aaaaaa"}
    skipped = with_open(night(number(), count=2, canaries=SKIPPED), missed)
    assert skipped.unproved == missed.unproved, "nobody has proved the gate since"
    quality = with_open(night(number(), count=3, canaries=FOUND[1:], only={"kind": ("quality",)}), skipped)
    assert quality.unproved == missed.unproved, "a night of quality alone proves nothing of speed"
    again = with_open(night(number(), count=4, canaries=MISSED), quality)
    assert again.unproved == {"speed": "20261201-aaaaaa"}
    assert with_open(night(number(), count=5), again).unproved == {}


def test_what_a_whole_night_has_no_canary_of_is_not_measured_any_more() -> None:
    missed = with_open(night(number(), count=1, canaries=MISSED), None)
    assert with_open(night(OTHER, count=2, canaries=FOUND[1:]), missed).unproved == {}
    lacking = number("missing", series="", name="x", pair="x", metric="")
    assert with_open(night(OTHER, lacking, count=2, canaries=FOUND[1:]), missed).unproved == missed.unproved


def test_a_record_that_did_not_keep_what_is_unproved_says_it_by_its_canaries() -> None:
    text = night(number(), count=1, canaries=MISSED).model_dump_json(exclude={"unproved"})
    before = NightRecord.model_validate_json(text)
    assert before.unproved == {}
    assert with_open(night(number(), count=2, canaries=SKIPPED), before).unproved == {"speed": "20261128-aaaaaa"}


def test_an_alarm_of_the_history_whose_series_began_anew_is_not_told_as_mended() -> None:
    first = with_open(night(number(since=2, halfway=-0.02), count=4), None)
    anew = with_open(night(number(series="s2"), count=5), first)
    told = "; its series began anew, and the nights before say nothing of it"
    assert [one.said for one in anew.closed] == [f"{first.open[0].said}{told}"]
    assert [one.said for one in with_open(night(number(), count=5), first).closed] == [first.open[0].said]
