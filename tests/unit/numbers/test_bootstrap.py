"""The bootstrap over documents, done once more one resample at a time, by its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.core.errors import HarnessError
from harness.numbers import documents, pairing, proportions
from harness.numbers.pairing import Items


def corpus(size: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Sums of two models over the same documents of unequal length: [documents, (score, count)] each."""
    draw = np.random.default_rng(seed)
    counts = np.ceil(draw.lognormal(3.0, 0.7, size))
    level = draw.lognormal(0.0, 0.4, size)
    other = level * (1.05 + draw.normal(0, 0.05, size))
    return np.stack([level * counts, counts], axis=1), np.stack([other * counts, counts], axis=1)


def by_definition(
    sides: list[np.ndarray], *, exp: bool, tails: tuple[float, float] = documents.TAILS, wider: float = 1.0
) -> tuple[float, float, float]:
    """Value and interval: of one ratio, or of the difference of two, of which each resample has its own ratios and its own error."""

    def value_and_error(parts: list[np.ndarray]) -> tuple[float, float]:
        counts = parts[0][:, 1]
        value, linear = 0.0, np.zeros(len(counts))
        for sign, part in zip((1.0, -1.0), parts, strict=False):
            ratio = part[:, 0].sum() / counts.sum()
            value += sign * (math.exp(ratio) if exp else ratio)
            linear += sign * (math.exp(ratio) if exp else 1.0) * (part[:, 0] - ratio * counts)
        return value, math.sqrt((linear**2).sum()) / counts.sum()

    value, error = value_and_error(sides)
    size = len(sides[0])
    times = np.random.default_rng(documents.SEED).multinomial(size, np.full(size, 1 / size), documents.RESAMPLES)
    found = []
    for row in times:
        places = np.repeat(np.arange(size), row)
        moved, its_error = value_and_error([side[places] for side in sides])
        found.append((moved - value) / its_error)
    low, high = np.quantile(found, tails) * wider
    return value, value - high * error, value - low * error


def test_the_constants_are_those_that_the_record_was_made_with() -> None:
    """Other limits, resamples or tails need another record (tests/benchmarks/records/coverage.txt)."""
    assert (documents.FEWEST, documents.MOST, documents.RESAMPLES, documents.SEED) == (50, 2000, 1999, 20261128)
    assert (documents.TAILS, documents.FINEST, documents.FEWEST_DIFFERING) == ((0.0225, 0.9775), 0.01, 10)
    weights = documents._weights(60)
    assert weights.shape == (1999, 60)
    assert (weights.sum(axis=1) == 60).all()


@pytest.mark.parametrize("metric", ["perplexity", "kl_divergence"])
def test_an_interval_of_one_value_is_the_bootstrap_t(metric: str) -> None:
    sums, _ = corpus(55)
    _, low, high = by_definition([sums], exp=False)
    found = documents.interval(sums, metric)
    turned = math.exp if metric == "perplexity" else float
    assert (found.low, found.high) == pytest.approx((turned(low), turned(high)), rel=1e-9)


@pytest.mark.parametrize("metric", ["perplexity", "validation_loss"])
@pytest.mark.parametrize(("alpha", "tail", "wider"), [
    (0.05, 0.0225, 1.0), (0.2, 0.09, 1.0), (0.01, 0.0045, 1.0), (0.001, 0.0045, float(stats.norm.ppf(0.0005) / stats.norm.ppf(0.005))),
])  # fmt: skip
def test_a_paired_difference_is_the_bootstrap_t_of_the_difference(
    metric: str, alpha: float, tail: float, wider: float
) -> None:
    sums, other = corpus(52)
    expected = by_definition([sums, other], exp=metric == "perplexity", tails=(tail, 1 - tail), wider=wider)
    assert documents.paired_difference(sums, other, metric, alpha=alpha) == pytest.approx(expected, rel=1e-8)


def test_beyond_two_thousand_documents_the_linear_error_serves() -> None:
    sums, other = corpus(2001)
    counts = sums[:, 1]
    gap = (sums - other)[:, 0]
    value = gap.sum() / counts.sum()
    half = stats.t.ppf(0.975, 2000) * math.sqrt(((gap - value * counts) ** 2).sum()) / counts.sum()
    assert documents.paired_difference(sums, other, "kl_divergence") == pytest.approx(
        (value, value - half, value + half), rel=1e-7
    )
    whole = documents.interval(sums[:2000], "kl_divergence")
    assert whole.name == "95 % by document (2,000 documents), bootstrap-t"


def test_two_that_are_the_same_differ_by_nothing() -> None:
    sums, _ = corpus(50)
    assert documents.paired_difference(sums, sums, "perplexity") == (0.0, 0.0, 0.0)
    flat = np.stack([np.full(50, 3.0), np.full(50, 2.0)], axis=1)
    found = documents.interval(flat, "perplexity")
    assert (found.low, found.high) == (math.exp(1.5), math.exp(1.5))


@pytest.mark.parametrize(("metric", "least", "most"), [("perplexity", 1.0, math.inf), ("kl_divergence", 0.0, math.inf), ("validation_loss", 0.0, math.inf),
                                                       ("top1_agreement", 0.0, 1.0), ("another", -math.inf, math.inf)])  # fmt: skip
def test_bounds_are_those_of_the_metric(metric: str, least: float, most: float) -> None:
    found = documents._statistic(metric)
    assert (found.least, found.most, found.finish) == (least, most, "exp" if metric == "perplexity" else "same")


def shares(agree: list[float], count: float = 20.0) -> np.ndarray:
    return np.stack([np.asarray(agree, dtype=float), np.full(len(agree), count)], axis=1)


@pytest.mark.parametrize(("differing", "by_count"), [(9, True), (10, False)])
@pytest.mark.parametrize("rare", ["agree", "disagree"])
def test_ten_documents_that_differ_are_enough_for_a_bootstrap(differing: int, by_count: bool, rare: str) -> None:
    part = [1.0] * differing + [0.0] * (60 - differing)
    agree = part if rare == "agree" else [20.0 - one for one in part]
    found = documents.interval(shares(agree), "top1_agreement")
    assert ("mid-p binomial" in found.name) is by_count
    if by_count:
        count = differing if rare == "agree" else 1200 - differing
        assert (found.low, found.high) == proportions.share(count, 1200)[1:]


def test_disagreements_that_hang_together_count_as_fewer() -> None:
    """Six documents with 3 and two with 1: squares 56 over a sum of 20, so 2.8 together; 1,200 / 2.8 = 429, 20 / 2.8 = 7."""
    agree = [17.0] * 6 + [19.0] * 2 + [20.0] * 52
    found = documents.interval(shares(agree), "top1_agreement")
    assert found.name == "95 % mid-p binomial, 20 of 1,200 disagree, design effect 2.8"
    assert (found.low, found.high) == proportions.share(429 - 7, 429)[1:]


@pytest.mark.parametrize(
    ("counts", "effect"), [([0, 0], 1.0), ([1, 1, 0], 1.0), ([3, 1], 2.5), ([5], 5.0), ([0.5], 1.0)]
)
def test_the_design_effect_is_the_mean_size_of_clusters_by_size(counts: list[float], effect: float) -> None:
    assert documents.design_effect(counts) == effect


@pytest.mark.parametrize(("moved", "by_count"), [(9, True), (10, False)])
def test_ten_documents_that_moved_are_enough_for_a_bootstrap(moved: int, by_count: bool) -> None:
    one, other = shares([20.0] * 60), shares([19.0] * moved + [20.0] * (60 - moved))
    found = documents.paired_difference(one, other, "top1_agreement")
    assert found[0] == pytest.approx(moved / 1200)
    assert (found == pytest.approx(proportions.paired_difference(moved, 0, 1200))) is by_count


def test_gains_and_losses_are_counted_by_document_where_the_answers_are_at_hand() -> None:
    moves = np.zeros((60, 2))
    moves[:3] = [2.0, 1.0]
    sums, other = shares([18.0] * 3 + [20.0] * 57), shares([17.0] * 3 + [20.0] * 57)
    value, low, high = documents.paired_difference(sums, other, "top1_agreement", moves, 0.1)
    assert value == pytest.approx(3 / 1200)
    assert (low, high) == proportions.paired_difference(2, 1, 400, 0.1)[
        1:
    ]  # three together count as one: 6 / 3, 3 / 3, 1,200 / 3
    still = np.tile([1.0, 1.0], (60, 1))
    level = documents.paired_difference(sums, sums, "top1_agreement", still)
    assert level[0] == 0.0
    assert level[1] == pytest.approx(-level[2])
    assert level[2] == pytest.approx(proportions.paired_difference(30, 30, 600)[2])


@pytest.mark.parametrize(("samples", "counts"), [([1.0, 2.0], [1, 2]), ([1.0, 2.0], [3, -1]), ([1.0], [])])
def test_documents_that_do_not_fit_the_samples_are_refused(samples: list[float], counts: list[int]) -> None:
    with pytest.raises(HarnessError, match="the record is damaged"):
        documents.sums_of(samples, counts)


# ---------------------------------------------------------------- pairing


def answers(*values: float) -> Items:
    return Items(samples=np.asarray(values, dtype=float))


def test_answers_are_paired_exactly_and_other_questions_by_student() -> None:
    one, other = [1.0] * 20 + [0.0] * 20, [0.0] * 4 + [1.0] * 16 + [0.0] * 19 + [1.0]
    found = pairing.paired_difference("mmlu_acc", answers(*one), answers(*other), 0.1)
    assert (found.value, found.low, found.high) == proportions.paired_difference(4, 1, 40, 0.1)
    assert found.how == proportions.PAIRED
    logs = [value - 0.5 * place for place, value in enumerate(one)]
    mean = pairing.paired_difference("choice_logprob", answers(*logs), answers(*other))
    gaps = np.asarray(logs) - np.asarray(other)
    half = stats.t.ppf(0.975, 39) * gaps.std(ddof=1) / math.sqrt(40)
    assert (mean.value, mean.low, mean.high) == pytest.approx(
        (gaps.mean(), gaps.mean() - half, gaps.mean() + half), rel=1e-4
    )
    assert mean.how == "student-t 95% of the differences"


@pytest.mark.parametrize(("one", "other", "how"), [([20, 20], [20, 20], ", stratified"), ([20, 20], None, ", stratified"), (None, [20, 0, 20], ", stratified"),
                                                   ([40], None, ""), ([0, 40], [40], "")])  # fmt: skip
def test_strata_are_told_by_either_side(one: list[int] | None, other: list[int] | None, how: str) -> None:
    values, others = np.tile([1.0, 0.0], 20), np.tile([1.0, 1.0, 0.0, 0.0], 10)
    found = pairing.paired_difference("mmlu_acc", Items(values, strata=one), Items(others, strata=other))
    assert found.how == f"{proportions.PAIRED}{how}"
    mean = pairing.paired_difference("choice_logprob", Items(values * 0.3, strata=one), Items(others, strata=other))
    assert mean.how == f"student-t 95% of the differences{how}"


@pytest.mark.parametrize(("metric", "one", "other", "says"), [
    ("perplexity", Items(), Items(), "documents are not kept for both"), ("mmlu_acc", answers(1.0), Items(), "not at hand"),
    ("mmlu_acc", Items(), answers(1.0), "not at hand"), ("mmlu_acc", answers(1.0, 0.0), answers(1.0), "2 and 1 items do not pair"),
    ("choice_logprob", answers(*[0.5] * 19), answers(*[0.1] * 19), "19 items are too few, 20 are needed"),
    ("mmlu_acc", Items([1.0, 0.0], strata=[1, 1]), Items([1.0, 0.0], strata=[2]), "other strata"),
])  # fmt: skip
def test_what_does_not_pair_is_refused(metric: str, one: Items, other: Items, says: str) -> None:
    with pytest.raises(HarnessError, match=says):
        pairing.paired_difference(metric, one, other)


@pytest.mark.parametrize(("one", "other", "found"), [
    (answers(1, 1, 0, 0, 1), answers(0, 0, 1, 0, 1), (2, 1)), (answers(1.0, 0.5), answers(1.0, 0.0), None), (answers(1.0, 0.0), answers(1.0, 0.5), None),
    (answers(1.0), answers(1.0, 0.0), None), (Items(), answers(1.0), None), (answers(1.0), Items(), None),
    (Items([1.0], documents=np.ones((1, 2))), answers(1.0), None),
])  # fmt: skip
def test_discordant_answers_are_counted_where_there_are_answers(
    one: Items, other: Items, found: tuple[int, int] | None
) -> None:
    assert pairing.discordant(one, other) == found


@pytest.mark.parametrize(("metric", "items", "value", "does"), [
    ("mmlu_acc", answers(1, 0), 0.5, True), ("mmlu_acc", answers(1, 0), 0.500006, False), ("mmlu_acc", answers(1, 0), 0.500004, True),
    ("mmlu_acc", answers(0, 0), 9e-10, True), ("mmlu_acc", answers(0, 0), 2e-9, False), ("mmlu_acc", Items(), 7.0, True),
    ("kl_divergence", Items(documents=np.array([[1.0, 2.0], [2.0, 2.0]])), 0.75, True), ("kl_divergence", answers(0.5), 0.5, True),
    ("kl_divergence", Items(documents=np.array([[1.0, 2.0]])), 0.6, False),
])  # fmt: skip
def test_items_have_to_give_the_value_on_record(metric: str, items: Items, value: float, does: bool) -> None:
    assert pairing.reproduces(metric, items, value) is does


def test_positions_that_only_one_got_right_are_counted_by_document() -> None:
    counts = np.array([2.0, 3.0])
    one, other = [1, 0, 1, 1, 0], [0, 1, 0, 0, 1]
    sides = [Items(np.asarray(side, dtype=float), documents.sums_of(side, counts)) for side in (one, other)]
    assert np.asarray(pairing._moves(*sides)).tolist() == [[1.0, 1.0], [2.0, 1.0]]
    assert pairing._moves(sides[0], Items(sides[1].samples)) is not None
    for odd in (
        Items(None, sides[1].documents),
        Items(np.ones(4), sides[1].documents),
        Items(np.full(5, 0.5), sides[1].documents),
    ):
        assert pairing._moves(sides[0], odd) is None
    assert pairing._moves(Items(sides[0].samples), sides[1]) is None
    short = Items(np.ones(4), sides[0].documents)
    assert pairing._moves(short, short) is None
