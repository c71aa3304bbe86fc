"""What is better: written down a second time, so that no direction turns unseen."""

from __future__ import annotations

import pytest

from harness.core.metric import METRICS

SHARES = {"top1_agreement", "verify_top1", "output_agreement", "supported", "mmlu_acc"}
"""Better where they are higher, as all rates are."""
LOSSES = {"perplexity", "kl_divergence", "kl_abs_log_ratio", "validation_loss"}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_better_in_the_direction_that_people_mean(name: str) -> None:
    found = METRICS[name]
    if found.unit.endswith("/s") or name in SHARES:
        assert found.better == "higher"
    elif found.unit in {"s", "B"} or name in LOSSES:
        assert found.better == "lower"


def test_the_metrics_that_are_named_here_are_there() -> None:
    assert set(METRICS) >= SHARES | LOSSES
    assert {"decode_tps", "ttft", "peak_rss_bytes", "artifact_bytes"} <= set(METRICS)
