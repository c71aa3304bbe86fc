"""Metrics of compared positions by their definitions, and when a divergence is within its floors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.core.seam import MetricValue
from harness.probes.kl_values import FIELDS, UNTOLD, ComparedPositions, floor_notes, metric_values
from harness.probes.streams import Stream
from harness.probes.windows import Span

SPANS = [Span(0, 3, 0, 3), Span(3, 7, 3, 7)]
KL = np.array([0.1, 0.0, 0.2, 0.4, 0.0, 0.0, 0.7])
CONFIDENCE = np.array([0.1, 0.5, 0.95, 0.99, 1.0, 0.75, 1.0000001], dtype=np.float32)


def found(spans: list[Span] = SPANS, **change: Any) -> dict[str, MetricValue]:
    given: dict[str, Any] = {
        "kl": KL,
        "abs_log_ratio": np.array([1.0, 2.0, 3.0, 4.0, 4.0, 6.0, 6.0]),
        "agrees": np.array([1, 0, 1, 1, 1, 1, 1], dtype=np.uint8),
        "top5": np.array([5, 5, 4, 5, 3, 0, 5], dtype=np.uint8),
        "confidence": CONFIDENCE,
    }
    owners = np.array([0, 0, 0, 0, 1, 1, 1])
    stream = Stream(np.arange(7), owners, 2, "text", "0" * 64, bos=False, limit=None)
    values = metric_values(
        ComparedPositions(**given | change), spans, np.array([4, 3]), stream, {"storage": 2e-6, "self-noise": 0.5}
    )
    return {f"{one.metric} {one.slice}".strip(): one for one in values}


def test_means_are_over_positions_and_keep_their_samples() -> None:
    values = found()
    assert values["kl_divergence"].value == pytest.approx(KL.mean())
    assert values["top1_agreement"].value == pytest.approx(6 / 7)
    assert values["top5_agreement"].value == pytest.approx(27 / 35)
    for name, array in (("kl_divergence", "kl"), ("top1_agreement", "agrees"), ("top5_agreement", "top5")):
        assert values[name].array == array
        assert array in FIELDS
        assert len(values[name].samples) == 7


def test_two_documents_have_no_interval_and_say_why() -> None:
    value = found()["kl_divergence"]
    assert (value.low, value.high) == (None, None)
    assert "2 documents are too few" in str(value.interval)
    assert value.items


def test_the_ratio_is_a_mean_over_windows_of_their_means() -> None:
    value = found()["kl_abs_log_ratio"]
    assert value.value == pytest.approx((2.0 + 5.0) / 2)  # not the mean over positions, 26 / 7
    assert value.n == 2


def test_the_first_divergent_token_is_counted_in_each_window_and_all_of_one_that_agrees() -> None:
    value = found()["first_divergent_token"]
    assert list(value.samples) == [1, 4]
    assert value.value == 2.5
    at_once = found(agrees=np.zeros(7, dtype=np.uint8))["first_divergent_token"]
    assert list(at_once.samples) == [0, 0]


def test_a_window_without_counted_positions_is_left_out() -> None:
    values = found([*SPANS, Span(7, 9, 7, 7)])
    assert list(values["first_divergent_token"].samples) == [1, 4]
    assert values["kl_abs_log_ratio"].value == pytest.approx(3.5)


def test_quantiles_are_of_all_positions() -> None:
    values = found(kl=np.arange(101.0)[:7] * 10)
    quantiles = {name: values[f"kl_quantile quantile:{name}"].value for name in ("median", "p90", "p95", "p99", "max")}
    assert quantiles == pytest.approx({"median": 30.0, "p90": 54.0, "p95": 57.0, "p99": 59.4, "max": 60.0})
    assert values["kl_quantile quantile:p99.9"].value == pytest.approx(59.94)
    assert values["kl_quantile quantile:max"].n == 7


def test_slices_by_confidence_take_each_position_once_their_lower_border_with_them() -> None:
    values = {name: one for name, one in found().items() if "confidence:" in name}
    assert {name.partition("confidence:")[2]: (one.n, one.value) for name, one in values.items()} == {
        "0-0.5": (1, pytest.approx(0.1)),
        "0.5-0.9": (2, pytest.approx(0.0)),
        "0.9-0.99": (1, pytest.approx(0.2)),
        "0.99-1": (3, pytest.approx(1.1 / 3)),  # a sum of float32 chances may end a little above one
    }
    sure = found(confidence=np.ones(7, dtype=np.float32))
    assert [name for name in sure if "confidence:" in name] == ["kl_divergence confidence:0.99-1"]


def test_floors_are_values_of_their_own() -> None:
    values = {name: one.value for name, one in found().items() if one.metric == "kl_floor"}
    assert values == {"kl_floor floor:self-noise": 0.5, "kl_floor floor:storage": 2e-6}


FLOORS = {"storage": 1e-6, "self-noise": 3e-6}
BORDER = UNTOLD * 4e-6


def notes(floors: dict[str, float] = FLOORS, **values: float) -> list[tuple[str, str]]:
    """Mark divergences of these slices; of `mean` the slice is empty, and quantiles are those whose name begins with q."""
    made = [
        MetricValue(
            "kl_quantile" if name[0] == "q" else "kl_divergence", value, np.asarray([value]), slice=SLICES[name]
        )
        for name, value in values.items()
    ]
    other = MetricValue("kl_abs_log_ratio", 0.0, np.zeros(1))
    return [(note.code, note.text) for note in floor_notes((*made, other), floors)]


SLICES = {
    "mean": "",
    "low": "confidence:0-0.5",
    "sure": "confidence:0.99-1",
    "q50": "quantile:median",
    "q999": "quantile:p99.9",
}


def test_a_divergence_up_to_twice_the_sum_of_its_floors_is_marked() -> None:
    ((code, text),) = notes(mean=BORDER)
    assert code == "under-floor"
    assert text == (
        "the KL-divergence 8.0e-06 nat is within 2 times its floors (self-noise 3.0e-06, storage 1.0e-06 nat): it cannot be told from none"
    )
    assert notes(mean=float(np.nextafter(BORDER, 1))) == []
    assert notes(mean=-1e-9)
    assert notes({}, mean=0.0, sure=0.0) == []


def test_slices_and_quantiles_within_the_floors_are_named_in_one_note_also_where_the_mean_is_above() -> None:
    ((code, text),) = notes(mean=1e-3, low=2e-3, sure=BORDER, q50=-1e-12, q999=0.1)
    assert code == "slices-under-floor"
    assert text == (
        "KL-divergences within 2 times their floors (self-noise 3.0e-06, storage 1.0e-06 nat) cannot be told from none: "
        "confidence:0.99-1 (8.0e-06 nat), quantile:median (-1.0e-12 nat)"
    )
    ((code, text),) = notes(mean=BORDER, low=2e-3, sure=1e-9)
    assert code == "under-floor"
    assert text.endswith(": it cannot be told from none, nor can confidence:0.99-1 (1.0e-09 nat)")
    assert notes(mean=1e-3, low=2e-3, sure=float(np.nextafter(BORDER, 1))) == []
