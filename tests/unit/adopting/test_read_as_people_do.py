"""Tables as maintainers write them: the data that comes of them is what a person reads, or they are refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.published.reported import read_reported
from tests.unit.adopting.conftest import Take
from tests.unit.adopting.maintainers_tables import READ, REFUSED, UNITS


def test_the_data_are_what_a_person_reads(take: Take) -> None:
    done = take("\n".join(f"## Decode speed\n\n{text}" for text, _, _ in READ.values()))
    assert [one.why for one in done.refused] == []
    assert done.made is not None
    blocks = yaml.safe_load(done.made.published)["blocks"]
    for name, block, (_, columns, rows) in zip(READ, blocks, READ.values(), strict=True):
        assert (block["columns"], block["rows"]) == (columns.split(), rows), name


@pytest.mark.parametrize("name", REFUSED)
def test_what_nobody_could_be_sure_of_is_refused_in_words(take: Take, name: str) -> None:
    text, said = REFUSED[name]
    done = take(text)
    assert done.made is None
    assert said in done.refused[0].why


def test_units_of_headings_are_kept_as_they_are_printed_and_cells_in_others_converted(
    take: Take, tmp_path: Path
) -> None:
    made = take(UNITS).made
    assert made is not None
    declared = yaml.safe_load(made.published)["metrics"]
    assert {name: (one.get("unit", ""), one.get("better", "none")) for name, one in declared.items()} == {
        "own.energy": ("J", "lower"), "own.per_token": ("mJ", "lower"), "own.draw": ("W", "lower"), "own.efficiency": ("tokens/J", "higher"),
        "own.carbon": ("gCO2e", "lower"), "own.zorks": ("zorkmids", "none"), "own.price": ("$/1M tokens", "lower"), "own.score_avg": ("", "higher"),
    }  # fmt: skip
    (tmp_path / "page.reported.yaml").write_text(made.published, "utf-8")
    first, second = read_reported(tmp_path / "page.reported.yaml")
    values = {one.metric: one.value for one in second.measurements}
    assert (values["own.energy"], values["own.draw"], values["artifact_bytes"]) == (0.65, 150.0, 4e8)
    assert {one.metric: one.value for one in first.measurements}["own.energy"] == 12.5


@pytest.mark.parametrize(("headings", "metric", "unit", "methods"), [
    ("FP16 (ms) | INT4 (ms)", "own.latency", "ms", ["fp16", "int4"]),
    ("Baseline (ms) | Quantized (ms)", "own.latency", "ms", ["baseline", "quantized"]),
    ("Before (mJ/token) | After (mJ/token)", "own.energy_per_token", "mJ/token", ["before", "after"]),
    ("Original (W) | INT8 (W)", "own.power", "W", ["original", "int8"]),
    ("FP32 (GB) | INT4 (GB)", "own.size", "GB", ["fp32", "int4"]),
])  # fmt: skip
def test_methods_as_headings_with_a_unit_alone_are_of_what_is_measured_in_it(
    take: Take, headings: str, metric: str, unit: str, methods: list[str]
) -> None:
    made = take(
        f"# Results\n\n| Model | {headings} |\n|---|---|---|\n| Yi-6B | 30.1 | 12.3 |\n| Yi-9B | 60.1 | 22.3 |\n"
    ).made
    assert made is not None
    published = yaml.safe_load(made.published)
    assert published["metrics"] == {
        metric: {"title": metric.removeprefix("own.").replace("_", " "), "unit": unit, "better": "lower"}
    }
    assert [row[1:] for row in published["blocks"][0]["rows"][:2]] == [[methods[0], 30.1], [methods[1], 12.3]]


def test_six_columns_of_words_that_all_tell_rows_apart_are_data(take: Take) -> None:
    rows = [f"| {' | '.join('b' if at == row else 'a' for at in range(6))} | 1.5 |" for row in range(7)]
    done = take("\n".join(["| A | B | C | D | E | F | PPL |", "|---" * 7 + "|", *rows]) + "\n")
    assert done.made is not None
    assert len({tuple(row[:-1]) for row in yaml.safe_load(done.made.published)["blocks"][0]["rows"]}) == 7


def test_a_person_says_of_headings_that_they_are_methods(take: Take) -> None:
    text = "| Metric | Ours | Theirs |\n|---|---|---|\n| Latency (ms) | 10 | 5 |\n"
    made = take(text, columns={"Ours": "method", "Theirs": "method"}).made
    assert made is not None
    assert yaml.safe_load(made.published)["blocks"][0]["rows"] == [["ours", 10], ["theirs", 5]]
