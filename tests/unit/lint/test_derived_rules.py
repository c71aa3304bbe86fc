"""Rules for columns that are made from others, and for baselines."""

from __future__ import annotations

from tests.unit.lint.linting import counts, found, places, table

GPUS = """\
| | | BF16 (8B:TP1, 70B:TP2) | | FP8 (TP1) | |
|:-:|:-:|:-:|:-:|:-:|:-:|
| Model | Batch Size | Tokens/sec | | Tokens/sec | Speedup |
| A-8B | 1 | 100.00 | | 150.00 | 1.50x |
| | 8 | 800.00 | | 1,000.00 | 1.25x |
| A-70B | 1 | 100.00 | | 90.00 | 1.80x |
| | 8 | 800.00 | | 600.00 | 1.50x |
"""


def improvements(*values: str) -> str:
    rows = ["A/0.050/0.100", "B/0.080/0.100", "C/0.099/0.100", "D/0.125/0.100"]
    lines = [f"{row}/{value}" for row, value in zip(rows, values, strict=True)]
    return table("Method/New latency (s)/Old latency (s)/Latency Improvement", *lines)


def speeds(*values: str) -> str:
    rows = ["A/50.0/100.0", "B/40.0/60.0", "C/30.0/60.0"]
    lines = [f"{row}/{value}" for row, value in zip(rows, values, strict=True)]
    return table("Model/BF16 Tok per second/INT4 Tok per second/Speedup", *lines)


def test_a_speed_up_that_contradicts_its_columns_is_found() -> None:
    (one,) = found(speeds("2.00x", "1.50x", "1.80x"))
    assert (one.rule, one.row, one.column, one.line) == ("derived-value", 3, "Speedup", 5)
    assert "1.80x is not 60.0 / 30.0, which is 1.9950..2.0050; rounding allows 0.01" in one.message


def test_rounding_to_the_nearest_up_and_down_is_allowed() -> None:
    text = table(
        "Model/Old Tok per second/New Tok per second/Speedup",
        "A/30.0/50.0/1.66x",
        "B/30.0/50.0/1.67x",
        "C/30.0/40.0/1.33x",
    )
    assert found(text) == []


def test_a_single_row_is_held_against_its_only_inputs() -> None:
    assert places(table("Model/Old Tok per second/New Tok per second/Speedup", "A/30.0/60.0/1.7x")) == [
        ("derived-value", 1, "Speedup")
    ]


def test_a_percentage_may_be_a_change_or_a_reduction() -> None:
    head = "Method/New latency (s)/Old latency (s)/Latency reduction"
    assert found(table(head, "A/0.050/0.100/50%", "B/0.080/0.100/20%")) == []
    assert found(table(head, "A/0.050/0.100/-50%", "B/0.080/0.100/-20%")) == []
    assert places(table(head, "A/0.050/0.100/50%", "B/0.080/0.100/20%", "C/0.090/0.100/20%")) == [
        ("derived-value", 3, "Latency reduction")
    ]


def test_one_plus_the_reduction_is_found_where_it_differs_from_the_ratio() -> None:
    text = improvements("1.50", "1.20", "1.01", "0.75")
    assert counts(text, "improvement-convention") == (3, 4)
    assert counts(text, "derived-value") == (0, 4)
    first = found(text)[0]
    assert "1.50 is one plus the reduction, 1 + (0.100 - 0.050) / 0.100, not the ratio 0.100 / 0.050" in first.message
    assert "3 of 4 rows of this column contradict that reading" in first.message


def test_a_row_that_fits_neither_reading_is_not_called_one_plus_the_reduction() -> None:
    text = improvements("1.50", "1.20", "1.01", "0.90")
    assert [row for rule, row, _ in places(text) if rule == "improvement-convention"] == [1, 2]
    assert [row for rule, row, _ in places(text) if rule == "derived-value"] == [4]


def test_a_plain_ratio_of_latencies_is_no_finding() -> None:
    assert found(improvements("2.00", "1.25", "1.01", "0.80")) == []


def test_points_that_are_written_as_per_cent_are_found() -> None:
    text = table("Model/Base/Mixed/Improvement", "A/30.0%/33.0%/+3.0%", "B/50.0%/51.0%/+1.0%")
    assert [rule for rule, _, _ in places(text)] == ["points-as-percent"] * 2
    assert found(text.replace("Improvement", "Difference")) == []


def test_a_table_of_several_metrics_is_read_metric_by_metric() -> None:
    text = table(
        "Model/Metric/Base/Mixed/Difference",
        "A/MMLU/30.0%/33.0%/+3.0%", "/Perplexity/46.304/44.332/-2.0",
        "B/MMLU/50.0%/51.0%/+1.0%", "/Perplexity/16.900/14.176/-2.7",
    )  # fmt: skip
    assert found(text) == []
    assert places(text.replace("-2.7", "-3.7")) == [("derived-value", 4, "Difference")]


def test_normalizing_to_the_gpu_count_of_the_headers_is_understood() -> None:
    assert found(GPUS) == []
    assert counts(GPUS, "derived-value") == (0, 4)
    (one,) = found(GPUS.replace("1.80x", "0.90x"))
    assert (one.rule, one.row, one.line) == ("derived-value", 3, 6)
    assert "times 2 for the GPU count" in one.message


def test_normalizing_that_only_the_text_declares_is_understood() -> None:
    text = GPUS.replace(" (8B:TP1, 70B:TP2)", "").replace(" (TP1)", "")
    assert found("Speedup is normalized to the GPU count.\n\n" + text) == []
    assert found(text) != []


def test_a_baseline_row_of_the_table_is_found() -> None:
    rows = ["A/FP16/50.0/1.00x", "A/INT4/100.0/2.00x", "B/FP16/30.0/1.00x", "B/INT4/45.0/1.50x"]
    assert found(table("Model/Method/Tok per second/Speedup", *rows)) == []
    wrong = table(
        "Model/Method/Tok per second/Speedup", *rows[:3], "B/INT4/45.0/1.90x", "C/FP16/10.0/1.00x", "C/INT4/15.0/1.50x"
    )
    assert places(wrong) == [("derived-value", 4, "Speedup")]


def test_a_baseline_row_may_differ_in_several_columns() -> None:
    rows = ["bf16/bf16/50.0/1.00", "int4/bf16/100.0/2.00", "fp8/fp8/75.0/1.50"]
    assert found(table("Weight/Activation/Tok per second/Speedup", *rows)) == []


def test_latency_times_throughput_is_the_batch_size() -> None:
    head = "Method/Batch Size/Latency (s)/Throughput (tokens per second)"
    good = ["A/1/0.0200/50.00", "A/8/0.0400/200.00", "A/32/0.1000/320.00"]
    assert counts(table(head, *good), "latency-times-throughput") == (0, 3)
    assert places(table(head, *good[:2], "A/32/0.1000/310.00")) == [
        ("latency-times-throughput", 3, "Throughput (tokens per second)")
    ]
    ms = table(head.replace("(s)", "(ms)"), "A/1/20.0/50.00", "A/8/40.0/200.00")
    assert counts(ms, "latency-times-throughput") == (0, 2)


def test_latency_of_whole_requests_is_one_multiple_of_the_batch_size() -> None:
    head = "Batch Size/Latency (s)/Throughput (tokens per second)"
    rows = ["1/2.000/50.00", "8/4.000/200.00", "32/10.000/320.00"]
    assert counts(table(head, *rows), "latency-times-throughput") == (0, 3)
    assert counts(table(head, *rows, "64/10.000/500.00"), "latency-times-throughput") == (1, 4)


def test_columns_of_two_versions_are_paired_by_their_labels() -> None:
    text = (
        "| Batch Size | Latency (s) <sub>v2</sub> | Tokens/s <sub>v2</sub> | Latency (s) <sub>v1</sub> | Tokens/s <sub>v1</sub> |\n"
        "|---|---|---|---|---|\n| 1 | 0.0200 | 50.00 | 0.0400 | 25.00 |\n| 8 | 0.0400 | 200.00 | 0.0800 | 90.00 |\n"
    )
    assert places(text) == [("latency-times-throughput", 2, "Tokens/s v1")]


def test_ratios_without_any_input_have_no_baseline() -> None:
    text = table("Model/Memory Saving/Speedup", "A/2.44x/2.68x", "B/2.53x/2.51x")
    assert places(text) == [("baseline-missing", None, "Memory Saving"), ("baseline-missing", None, "Speedup")]


def test_a_speed_up_beside_its_own_throughput_implies_its_baseline() -> None:
    assert found(table("Model/Tok per second/Speedup", "A/100.0/2.00x", "B/120.0/1.70x")) == []


def test_a_derived_column_that_no_columns_give_has_no_baseline() -> None:
    head = "Model/A Tok per second/B Tok per second/C Tok per second/Speedup"
    assert places(table(head, "x/10.0/11.0/12.0/3.00x", "y/20.0/23.0/29.0/3.50x")) == [
        ("baseline-missing", None, "Speedup")
    ]


HIDDEN = "Model/FP8 Tok per second/FP8 Speedup/INT4 Tok per second/INT4 Speedup"


def test_two_speed_ups_of_a_row_share_one_hidden_baseline() -> None:
    assert found(table(HIDDEN, "A/175.42/1.26x/213.45/1.53x", "B/32.85/1.87x/47.49/2.70x")) == []
    (one,) = found(table(HIDDEN, "A/175.42/1.26x/213.45/1.53x", "B/32.85/1.87x/47.49/2.30x"))
    assert (one.rule, one.row) == ("hidden-baseline", 2)
    assert "'INT4 Speedup' 2.30x at 47.49 needs 20.556..20.740" in one.message


def test_a_hidden_baseline_may_differ_by_the_gpu_count_where_the_text_says_so() -> None:
    text = table(HIDDEN, "A/175.42/1.26x/213.45/1.53x", "B/32.85/1.87x/47.49/1.35x")
    assert found(text) != []
    assert found("Speedup is normalized to the GPU count.\n\n" + text) == []


def test_speed_ups_against_two_named_baselines_are_not_compared() -> None:
    head = "GPU/FP8 Latency (ms)/INT8 Latency (ms)/Speedup (FP8 vs FP16)/Speedup (INT8 vs FP32)"
    assert found(table(head, "A/10.00/20.00/2.00x/2.00x", "B/30.00/20.00/2.00x/3.50x")) == []


def test_rows_of_one_model_share_one_hidden_baseline() -> None:
    head = "Model/Method/Tok per second/Speedup"
    good = ["A/FP8/150.0/1.50x", "A/INT4/200.0/2.00x", "B/FP8/75.0/1.50x", "B/INT4/120.0/2.40x"]
    assert found(table(head, *good)) == []
    assert places(table(head, *good[:3], "B/INT4/120.0/2.00x")) == [("hidden-baseline", 4, "Speedup")]


def test_a_ratio_that_says_it_was_not_made_of_its_neighbours_is_not_held_against_them() -> None:
    rows = (
        "Method / Decode (tok per second) / Decode speed-up",
        "FP32 / 100.0 / 1.00x",
        "INT8 / 180.0 / 1.80x",
        "INT4 / 250.0 / {}",
    )
    assert counts(table(*rows).format("2.90x"), "derived-value")[0] == 1
    for marked in ("2.90x ‡", "2.90x ± 0.10 ‡", "2.90x [2.1, 3.9] ‡"):
        assert counts(table(*rows).format(marked), "derived-value")[0] == 0
