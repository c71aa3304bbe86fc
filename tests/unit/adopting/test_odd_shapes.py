"""`harness adopt` on odder tables: money, times, flags, ticks, a metric to a row; each to the byte, and each number as what it says."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from harness.adopting.adopt import WantedTables
from harness.adopting.column import Column
from harness.commands.adopt import adopt_page
from harness.commands.pages import check_pages
from harness.commands.workspace import Workspace
from harness.published.reported import read_reported
from tests.unit.adopting import odd_shapes
from tests.unit.adopting.conftest import Take
from tests.unit.adopting.test_adopt import MARKERS, quiet


def columns(take: Take, text: str) -> dict[str, Column]:
    (table,) = take(text).tables
    return {column.title: column for column in table.understood.columns}


def test_every_odd_shape_is_carried_and_the_page_gains_nothing_but_markers(theirs: Workspace) -> None:
    page = theirs.root / "odd.md"
    text = "# Tables\n\n" + "\n".join(f"## {name}\n\n{table}" for name, table in odd_shapes.ALL.items())
    page.write_text(text, "utf-8")
    said = list(adopt_page(page, theirs, WantedTables()))
    assert [line for line in said if "not adopted" in line] == []
    assert sum(": adopted as 'odd-" in line for line in said) == len(odd_shapes.ALL) == 16
    assert MARKERS.sub(b"", page.read_bytes()).decode() == text
    assert check_pages(quiet(), theirs) == 0


def test_amounts_of_money_are_numbers_with_their_currency(take: Take) -> None:
    found = columns(take, odd_shapes.PRICES)
    cost, hourly, total = found["Cost (per 1M tokens)"], found["GPU $/hr"], found["Total"]
    assert [(one.metric, one.unit, one.better) for one in (cost, hourly, total)] == [
        ("own.cost_per_1m_tokens", "$", "lower"),
        ("own.gpu", "$/hr", "lower"),
        ("own.total", "US$", "lower"),
    ]
    assert [one.value for one in cost.numbers] == [Decimal("0.88"), Decimal("0.52"), Decimal("0.41")]
    speed = found["Throughput"]
    assert (speed.metric, [one.value for one in speed.numbers]) == ("decode_tps", [1900, 3400, 2800])
    made = take(odd_shapes.PRICES).made
    assert made is not None
    assert '"GPU $/hr": {metric: own.gpu, format: "2 printed", before: "$"}' in made.spec


def test_times_in_parts_are_seconds(take: Take) -> None:
    found = columns(take, odd_shapes.TIMES)
    assert [one.value for one in found["Tuning time"].numbers] == [85, 725, 48]
    assert [one.half for one in found["Total Execution Time"].numbers][:2] == [Decimal("0.5"), 30]
    assert (found["Tuning time"].unit, found["Tuning time"].better) == ("s", "lower")


def test_flags_tell_rows_apart_where_words_do_not(take: Take) -> None:
    found = columns(take, odd_shapes.LLAMA_FLAGS)
    assert [name for name in found if found[name].role == "key"] == ["model", "backend", "fa", "mla", "test"]
    assert found["threads"].role == "number", "it is the same everywhere"
    found = columns(take, odd_shapes.PARALLEL)
    assert found["Runtime Change (min)"].dimension != "engine"
    assert found["Quantization Speed"].role == "text"


def test_what_lm_eval_prints_is_carried_with_its_metric_as_a_name(take: Take) -> None:
    found = columns(take, odd_shapes.LM_EVAL)
    assert (found["Tasks"].dimension, found["n-shot"].dimension) == ("task", "shots")
    assert (found["Metric"].role, found["Value"].metric, found["Value"].better) == ("key", "own.value", "none")


def test_one_column_of_values_has_a_metric_of_each_row_with_its_own_unit(take: Take) -> None:
    text = "| Method | Metric | Value |\n|---|---|---|\n| FP16 | PPL | 5.4 |\n| FP16 | Latency (ms) | 10 |\n"
    found = columns(take, text)
    assert (found["PPL"].metric, found["Latency (ms)"].unit) == ("perplexity", "ms")
    assert columns(take, odd_shapes.KLD_REPORT)["Mean KLD"].metric == "kl_divergence"


def test_marks_beside_numbers_are_no_part_of_them_and_bits_name_methods(take: Take) -> None:
    found = columns(take, odd_shapes.EXL3)
    assert (found["Precision"].dimension, found["Fits 24 GB?"].role) == ("method", "text")
    assert [one.value for one in found["Q4 cache"].numbers] == [
        Decimal(text) for text in ("13.38", "12.90", "12.70", "10.32")
    ]


def test_a_model_and_what_was_made_of_it_are_two_methods(take: Take) -> None:
    found = columns(take, odd_shapes.RECOVERY)
    assert [found[name].under for name in ("Llama-3.3-70B", "Llama-3.3-70B-w4a16")] == [
        (("method", "Llama-3.3-70B"),), (("method", "Llama-3.3-70B-w4a16"),),
    ]  # fmt: skip


def test_the_first_heading_may_say_what_the_others_are(take: Take) -> None:
    found = columns(take, "| Seq Len | 256 | 512 |\n|---|---|---|\n| FP16 | 0.03 | 0.05 |\n| INT4 | 0.02 | 0.04 |\n")
    assert (found["Seq Len"].dimension, found["512"].under) == ("method", (("prompt", "512"),))
    found = columns(
        take, "| Model | Falcon3-3B | Qwen2.5-7B |\n|---|---|---|\n| BF16 | 70.1 | 64.7 |\n| Light | 69.9 | 64.1 |\n"
    )
    assert (found["Model"].dimension, found["Falcon3-3B"].under) == ("method", (("model", "Falcon3-3B"),))


def test_the_same_metric_with_and_without_a_method_is_two(take: Take) -> None:
    text = "| Model | t/s (theirs) | t/s (INT4) |\n|---|---:|---:|\n| 125M | 639.39 ± 1.7 | 947.67 |\n| 7B | 39.1 | 51.4 |\n"
    found = columns(take, text)
    assert [found[name].metric for name in ("t/s (theirs)", "t/s (INT4)")] == ["own.t_s_theirs", "decode_tps"]


def test_a_column_of_changes_is_the_change_of_each_metric_in_percent(take: Take) -> None:
    (table,) = take(odd_shapes.CHANGE).tables
    compared = [column for column in table.understood.columns if column.comparison]
    assert {column.comparison for column in compared} == {"change_percent"}
    assert {column.metric for column in compared} == {"prefill_tps", "ttft", "itl"}
    (refused,) = take(odd_shapes.CHANGE.replace("-7.3%", "-9.3%")).refused
    assert "column 'Change' is not everywhere the difference, nor the ratio" in refused.why


def test_an_empty_name_stays_empty_where_names_are_written_out(take: Take) -> None:
    (table,) = take(odd_shapes.QAT).tables
    assert table.understood.values[-1] == ("", "")
    assert table.understood.blank == frozenset()
    found = columns(take, odd_shapes.MIXES)
    assert [found[name].role for name in ("%int4", "%int8", "lora rank")] == ["key", "number", "number"]


def test_what_says_the_same_as_above_is_asked_to_be_written_out(take: Take) -> None:
    rows = "| a | int8 | 14.1 |\n| - | int4 | 19.2 |\n| b | int8 | 8.5 |\n| - | int4 | 10.9 |\n"
    (refused,) = take(f"| model | kv type | RPS |\n|---|---|---|\n{rows}").refused
    assert (
        refused.why
        == "rows 2 and 4 are both '- / int4', and no other column tells them apart; write out what '-' stands for"
    )


def test_rows_that_stand_for_others_are_refused_in_words(take: Take) -> None:
    rows = "| a | 1 | 5.4 |\n| ... | ... | ... |\n| b | 1 | 5.5 |\n| ... | ... | ... |\n| c | 1 | 5.6 |\n"
    (refused,) = take(f"| Model | Batch | PPL |\n|---|---|---|\n{rows}").refused
    assert (
        refused.why
        == "rows 2 and 4 say only '...', for rows that were left out; take them out, since no data can stand for them"
    )


@pytest.mark.parametrize("cell", ["6.2–6.9 t/s", "12.3 / 11.1 GB", "0.65→0.56", "7min<br/>10GB", "17 -> 5"])
def test_two_numbers_in_a_cell_stay_the_words_they_are(theirs: Workspace, cell: str) -> None:
    page = theirs.root / "two.md"
    page.write_text(
        f"| Method | Both | PPL |\n|---|---|---|\n| FP16 | {cell} | 5.4 |\n| INT4 | {cell} | 5.6 |\n", "utf-8"
    )
    said = "\n".join(adopt_page(page, theirs, WantedTables()))
    assert "'Both': words" in said
    first, _ = read_reported(theirs.own_published / "two.reported.yaml")
    assert cell in first.printed.values()
    assert re.search(rf"\| {re.escape(cell)} \|", page.read_text("utf-8"))
