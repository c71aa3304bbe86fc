"""Which change is noise, and what caused it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from harness.core.metric import Direction
from harness.pages.changes import compare_tables
from harness.pages.difference import moved
from harness.pages.history import Sessions
from harness.pages.noise import (
    SAME,
    CellInterval,
    ChangeVerdict,
    Evidence,
    between_sessions,
    causes,
    interval,
    noise,
    way,
)
from harness.tables.compare import COMPARISONS, better_way
from harness.tables.result import Cell, CellTrace
from harness.tables.rows import TableRow
from tests.unit.pages.old_page import OLD, rendered


@pytest.mark.parametrize(
    ("new", "verdict"), [((103, 100, 106), "inside"), ((105, 102, 108), "inside"), ((106, 103, 109), "outside")]
)
def test_noise_is_the_root_of_the_sum_of_squares_of_the_half_widths(new: tuple[int, ...], verdict: str) -> None:
    old = CellInterval(Decimal(100), Decimal(96), Decimal(104))
    assert noise(old, CellInterval(*(Decimal(value) for value in new))) == verdict
    assert noise(old, None) == noise(None, old) == "unknown"


@pytest.mark.parametrize(("new", "verdict"), [(104, "inside"), (120, "outside"), (83, "outside")])
def test_a_mean_over_rounds_is_judged_by_the_spread_between_sessions(new: int, verdict: str) -> None:
    old, now = (Cell("x", trace=CellTrace("decode_tps", "value", "", "raw", (), Decimal(one))) for one in (100, new))
    known = (100.0, 103.0, 98.0, 101.0)
    assert between_sessions(old, now, Sessions((known,), log=True)) == (verdict, "")
    assert between_sessions(old, now, Sessions((known[:2],), log=True)) == ("unknown", "3 of 5 sessions")


def test_an_interval_is_that_of_the_arithmetic_behind_a_cell() -> None:
    low, value, high = Decimal("1.5"), Decimal("1.6"), Decimal("1.8")
    trace = CellTrace("decode_tps", "value", "", "raw", (), value, low=low, high=high)
    assert interval(Cell("1.6x", trace=trace)) == CellInterval(value, low, high)
    assert interval(Cell("1.6x", trace=replace(trace, low=None))) is None
    assert interval(Cell("oom")) is None


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("2,000", "2,100.5", "+100.5 (+5.0%)"), ("2.00x", "1.90x", "-0.10 (-5.0%)"), ("50.0%", "51.0%", "+1.0 points (+2.0%)"),
        ("0", "3", "+3 (from zero)"), ("oom", "3", "-"), ("1.0 ± 0.1", "1.0 ± 0.2", "0 (+0.0%)"),
    ],
)  # fmt: skip
def test_a_change_is_told_absolutely_and_as_a_share(old: str, new: str, text: str) -> None:
    one = "| A | B |\n|---|---|\n| x | {} |\n"
    (change,) = compare_tables(one.format(old), rendered(one.format(new), 1)).changes
    assert moved(change) == text


def test_another_job_is_not_the_same_measured_again() -> None:
    old, new = (
        Evidence(runs={run: TableRow({"run": run, "origin": "measured", "gpu": "X", "job_key": key})})
        for run, key in (("old", "a"), ("new", "b"))
    )
    assert causes(old, new, ["old"], ["new"]) == ["what was asked (settings, program, text or model)"]


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("measured", "measured again in the same environment"),
        ("reported", "the published number was edited"),
        ("imported", "the imported file changed"),
    ],
)
def test_a_number_whose_surroundings_stay_says_by_its_origin_how_it_changed(origin: str, said: str) -> None:
    old, new = (Evidence(runs={run: TableRow({"run": run, "origin": origin, "gpu": "X"})}) for run in ("old", "new"))
    assert causes(old, new, ["old"], ["new"]) == [said]
    assert causes(old, old, ["old"], ["old"]) == [SAME]


def test_only_runs_that_are_others_now_are_told_of() -> None:
    shared = TableRow({"run": "same", "origin": "measured"})
    old = Evidence(runs={"same": shared, "old": TableRow({"run": "old", "origin": "reported"})})
    new = Evidence(runs={"same": shared, "new": TableRow({"run": "new", "origin": "reported"})})
    assert causes(old, new, ["old", "same"], ["new", "same"]) == ["the published number was edited"]


@pytest.mark.parametrize(
    ("better", "new", "said"),
    [("higher", "2,100", "better"), ("higher", "1,900", "worse"), ("lower", "2,100", "worse"), ("none", "1", "")],
)
def test_the_direction_of_a_metric_says_what_is_worse(better: Direction, new: str, said: str) -> None:
    (change,) = compare_tables(OLD, rendered(OLD.replace("**2,000**", new))).changes
    assert way(change, Cell("x", better=better)) == said
    assert str(ChangeVerdict("outside", way(change, Cell("x", better=better)))) == "beyond noise" + (
        said and f", {said}"
    )


def test_comparisons_that_grow_where_the_metric_shrinks_turn_its_direction() -> None:
    assert [better_way(name, "lower") for name in COMPARISONS] == [
        "lower", "lower", "lower", "higher", "lower", "higher", "lower", "lower", "lower", "higher",
    ]  # fmt: skip
    assert list(COMPARISONS)[3] == "inverse_ratio"
