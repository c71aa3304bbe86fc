"""Known changes keep numbers from being called as far as they are known, and are told where nothing of them is seen."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.night.acknowledged import FILE
from harness.night.alarms import with_open
from harness.night.causes import with_causes
from harness.night.record import NightNumber, NightRecord, Remeasured, exit_code
from tests.unit.night.numbers import START, known, night, number

GOOD = (
    "- {metric: decode_tps, covers: {model: tiny, method: int4}, cause: graphs are off by default, since: 2026-11-01}\n"
)
EVERYWHERE = "- {metric: decode_tps, cause: a link, since: 2026-11-28}\n"


def slower(share: float, half: float = 0.01, **more: Any) -> NightNumber:
    """A number that was worse twice, by a share of the baseline's."""
    change = math.log1p(share)
    low, high = change - half, change + half
    return number("worse", change=change, low=low, high=high, again=Remeasured(change=change, error=0.005), **more)


def larger(share: float, **more: Any) -> NightNumber:
    """A counted number of which less is better."""
    change = math.log1p(share)
    told: dict[str, Any] = {"metric": "artifact_bytes", "better": "lower", "exact": True, "pair": "", "margin": 0.00995}
    return number("worse", change=change, low=change, high=change, again=None, **{**told, **more})


def replayed(text: str, folder: Path, *nights: tuple[NightNumber, ...]) -> list[NightRecord]:
    """Let nights follow one another with the same file."""
    some, found = known(folder, text), list[NightRecord]()
    for count, numbers in enumerate(nights, 1):
        record = with_causes(night(*numbers, count=count), some, found, found)
        found.append(with_open(record, found[-1] if found else None))
    return found


def test_a_known_change_is_not_called_and_keeps_its_cause(tmp_path: Path) -> None:
    record = with_causes(night(number("worse")), known(tmp_path, GOOD))
    assert [one.cause for one in record.numbers] == ["graphs are off by default"]
    assert record.told == ()
    assert exit_code(record) == 0


@pytest.mark.parametrize(("first", "then", "is_called"), [
    (slower(-0.06), slower(-0.6), True), (slower(-0.06), slower(-0.065), False), (slower(-0.06), slower(-0.12, 0.03), False),
    (slower(-0.06), slower(-0.03), False), (slower(-0.06), slower(-0.13), True), (slower(-0.06, margin=None), slower(-0.09, margin=None), True),
    (slower(-0.06, margin=None), slower(-0.065, margin=None), False),
    (larger(0.02), larger(3.0), True), (larger(0.02), larger(0.025), False), (larger(0.02), larger(0.04), True),
    (larger(0.02), larger(0.01), False), (larger(0.02, margin=None), larger(0.0200001, margin=None), True),
])  # fmt: skip
def test_what_is_worse_than_what_is_known_is_called(
    tmp_path: Path, first: NightNumber, then: NightNumber, *, is_called: bool
) -> None:
    """An acknowledgement is of a change of some size, and hides no other."""
    text = EVERYWHERE.replace("decode_tps", first.metric)
    one, two = replayed(text, tmp_path, (first,), (then,))
    assert (one.numbers[0].cause, exit_code(one), one.open) == ("a link", 0, ())
    assert [exit_code(two), bool(two.open), bool(two.alarms)] == [int(is_called), is_called, is_called]
    assert [("acknowledged.yaml:1: " in line, "it is called" in line) for line in two.told] == [
        (True, True)
    ] * is_called
    assert exit_code(replayed(text, tmp_path, (first,), (then,), (then,))[-1]) == int(is_called), (
        "nor is it known the next night"
    )


def test_a_second_measurement_that_is_no_worse_than_what_is_known_calls_nobody(tmp_path: Path) -> None:
    then = slower(-0.6).model_copy(update={"again": Remeasured(change=math.log(0.94), error=0.005)})
    assert exit_code(replayed(EVERYWHERE, tmp_path, (slower(-0.06),), (then,))[-1]) == 0


def test_a_night_that_called_it_before_the_entry_was_written_says_how_much_is_known(tmp_path: Path) -> None:
    """Yesterday -6 % was called, somebody acknowledged it from yesterday on, and tonight it is -60 %."""
    called = with_open(night(slower(-0.06), count=1), None)
    record = with_causes(night(slower(-0.6), count=2), known(tmp_path, EVERYWHERE), [called])
    assert record.alarms
    same = with_causes(night(slower(-0.06), count=2), known(tmp_path, EVERYWHERE), [called])
    assert with_open(same, called).open == ()


def test_what_an_entry_says_counts_from_the_first_night_on(tmp_path: Path) -> None:
    text = EVERYWHERE.replace("cause", "change: -6 %, cause")
    for share, is_called in ((-0.6, True), (-0.07, False)):
        (record,) = replayed(text, tmp_path, (slower(share),))
        assert bool(record.alarms) == is_called


def test_a_further_change_is_acknowledged_by_a_further_entry(tmp_path: Path) -> None:
    further = EVERYWHERE + EVERYWHERE.replace("a link", "another").replace("-28", "-29")
    nights = replayed(EVERYWHERE, tmp_path, (slower(-0.06),), (slower(-0.2),))
    some = known(tmp_path, further)
    third = with_causes(night(slower(-0.2), count=3), some, nights)
    assert [one.cause for one in third.numbers] == ["another"]
    assert with_causes(night(slower(-0.5), count=4), some, [*nights, third]).alarms
    assert [one.cause for one in with_causes(night(slower(-0.06), count=4), some, [*nights, third]).numbers] == [
        "a link"
    ]


def test_a_series_that_began_anew_is_known_by_its_name_but_not_by_another_definition(tmp_path: Path) -> None:
    first = (slower(-0.06),)
    assert replayed(EVERYWHERE, tmp_path, first, (slower(-0.6, series="s2"),))[-1].alarms
    assert not replayed(EVERYWHERE, tmp_path, first, (slower(-0.6, series="s2", metric_version=2),))[-1].alarms


def test_files_that_changed_once_and_were_acknowledged_are_the_new_measure(tmp_path: Path) -> None:
    """What the baseline is held against moved with the acknowledgement: another change beside it is new."""
    told: dict[str, Any] = {
        "metric": "perplexity",
        "better": "lower",
        "series": "before w perplexity",
        "pair": "",
        "log": False,
        "margin": 0.06,
    }
    first = number("worse", change=0.5, low=0.4, high=0.6, again=None, against="n1", **told)
    text = EVERYWHERE.replace("decode_tps", "perplexity")
    for against, is_called in (("n1", False), ("n2", True)):
        later = first.model_copy(update={"against": against, "name": against})
        assert bool(replayed(text, tmp_path, (first,), (later,))[-1].alarms) == is_called


@pytest.mark.parametrize("more", [{"metric": "prefill_tps"}, {"covers": {"model": "tiny", "method": "int8"}}])
def test_it_covers_nothing_else_which_is_told_without_advice(tmp_path: Path, more: dict) -> None:
    record = with_causes(night(number("worse", **more)), known(tmp_path, GOOD))
    assert record.alarms
    assert record.told == (f"{tmp_path / FILE}:1: it covers nothing here: no number is a decode_tps as it says",)


LACKING = number("not reached", series="", metric="", covers={}, why="the budget of 10 s was used before")
OTHER = number("same", metric="prefill_tps")


@pytest.mark.parametrize(("numbers", "more"), [
    ((LACKING,), {}), ((OTHER, LACKING), {}), ((OTHER,), {"only": {"method": ("int8",)}}), ((OTHER,), {"where": {"metric": ("prefill_tps",)}}),
    ((number("same"), LACKING), {}), ((number("same"),), {"only": {"batch": ("1",)}}),
])  # fmt: skip
def test_a_night_that_did_not_look_everywhere_tells_of_no_entry(
    tmp_path: Path, numbers: tuple[NightNumber, ...], more: dict[str, Any]
) -> None:
    assert with_causes(night(*numbers, **more), known(tmp_path, GOOD)).told == ()


def test_what_another_night_of_the_folder_saw_is_no_mistake(tmp_path: Path) -> None:
    """An entry for another sweep of the workspace stands in the same file."""
    some = known(tmp_path, GOOD)
    for seen, numbers in ((number("same"), (OTHER,)), (number("worse"), (number("same"),))):
        other = night(seen, count=1, sweep="other")
        assert with_causes(night(*numbers, count=2), some, [], [other]).told == ()


def test_one_that_never_happened_is_told_where_every_number_was_judged(tmp_path: Path) -> None:
    some = known(tmp_path, GOOD)
    told = f"{tmp_path / FILE}:1: this change of decode_tps is not seen in 1 numbers that it covers (graphs are off by default); remove it"
    assert with_causes(night(number("same")), some).told == (told,)
    assert with_causes(night(number("skipped")), some).told == (), "nobody looked"
    assert with_causes(night(number("same"), count=2), some, [night(number("worse"))]).told == (), "it has happened"


def test_one_of_a_later_day_does_not_count_yet(tmp_path: Path) -> None:
    day = START + timedelta(days=20)
    record = with_causes(night(number("worse")), known(tmp_path, GOOD.replace("2026-11-01", f"{day:%Y-%m-%d}")))
    assert record.alarms
    assert "after this night" in record.told[0]
