"""Markdown tables under a map."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.core.metric import OwnMetric
from harness.importing.import_files import lines
from harness.importing.mapping import COMPARISONS
from harness.store.database import Database
from harness.tables.compare import COMPARISONS as SHOWN
from tests.unit.importing.files import problem, runs, take, values, write

PAGE = """# Speed

Some words.

| Model | Batch Size | Tokens/sec | Speedup | Remarks |
|---|---:|---:|:-:|---|
| [Toy](https://example.org) | 1 | 1,234.50 | 1.63x | |
| | 8 | **2.5** ± 0.25 | - | best |

## Accuracy

<details><summary>MMLU</summary>

| Model | Score<sub>v2</sub> |
|---|---|
| a\\|b `c` <b>d</b> | 61.80% |

</details>

## Empty header

| | | |
|---|---|---|
| **Model** | **Time** | **Time** |
| toy | 12.3 ms | N/A |
"""

MAP = """
source: {title: Somebody's page, url: https://example.org/page, version: 0.10, configuration: one GPU}
protocol: their-protocol
probe: generation
tables:
  - table: Speed
    constants: {engine: ort-genai, gpu: NVIDIA H200, prompt: 128, method: int4_awq, date: 2026-01-31}
    columns:
      Model: {is: model, blank: repeat}
      Batch Size: batch
      Tokens/sec: {metric: decode_tps, unit: tok/s}
      Speedup: {metric: decode_tps, as: ratio, to: {method: fp16}}
"""


def both(folder: Path, map_: str = MAP, page: str = PAGE) -> Any:
    return take(write(folder, "page.md", page), map_=write(folder, "map.yaml", map_))


def test_rows_become_runs_with_what_the_map_says(tmp_path: Path) -> None:
    imported = both(tmp_path)
    first, second = runs(imported)
    plain, ratio = first.measurements
    assert (plain.metric, plain.value, plain.unit, plain.comparison) == ("decode_tps", 1234.5, "tok/s", None)
    assert (ratio.metric, ratio.value, ratio.unit) == ("decode_tps", 1.63, "")
    assert (ratio.comparison, ratio.baseline) == ("ratio", {"method": "fp16"})
    assert (ratio.low, ratio.high, ratio.interval) == (1.625, 1.635, "rounding")
    assert first.job.spec.workload == {"batch": 1, "prompt": 128}
    assert (first.job.labels.model, second.job.labels.model, first.job.labels.method) == ("Toy", "Toy", "int4_awq")
    assert (first.environment.gpus[0].name, first.job.spec.engine) == ("NVIDIA H200", "ort-genai")
    assert (first.citation.title, first.citation.version, first.citation.file) == ("Somebody's page", "0.10", "page.md")
    assert first.protocol.name == "their-protocol"
    assert (first.protocol.facts["table"], first.protocol.facts["row"]) == ("Speed", 1)
    assert first.started.date().isoformat() == "2026-01-31"
    assert values(second) == {"decode_tps": 2.5}, "a token for nothing is nothing"
    assert (second.measurements[0].low, second.measurements[0].interval) == (2.25, "plus-minus as published")
    assert imported.files[0].left == ("column 'Remarks'",)


def test_names_with_pipes_code_and_html_are_kept_literally_and_shares_in_percent_become_fractions(
    tmp_path: Path,
) -> None:
    columns = "{Model: model, Score v2: {metric: lm_eval.acc}}"
    (run,) = runs(both(tmp_path, f"tables: [{{table: MMLU, columns: {columns}}}]"))
    assert run.job.labels.model == "a|b c <b>d</b>"
    assert values(run) == {"lm_eval.acc": 0.618}
    assert (run.job.kind, run.job.spec.probe, run.protocol.name) == ("quality", "table", "markdown-table")


def test_a_table_is_named_by_number_its_header_may_be_a_body_row_and_columns_may_be_numbers(tmp_path: Path) -> None:
    columns = "{Model: model, 2: {metric: ttft, unit: ms}, 3: {metric: ttft, unit: ms, where: {method: int4}}}"
    run, absent = runs(both(tmp_path, f"tables: [{{table: 3, header: 1, columns: {columns}}}]"))
    assert (absent.status.value, absent.job.labels.method) == ("unsupported", "int4")
    assert values(run) == {"ttft": 0.0123}
    assert run.job.labels.model == "toy"


NOT_THERE = """# Speed

| Model | Batch Size | Tokens/sec | Speedup | Remarks |
|---|---|---|---|---|
| Toy | 8 | N/A | - | |
| Toy | 9 | N/A | 1.5x | |
| Toy | N/A | 4.0 | | |
"""


@pytest.mark.parametrize("marks", ["", 'missing: ["-", N/A, ""]', "unsupported: [N/A]"])
def test_what_a_page_says_not_to_be_there_is_unsupported_and_missing_cells_are_counted(
    tmp_path: Path, marks: str
) -> None:
    imported = both(tmp_path, f"{MAP}{marks}\n", NOT_THERE)
    found = runs(imported)
    assert [run.status.value for run in found] == ["ok", "ok", "unsupported", "unsupported"]
    assert [run.job.spec.workload.get("batch") for run in found] == [9, None, 8, 9], "N/A is no count either"
    absent = found[2]
    assert absent.reason == "published as N/A in page.md, table at line 3, row 1, column 'Tokens/sec'"
    assert (absent.measurements, absent.origin, absent.job.labels.model, absent.job.kind) == (
        (),
        "imported",
        "Toy",
        "speed",
    )
    said = "\n".join(lines(imported))
    assert "Toy int4_awq: unsupported, published as N/A in page.md" in said
    assert "left out as missing: 2 cells (1 empty, 1 '-')" in said
    with Database.open(tmp_path / "results" / "bench.db") as database:
        frame = database.frame({"status": "unsupported"}, ["reason", "batch"])
    assert list(frame["batch"]) == [8, 9]


def test_a_map_may_say_that_a_mark_stands_for_nothing(tmp_path: Path) -> None:
    imported = both(tmp_path, f"{MAP}missing: ['-', N/A, '']\nunsupported: []\n", NOT_THERE)
    assert [run.status.value for run in runs(imported)] == ["ok", "ok"]
    assert "left out as missing: 4 cells (1 empty, 1 '-', 2 'N/A')" in "\n".join(lines(imported))
    said = problem(both(tmp_path, f"{MAP}missing: [N/A]\nunsupported: [N/A]\n", NOT_THERE))
    assert "'N/A' is in both 'missing' and 'unsupported'" in said


def test_another_map_of_the_same_page_is_other_runs_and_the_same_map_is_the_same(tmp_path: Path) -> None:
    one = "tables: [{table: MMLU, columns: {Model: model, Score v2: {metric: lm_eval.acc}}}]"
    assert len(both(tmp_path).files[0].new) == 2
    assert len(both(tmp_path, one).files[0].new) == 1
    assert len(both(tmp_path).files[0].known) == 2


def test_columns_of_several_methods_are_several_runs(tmp_path: Path) -> None:
    page = "| Model | FP8 | INT4 |\n|---|---|---|\n| toy | 2.0x | 3.0x |\n"
    cell = "{metric: decode_tps, as: ratio, to: {method: fp16}, where: {method: %s}}"
    columns = f"{{Model: model, FP8: {cell % 'fp8'}, INT4: {cell % 'int4'}}}"
    found = runs(both(tmp_path, f"tables: [{{table: 1, columns: {columns}}}]", page))
    assert [(run.job.labels.method, run.measurements[0].value) for run in found] == [("fp8", 2.0), ("int4", 3.0)]
    assert len({run.job.key for run in found}) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Batch Size: batch", "Batchsize: batch", "map.yaml:10: unknown column 'Batchsize'; did you mean 'Batch Size'?"),
        ("Batch Size: batch", "9: batch", "unknown column '9'"),
        ("Batch Size: batch", "Batch Size: bach", "unknown dimension 'bach'; did you mean 'batch'?"),
        ("table: Speed", "table: Spede", "map.yaml:6: unknown heading of a table 'Spede'; did you mean 'Speed'?"),
        ("table: Speed", "table: 7", "there is no table 7; the file has 3"),
        ("decode_tps, unit", "decode_tsp, unit", "unknown metric 'decode_tsp'; did you mean 'decode_tps'?"),
        ("unit: tok/s", "unit: ms", "'ms' cannot be converted to 'tok/s'"),
        ("as: ratio, to", "as: ration, to", "unknown comparison 'ration'; did you mean 'ratio'?"),
        (", to: {method: fp16}", "", "a comparison needs both 'as' and 'to'"),
        ("prompt: 128", "prompt: long", "'prompt' must be a number"),
        ("gpu: NVIDIA", "gup: NVIDIA", "unknown key of 'constants' 'gup'; did you mean 'gpu'?"),
        ("tables:", "tabels:", "did you mean 'tables'"),
        ("date: 2026-01-31", "date: soon", "table at line 5, row 1: 'soon' is not a date"),
        ("Speedup: {metric: decode_tps, as: ratio, to: {method: fp16}}", "Speedup: {metric: decode_tps}",
         "'1.63x' in column 'Speedup' is in 'x', which cannot be converted to 'tok/s'"),
        ("Batch Size: batch", "Batch Size: {metric: decode_tps}", "two columns are the same metric"),
        ("Batch Size: batch", "Remarks: batch", "row 2: 'best' is not a count"),
        ("Batch Size: batch", "Remarks: {metric: ttft, unit: ms}", "row 2: 'best' in column 'Remarks' is not a number"),
        (MAP, "- a\n- b", "a map must be a mapping"),
    ],
)  # fmt: skip
def test_a_map_that_does_not_fit_is_refused_with_what_to_do(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in MAP
    imported = both(tmp_path, MAP.replace(old, new))
    assert not imported.files
    assert said in "\n".join(str(item) for item in imported.problems)
    assert not list((tmp_path / "results").glob("runs/*"))


def test_two_tables_below_one_heading_are_told_apart_by_number(tmp_path: Path) -> None:
    table = "| Model | Tokens/sec |\n|---|---|\n| toy | 1 |\n"
    map_ = "tables: [{table: Speed, columns: {Model: model}}]"
    assert "name one by its number, 1, 2" in problem(both(tmp_path, map_, f"# Speed\n\n{table}\nand\n\n{table}"))


def test_markdown_without_a_map_and_a_map_without_markdown_are_refused(tmp_path: Path) -> None:
    assert "add --map FILE" in problem(take(write(tmp_path, "page.md", PAGE)))
    map_ = write(tmp_path, "map.yaml", MAP)
    assert "holds no records; --map explains" in problem(take(write(tmp_path, "file.json", {}), map_=map_))
    assert "no such file" in problem(take(tmp_path / "page.md", map_=tmp_path / "gone.yaml"))


def test_comparisons_are_those_that_tables_can_show() -> None:
    assert set(COMPARISONS) <= {name for name, shown in SHOWN.items() if shown.needs_baseline}


def test_the_map_in_the_documentation_is_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "results" / "README.md").read_text("utf-8")
    map_ = text.partition("```yaml\nsource:")[2].partition("```")[0]
    page = "# Results\n\n| | | | | | |\n|---|---|---|---|---|---|\n| **Model** | Batch Size | Tokens/sec | TTFT | Speedup | Remarks |\n| toy | 1 | 2 | 3 | 1.5x | - |\n"
    fp8, awq = sorted(runs(both(tmp_path, f"source:{map_}", page)), key=lambda run: run.job.labels.method)
    assert (fp8.job.labels.method, values(fp8)) == ("fp8", {"decode_tps": 1.5})
    assert (awq.job.labels.method, values(awq)) == ("int4_awq", {"decode_tps": 2.0, "ttft": 0.003})


OWN_PAGE = "| Model | Latency | Energy |\n|---|---|---|\n| toy | 0.012 | 5 J |\n"
OWN_MAP = """
source: {title: A page}
tables:
  - table: 1
    columns: {Model: model, Latency: {metric: own.latency%s}, Energy: {metric: own.energy, unit: J, better: lower}}
"""


def test_a_metric_of_ones_own_is_kept_in_the_unit_that_is_declared_and_a_contradiction_is_told_with_its_place(
    tmp_path: Path,
) -> None:
    declared = {"own.latency": OwnMetric(unit="ms", better="lower", place="page.yaml:3")}
    page, map_ = write(tmp_path, "page.md", OWN_PAGE), write(tmp_path, "map.yaml", OWN_MAP % ", unit: s")
    [outcome] = runs(take(page, map_=map_, declared=declared))
    assert [(one.metric, one.value, one.unit, one.better) for one in outcome.measurements] == [
        ("own.latency", 12.0, "ms", "lower"), ("own.energy", 5.0, "J", "lower"),
    ]  # fmt: skip
    for more, said in [
        ("", r"own.latency: its unit is 'ms' \(page.yaml:3\); say in which unit"),
        (", unit: J", "'J' cannot be converted to 'ms', the unit of own.latency"),
        (", unit: s, better: higher", "higher is better here, and lower in page.yaml:3"),
    ]:
        assert re.search(said, problem(take(page, map_=write(tmp_path, "map.yaml", OWN_MAP % more), declared=declared)))


def test_a_unit_of_a_heading_is_kept_where_the_map_says_none_and_cells_in_others_are_converted_or_refused(
    tmp_path: Path,
) -> None:
    page = "| Model | Energy per token (mJ) | Draw |\n|---|---|---|\n| toy | 120 | 1.2 kW |\n| tall | 0.3 J | 300 |\n"
    map_ = "tables: [{table: 1, columns: {Model: model, Energy per token (mJ): {metric: own.energy}, Draw: {metric: own.draw, unit: W}}}]\nsource: {title: A page}\n"
    found = [[(one.value, one.unit) for one in run.measurements] for run in runs(both(tmp_path, map_, page))]
    assert found == [[(120.0, "mJ"), (1200.0, "W")], [(300.0, "mJ"), (300.0, "W")]]
    wrong = problem(both(tmp_path, map_, page.replace("0.3 J", "0.3 zorks")))
    assert (
        "row 2: '0.3 zorks' in column 'Energy per token (mJ)' is in 'zorks', which cannot be converted to 'mJ'" in wrong
    )


def test_amounts_are_read_with_the_sign_of_their_currency_and_another_currency_is_refused(tmp_path: Path) -> None:
    map_ = "tables: [{table: 1, columns: {Model: model, Cost: {metric: own.cost, unit: %s, better: lower}}}]\nsource: {title: A page}\n"
    page = "| Model | Cost |\n|---|---|\n| a | $0.52 |\n| b | -$1,204.50 |\n"
    found = [[(one.value, one.unit) for one in run.measurements] for run in runs(both(tmp_path, map_ % '"$/hr"', page))]
    assert found == [[(0.52, "$/hr")], [(-1204.5, "$/hr")]]
    said = problem(both(tmp_path, map_ % "EUR", page))
    assert "'$0.52' in column 'Cost' is in '$', which cannot be converted to 'EUR'" in said
