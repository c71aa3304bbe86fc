"""Change points: what they find on series that are made, how often they find what is not there, and on real series marked by eye before."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from harness.numbers import change_points as change_points_module
from harness.numbers.change_points import LEAST, change_points
from tests.conftest import ROOT

MARKS = json.loads((ROOT / "tests" / "golden" / "change_points.json").read_text("utf-8"))


def noise(seed: int, count: int, kind: str) -> np.ndarray:
    draw = np.random.default_rng([seed, count])
    kinds = {
        "normal": draw.normal(size=count),
        "heavy": draw.standard_t(2, size=count),
        "two speeds": np.where(draw.random(count) < 0.3, 3.0, 0.0) + draw.normal(size=count) * 0.2,
        "outliers": draw.normal(size=count) + np.where(draw.random(count) < 0.05, 15.0, 0.0),
    }
    return kinds[kind]


@pytest.mark.parametrize("kind", ["normal", "heavy", "two speeds", "outliers"])
def test_series_without_a_change_get_a_change_point_no_more_often_than_the_level_says(kind: str) -> None:
    found = sum(bool(change_points(list(100 + noise(seed, 40, kind)))) for seed in range(300))
    assert found <= 9, "P(more than 9 of 300 at 1 %) is 0.1 %"


@pytest.mark.parametrize("kind", ["normal", "heavy", "outliers"])
def test_a_step_of_four_deviations_is_found_where_it_is(kind: str) -> None:
    hits = 0
    for seed in range(50):
        values = 100 + noise(seed, 60, kind)
        values[30:] += 4
        found = change_points(list(values))
        hits += any(abs(one.place - 30) <= 2 for one in found)
    assert hits >= 48


def test_several_steps_are_found_in_order_with_the_levels_beside_them() -> None:
    values = (
        [10.0 + 0.01 * (n % 3) for n in range(20)]
        + [12.0 + 0.01 * (n % 3) for n in range(20)]
        + [9.0 + 0.01 * (n % 3) for n in range(20)]
    )
    found = change_points(values)
    assert [one.place for one in found] == [20, 40]
    assert found[0].before == pytest.approx(10.01)
    assert found[0].after == pytest.approx(12.01)
    assert found[1].change == pytest.approx(9.01 / 12.01 - 1)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [5.0] * 50, [0.0] * 9, [5.0] * 49 + [6.0]])
def test_short_and_constant_series_and_one_odd_value_have_no_change(values: list[float]) -> None:
    assert change_points(values) == []


def test_a_series_of_two_constants_has_one_change_also_from_zero() -> None:
    (found,) = change_points([0.0] * 10 + [1.0] * 10)
    assert (found.place, found.before, found.after, found.change) == (10, 0.0, 1.0, None)


def test_the_same_numbers_give_the_same_places_and_the_unit_does_not_matter() -> None:
    values = 100 + noise(3, 200, "heavy")
    values[120:] += 3
    found = change_points(list(values))
    assert change_points(list(values)) == found
    assert [one.place for one in change_points(list(values * 1000))] == [one.place for one in found]
    assert found


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        change_points([1.0] * 10 + [bad])


def test_of_a_long_series_the_newest_values_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_points_module, "LONGEST", 60)
    values = [3.0] * 40 + [0.0] * 40 + [1.0] * (LEAST + 20)
    assert [one.place for one in change_points(values)] == [80]


@cache
def real(folder: Path) -> dict[str, list[float]]:
    """Read the marked series by name."""
    text = (folder / "results" / "github-action-benchmark" / "data.js").read_text("utf-8")
    suites = json.loads(text[text.index("{") :].rstrip().rstrip(";"))["entries"]
    found = {
        path.stem: [float(one) for one in json.loads(path.read_text("utf-8"))]
        for path in (folder / "series").glob("*.json")
    }
    for suite, nights in suites.items():
        for night in nights:
            for bench in night["benches"]:
                found.setdefault(f"{suite}: {bench['name']}", []).append(float(bench["value"]))
    return {name: found[name] for name in MARKS["series"]}


def agreement(folder: Path) -> list[tuple[str, list[int], list[int], list[int], int]]:
    """Return of each series: its name, what was found, what of `sure` was missed, what was found and not marked, and its length."""
    rows = []
    for name, values in real(folder).items():
        marks, within = MARKS["series"][name], MARKS["within"]
        found = [one.place for one in change_points(values)]
        missed = [mark for mark in marks["sure"] if all(abs(mark - one) > within for one in found)]
        marked = [*marks["sure"], *marks["maybe"]]
        wrong = [one for one in found if all(abs(mark - one) > within for mark in marked)]
        rows.append((name, found, missed, wrong, len(values)))
    return rows


@pytest.mark.slow
def test_points_found_in_real_series_agree_with_those_marked_before(shared_data: Path) -> None:
    """The rule stands beside the marks, which were committed before the code was written."""
    rows = agreement(shared_data)
    assert [(name, missed) for name, _, missed, _, _ in rows if missed] == []
    wrong, points = sum(len(row[3]) for row in rows), sum(row[4] for row in rows)
    assert wrong <= MARKS["most_wrong_per_100"] * points / 100


def test_a_change_is_found_from_the_fifth_value_on_and_to_the_fourth_before_the_end() -> None:
    steady = [10.0 + 0.01 * math.sin(7 * place) for place in range(24)]
    for at in (LEAST, 24 - LEAST):
        moved = [value + (5.0 if place >= at else 0.0) for place, value in enumerate(steady)]
        distances = np.abs(np.subtract.outer(moved, moved))
        assert change_points_module._best(distances)[0] == at
    assert LEAST == 4


def test_a_height_that_every_shuffle_reaches_has_chance_one() -> None:
    distances = np.abs(np.subtract.outer(np.arange(12.0), np.arange(12.0)))
    assert change_points_module._chance(distances, -1.0, np.random.default_rng(1), 0.01) == 1.0
