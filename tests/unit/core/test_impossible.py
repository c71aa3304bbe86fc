"""Values that a metric cannot have by its definition, at their borders."""

from __future__ import annotations

import pytest

from harness.core.metric import impossible


@pytest.mark.parametrize(("name", "value", "says"), [
    ("top1_agreement", 1.0, ""), ("top1_agreement", 0.0, ""), ("top1_agreement", 1.001, "a share lies between 0 and 1"),
    ("top1_agreement", -0.001, "a share lies between 0 and 1"), ("lm_eval.f1", 71.0, ""), ("lm_eval.acc", 71.0, "a share"),
    ("perplexity", 1.0, ""), ("perplexity", 0.9, "a perplexity is 1 at the least"), ("perplexity", 12.0, ""),
    ("lm_eval.word_perplexity", 0.5, "a perplexity"), ("kl_divergence", 0.0, ""), ("kl_divergence", 3.0, ""),
    ("kl_divergence", -0.01, "a divergence is 0 at the least"), ("verify_kl", -0.01, "a divergence"), ("kl_abs_log_ratio", -0.01, ""),
    ("choice_logprob", 0.0, ""), ("choice_logprob", -3.0, ""), ("choice_logprob", 0.1, "0 at the most"),
    ("ttft", 0.0, ""), ("ttft", 0.5, ""), ("ttft", -0.5, "are not negative"), ("peak_rss_bytes", -1.0, "are not negative"),
    ("decode_tps", 0.3, ""), ("decode_tps", -0.3, "are not negative"), ("validation_loss", 2.0, ""),
])  # fmt: skip
def test_a_value_that_no_measurement_can_have_is_told(name: str, value: float, says: str) -> None:
    found = impossible(name, value)
    assert says in found
    assert bool(found) == bool(says)
    assert not says or found.startswith(f"{value:g}, and")
