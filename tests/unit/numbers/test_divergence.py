from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.numbers.divergence import checked, distances, holds

DRAW = np.random.default_rng(4)


def logits(width: int, noise: float, rows: int = 12) -> tuple[Any, Any, Any]:
    """Logits of both sides in float32, and KL and mean |log ratio| of what they are, in float64."""
    one = (3 * DRAW.standard_normal((rows, width)) + 15).astype(np.float32)
    other = (one + noise * DRAW.standard_normal((rows, width)) - 4).astype(np.float32)
    a, b = (
        x.astype(np.float64) - np.logaddexp.reduce(x.astype(np.float64), axis=1, keepdims=True) for x in (one, other)
    )
    return one, other, np.stack([(np.exp(a) * (a - b)).sum(axis=1), (np.exp(a) * np.abs(a - b)).sum(axis=1)])


@pytest.mark.parametrize("width", [7, 300, 1024, 5121, 12_000, 128_256])
@pytest.mark.parametrize("noise", [1.0, 0.05])
def test_float32_by_segments_is_the_textbook_sum(width: int, noise: float) -> None:
    one, other, (kl, ratio) = logits(width, noise)
    found, wide = distances(one, other), distances(one, other, wide=True)
    np.testing.assert_allclose(found.kl, kl, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.abs_log_ratio, ratio, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(wide.kl, kl, rtol=1e-9, atol=1e-12)
    ranked = [np.argsort(-rows, axis=1, kind="stable")[:, :5] for rows in (one, other)]
    shared = [len(set(a) & set(b)) for a, b in zip(*ranked, strict=True)]
    assert found.top5.tolist() == wide.top5.tolist() == shared
    assert found.agrees.tolist() == (ranked[0][:, 0] == ranked[1][:, 0]).astype(int).tolist()
    top = np.exp(one.astype(np.float64) - np.logaddexp.reduce(one.astype(np.float64), axis=1, keepdims=True)).max(
        axis=1
    )
    np.testing.assert_allclose(found.confidence, top, rtol=1e-5)


def test_equal_rows_are_not_apart() -> None:
    one, _, _ = logits(50_000, 0)
    found = distances(one, one.copy())
    assert np.abs(found.kl).max() < 1e-9
    assert (found.top5 == 5).all()
    assert found.agrees.all()


def test_what_is_ruled_out_says_nothing_and_what_is_missing_is_infinite() -> None:
    one, other, _ = logits(3000, 0.1, rows=3)
    one[:2, 5] = other[0, 5] = other[2, int(one[2].argmax())] = -np.inf
    found, wide = distances(one, other), distances(one, other, wide=True)
    assert np.isfinite(found.kl[:2]).all()
    np.testing.assert_allclose(found.kl[:2], wide.kl[:2], rtol=1e-4, atol=1e-6)
    assert found.kl[2] == np.inf
    other[1, 3] = np.nan
    assert not np.isfinite(distances(one, other).kl[1])


def test_a_sample_in_float64_tells_where_float32_does_not_do() -> None:
    one, other, _ = logits(2000, 0.2)
    found = distances(one, other)
    pairs = checked(found, one, other, np.asarray([0, 7]))
    assert pairs.shape == (2, 2)
    assert holds(pairs)
    assert holds(np.empty((0, 2)))
    pairs[0, 0] += 1e-3
    assert not holds(pairs)


@pytest.mark.parametrize("width", [5, 700, 140_000])
def test_the_candidates_normalizer_turns_its_logits_into_log_probabilities(width: int) -> None:
    one, other, _ = logits(width, 0.3, rows=3)
    wanted = np.logaddexp.reduce(other.astype(np.float64), axis=1)
    np.testing.assert_allclose(distances(one, other).normalizer, wanted, atol=1e-6)
    np.testing.assert_allclose(distances(one, other, wide=True).normalizer, wanted, atol=1e-12)
