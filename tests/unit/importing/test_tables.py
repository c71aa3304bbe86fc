"""Files that hold several tests of one model: what tells them apart can be named by a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.commands.plain import plain
from harness.commands.workspace import read_workspace
from harness.core.errors import ConfigError
from harness.environments import ROOT, SHIPPED
from harness.pages.writing import render
from harness.published.sources import NumberSource
from harness.store.database import Database
from harness.tables.catalogue import catalogue_of
from tests.unit.importing.files import llama, take, vllm, write

TESTS = [
    llama(512, 0, flash_attn=False, avg_ts=100.0, samples_ts=[100.0, 100.0]),
    llama(512, 0, flash_attn=True, avg_ts=200.0, samples_ts=[200.0, 200.0]),
    llama(512, 0, flash_attn=True, avg_ts=50.0, samples_ts=[50.0, 50.0], n_depth=4096),
]


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|") and "---" not in line]


def table(results: Path, spec: str) -> list[str]:
    path = results / "imported.tables.yaml"
    path.write_text(spec, encoding="utf-8")
    with Database.open(results / "bench.db") as database:
        (made,) = render([path], NumberSource(database), catalogue_of(SHIPPED / "configs"))
    return rows(made.markdown)[1:]


def test_depth_and_engine_options_of_llama_bench_can_be_rows(tmp_path: Path) -> None:
    take(write(tmp_path, "llama.json", TESTS))
    spec = """
t:
  rows: [depth, engine_options]
  show: [depth, engine_options.flash_attn, engine_options.absent]
  cells: {Prefill: {metric: prefill_tps, format: 0}}
"""
    assert table(tmp_path / "results", spec) == [
        "| 0 | false | - | 100 |",
        "| 0 | true | - | 200 |",
        "| 4096 | true | - | 50 |",
    ]
    with pytest.raises(ConfigError, match="several measurements fit, with engine_options flash_attn; name 'engine_opt"):
        table(tmp_path / "results", "t: {rows: [depth], cells: {Prefill: {metric: prefill_tps}}}")


def test_a_table_without_a_spec_shows_the_options_that_differ(tmp_path: Path) -> None:
    take(write(tmp_path, "llama.json", TESTS))
    with Database.open(tmp_path / "results" / "bench.db") as database:
        made, *_ = plain(
            "imported", NumberSource(database), replace(read_workspace(ROOT), results=tmp_path / "results")
        )
    assert [line.split(" | ")[3:6] for line in rows(made)] == [
        ["Depth", "flash_attn", "Prefill (tok/s)"],
        ["0", "false", "100.0"],
        ["0", "true", "200.0"],
        ["4096", "true", "50.0"],
    ]


def test_serving_results_stand_by_concurrency_and_request_rate(tmp_path: Path) -> None:
    for name, clients, rate, speed in (
        ("a.json", 2, "inf", 10.0),
        ("b.json", 16, "inf", 40.0),
        ("c.json", 16, 4, 20.0),
    ):
        take(write(tmp_path, name, vllm(max_concurrency=clients, request_rate=rate, output_throughput=speed)))
    spec = "t: {rows: [concurrency, request_rate], cells: {Output: {metric: output_tps, format: 0}}}"
    assert table(tmp_path / "results", spec) == ["| 2 | inf | 10 |", "| 16 | 4 | 20 |", "| 16 | inf | 40 |"]


def test_a_number_beside_one_that_cannot_be_is_kept(tmp_path: Path) -> None:
    write(
        tmp_path,
        "map.yaml",
        """
tables:
  - table: 1
    columns: {Model: model, Method: method, Decode: {metric: decode_tps}, TTFT: {metric: ttft, unit: ms}}
""",
    )
    page = "| Model | Method | Decode | TTFT |\n|---|---|---|---|\n| toy | fp16 | 20.1 | N/A |\n| toy | int4 | 40.2 | 3.5 |\n"
    take(write(tmp_path, "page.md", page), map_=tmp_path / "map.yaml")
    spec = """
t:
  rows: [method]
  cells: {Decode: {metric: decode_tps, format: 1}, TTFT: {metric: ttft, unit: ms, format: 1}}
"""
    assert table(tmp_path / "results", spec) == ["| FP16 | 20.1 | unsupported <sup>1</sup> |", "| int4 | 40.2 | 3.5 |"]


def test_an_option_is_shown_beside_its_engine_options_alone(tmp_path: Path) -> None:
    take(write(tmp_path, "llama.json", TESTS))
    with pytest.raises(ConfigError, match=r"'engine_options.flash_attn' needs 'engine_options' among the rows"):
        table(tmp_path / "results", "t: {rows: [depth, engine_options.flash_attn], cells: {A: {metric: prefill_tps}}}")


def test_every_table_says_below_itself_which_numbers_were_imported(tmp_path: Path) -> None:
    take(write(tmp_path, "llama.json", TESTS[:1]))
    results, path = tmp_path / "results", tmp_path / "imported.tables.yaml"
    path.write_text(
        "t: {rows: [depth, engine_options], show: [depth], cells: {Prefill: {metric: prefill_tps}}}", encoding="utf-8"
    )
    with Database.open(results / "bench.db") as database:
        (made,) = render([path], NumberSource(database), catalogue_of(SHIPPED / "configs"))
        for text in (
            made.markdown,
            plain("imported", NumberSource(database), replace(read_workspace(ROOT), results=results))[0],
        ):
            assert "- Numbers imported, not measured here: " in text
