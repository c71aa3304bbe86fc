"""Rows and columns of a table: which there are, in which order, under which names."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.errors import ConfigError
from tests.unit.tables.frames import QUALITY, row
from tests.unit.tables.texts import SPEED, texts


def test_a_row_per_method_with_its_value_and_its_ratio_to_the_baseline(table: Any) -> None:
    made = table(SPEED, row("decode_tps", 10.0), row("decode_tps", 26.8, method="int4"))
    assert texts(made) == [["Method", "Decode", "Speedup"], ["FP32", "10.0", "1.00x"], ["INT4 RTN", "26.8", "2.68x"]]


def test_a_cell_knows_the_measurements_behind_it(table: Any) -> None:
    made = table(SPEED, row("decode_tps", 10.0, run="a"), row("decode_tps", 26.8, method="int4", run="b"))
    cell = made.sections[0].rows[1][2]
    assert cell.runs == ("b", "a")
    assert cell.measurements == ("b#0", "a#0")


def test_the_median_run_of_the_latest_session_is_a_run_that_was_measured(table: Any) -> None:
    spec = SPEED.replace("rows:", "pick: median_of_runs\n  rows:")
    rounds = [row("decode_tps", value, round=place) for place, value in enumerate((11.0, 14.0, 12.0))]
    made = table(spec, row("decode_tps", 99.0, session="s0", started="2025-01-01T00:00:00+00:00"), *rounds)
    assert texts(made)[1][1] == "12.0"
    assert "median value" in made.caption[1]


def test_strata_can_be_columns(table: Any) -> None:
    spec = "t: {rows: [method], pivot: {slice: {'stratum:seen': Seen, 'stratum:new': New}}, cells: {metric: mmlu_acc, format: 1%}}"
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
