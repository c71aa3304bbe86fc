"""What storing costs and by how much launches differ, by their sums; a head that is not the model's; floors that cannot be told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError, Unsupported
from harness.heads.opening import OpenHead, open_head
from harness.probes import floors
from harness.probes.windows import Span
from tests.unit.probes.hidden_scores import HIDDEN, HiddenScores

IDS = np.random.default_rng(3).integers(0, 256, 200)
SPANS = [Span(0, 80, 0, 80), Span(60, 160, 80, 160), Span(100, 200, 160, 200)]


def head_of(session: HiddenScores, folder: Path) -> OpenHead:
    folder.mkdir()
    session.save_head(folder)
    return open_head(folder)


def divergence(one: Any, other: Any) -> Any:
    """KL of rows of logits, in float64."""
    a, b = (rows - np.logaddexp.reduce(rows, axis=1, keepdims=True) for rows in map(np.float64, (one, other)))
    return (np.exp(a) * (a - b)).sum(axis=1)


def test_the_head_of_the_model_passes_and_another_is_told_by_its_divergence(tmp_path: Path) -> None:
    session, other = HiddenScores(), HiddenScores(noise=0.1)
    assert 0 <= floors.check_head(session, head_of(session, tmp_path / "own"), IDS.tolist()) < 1e-9
    with pytest.raises(Unsupported, match=r"gives other logits than the model \(KL \d\.\de-\d\d\)"):
        floors.check_head(session, head_of(other, tmp_path / "other"), IDS.tolist())


def test_how_far_a_head_stands_from_the_model_is_two_standard_errors_above_the_mean(tmp_path: Path) -> None:
    session = HiddenScores()
    session.wrong = 3e-5
    head, last = head_of(session, tmp_path / "head"), range(len(IDS) - 64, len(IDS))
    found = divergence(head.logits(session.seen(IDS, last)), session.rows(IDS, last))
    wanted = found.mean() + 2 * found.std() / 8
    assert 1e-11 < found.mean() < 1e-8
    assert floors.check_head(session, head, IDS.tolist()) == pytest.approx(wanted, rel=1e-2)


def test_a_head_of_another_width_is_refused_with_both(tmp_path: Path) -> None:
    session, narrow = HiddenScores(), HiddenScores()
    narrow.head = narrow.head[:250]
    with pytest.raises(Unsupported, match="the head on its own gives 250 logits, and the model 258"):
        floors.check_head(session, head_of(narrow, tmp_path / "head"), IDS.tolist())


def test_a_head_is_checked_at_the_end_of_a_window_and_on_one_that_is_short(tmp_path: Path) -> None:
    session = HiddenScores()
    head = head_of(session, tmp_path / "head")
    floors.check_head(session, head, IDS[:3].tolist())
    session.broken_at = 0  # not among the last 64 of 200
    floors.check_head(session, head, IDS.tolist())
    session.broken_at = len(IDS) - 1
    with pytest.raises(Unsupported, match="KL nan"):
        floors.check_head(session, head, IDS.tolist())


@pytest.mark.parametrize("count", [1, 64, 150])
def test_storage_is_the_divergence_of_each_row_through_the_head(tmp_path: Path, count: int) -> None:
    session = HiddenScores()
    raw = np.random.default_rng(1).standard_normal((count, HIDDEN)).astype(np.float32)
    kept = raw.astype(np.float16)
    kept[0] += np.float16(0.25)
    found = floors.storage(head_of(session, tmp_path / "head"), raw, kept)
    wanted = divergence(raw @ session.head.T, kept.astype(np.float32) @ session.head.T)
    assert found.shape == (count,)
    assert found.dtype == np.float64
    assert found == pytest.approx(wanted, rel=1e-3, abs=1e-9)


def test_without_fresh_processes_there_is_no_floor_and_nothing_to_say() -> None:
    assert floors.self_noise(HiddenScores(), None, IDS, SPANS) == (None, 0, ())


def test_self_noise_is_the_largest_divergence_of_two_launches_either_way_told_first() -> None:
    session = HiddenScores()
    others = [HiddenScores(noise=noise) for noise in (0.01, 0.05, 0.2)]
    asked: list[tuple[list[int], list[int]]] = []
    launches = iter(others)

    def fresh(ids: Any, places: Any) -> Any:
        asked.append((list(ids), list(places)))
        return next(launches).rows(ids, places)

    noise, count, notes = floors.self_noise(session, fresh, IDS, SPANS)
    assert asked == [(IDS[60:160].tolist(), list(range(36, 100)))] * floors.LAUNCHES
    rows = [one.rows(*asked[0]) for one in (session, *others)]
    wanted = max(divergence(rows[a], rows[b]).mean() for a in range(4) for b in range(a + 1, 4))
    assert noise == pytest.approx(wanted, rel=1e-6)
    assert (count, notes) == (3, ())


def test_launches_that_agree_have_a_floor_of_zero_on_a_short_window_too() -> None:
    session = HiddenScores()
    noise, count, _ = floors.self_noise(session, session.rows, IDS[:5], [Span(0, 5, 0, 5)])
    assert noise == pytest.approx(0.0, abs=1e-12)
    assert noise is not None
    assert noise >= 0.0
    assert count == floors.LAUNCHES


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
@pytest.mark.parametrize("which", [0, 2])
def test_a_launch_that_gives_no_numbers_is_told_and_is_no_floor_of_zero(bad: float, which: int) -> None:
    session, count = HiddenScores(), iter(range(3))

    def fresh(ids: Any, places: Any) -> Any:
        rows = session.rows(ids, places)
        rows[3, 5] = bad if next(count) == which else rows[3, 5]
        return rows

    noise, launches, (note,) = floors.self_noise(session, fresh, IDS, SPANS)
    assert (noise, launches, note.code) == (None, 0, "no-self-noise")
    assert note.text.endswith("was not measured: a launch gave log-probabilities that are not finite")


def test_a_process_that_fails_is_told_in_its_own_words() -> None:
    def fresh(ids: Any, places: Any) -> Any:
        raise HarnessError("out of memory")

    noise, launches, (note,) = floors.self_noise(HiddenScores(), fresh, IDS, SPANS)
    assert (noise, launches, note.code) == (None, 0, "no-self-noise")
    assert note.text == "by how much launches differ was not measured: out of memory"


@pytest.mark.parametrize(("positions", "most"), [(1, 6.25e-12), (3_600, 2.25e-8), (160_000, 1e-6), (10**9, 1e-6)])
def test_storing_may_cost_less_where_few_positions_are_averaged(positions: int, most: float) -> None:
    assert floors.most_storage(positions) == pytest.approx(most)
    assert floors.float_type(most * 0.99, positions) == "float16"
    assert floors.float_type(most * 1.01, positions) == "float32"


def test_what_float16_costs_is_that_of_rows_spread_over_all(tmp_path: Path) -> None:
    session = HiddenScores()
    raw = session.seen(IDS, range(len(IDS)))
    head = head_of(session, tmp_path / "head")
    whole = floors.storage(head, raw, raw.astype(np.float16).astype(np.float32)).mean()
    assert floors.float16_cost(head, raw) == pytest.approx(whole, rel=0.3)
    assert floors.float16_cost(head, raw * np.float32(1e6)) == math.inf


def test_neighbours_in_float32_are_almost_the_same_also_where_a_token_is_ruled_out() -> None:
    rows = HiddenScores().rows(IDS[:9], range(9))
    rows[4, 7] = -np.inf
    found = floors.rounding(rows)
    assert found.shape == (9,)
    assert (found > 0).all()
    assert (found < 1e-11).all()
