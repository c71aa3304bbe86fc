"""Ordinary correct tables have no finding, and a wrong number in each is found."""

from __future__ import annotations

import pytest

from tests.unit.lint.linting import found, places, table

LATENCY = ("Model/Latency (ms)/Speedup", "FP16/20.0/-", "INT8/12.0/1.67x", "INT4/10.0/2.00x")
BLOCKS = ("Model/Precision/Tok per second/Speedup", "A/FP16/50.0/1.00x", "/INT4/100.0/2.00x", "B/FP16/40.0/1.00x")
PHASES = "Method/TTFT (ms)/TPOT (ms)/Tok per second/Speedup"
LOG = ("Date/Commit/Loss/Improvement", "1 May/abc/2.50/", "2 May/abd/2.40/4.0%")
REQUESTS = "Batch size/Output tokens/Latency (s)/Throughput (tok per second)"
SIZES = ("Format/Size on disk (MB)/Compression", "FP16/16000/1.0x", "INT8/8000/2.0x", "Q5/5000/3.2x")


@pytest.mark.parametrize(
    "text",
    [
        table(*LATENCY),
        table(*LATENCY).replace("| - |", "| baseline |"),
        table(*LATENCY).replace("| - |", "| 1.00x |"),
        table(LATENCY[0], LATENCY[2], LATENCY[1], LATENCY[3]),
        table(LATENCY[0], *LATENCY[:1:-1], LATENCY[1]),
        table(*LATENCY).replace("Latency (ms)", "Memory (GB)").replace("Speedup", "Memory saving"),
        table(PHASES, "FP16/20.0/5.0/200/1.00x", "INT4/10.0/2.5/400/2.00x"),
        table(*LOG, "3 May/abe/2.16/10.0%"),
        table(*LOG, "3 May/abe/2.16/11.0%"),
        table(REQUESTS, "4/128/3.20/160", "4/256/3.20/320"),
        table(REQUESTS.replace("Output tokens", "OSL"), "4/128/3.20/160", "8/128/3.20/320", "4/256/3.20/320"),
        table("Model/Memory", "A/13.5 GB", "B/700 MB", "C/1.2 GB"),
        table("Model/Latency", "A/512 µs", "B/1.2 ms", "C/3.4 s"),
        table("Model/Latency/Speedup", "A/2.0 ms/-", "B/1.0 ms/2.00x", "C/500 µs/4.00x"),
        table("Model/Memory/Compression", "A/2.0 GB/1.00x", "B/512 MB/4.00x", "C/500 MB/4.00x"),
        table(*BLOCKS, "/INT4/100.0/2.50x"),
        table(*SIZES, "Q4/4000/4.0x"),
        table("Method/Bits/Compression/Perplexity", "FP16/16/1.0x/5.47", "A/4/4.0x/5.60"),
        table("Method/Compression/Accuracy", "A/4x/70.1", "B/8x/68.2"),
        table("Model/Speed (tok per s)", "A/10.0", "B/12.0"),
        table("Model/Speed", "A/10.0 tok/s".replace("/s", " per second"), "B/12.0 tok per second"),
    ],
)
def test_a_correct_table_has_no_finding(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (table(*LATENCY).replace("2.00x", "2.20x").replace("| INT4", "| W8 | 10.0 | 2.00x |\n| INT4"), 4),
        (table(*BLOCKS, "/INT4/100.0/2.60x"), 4),
        (table(*BLOCKS, "/INT4/100.0/2.60x").replace("1.00x", "-"), 4),
        (table(*SIZES, "Q4/4000/4.5x"), 4),
        (table("Method/Tok per second/Speedup", "FP16/6400/1.00x", "INT4/12800/2.00x", "INT8/9600/1.80x"), 3),
    ],
)
def test_one_wrong_row_is_the_only_one_reported(text: str, expected: int) -> None:
    assert [(rule, row) for rule, row, _ in places(text)] == [("derived-value", expected)]


def test_a_wrong_speed_up_is_told_by_the_baseline_of_the_table() -> None:
    (one,) = found(table("Method/Tok per second/Speedup", "FP16/6400/1.00x", "INT4/12800/2.00x", "INT8/9600/1.80x"))
    assert "1.80x is not 9600 / 6400" in one.message


def test_one_improvement_of_two_accuses_nobody_of_the_other() -> None:
    assert found(table(*LOG, "3 May/abe/2.16/12.0%")) == []


def test_latency_times_throughput_counts_the_tokens_of_a_request() -> None:
    text = table(REQUESTS, "4/128/3.20/160", "4/256/3.20/320", "8/128/3.20/330")
    assert places(text) == [("latency-times-throughput", 3, "Throughput (tok per second)")]
    assert "not the batch size 8 times 128 tokens" in found(text)[0].message


def test_two_units_of_one_column_do_not_excuse_a_cell_without_any() -> None:
    assert [rule for rule, _, _ in places(table("Model/Memory", "A/13.5 GB", "B/700 MB", "C/1.2"), "mixed-format")]


def test_a_speed_without_a_unit_is_found() -> None:
    assert places(table("Model/Speed", "A/10.0", "B/12.0")) == [("unit-missing", None, "Speed")]
