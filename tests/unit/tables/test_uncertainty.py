"""Statistics, uncertainties and paired differences of a cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.numbers.pairing import Items
from harness.tables.question import CellReader
from tests.unit.tables.frames import QUALITY, row
from tests.unit.tables.texts import SPEED, texts


def test_statistics_come_from_the_samples(table: Any) -> None:
    spec = "t:\n  rows: [method]\n  cells:\n" + "".join(
        f"    {stat}: {{metric: per_token_latency, stat: {stat}, unit: ms, format: 1}}\n"
        for stat in ("p50", "p90", "min", "max", "stdev")
    )
    reader = CellReader(samples=lambda measurement: np.array([[0.001, 0.002], [0.003, 0.004]]))
    made = table(spec, row("per_token_latency", 0.0025), reader=reader)
    assert texts(made)[1] == ["FP32", "2.5", "3.7", "1.0", "4.0", "1.3"]


def test_samples_that_are_not_at_hand_are_said_so(table: Any) -> None:
    made = table("t: {rows: [method], cells: {p: {metric: ttft, stat: p50}}}", row("ttft", 0.1, run="r"))
    assert texts(made)[1] == ["FP32", "-"]
    assert made.notes == ("p50 of ttft: the samples of run r are not at hand",)


def test_uncertainty_is_a_half_width_or_an_interval(table: Any) -> None:
    spec = "t:\n  rows: [method]\n  cells:\n    pm: {metric: decode_tps, format: 1, uncertainty: pm}\n    interval: {metric: decode_tps, format: 1, uncertainty: interval}\n"
    made = table(spec, row("decode_tps", 10.0, low=9.6, high=10.4, interval="student-t 95%"))
    assert texts(made)[1] == ["FP32", "10.0 ± 0.4", "10.0 [9.6, 10.4]"]


@pytest.mark.parametrize(
    ("form", "value", "half", "text"),
    [
        ("1", 6.4, 0.03, "6.4 ± <0.1"),
        ("1", 6.4, 0.05001, "6.4 ± 0.1"),
        ("0", 1519.0, 0.2, "1519 ± <1"),
        ("2", 1.0, 0.0, "1.00 ± 0.00"),
        ("2", 0.001, 0.002, "0.00 ± <0.01"),
        ("2", 0.01, 0.006, "0.01 [0.00, 0.02]"),
        ("1e", 3.2e-7, 1.1e-8, "3.2e-7 ± 1.1e-8"),
    ],
)
def test_an_uncertainty_below_the_digits_shown_is_not_called_nothing(
    table: Any, form: str, value: float, half: float, text: str
) -> None:
    spec = f"t: {{rows: [method], cells: {{A: {{metric: decode_tps, format: {form}, uncertainty: pm}}}}}}"
    made = table(spec, row("decode_tps", value, low=value - half, high=value + half, interval="student-t 95%"))
    assert texts(made)[1][1] == text


PAIRED = """
t:
  rows: [method]
  baseline: {method: fp32}
  cells:
    Accuracy: {metric: mmlu_acc, format: 1}
    Change: {metric: mmlu_acc, as: difference, paired: true, format: +1}
"""


def paired_rows(items: str = "h") -> tuple[list[dict[str, Any]], CellReader]:
    right = np.random.default_rng(1).random(400) < 0.8
    other = right ^ (np.random.default_rng(2).random(400) < 0.1)
    samples = {"a#0": right.astype(np.uint8), "b#0": other.astype(np.uint8)}
    rows = [
        row("mmlu_acc", float(right.mean()), run="a", items="h", **QUALITY),
        row("mmlu_acc", float(other.mean()), run="b", method="int4", items=items, **QUALITY),
    ]
    return rows, CellReader(samples=samples.get, items=lambda measurement: Items(samples.get(measurement)))


def test_repetitions_inside_a_process_are_no_uncertainty_of_a_cell(table: Any) -> None:
    spec = SPEED.replace("format: 1", "format: 1, uncertainty: pm").replace("format: 2x", "format: 2x, uncertainty: pm")
    said = {"low": 9.0, "high": 11.0, "interval": "student-t 95%, log scale", "rounds": None}
    made = table(spec, row("decode_tps", 10.0, **said), row("decode_tps", 10.5, method="int4", **said))
    assert texts(made)[1:] == [["FP32", "10.0", "1.00x"], ["INT4 RTN", "10.5", "1.05x"]]


@pytest.mark.parametrize("interval", ["student-t 95%, blocks of 64", "exp of student-t 95%, blocks of 64"])
def test_an_interval_from_blocks_of_tokens_is_shown_nowhere(table: Any, interval: str) -> None:
    spec = "t: {rows: [method], cells: {PPL: {metric: perplexity, format: 2, uncertainty: UNCERTAINTY}}}"
    for style in ("pm", "interval", "footnote"):
        made = table(
            spec.replace("UNCERTAINTY", style), row("perplexity", 9.0, low=8.9, high=9.1, interval=interval, **QUALITY)
        )
        assert texts(made)[1] == ["FP32", "9.00"]
        assert made.notes == ()
        assert "blocks of 64" not in " ".join(made.caption)


def test_a_paired_difference_has_an_interval_that_is_the_same_each_time(table: Any) -> None:
    rows, reader = paired_rows()
    first, second = (texts(table(PAIRED, *rows, reader=reader)) for _ in range(2))
    assert first == second
    assert first[1][2] == "-"
    value, low, high = (float(part) for part in first[2][2].translate(str.maketrans("[,]", "   ")).split())
    assert low < value < high
    assert high - low < 8  # unpaired it would be about 11


def test_a_paired_difference_of_questions_in_strata_is_combined_as_strata_and_says_so(table: Any) -> None:
    right, other = np.ones(260, np.uint8), np.repeat([0, 1], [40, 220]).astype(np.uint8)
    samples = {"a#0": right, "b#0": other}
    rows = [
        row("mmlu_acc", float(answers.mean()), run=run, method=method, items="h", **QUALITY)
        for answers, run, method in ((right, "a", "fp32"), (other, "b", "int4"))
    ]
    widths = []
    for counts, said in ((None, ""), ([60, 200], ", stratified")):
        reader = CellReader(items=lambda one, counts=counts: Items(samples[one], strata=counts))  # type: ignore[misc]
        trace = table(PAIRED, *rows, reader=reader).sections[0].rows[1][2].trace
        assert trace.interval == f"mid-p exact 95% of discordant answers{said}"
        widths.append(trace.high - trace.low)
    assert widths[1] < widths[0]


def test_other_items_are_not_paired(table: Any) -> None:
    rows, reader = paired_rows(items="other")
    made = table(PAIRED, *rows, reader=reader)
    assert "[" not in texts(made)[2][2]
    assert made.notes == ("no paired interval: the two were not measured on the same items",)
