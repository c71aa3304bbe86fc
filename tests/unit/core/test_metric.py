"""What is better: written down a second time, so that no direction turns unseen."""

from __future__ import annotations

import pytest

from harness.core.errors import HarnessError
from harness.core.metric import METRICS, OwnMetric, metric, said_direction

SHARES = {"top1_agreement", "verify_top1", "output_agreement", "supported", "mmlu_acc"}
"""Better where they are higher, as all rates are."""
MACHINES = {"copy_bandwidth", "bandwidth_share"}
"""Of the machine, or set against it: no direction, so that no comparison judges them."""
LOSSES = {"perplexity", "kl_divergence", "kl_abs_log_ratio", "validation_loss"}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_better_in_the_direction_that_people_mean(name: str) -> None:
    found = METRICS[name]
    if name in MACHINES:
        assert found.better == "none"
    elif found.unit.endswith("/s") or name in SHARES:
        assert found.better == "higher"
    elif found.unit in {"s", "B"} or name in LOSSES:
        assert found.better == "lower"


def test_the_metrics_that_are_named_here_are_there() -> None:
    assert set(METRICS) >= SHARES | LOSSES | MACHINES
    assert {"decode_tps", "ttft", "peak_rss_bytes", "artifact_bytes"} <= set(METRICS)


@pytest.mark.parametrize(("name", "unit", "better"), [
    ("acc", "fraction", "higher"), ("acc_norm", "fraction", "higher"), ("exact_match_strict-match", "fraction", "higher"),
    ("mcc", "fraction", "higher"), ("f1_none-x", "fraction", "higher"), ("bleu", "", "higher"), ("chrf++", "", "higher"), ("ter", "", "lower"),
    ("word_perplexity", "", "lower"), ("perplexity_strict-x", "", "lower"), ("brier_score", "", "lower"), ("rougeL", "", "none"),
    ("accordance", "fraction", "none"), ("ter_none", "", "none"),
])  # fmt: skip
def test_lm_evals_metrics_have_its_directions(name: str, unit: str, better: str) -> None:
    found = metric(f"lm_eval.{name}")
    assert (found.name, found.title, found.unit, found.better, found.kind, found.version) == (
        f"lm_eval.{name}", f"lm-eval {name}", unit, better, "quality", 1,
    )  # fmt: skip


@pytest.mark.parametrize(("name", "said", "direction"), [
    ("acc", True, None), ("acc", False, "lower"), ("acc", None, "none"), ("rougeL", None, None), ("rougeL", True, "higher"), ("ter", False, None),
])  # fmt: skip
def test_a_direction_is_told_where_it_is_another_than_the_records(
    name: str, said: bool | None, direction: str | None
) -> None:
    assert said_direction(name, said) == direction


def test_a_metric_of_ones_own_is_made_on_the_fly_and_a_bare_prefix_is_none() -> None:
    found = metric("own.first_word")
    assert (found.title, found.unit, found.better) == ("First word", "", "none")
    for name in ("own.", "lm_eval.", "decode_tpz"):
        with pytest.raises(HarnessError, match=f"unknown metric '{name}'.*lm-eval's own are written lm_eval.NAME"):
            metric(name)
    assert metric("ttft") is METRICS["ttft"]


@pytest.mark.parametrize(("one", "known", "says"), [
    (OwnMetric(unit="s"), OwnMetric(unit="s"), ""), (OwnMetric(), OwnMetric(), ""), (OwnMetric(unit="ms"), OwnMetric(unit="s"), ""),
    (OwnMetric(unit="s"), OwnMetric(), ""), (OwnMetric(), OwnMetric(unit="s", place="a:1"), "its unit is 's' (a:1); say in which unit"),
    (OwnMetric(better="higher"), OwnMetric(better="lower", place="b"), "higher is better here, and lower in b; call one"),
    (OwnMetric(better="higher"), OwnMetric(better="none"), ""), (OwnMetric(), OwnMetric(better="lower"), ""),
    (OwnMetric(better="lower"), OwnMetric(better="lower"), ""),
])  # fmt: skip
def test_two_declarations_are_held_against_each_other(one: OwnMetric, known: OwnMetric, says: str) -> None:
    found = one.against(known)
    assert found.startswith(says)
    assert bool(found) == bool(says)
