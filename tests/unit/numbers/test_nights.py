"""A number over nights as a witness: what is a change, since when, by how much, and what is none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from harness.numbers.nights import ALONE, NightValue, SeriesWitness, is_confirmed, nights_needed, witnesses

SD = 0.005
GATE = {"false_alarms": 0.01, "power": 0.8}


def night(change: float, error: float = SD) -> NightValue:
    return NightValue(change, error)


def noise(seed: int, count: int, series: int = 1) -> np.ndarray:
    return SD * np.random.default_rng([seed, count]).normal(size=(series, count))


def nights(values: Sequence[float], error: float = SD) -> list[NightValue | None]:
    return [None if value is None else night(float(value), error) for value in values]


def fleet(values: np.ndarray) -> dict[str, list[NightValue | None]]:
    return {f"series {row}": nights(one) for row, one in enumerate(values)}


def judged(series: Mapping[str, Sequence[NightValue | None]], margin: float | None = None) -> dict[str, SeriesWitness]:
    return witnesses(series, margin=dict.fromkeys(series, margin), **GATE)


def one(values: Sequence[float], error: float = SD, margin: float | None = None) -> SeriesWitness:
    return judged({"x": nights(values, error)}, margin)["x"]


def is_shown(found: SeriesWitness) -> bool:
    """Say whether a candidate is shown at the gate's rate by what was measured once."""
    return found.is_change and found.p <= GATE["false_alarms"]


def test_a_step_is_a_change_since_the_night_it_came_and_of_its_size() -> None:
    values = noise(1, 50)[0]
    values[44:] += 0.03
    found = one(values)
    assert found.is_change
    assert found.since == 44
    assert found.size == pytest.approx(0.03, abs=0.006)
    assert found.p < 1e-6
    assert one(-values).size == pytest.approx(-found.size)


def test_a_step_of_six_deviations_is_found_in_its_second_night_and_a_single_odd_night_hardly_tells() -> None:
    hits, odd = 0, 1.0
    for seed in range(40):
        values = noise(seed, 52)[0]
        values[50:] += 6 * SD
        hits += is_shown(one(values))
        odd = min(odd, one([*noise(seed, 51)[0], 40 * SD]).p)
    assert hits >= 38
    assert odd > 1e-5, "of what 40 deviations would be in a night that did not stand alone"


def test_steady_series_are_candidates_no_more_often_than_the_looser_rate_and_hardly_any_is_confirmed() -> None:
    candidates = pages = 0
    for seed in range(60):
        values = noise(seed, 60, 20)
        series = fleet(values)
        again = SD * np.random.default_rng([seed, 1]).normal(size=20)
        for row, (name, found) in enumerate(judged(series).items()):
            candidates += found.is_change
            tonight = series[name][-1]
            assert tonight is not None
            pages += found.is_change and is_confirmed(
                tonight, night(float(again[row])), margin=None, evidence=found.evidence
            )
    assert 0 < candidates <= 1.5 * ALONE * 60 * 20
    assert pages <= 3, "P(more than 3) is 0.3 % at 1 % a night"


def test_drift_that_all_series_share_is_no_change_and_a_step_of_one_is_found_beside_it() -> None:
    values = noise(2, 60, 40) + np.linspace(0.0, 0.2, 60) + 0.05 * (np.arange(60) >= 40)
    values[5, 54:] -= 0.02
    changed = {name for name, found in judged(fleet(values)).items() if is_shown(found)}
    assert changed == {"series 5"}


def test_a_series_that_creeps_is_found() -> None:
    values = noise(3, 80, 30)
    values[4, 30:] += 0.0006 * np.arange(50)
    found = judged(fleet(values))
    assert [name for name, each in found.items() if is_shown(each)] == ["series 4"]
    assert found["series 4"].size > 0.01


def test_a_change_within_the_margin_is_none() -> None:
    values = noise(4, 60)[0]
    values[40:] += 0.02
    assert one(values, margin=0.02).is_change
    assert not one(values, margin=0.05).is_change


def test_constant_series_that_are_counted_change_when_they_do_and_stay_changed() -> None:
    steady = [5.0] * 6
    assert not one(steady, 0.0).is_change
    assert one(steady, 0.0).night_sd == 0.0
    assert one(steady, 0.0).nights_needed == 2
    found = one([*steady, 5.5], 0.0)
    assert (found.is_change, found.since, found.size, found.p) == (True, 6, 0.5, 0.0)
    assert one([*steady, 5.5, 5.5], 0.0).since == 6
    assert not one([*steady, 5.5], 0.0, margin=0.5).is_change
    assert not one([5.0], 0.0).is_change


def test_a_constant_series_with_noise_within_nights_is_held_against_that() -> None:
    assert not one([0.0] * 40).is_change
    assert not one([*[0.0] * 40, SD, SD]).is_change
    assert one([*[0.0] * 40, *[10 * SD] * 3]).is_change


@pytest.mark.parametrize("broken", [None, math.nan, math.inf])
def test_what_was_not_measured_tonight_says_nothing_and_gaps_before_are_left_out(broken: float | None) -> None:
    values: list[float] = list(noise(5, 50)[0])
    values[46:] = [value + 0.03 for value in values[46:]]
    told = nights(values)
    missing = None if broken is None else night(broken)
    silent = judged({"x": [*told, missing]})["x"]
    assert (silent.is_change, silent.since, silent.p) == (False, None, 1.0)
    gaps = [*told[:20], missing, *told[20:48], missing, *told[48:]]
    found = judged({"x": gaps})["x"]
    assert (found.is_change, found.since) == (True, 47)


def test_a_broken_probe_of_one_series_leaves_the_others_as_they_were() -> None:
    values = noise(6, 50, 10)
    values[3, 46:] += 0.03
    series = fleet(values)
    series["series 7"][10:] = [night(math.nan)] * 40
    found = judged(series)
    assert found["series 3"].is_change
    assert not found["series 7"].is_change


@pytest.mark.parametrize("values", [[], [0.1], [0.1, 0.2], [0.1, 0.2, 0.3], [0.1, 0.1, 9.0]])
def test_short_and_empty_histories_are_no_change(values: list[float]) -> None:
    found = one(values)
    assert not found.is_change
    assert (found.night_sd is None) == (len(values) < 3)
    assert found.nights_needed is not None
    assert found.nights_needed > 3


def test_no_series_and_nights_without_any_number_are_nothing() -> None:
    assert judged({}) == {}
    assert not judged({"x": [None, None], "y": []})["x"].is_change


def test_a_series_that_begins_anew_is_held_against_nothing_older() -> None:
    """As after an acknowledged change, a new GPU or a new definition: the caller hands over another series."""
    values = noise(7, 60)[0]
    values[40:] += 0.03
    assert one(values).is_change
    assert not one(values[40:]).is_change


def test_series_of_unlike_length_stand_side_by_side_from_tonight_back() -> None:
    values = noise(8, 60, 12) + np.linspace(0.0, 0.3, 60)
    series = fleet(values)
    series["series 2"] = series["series 2"][25:]
    series["series 4"] = nights([*values[4, 25:57], *(values[4, 57:] + 0.03)])
    found = judged(series)
    assert [name for name, each in found.items() if is_shown(each)] == ["series 4"]
    assert found["series 4"].since == 32


def test_the_more_series_a_night_has_the_more_a_change_must_show() -> None:
    values = noise(9, 50, 200)
    values[0, 47:] += 3.2 * SD
    alone, among = one(values[0]), judged(fleet(values))["series 0"]
    assert alone.p < among.p / 20


def test_the_same_nights_give_the_same_witness() -> None:
    values = noise(10, 40, 10)
    values[1, 36:] += 0.03
    assert judged(fleet(values)) == judged(fleet(values))


# ---------------------------------------------------------------- how many nights


def test_nights_needed_grow_with_noise_and_fall_with_the_margin() -> None:
    counts = [nights_needed(sd, 0.01, false_alarms=3e-5, power=0.8) for sd in (0.0, 0.001, 0.003, 0.005, 0.01, 0.02)]
    assert counts == sorted(set(counts))
    assert counts[0] == 2
    assert nights_needed(SD, 0.03, false_alarms=3e-5, power=0.8) < nights_needed(SD, 0.01, false_alarms=3e-5, power=0.8)
    assert nights_needed(SD, 0.01, false_alarms=3e-5, power=0.95) > nights_needed(
        SD, 0.01, false_alarms=3e-5, power=0.8
    )
    assert nights_needed(SD, 0.01, false_alarms=1e-3, power=0.8) < nights_needed(SD, 0.01, false_alarms=3e-5, power=0.8)


def test_after_so_many_nights_a_step_of_the_margin_is_shown_with_the_power() -> None:
    """The count is of the best window; one series, at the level of a candidate."""
    count = nights_needed(SD, 0.01, false_alarms=ALONE, power=0.8)
    assert 4 < count < 30
    hits = 0
    for seed in range(200):
        values = noise(seed, count)[0]
        values[-(count // 2) :] += 0.01
        hits += one(values).is_change
    assert hits >= 0.65 * 200


def test_a_margin_that_nothing_shows_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        nights_needed(SD, 0.0, false_alarms=0.01, power=0.8)
    with pytest.raises(ValueError, match="no 4095 nights"):
        nights_needed(1.0, 1e-4, false_alarms=0.01, power=0.8)


@pytest.mark.parametrize(("margin", "noise"), [(0.0, 0.02), (0.05, 40.0)])
def test_a_margin_of_nothing_and_nights_that_no_number_of_them_tells_apart_end_no_night(
    margin: float, noise: float
) -> None:
    nights = [NightValue(noise * (-1) ** place, noise) for place in range(9)]
    found = witnesses({"a": nights}, margin={"a": margin}, false_alarms=0.01, power=0.8)["a"]
    assert not found.is_change
    assert (found.nights_needed is None) == (margin > 0)


def test_a_witness_tells_what_nights_differ_by_and_how_many_it_needs() -> None:
    found = one(noise(11, 60)[0], margin=0.03)
    assert found.night_sd == pytest.approx(SD, rel=0.3)
    assert found.nights_needed == pytest.approx(
        nights_needed(found.night_sd or 0, 0.03, false_alarms=0.01, power=0.8), abs=1
    )
