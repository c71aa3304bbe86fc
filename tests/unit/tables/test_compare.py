"""Comparisons with a baseline: found, missing, of another recipe, by rows and by GPUs."""

from __future__ import annotations

from typing import Any

from tests.unit.tables.frames import row
from tests.unit.tables.texts import SPEED, texts


def test_a_ratio_per_gpu_is_not_guessed_where_nobody_says_how_many_there_were(table: Any) -> None:
    spec = SPEED.replace("as: ratio", "as: ratio_per_gpu")
    told = table(spec, row("decode_tps", 10.0, gpu_count=1), row("decode_tps", 26.8, method="int4", gpu_count=2))
    assert texts(told)[2] == ["INT4 RTN", "26.8", "1.34x"]
    made = table(spec, row("decode_tps", 10.0, gpu_count=1), row("decode_tps", 26.8, method="int4", gpu_count=None))
    assert texts(made)[2] == ["INT4 RTN", "26.8", "-"]
    assert "it is not told on how many GPUs" in made.notes[0]


def test_the_baseline_is_found_outside_of_where(table: Any) -> None:
    spec = SPEED.replace("rows:", "where: {method: int4}\n  rows:")
    made = table(spec, row("decode_tps", 10.0), row("decode_tps", 26.8, method="int4"))
    assert texts(made)[1:] == [["INT4 RTN", "26.8", "2.68x"]]


def test_a_missing_baseline_is_said_in_a_footnote(table: Any) -> None:
    made = table(SPEED, row("decode_tps", 26.8, method="int4"))
    assert texts(made)[1] == ["INT4 RTN", "26.8", "-"]
    assert made.notes == ("no comparison: the baseline (method fp32) was not measured",)


def test_a_baseline_of_another_recipe_is_named_with_the_remedy(table: Any) -> None:
    spec = SPEED.replace("[method]", "[method, recipe]")
    made = table(spec, row("decode_tps", 10.0), row("decode_tps", 26.8, method="int4", recipe="modelopt-onnx"))
    assert made.notes == (
        "no comparison: the baseline (method fp32) exists for recipe ort-genai only; add `recipe: ort-genai` to baseline",
    )
    named = table(spec.replace("method: fp32}", "method: fp32, recipe: ort-genai}"), row("decode_tps", 10.0),
                  row("decode_tps", 26.8, method="int4", recipe="modelopt-onnx"))  # fmt: skip
    assert texts(named)[2][-1] == "2.68x"


def test_a_baseline_of_zero_is_said_in_a_footnote(table: Any) -> None:
    made = table(SPEED, row("decode_tps", 0.0), row("decode_tps", 26.8, method="int4"))
    assert texts(made)[2] == ["INT4 RTN", "26.8", "-"]
    assert made.notes == ("the baseline is zero and ratio divides by it",)


BNB = """
bnb:
  each: model
  rows: [batch, method]
  show: {method: "", batch: Batch Size}
  pivot: {environment: {new: <sub>new</sub>, old: <sub>old</sub>}}
  baseline: {environment: old}
  cells:
    Mean Latency (s): {metric: per_token_latency, format: 4}
    Throughput: {metric: decode_tps, format: 2}
    Latency Improvement: {metric: per_token_latency, as: one_plus_reduction, format: 2}
    Throughput Improvement: {metric: decode_tps, as: ratio, format: 3x}
  may_mix: [environment.bitsandbytes]
  drop_empty: columns
"""


def bnb_rows(environment: str, latency: float, throughput: float) -> list[dict[str, Any]]:
    return [
        row("per_token_latency", latency, environment=environment),
        row("decode_tps", throughput, environment=environment),
    ]


def test_two_versions_stand_side_by_side_with_the_improvement_behind_both(table: Any) -> None:
    made = table(BNB, *bnb_rows("new", 0.0390, 25.62), *bnb_rows("old", 0.0390, 25.62))
    assert texts(made)[0] == [
        "", "Batch Size", "Mean Latency (s) <sub>new</sub>", "Throughput <sub>new</sub>", "Mean Latency (s) <sub>old</sub>",
        "Latency Improvement", "Throughput <sub>old</sub>", "Throughput Improvement",
    ]  # fmt: skip
    assert texts(made)[1] == ["FP32", "1", "0.0390", "25.62", "0.0390", "1.00", "25.62", "1.000x"]


def test_columns_without_anything_are_dropped_on_demand(table: Any) -> None:
    made = table(BNB, *bnb_rows("new", 0.0390, 25.62))
    assert texts(made)[0] == ["", "Batch Size", "Mean Latency (s) <sub>new</sub>", "Throughput <sub>new</sub>"]
    assert made.notes == ()
