"""Intervals by document: what they cover on skewed documents, which nobody made easy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.numbers import documents

DRAWS = 300


def corpus(seed: int = 7, size: int = 5000) -> np.ndarray:
    """Documents of lognormal length whose mean score is lognormal and grows with length: [documents, (nll, other, count)]."""
    draw = np.random.default_rng(seed)
    counts = np.ceil(draw.lognormal(4.0, 0.8, size))
    level = draw.lognormal(0.0, 0.5, size) * (counts / counts.mean()) ** 0.2
    noise = draw.normal(0, 0.02, size) * level
    return np.stack([level * counts, (level * 1.02 + noise) * counts, counts], axis=1)


def covered(size: int, found: Callable[[np.ndarray], tuple[float, float]], truth: float) -> tuple[float, int, int]:
    """Return the share of draws whose interval holds the truth, and how often it lay below and above."""
    everyone, draw = corpus(), np.random.default_rng(1)
    ends = [found(everyone[draw.integers(0, len(everyone), size)]) for _ in range(DRAWS)]
    below, above = sum(truth < low for low, _ in ends), sum(truth > high for _, high in ends)
    return 1 - (below + above) / DRAWS, below, above


def of_perplexity(drawn: np.ndarray) -> tuple[float, float]:
    found = documents.interval(drawn[:, [0, 2]], "perplexity")
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def of_difference(drawn: np.ndarray) -> tuple[float, float]:
    return documents.paired_difference(drawn[:, [1, 2]], drawn[:, [0, 2]], "perplexity")[1:]


@pytest.mark.parametrize("size", [50, 200])
def test_perplexity_of_skewed_documents_is_covered(size: int) -> None:
    whole = corpus()
    share, below, above = covered(size, of_perplexity, documents.value_of(whole[:, [0, 2]], "perplexity"))
    assert share >= (0.90 if size == 50 else 0.92)
    assert above < 8 * (below + 1), "the long tail lies on the side where a symmetric interval is too short"


def test_a_paired_difference_of_skewed_documents_is_covered() -> None:
    whole = corpus()
    truth = documents.value_of(whole[:, [1, 2]], "perplexity") - documents.value_of(whole[:, [0, 2]], "perplexity")
    share, _, _ = covered(60, of_difference, truth)
    assert share >= 0.90


def test_blocks_of_tokens_in_the_place_of_documents_would_cover_half() -> None:
    """The check can fail: the same tokens in blocks of 64, as version 0.1 took them."""

    def in_blocks(drawn: np.ndarray) -> tuple[float, float]:
        scores = np.repeat(drawn[:, 0] / drawn[:, 2], drawn[:, 2].astype(int))[: 64 * 60]
        sums = documents.sums_of(scores, [64] * 60)
        return of_perplexity(np.stack([sums[:, 0], sums[:, 0], sums[:, 1]], axis=1))

    share, _, _ = covered(80, in_blocks, documents.value_of(corpus()[:, [0, 2]], "perplexity"))
    assert share < 0.88


def test_a_paired_interval_is_narrower_than_two_of_their_own() -> None:
    drawn = corpus()[:200]
    low, high = of_difference(drawn)
    own = of_perplexity(drawn)
    assert high - low < (own[1] - own[0]) / 3
    assert (
        low
        < documents.value_of(drawn[:, [1, 2]], "perplexity") - documents.value_of(drawn[:, [0, 2]], "perplexity")
        < high
    )


def test_an_interval_lies_around_its_value_and_says_how_it_was_made() -> None:
    drawn = corpus()[:120][:, [0, 2]]
    found = documents.interval(drawn, "perplexity", "articles")
    assert found.low is not None
    assert found.high is not None
    assert found.low < documents.value_of(drawn, "perplexity") < found.high
    assert found.name == "95 % by document (120 articles), bootstrap-t"
    assert documents.interval(drawn, "perplexity") == documents.interval(drawn.copy(), "perplexity")


def test_many_documents_need_no_resamples() -> None:
    drawn = corpus()[:, [0, 2]]
    found = documents.interval(drawn, "kl_divergence")
    assert found.name.endswith("(5,000 documents), student-t")
    few = documents.interval(drawn[: documents.MOST], "kl_divergence")
    assert found.high is not None
    assert found.low is not None
    assert few.high is not None
    assert few.low is not None
    ratio = (few.high - few.low) / (found.high - found.low)
    assert ratio == pytest.approx(math.sqrt(len(drawn) / documents.MOST), rel=0.25)


@pytest.mark.parametrize(("size", "said"), [(1, "1 document is too few"), (49, "49 documents are too few")])
def test_too_few_documents_have_no_interval_and_the_reason(size: int, said: str) -> None:
    drawn = corpus()[:size]
    found = documents.interval(drawn[:, [0, 2]], "perplexity")
    assert (found.low, found.high, found.name) == (None, None, f"none: {said}, 50 are needed")
    with pytest.raises(HarnessError, match=said):
        of_difference(drawn)


def test_documents_of_which_nothing_was_scored_do_not_count() -> None:
    drawn = np.concatenate([corpus()[:49][:, [0, 2]], np.zeros((30, 2))])
    assert documents.interval(drawn, "perplexity").name.startswith("none: 49 documents")


def test_sums_follow_the_documents() -> None:
    sums = documents.sums_of([1.0, 2.0, 3.0, 4.0], [2, 0, 2])
    assert sums.tolist() == [[3.0, 2.0], [0.0, 0.0], [7.0, 2.0]]
    assert documents.value_of(sums, "kl_divergence") == 2.5
    assert documents.value_of(sums, "perplexity") == pytest.approx(math.exp(2.5))
    with pytest.raises(HarnessError, match="count 3 samples, and it has 4"):
        documents.sums_of([1.0, 2.0, 3.0, 4.0], [2, 1])


def test_bounds_of_a_metric_are_never_crossed() -> None:
    draw = np.random.default_rng(0)
    rare = np.stack([draw.random(60) < 0.2, np.ones(60)], axis=1) * [1e-9, 1.0]
    found = documents.interval(rare.astype(float), "kl_divergence")
    assert found.low is not None
    assert found.low >= 0
    agreement = np.stack([10.0 - (draw.random(60) < 0.2), np.full(60, 10.0)], axis=1)
    assert (documents.interval(agreement, "top1_agreement").high or 2) <= 1


def test_few_disagreements_give_no_interval_of_zero_width() -> None:
    agreement = np.full((100, 2), 20.0)
    found = documents.interval(agreement, "top1_agreement")
    assert found.low == pytest.approx(1 - 3.04 / 2000, abs=2e-4)
    assert found.high == 1.0
    assert "0 of 2,000 disagree" in found.name


def test_other_documents_do_not_pair() -> None:
    drawn = corpus()[:100]
    with pytest.raises(HarnessError, match="the two read other documents"):
        documents.paired_difference(drawn[:60, [0, 2]], drawn[40:, [1, 2]], "perplexity")


def test_sums_beyond_a_float_are_refused() -> None:
    with pytest.raises(HarnessError, match="beyond a float"):
        documents.value_of(np.array([[1e6, 1.0]]), "perplexity")


def test_disagreements_that_stand_together_in_a_few_documents_count_as_few() -> None:
    """Nine documents of fifty disagreements each: what is drawn is documents, and a bound by positions would be a tenth as wide."""
    counts = np.full(400, 50.0)
    agree = counts.copy()
    agree[:9] = 0.0
    found = documents.interval(np.stack([agree, counts], axis=1), "top1_agreement")
    assert found.name == "95 % mid-p binomial, 450 of 20,000 disagree, design effect 50.0"
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1 - 16 / 400 < 1 - 9 / 400 < 1 - 5 / 400 < found.high
    alone = counts.copy()
    alone[:9] -= 1.0
    assert documents.interval(np.stack([alone, counts], axis=1), "top1_agreement").name.endswith("9 of 20,000 disagree")


@pytest.mark.parametrize("together", [1.0, 10.0])
def test_few_agreements_are_bounded_as_few_disagreements_are(together: float) -> None:
    counts = np.full(100, 20.0)
    rare = np.zeros(100)
    rare[:7] = together
    agree, differ = (
        documents.interval(np.stack([one, counts], axis=1), "top1_agreement") for one in (rare, counts - rare)
    )
    assert agree.low == pytest.approx(1 - (differ.high or 0))
    assert agree.high == pytest.approx(1 - (differ.low or 0))
    assert 0 < (agree.low or 0) < 7 * together / 2000 < (agree.high or 1) < 0.1
    assert f"{2000 - 7 * together:,.0f} of 2,000 disagree" in agree.name


def test_few_clustered_disagreements_are_covered() -> None:
    """Documents of skewed length, of which one in fifty disagrees in a third of its positions."""
    draw = np.random.default_rng(5)
    counts = np.ceil(draw.lognormal(4.0, 0.5, 20_000))
    bad = draw.random(20_000) < 0.02
    agree = counts - np.where(bad, np.ceil(counts / 3), 0.0)
    truth = agree.sum() / counts.sum()
    held = 0
    for _ in range(DRAWS):
        chosen = draw.integers(0, 20_000, 200)
        found = documents.interval(np.stack([agree[chosen], counts[chosen]], axis=1), "top1_agreement")
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert held / DRAWS >= 0.93


def test_a_difference_of_shares_without_or_with_few_movements_is_bounded() -> None:
    counts = np.full(100, 200.0)
    base = np.stack([counts - 5, counts], axis=1)
    value, low, high = documents.paired_difference(base, base, "top1_agreement")
    assert (value, -low) == (0.0, pytest.approx(high))
    assert 2 / 20_000 < high < 4 / 20_000, "none of 20,000 positions moved: about 3 / n to either side"
    moved = base.copy()
    moved[:3, 0] += 4
    value, low, high = documents.paired_difference(moved, base, "top1_agreement")
    assert value == pytest.approx(12 / 20_000)
    assert low < 0 < value < high
    assert high > 2 * value, "three documents are three, however many positions they hold"


def test_movements_that_cancel_within_documents_widen_the_bound_where_the_answers_are_known() -> None:
    counts = np.full(100, 200.0)
    base = np.stack([counts - 5, counts], axis=1)
    moves = np.zeros((100, 2))
    moves[:40] = 1.0
    value, low, high = documents.paired_difference(base, base, "top1_agreement", moves)
    assert value == 0.0
    assert -low == pytest.approx(high)
    assert high > 10 / 20_000, "eighty moved positions say more than none"
