"""Metrics of lm-eval have the direction that it registers for them, and none where it knows nothing."""

from __future__ import annotations

import pytest

from harness.core.metric import metric, said_direction


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("acc", "higher"), ("acc_norm", "higher"), ("exact_match_strict-match", "higher"), ("word_perplexity", "lower"),
        ("brier_score", "lower"), ("ter", "lower"), ("mae", "none"), ("loss_rate", "none"), ("acc_gap", "none"),
        ("perplexity_ratio", "none"),
    ],
)  # fmt: skip
def test_a_direction_is_known_or_none(name: str, better: str) -> None:
    assert metric(f"lm_eval.{name}").better == better


def test_registered_directions_are_those_of_lm_eval() -> None:
    registry = pytest.importorskip("lm_eval.api.registry")
    pytest.importorskip("lm_eval.api.metrics")
    for name, higher in registry.higher_is_better_registry.items():
        if name != "bypass":  # a metric that is never computed
            assert said_direction(name, higher) is None, name


def test_what_a_result_says_counts_before_what_is_registered() -> None:
    assert [said_direction("acc", way) for way in (True, False, None)] == [None, "lower", "none"]
    assert [said_direction("mae", way) for way in (True, False, None)] == ["higher", "lower", None]
