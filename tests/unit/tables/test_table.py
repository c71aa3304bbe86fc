from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ConfigError
from harness.numbers.pairing import Items
from harness.tables.question import CellReader
from harness.tables.result import Table
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.unit.tables.frames import CATALOGUE, QUALITY, failed, frame, row, size


@pytest.fixture
def table(tmp_path: Path) -> Any:
    """Build the only table of a spec from rows."""

    def made(text: str, *rows: dict[str, Any], **more: Any) -> Table:
        path = tmp_path / "demo.tables.yaml"
        path.write_text(text, encoding="utf-8")
        return build(read_specs(path)[0], frame(*rows), CATALOGUE, **more)

    return made


def texts(table: Table) -> list[list[str]]:
    """Return headers and rows of a table of one section."""
    section = table.sections[0]
    return [[column.header for column in section.columns], *([cell.text for cell in line] for line in section.rows)]


SPEED = """
speed:
  rows: [method]
  baseline: {method: fp32}
  cells:
    Decode: {metric: decode_tps, format: 1}
    Speedup: {metric: decode_tps, as: ratio, format: 2x}
"""


def test_a_row_per_method_with_its_value_and_its_ratio_to_the_baseline(table: Any) -> None:
    made = table(SPEED, row("decode_tps", 10.0), row("decode_tps", 26.8, method="int4"))
    assert texts(made) == [["Method", "Decode", "Speedup"], ["FP32", "10.0", "1.00x"], ["INT4 RTN", "26.8", "2.68x"]]


def test_a_cell_knows_the_measurements_behind_it(table: Any) -> None:
    made = table(SPEED, row("decode_tps", 10.0, run="a"), row("decode_tps", 26.8, method="int4", run="b"))
    cell = made.sections[0].rows[1][2]
    assert cell.runs == ("b", "a")
    assert cell.measurements == ("b#0", "a#0")


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


def test_a_failed_run_is_shown_with_its_reason(table: Any) -> None:
    made = table(SPEED, row("decode_tps", 10.0), failed("oom", "killed for memory", method="int4"))
    assert texts(made)[2] == ["INT4 RTN", "oom", "oom"]
    assert made.sections[0].rows[2 - 1][1].notes == (1,)
    assert made.notes == ("generation: oom: killed for memory",)


def test_a_failed_build_fills_the_cells_of_its_method(table: Any) -> None:
    made = table(
        SPEED,
        row("decode_tps", 10.0),
        failed("failed", "no such file", method="int4", kind="build", probe=None, engine=None),
    )
    assert texts(made)[2] == ["INT4 RTN", "failed", "failed"]


def test_a_failed_build_that_succeeded_later_is_forgotten(table: Any) -> None:
    early = failed("failed", "disk full", kind="build", probe=None, engine=None, method="int4", run="0")
    late = size(8e6, method="int4", run="1")
    made = table(SPEED, row("decode_tps", 10.0), early, late)
    assert texts(made)[2] == ["INT4 RTN", "-", "-"]


def test_a_status_can_have_its_own_token(table: Any) -> None:
    spec = SPEED.replace("rows:", "missing: {unsupported: N/A}\n  rows:")
    made = table(spec, row("decode_tps", 10.0), failed("unsupported", "no kernel", method="int4"))
    assert texts(made)[2] == ["INT4 RTN", "N/A", "N/A"]
    assert made.notes == ()


def test_what_was_never_planned_leaves_no_row(table: Any) -> None:
    assert len(texts(table(SPEED, row("decode_tps", 10.0)))) == 2


def test_the_latest_run_fills_a_cell_also_when_it_failed(table: Any) -> None:
    old = row("decode_tps", 10.0, started="2026-01-01T00:00:00+00:00", run="a")
    new = row("decode_tps", 12.0, started="2026-01-02T00:00:00+00:00", run="b", session="s2")
    assert texts(table(SPEED, new, old))[1][1] == "12.0"
    broken = failed("failed", "signal 9", started="2026-01-03T00:00:00+00:00", session="s3")
    assert texts(table(SPEED, new, old, broken))[1][1] == "failed"


def test_the_median_run_of_the_latest_session_is_a_run_that_was_measured(table: Any) -> None:
    spec = SPEED.replace("rows:", "pick: median_of_runs\n  rows:")
    rounds = [row("decode_tps", value, round=place) for place, value in enumerate((11.0, 14.0, 12.0))]
    made = table(spec, row("decode_tps", 99.0, session="s0", started="2025-01-01T00:00:00+00:00"), *rounds)
    assert texts(made)[1][1] == "12.0"
    assert "median value" in made.caption[1]


def test_measurements_of_two_questions_do_not_fill_one_cell(table: Any) -> None:
    with pytest.raises(ConfigError, match=r"tables.yaml:2: table 'speed', fp32, column 'Decode': .* with batch 1, 8"):
        table(SPEED, row("decode_tps", 10.0), row("decode_tps", 40.0, batch=8.0))


def test_a_sweep_that_changed_its_workload_shows_the_newest(table: Any) -> None:
    old = row("decode_tps", 10.0, prompt=512.0, session="s0", started="2025-01-01T00:00:00+00:00")
    assert texts(table(SPEED, old, row("decode_tps", 12.0)))[1][1] == "12.0"


def test_a_table_does_not_mix_gpus(table: Any) -> None:
    rows = [row("decode_tps", 10.0, gpu="T4"), row("decode_tps", 20.0, method="int4", gpu="H100")]
    with pytest.raises(ConfigError, match=r"table 'speed' would mix gpu: H100, T4; .* may_mix: \[gpu\]"):
        table(SPEED, *rows)
    assert len(texts(table(SPEED.replace("rows:", "may_mix: [gpu]\n  rows:"), *rows))) == 3


def test_a_table_with_gpus_as_headings_has_a_section_for_each(table: Any) -> None:
    spec = SPEED.replace("rows:", "each: gpu\n  rows:")
    rows = [row("decode_tps", 10.0, gpu="T4"), row("decode_tps", 20.0, gpu="H100", machine_id="b2")]
    assert [section.headings for section in table(spec, *rows).sections] == [("H100",), ("T4",)]


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [("box", "b1", "b2"), ("driver", "550", "560"), ("environment", "cpu", "genai-latest"), ("protocol", "e2e", "e2e-greedy"),
     ("metric_version", 1.0, 2.0), ("source", "device", "nvml-process"), ("protocol_version", 1.0, 2.0)],
)  # fmt: skip
def test_a_table_does_not_mix(table: Any, field: str, one: Any, other: Any) -> None:
    rows = [row("decode_tps", 10.0, **{field: one}), row("decode_tps", 20.0, method="int4", **{field: other})]
    with pytest.raises(ConfigError, match=f"would mix {field}"):
        table(SPEED, *rows)
    table(SPEED.replace("rows:", f"may_mix: [{field}]\n  rows:"), *rows)


def test_a_table_does_not_mix_package_versions_unless_the_package_is_named(table: Any) -> None:
    versions = {"e1": {"onnxruntime": "1.28.0"}, "e2": {"onnxruntime": "1.29.0"}}
    rows = [row("decode_tps", 10.0), row("decode_tps", 20.0, method="int4", environment_id="e2")]
    with pytest.raises(ConfigError, match=r"would mix environment.onnxruntime: 1.28.0, 1.29.0"):
        table(SPEED, *rows, packages=versions.__getitem__)
    spec = SPEED.replace("rows:", "may_mix: [environment.onnxruntime]\n  rows:")
    assert len(texts(table(spec, *rows, packages=versions.__getitem__))) == 3


def test_sizes_stand_beside_speeds_although_a_build_has_no_engine(table: Any) -> None:
    spec = (
        SPEED.replace("rows:", "where: {engine: ort-genai}\n  rows:")
        + "    Size (MB): {metric: artifact_bytes, unit: MB, format: 1}\n"
    )
    made = table(spec, row("decode_tps", 10.0), size(13_560_000.0), size(5e6, method="int8"))
    assert texts(made) == [["Method", "Decode", "Speedup", "Size (MB)"], ["FP32", "10.0", "1.00x", "13.6"]]


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


def test_strata_can_be_columns(table: Any) -> None:
    spec = "t: {rows: [method], pivot: {part: {'stratum:seen': Seen, 'stratum:new': New}}, cells: {metric: mmlu_acc, format: 1%}}"
    parts = [
        row("mmlu_acc", value, slice=part, run="a", measurement_id=part, **QUALITY)
        for part, value in (("", 0.8), ("stratum:seen", 0.95), ("stratum:new", 0.75))
    ]
    assert texts(table(spec, *parts)) == [["Method", "Seen", "New"], ["FP32", "95.0%", "75.0%"]]


def test_a_part_must_be_named_to_be_shown(table: Any) -> None:
    made = table("t: {rows: [method], cells: {A: {metric: mmlu_acc, format: 1}}}",
                 row("mmlu_acc", 0.8, run="a", **QUALITY), row("mmlu_acc", 0.5, slice="stratum:new", run="a", **QUALITY))  # fmt: skip
    assert texts(made)[1] == ["FP32", "80.0"]


def test_rows_follow_the_catalogue_the_where_list_or_the_value(table: Any) -> None:
    rows = [row("decode_tps", value, method=method) for method, value in (("int4", 3.0), ("fp32", 2.0), ("int8", 1.0))]
    spec = "t: {rows: [method], cells: {A: {metric: decode_tps, format: 0}}}"
    assert [line[0] for line in texts(table(spec, *rows))[1:]] == ["FP32", "INT8", "INT4 RTN"]
    listed = spec.replace("rows:", "where: {method: [int8, int4]}, rows:")
    assert [line[0] for line in texts(table(listed, *rows))[1:]] == ["INT8", "INT4 RTN"]
    valued = spec.replace("rows:", "order: value, rows:")
    assert [line[1] for line in texts(table(valued, *rows))[1:]] == ["1", "2", "3"]


def test_attributes_and_links_come_from_the_catalogue(table: Any) -> None:
    spec = "t: {rows: [method, method.granularity], cells: {A: {metric: decode_tps, format: 0}, Backend: engine.title}}"
    made = table(spec, row("decode_tps", 3.0, method="int4"))
    assert texts(made) == [
        ["Method", "Granularity", "A", "Backend"],
        ["INT4 RTN", "blockwise 32", "3", "ONNX Runtime GenAI"],
    ]
    assert made.sections[0].rows[0][0].link == "https://example.org/int4"


def test_the_metric_can_be_a_row(table: Any) -> None:
    spec = """
mixed:
  rows: [model, metric]
  pivot: {method: {fp32: FP32, int4: INT4}}
  baseline: {method: fp32}
  cells: {metric: {mmlu_acc: 2%, perplexity: 3}, Improvement: {as: difference, format: "+1"}}
"""
    rows = [row(name, value, method=method, **QUALITY) for name, method, value in (
        ("mmlu_acc", "fp32", 0.324), ("mmlu_acc", "int4", 0.339), ("perplexity", "fp32", 25.5), ("perplexity", "int4", 23.5))]  # fmt: skip
    assert texts(table(spec, *rows)) == [
        ["Model", "Metric", "FP32", "INT4", "Improvement"],
        ["m", "Accuracy (greedy two tokens)", "32.40%", "33.90%", "+1.5%"],
        ["", "Perplexity", "25.500", "23.500", "-2.0 (lower is better)"],
    ]


def test_a_metric_in_a_row_has_its_unit_in_its_name(table: Any) -> None:
    spec = """
mixed:
  rows: [metric]
  pivot: {method: {fp32: FP32, int4: INT4}}
  baseline: {method: fp32}
  cells: {metric: {ttft: {format: 1, unit: ms}, decode_tps: 0}, Change: {as: difference, format: "+1"}}
"""
    rows = [row(name, value, method=method) for name, method, value in (
        ("ttft", "fp32", 0.02), ("ttft", "int4", 0.0312), ("decode_tps", "fp32", 50.0), ("decode_tps", "int4", 75.0))]  # fmt: skip
    assert texts(table(spec, *rows))[1:] == [
        ["Time to first token (ms)", "20.0", "31.2", "+11.2 (lower is better)"],
        ["Decode (tok/s)", "50", "75", "+25.0"],
    ]
    with pytest.raises(ConfigError, match=r"t.*:6: unknown unit 'MB'.*stored in 's'"):
        table(spec.replace("unit: ms", "unit: MB"), *rows)
    with pytest.raises(ConfigError, match=r"'format' of metric 'ttft': must be a word, e.g. 2x; it is"):
        table(spec.replace("{format: 1, unit: ms}", "{format: [1]}"), *rows)


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


def test_the_caption_says_where_when_and_how(table: Any) -> None:
    made = table(SPEED, row("decode_tps", 10.0), row("decode_tps", 20.0, method="int4", started="2026-02-01T01:00:00+00:00"),
                 packages=lambda _: {"onnxruntime": "1.28.0", "torch": "2.13.0+cpu", "rich": "14"})  # fmt: skip
    assert made.caption == (
        "Configuration: Example CPU (2 cores), Linux, Python 3.11.9, onnxruntime 1.28.0, torch 2.13.0+cpu.",
        "Measured 2026-01-31 to 2026-02-01 (UTC).",
        "Speed and memory: each number is that of 1 process of its latest session; no interval below 3 processes.",
        "Decode: protocol e2e v1, batch 1, 128 prompt tokens, 64 output tokens, 1 warm-up, 5 repetitions.",
    )


def test_the_caption_counts_what_was_cut_and_limited(table: Any) -> None:
    made = table("t: {rows: [method], cells: {A: {metric: mmlu_acc}}}",
                 row("mmlu_acc", 0.8, **{**QUALITY, "scored": 1234.0, "truncated": 7.0, "skipped": 0.0, "limit": 50.0, "beyond_trained": 3.0, "bos": True, "shots": 5.0}))  # fmt: skip
    assert made.caption[-1] == (
        "Accuracy (greedy two tokens): protocol e2e v1, batch 1, 5 shots, limit 50, 1,234 scored, 7 truncated, "
        "3 beyond the trained positions, BOS added."
    ).replace("batch 1, ", "")


def test_the_best_is_bold_by_the_metrics_direction(table: Any) -> None:
    spec = "t: {rows: [method], cells: {A: {metric: ttft, bold: best}, B: {metric: decode_tps, bold: best}}}"
    rows = [
        row("ttft", 0.1),
        row("ttft", 0.2, method="int4"),
        row("decode_tps", 1.0),
        row("decode_tps", 2.0, method="int4"),
    ]
    assert [[cell.bold for cell in line[1:]] for line in table(spec, *rows).sections[0].rows] == [
        [True, False],
        [False, True],
    ]


@pytest.mark.parametrize(
    ("better", "bold"),
    [("lower", [True, False]), ("higher", [False, True]), ("none", [False, False]), (None, [False, False])],
)
def test_the_best_of_a_tasks_own_metric_is_as_its_source_says(table: Any, better: str | None, bold: list[bool]) -> None:
    spec = "t: {rows: [method], cells: {A: {metric: lm_eval.mae, bold: best}}}"
    rows = [row("lm_eval.mae", value, method=method, better=better) for method, value in (("fp32", 2.0), ("int4", 4.0))]
    assert [line[1].bold for line in table(spec, *rows).sections[0].rows] == bold


def test_one_run_in_two_blocks_is_one_run(table: Any) -> None:
    rows = [row("decode_tps", 10.0, run="a", block=block) for block in ("one", "two")]
    assert texts(table(SPEED, *rows))[1] == ["FP32", "10.0", "1.00x"]


def test_an_each_that_nothing_says_is_refused(table: Any) -> None:
    with pytest.raises(ConfigError, match="nothing that was measured says gpu"):
        table(SPEED.replace("rows:", "each: gpu\n  rows:"), row("decode_tps", 10.0))


def test_a_result_that_lacks_a_row_key_has_a_row_of_its_own(table: Any) -> None:
    spec = SPEED.replace("rows: [", "rows: [gpu, ").replace("  baseline", "  may_mix: [driver]\n  baseline")
    here = [row("decode_tps", 10.0), row("decode_tps", 12.0, run="b", method="int8")]
    assert texts(table(spec, *here))[1:] == [["-", "FP32", "10.0", "1.00x"], ["-", "INT8", "12.0", "1.20x"]]
    assert texts(table(spec, *here, row("decode_tps", 90.0, run="c", gpu="H200")))[1:] == [
        ["H200", "FP32", "90.0", "1.00x"],
        ["-", "FP32", "10.0", "1.00x"],
        ["-", "INT8", "12.0", "1.20x"],
    ]


def test_a_failed_run_that_lacks_a_row_key_stands_with_its_like_or_by_itself(table: Any) -> None:
    spec = SPEED.replace("rows: [", "rows: [dtype, ")
    out = failed("oom", "out of memory", run="x", method="int8", dtype=None)
    assert texts(table(spec, row("decode_tps", 10.0), out))[1:] == [
        ["float32", "FP32", "10.0", "1.00x"],
        ["-", "INT8", "oom", "oom"],
    ]
    older = row("decode_tps", 12.0, run="b", method="int8", started="2026-01-01T00:00:00+00:00")
    assert texts(table(spec, row("decode_tps", 10.0), older, out))[1:] == [
        ["float32", "FP32", "10.0", "1.00x"],
        ["float32", "INT8", "oom", "oom"],
    ]


def test_a_pivot_over_what_a_result_lacks_is_refused(table: Any) -> None:
    spec = SPEED.replace("rows:", "pivot: gpu\n  rows:")
    with pytest.raises(ConfigError, match="a result of decode_tps does not say 'gpu', and would have no column"):
        table(spec, row("decode_tps", 10.0), row("decode_tps", 12.0, run="b", gpu="H200"))


WORK = "speed: {rows: [method, workload], cells: {Decode: {metric: decode_tps, format: 1}}}"


@pytest.mark.parametrize(
    ("spec", "first", "second", "heading", "shown"),
    [
        (WORK, '{"run": "a.py --fast", "seed": 1}', '{"run": "b.py", "seed": 1}', "Workload", ["a.py --fast", "b.py"]),
        (WORK, '{"run": "a.py", "seed": 1}', '{"run": "b.py", "seed": 2}', "Workload", ["run a.py, seed 1", "run b.py, seed 2"]),
        (WORK, '{"run": "/home/me/a.py"}', '{"run": "b.py"}', "Workload", ["a.py", "b.py"]),
        (WORK.replace("cells", "show: [method, workload.seed], cells"), '{"run": "a", "seed": 1}', '{"run": "a", "seed": 2}', "Seed", ["1", "2"]),
    ],
)  # fmt: skip
def test_a_workload_among_the_rows_is_called_by_what_differs_and_never_in_json(
    table: Any, spec: str, first: str, second: str, heading: str, shown: list[str]
) -> None:
    made = table(spec, row("decode_tps", 10.0, workload=first), row("decode_tps", 20.0, workload=second))
    assert texts(made)[0] == ["Method", heading, "Decode"]
    assert [line[1] for line in texts(made)[1:]] == shown


def test_one_workload_alone_is_called_by_all_of_its_options(table: Any) -> None:
    made = table(WORK, row("decode_tps", 10.0, workload='{"run": "a.py", "seed": 1}'))
    assert texts(made)[1] == ["FP32", "run a.py, seed 1", "10.0"]


def test_attributes_of_names_are_called_as_the_table_says(table: Any) -> None:
    spec = 'speed: {rows: [method], show: [method, method.bits], titles: {method.bits: {int4: "**4**"}}, style: {titles: markdown}, cells: {Decode: {metric: decode_tps}}}'
    made = table(spec, row("decode_tps", 10.0), row("decode_tps", 20.0, method="int4"))
    assert [line[1] for line in texts(made)[1:]] == ["-", "**4**"]
    assert [line[1].literal for line in made.sections[0].rows] == [True, False]
