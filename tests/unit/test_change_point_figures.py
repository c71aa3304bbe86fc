"""Figures of change points are what the command writes, and show what was found beside what was marked."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.change_point_figures import FIGURES, RECORDS, figure, figures
from tests.benchmarks.change_points import KINDS
from tests.unit.numbers.test_change_points import MARKS

RUNS = RECORDS / "runs.md"


def test_a_figure_has_a_line_at_each_place_found_and_says_what_was_marked() -> None:
    text = figure(
        "made", [1.0 + 0.01 * (n % 3) for n in range(20)] + [2.0 + 0.01 * (n % 3) for n in range(20)], [20], []
    )
    assert "made: marked 20; found 20" in text
    assert text.count('class="change"') == 1
    assert text.count("<circle") == 40


def test_a_long_series_is_drawn_as_medians_and_a_steady_one_without_a_line() -> None:
    text = figure("long", [1.0] * 1000, [], [5])
    assert "night (medians of 4)" in text
    assert "marked none, perhaps 5; found none" in text
    assert text.count("<circle") == 250
    assert 'class="change"' not in text


def test_the_records_show_every_figure() -> None:
    assert all(f"]({file})" in RUNS.read_text("utf-8") for file in FIGURES.values())


def test_the_record_has_every_marked_series_and_every_kind_of_noise() -> None:
    told = (RECORDS / "change_points.txt").read_text("utf-8")
    assert all(f"\n{name}: " in told for name in MARKS["series"])
    assert all(told.count(f"\n{kind} ") == 2 for kind in KINDS)


def test_the_figures_in_the_records_are_what_the_command_writes(shared_data: Path) -> None:
    for file, text in figures(shared_data).items():
        assert (RECORDS / file).read_text("utf-8") == text, "python -m tests.benchmarks.change_point_figures"
