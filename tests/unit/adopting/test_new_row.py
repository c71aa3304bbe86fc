"""A row that was measured here beside those that a page had: what was there stays, and the new one says what it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from harness.adopting.adopt import WantedTables
from harness.commands.adopt import adopt_page
from harness.commands.pages import check_pages, write_pages
from harness.commands.publish import publish_runs
from harness.commands.workspace import Workspace
from harness.core.errors import ConfigError, HarnessError
from harness.core.outcome import Outcome
from harness.core.spec import Labels
from harness.published.publish import publish as text_of_runs
from harness.store.database import Database
from tests.unit.adopting.conftest import files_of
from tests.unit.store.outcomes import H200, environment, measured, measurement

PAGE = """\
# Bench

| Method  | Batch | Decode (tok/s) | PPL    | Remark |
|:--------|------:|---------------:|-------:|--------|
| FP16    |     1 |          25.66 | 5.47   | eager  |
| **NF4** |     1 |          16.45 | 5.60   | eager  |
| FP16    |     8 |         189.56 | -      | eager  |
| **NF4** |     8 |         83.4   | -      | eager  |

After.
"""
MIXED = ["metric_version", "protocol", "protocol_version", "prompt"]


def quiet() -> Console:
    return Console(file=io.StringIO(), soft_wrap=True)


def run(number: int, method: str, batch: int, value: float, block: str = "") -> Outcome:
    labels = Labels(sweep="bench", block=block, model="m", method=method, recipe="ort-genai")
    items = [measurement(value=value, samples=(value, value, value))]
    return measured(
        number,
        items,
        labels=labels,
        workload={"batch": batch, "prompt": 128, "of": method},
        place=environment("cuda", (H200,)),
    )


def publish(theirs: Workspace, *outcomes: Outcome) -> None:
    with Database.open("sqlite://") as database:
        for outcome in outcomes:
            database.ingest(outcome, None)
        text = text_of_runs(database, [outcome.job.run for outcome in outcomes])
    (theirs.own_published / "bench.yaml").write_text(text, "utf-8")


@pytest.fixture
def page(theirs: Workspace) -> Path:
    """An adopted page, and results of a sweep that measured one of its methods and a new one."""
    path = theirs.root / "bench.md"
    path.write_text(PAGE, "utf-8")
    list(adopt_page(path, theirs, WantedTables()))
    publish(theirs, run(1, "int4_new", 1, 51.234), run(2, "int4_new", 8, 400.1), run(3, "fp16", 1, 24.0))
    return path


def test_old_rows_stay_to_the_byte_and_new_ones_stand_where_they_belong(theirs: Workspace, page: Path) -> None:
    write_pages(quiet(), theirs, may=MIXED)
    lines = page.read_text("utf-8").split("\n")
    rows = [line for line in lines if line.startswith("|")]
    assert [row for row in rows if "<sup>" not in row] == [line for line in PAGE.split("\n") if line.startswith("|")]
    assert rows[3:5] + rows[6:7] + rows[8:] == [
        "| FP16 <sup>1</sup> |     1 |          24.00 |      - | -      |",
        "| **NF4** |     1 |          16.45 | 5.60   | eager  |",
        "| FP16    |     8 |         189.56 | -      | eager  |",
        "| int4_new <sup>1</sup> |     8 |         400.10 |      - | -      |",
    ]
    (note,) = (line for line in lines if line.startswith("- <sup>1</sup> "))
    assert note.startswith(
        "- <sup>1</sup> Measured here, 2026-01-31 (UTC): ONNX Runtime GenAI, provider cpu, NVIDIA H200,"
    )
    assert note.endswith("128 prompt tokens, 1 warm-up, 3 repetitions, BOS added.")
    assert "After." in lines
    assert check_pages(quiet(), theirs) == 0


def test_what_may_be_mixed_is_asked_once_and_written_into_the_spec(theirs: Workspace, page: Path) -> None:
    asked: list[str] = []

    def yes(question: str) -> bool:
        asked.append(question)
        return True

    write_pages(quiet(), theirs, ask=yes)
    assert asked == [
        (
            "table 'bench' would mix metric_version (0, 1), protocol (genai-e2e, unknown), protocol_version (0, 2), prompt (128, none). "
            "A reader sees these numbers beside one another. Allow it, in configs/tables/bench.tables.yaml?"
        )
    ]
    spec = theirs.tables[-1] / "bench.tables.yaml"
    assert yaml.safe_load(spec.read_text("utf-8"))["bench"]["may_mix"] == MIXED
    page.write_text(page.read_text("utf-8").replace("400.10", "?"), "utf-8")
    write_pages(quiet(), theirs, ask=yes)
    assert len(asked) == 1
    assert "400.10" in page.read_text("utf-8")


@pytest.mark.parametrize(("may", "ask"), [([], None), ([], lambda _: False), (["protocol", "other:prompt"], None)])
def test_what_nobody_allows_is_told_at_once_and_nothing_is_written(
    theirs: Workspace, page: Path, may: list[str], ask: Callable[[str], bool] | None
) -> None:
    before = files_of(theirs.root)
    with pytest.raises(
        ConfigError, match=r"bench\.tables\.yaml:2: table 'bench' would mix metric_version .*--may-mix prompt"
    ):
        write_pages(quiet(), theirs, may=may, ask=ask)
    assert files_of(theirs.root) == before


def test_a_field_may_be_allowed_for_one_table_and_joins_those_that_are(theirs: Workspace, page: Path) -> None:
    spec = theirs.tables[-1] / "bench.tables.yaml"
    text = spec.read_text("utf-8").replace("  order: ", "  may_mix: [protocol]\n  order: ")
    spec.write_text(text, "utf-8")
    write_pages(quiet(), theirs, may=["metric_version", "bench:protocol_version", "bench:prompt"])
    said = spec.read_text("utf-8")
    assert "  may_mix: [protocol, metric_version, protocol_version, prompt]\n  order: [published]" in said
    assert said.replace("[protocol, metric_version, protocol_version, prompt]", "[protocol]") == text
    assert page.read_text("utf-8").count("<sup>1</sup>") == 4


def test_publish_never_writes_over_what_others_reported(theirs: Workspace, page: Path) -> None:
    with pytest.raises(
        HarnessError, match=r"bench\.reported\.yaml holds numbers that others reported; give another file"
    ):
        publish_runs(["bench"], theirs.results, theirs.own_published / "bench.reported.yaml")


def test_a_column_of_comparisons_is_computed_for_new_rows_and_quoted_for_old_ones(theirs: Workspace) -> None:
    page = theirs.root / "bench.md"
    page.write_text(
        "| Method | Decode (tok/s) | Speedup | Worse |\n|---|---|---|---|\n| FP16 | 20.0 | 1.00x | - |\n| INT8 | 31.26 | 1.57x | -56.3% |\n",
        "utf-8",
    )
    said = {"Speedup": "ratio of decode_tps to FP16", "Worse": "worse_percent of decode_tps to fp16"}
    list(adopt_page(page, theirs, WantedTables(columns=said)))
    before = page.read_text("utf-8").split("\n")
    assert check_pages(quiet(), theirs) == 0
    publish(theirs, run(1, "int4_new", 1, 30.0), run(3, "fp16", 1, 24.0))
    write_pages(quiet(), theirs, may=[*MIXED, "batch"])
    rows = [line for line in page.read_text("utf-8").split("\n") if line.startswith("|")]
    assert [row for row in rows if "<sup>" not in row] == [line for line in before if line.startswith("|")]
    assert rows[3] == "| FP16 <sup>1</sup> | 24.00 | 1.00x | 0.0% |"
    assert rows[5] == "| int4_new <sup>1</sup> | 30.00 | 1.25x | -25.0% |"


def test_of_several_tables_a_sweep_s_block_says_which_one_a_row_joins(theirs: Workspace) -> None:
    page = theirs.root / "bench.md"
    table = "| Method | Decode (tok/s) |\n|---|---|\n| FP16 | 20.0 |\n"
    page.write_text(f"# One\n\n{table}\n# Two\n\n{table}", "utf-8")
    list(adopt_page(page, theirs, WantedTables()))
    publish(theirs, run(1, "int4_new", 1, 30.0, "bench-2"))
    write_pages(quiet(), theirs, may=[*MIXED, "batch"])
    one, _, two = page.read_text("utf-8").partition("# Two")
    assert "int4_new" not in one
    assert "| int4_new <sup>1</sup> | 30.0 |" in two


@pytest.mark.parametrize("unit", ["t/s", "tok/s", "tokens/sec"])
def test_a_new_row_has_the_unit_as_the_page_writes_it(theirs: Workspace, unit: str) -> None:
    path = theirs.root / "bench.md"
    path.write_text(
        f"# Bench\n\n| Method | Decode speed |\n|---|---|\n| Q4_K_M | 44 {unit} |\n| Q8_0 | 22 {unit} |\n", "utf-8"
    )
    list(adopt_page(path, theirs, WantedTables()))
    publish(theirs, run(1, "int4_new", 1, 33.0))
    write_pages(quiet(), theirs, may=[*MIXED, "batch"])
    text = path.read_text("utf-8")
    assert f"| 33 {unit}" in text
    assert f"| 44 {unit} |" in text


PRICES = """\
| Method | Cost | Tuning time | Throughput |
|:--|--:|--:|--:|
| FP16 | $0.88 | 1m25s | 1.9k tok/s |
| NF4 | **$0.52** | 12m 05s | **3.4k tok/s** |
"""


def test_a_measured_amount_has_its_currency_before_it_and_explains_itself(theirs: Workspace) -> None:
    from harness.commands.explain import explanation

    page = theirs.root / "bench.md"
    page.write_text(PRICES, "utf-8")
    list(adopt_page(page, theirs, WantedTables()))
    items = [
        measurement("own.cost", 0.6123, unit="$", better="lower"),
        measurement("own.tuning_time", 101.2, unit="s", better="lower"),
        measurement("decode_tps", 2704.4),
    ]
    labels = Labels(sweep="bench", model="m", method="int8", recipe="ort-genai")
    publish(theirs, measured(1, items, labels=labels, workload={"of": "int8"}))
    write_pages(quiet(), theirs, may=["metric_version", "protocol", "protocol_version"])
    lines = page.read_text("utf-8").split("\n")
    assert [line for line in lines if line.startswith("| ")][:3] == PRICES.split("\n")[:1] + PRICES.split("\n")[2:4]
    (row,) = [at for at, line in enumerate(lines, start=1) if line.startswith("| INT8")]
    assert lines[row - 1] == "| INT8 <sup>1</sup> | $0.61 | 101s | 2704 tok/s |"
    for column in (2, 3, 4):
        found = explanation([f"bench.md:{row}:{column}"], theirs)
        assert found.arithmetic is not None
        assert found.arithmetic.agrees
