"""Differences of two measurements, by what their items are."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.numbers import proportions
from harness.numbers.documents import sums_of
from harness.numbers.pairing import Items, paired_difference, reproduces


def test_documents_answers_and_questions_each_have_their_way() -> None:
    draw = np.random.default_rng(0)
    scores = draw.gamma(2.0, 1.0, 6000)
    sums, other = sums_of(scores, [100] * 60), sums_of(scores * 1.01, [100] * 60)
    found = paired_difference("perplexity", Items(documents=other), Items(documents=sums))
    assert 0 < found.low < found.value < found.high
    assert found.how == "95% of the differences document by document"
    right, wrong = np.ones(157), np.array([0] * 12 + [1] * 145)
    found = paired_difference("lm_eval.acc", Items(wrong), Items(right))
    assert found.low < -12 / 157 < found.high < 0
    assert found.how == "mid-p exact 95% of discordant answers"
    questions = draw.normal(-1, 1, 300)
    noise = draw.normal(0.1, 0.01, 300)
    found = paired_difference("choice_logprob", Items(questions + noise, strata=[100, 200]), Items(questions))
    assert found.value == pytest.approx(noise.mean())
    assert found.low < found.value < found.high
    assert found.how == "student-t 95% of the differences, stratified"
    assert paired_difference("choice_logprob", Items(questions + noise), Items(questions)).how == (
        "student-t 95% of the differences"
    )


def test_agreements_count_what_either_side_gained_by_document() -> None:
    """In five documents one position is gained and three are lost: four that moved, which the sums alone would tell as two."""
    sizes = [100] * 60
    ours, theirs = np.ones(6000), np.ones(6000)
    for begin in range(0, 500, 100):
        ours[begin : begin + 3], theirs[begin + 50] = 0, 0

    def items(answers: np.ndarray, samples: np.ndarray | None) -> Items:
        return Items(samples, documents=sums_of(answers, sizes))

    told = paired_difference("top1_agreement", items(ours, ours), items(theirs, theirs))
    assert told.value == pytest.approx(-10 / 6000)
    _, low, high = proportions.paired_difference(1, 4, 6000 // 4)  # four that stand together count as one
    assert (told.low, told.high) == pytest.approx((low, high))
    unknown = paired_difference("top1_agreement", items(ours, None), items(theirs, None))
    assert unknown.value == told.value
    assert (unknown.low, unknown.high) != pytest.approx((told.low, told.high), rel=0.05)


def test_equal_items_differ_by_exactly_nothing() -> None:
    sums = sums_of(np.random.default_rng(0).random(6000), [100] * 60)
    found = paired_difference("perplexity", Items(documents=sums), Items(documents=sums))
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_a_paired_interval_covers_the_difference_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        shared = draw.normal(0, 5, 300)
        one, other = shared + draw.normal(0.1, 0.5, 300), shared + draw.normal(0, 0.5, 300)
        found = paired_difference("choice_logprob", Items(one), Items(other))
        hits += found.low <= 0.1 <= found.high
    assert 180 <= hits <= 199


def test_answers_of_several_strata_are_combined_as_strata_whichever_side_tells_them() -> None:
    right, wrong = np.ones(260), np.array([0] * 40 + [1] * 220)
    plain = paired_difference("mmlu_acc", Items(wrong), Items(right))
    for ours, theirs in (([60, 200], [60, 200]), ([60, 200], None), (None, [60, 200])):
        found = paired_difference("mmlu_acc", Items(wrong, strata=ours), Items(right, strata=theirs))
        assert found.how == "mid-p exact 95% of discordant answers, stratified"
        assert plain.low < found.low < found.value == plain.value < found.high < plain.high
        assert found.high - found.low < 0.8 * (plain.high - plain.low)
    even = paired_difference("mmlu_acc", Items(wrong, strata=[10, 250]), Items(right))
    assert even.low != found.low, "which answers are of which stratum counts"
    with pytest.raises(HarnessError, match="into other strata"):
        paired_difference("mmlu_acc", Items(wrong, strata=[60, 200]), Items(right, strata=[200, 60]))


def test_what_cannot_be_paired_says_why() -> None:
    sums = sums_of(np.ones(6000), [100] * 60)
    with pytest.raises(HarnessError, match="documents are not kept for both"):
        paired_difference("perplexity", Items(np.ones(6000), sums), Items(np.ones(6000)))
    with pytest.raises(HarnessError, match="not at hand"):
        paired_difference("lm_eval.acc", Items(np.ones(10)), Items())
    with pytest.raises(HarnessError, match="10 and 9 items do not pair"):
        paired_difference("lm_eval.acc", Items(np.ones(10)), Items(np.ones(9)))
    with pytest.raises(HarnessError, match="5 items are too few"):
        paired_difference("choice_logprob", Items(np.arange(5.0)), Items(np.zeros(5)))


def test_items_that_do_not_give_the_value_are_found() -> None:
    sums = sums_of(np.random.default_rng(0).gamma(2.0, 1.0, 1000), [100] * 10)
    value = float(np.exp(sums[:, 0].sum() / 1000))
    assert reproduces("perplexity", Items(documents=sums), value)
    assert not reproduces("perplexity", Items(documents=sums), value * 1.01)
    assert reproduces("perplexity", Items(), value)
    assert not reproduces("mmlu_acc", Items(np.ones(4)), 0.75)
