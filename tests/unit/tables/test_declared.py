"""What a published file declares itself: metrics with unit and direction, methods and models."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError, HarnessError
from harness.core.spec import Status
from harness.pages.pages import render
from harness.published.reading import read_published
from harness.published.reported import read_reported
from harness.published.sources import from_published
from harness.tables.catalogue import TableCatalogue

FILE = """\
reported: {title: A page, date: 2025-01-31}
metrics:
  own.delta: {title: Change, unit: "%", better: lower}
methods:
  int4_rtm: {title: Our INT4, link: "https://example.org"}
blocks:
  - block: b
    texts: [note]
    words: [OOM, ""]
    columns: [method, own.delta, note]
    rows:
      - [int4_rtm, "+1.50 %", "**slow**"]
      - [fp16, OOM, -]
"""
SPEC = """\
t:
  rows: {method: "", origin: ""}
  show: {method: ""}
  order: [published]
  caption: measured
  style: {align: [center, none, right], head: [["", "Δ", "Note"], ["Method", "", ""]]}
  cells:
    delta: {metric: own.delta, format: "+2% printed", baseline: {method: int4_rtm}}
    note: {text: note}
"""


def write(folder: Path, text: str, name: str = "page.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_declared_metric_keeps_its_unit_and_direction_and_what_was_printed(tmp_path: Path) -> None:
    first, second = read_reported(write(tmp_path, FILE))
    number = first.measurements[0]
    assert (number.metric, number.value, number.unit, number.better) == ("own.delta", 1.5, "%", "lower")
    assert first.printed == {"own.delta": "+1.50 %", "note": "**slow**"}
    assert (second.status, second.reason) == (Status.UNSUPPORTED, "published without a number")
    assert second.printed == {"own.delta": "OOM", "note": "-"}
    assert [outcome.job.order for outcome in (first, second)] == [1, 2]


def test_a_table_shows_what_was_printed_in_the_order_of_the_file_under_a_heading_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, FILE)
    spec = write(tmp_path, SPEC, "page.tables.yaml")
    with from_published(tmp_path / "none") as nothing:
        assert nothing.published.outcomes == ()
    (folder := tmp_path / "published").mkdir()
    write(folder, FILE)
    with from_published(folder) as source:
        (made,) = render([spec], source, TableCatalogue().declaring(source.published.declared))
    assert made.markdown.split("\n") == [
        "|  | Δ | Note |",
        "| :---: | --- | ---: |",
        "| Method |  |  |",
        "| [Our INT4](https://example.org) | +1.50 % | **slow** |",
        "| fp16 | OOM | - |",
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("own.delta: {title", "delta: {title", "'delta': a metric that a file declares itself is called own.NAME"),
        ("better: lower", "better: less", "unknown direction 'less'"),
        ("columns: [method, own.delta, note]", "columns: [method, own.other, note]", "'own.other' is not declared; add it to 'metrics'"),
        ('"+1.50 %"', '"+1.50 ms"', "'ms' stands behind a number of own.delta, whose unit is '%'"),
        ('"**slow**"', '"<!-- end: t -->"', "this row holds an HTML comment, which could end a table in a page"),
        ("words: [OOM, ", "words: [", "'OOM' is not a number; write digits, null for nothing, or N/A"),
    ],
)  # fmt: skip
def test_what_is_declared_wrongly_is_told_with_its_line(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_reported(write(tmp_path, FILE.replace(right, wrong)))
    assert said in str(refused.value)
    assert "page.yaml:" in str(refused.value)


def test_a_misspelt_name_that_is_not_declared_is_still_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown method 'int4_rtm'; write 'int4_rtn'"):
        read_reported(write(tmp_path, FILE.replace("methods:\n  int4_rtm", "methods:\n  other")))


def test_two_files_that_declare_one_metric_differently_are_refused(tmp_path: Path) -> None:
    write(tmp_path, FILE)
    write(tmp_path, FILE.replace("better: lower", "better: higher").replace("- block: b", "- block: c"), "other.yaml")
    with pytest.raises(HarnessError, match=r"two published files declare own\.delta differently"):
        read_published(tmp_path)


def test_a_heading_of_another_width_than_the_table_is_refused(tmp_path: Path) -> None:
    (folder := tmp_path / "published").mkdir()
    write(folder, FILE)
    spec = write(tmp_path, SPEC.replace('["Method", "", ""]', '["Method", ""]'), "page.tables.yaml")
    with (
        from_published(folder) as source,
        pytest.raises(ConfigError, match="has 3 columns, and a row of its style's 'head'"),
    ):
        render([spec], source)


def test_two_files_that_declare_a_metric_differently_are_both_named_with_their_lines(tmp_path: Path) -> None:
    write(tmp_path, FILE)
    write(tmp_path, "# first\n" + FILE.replace("better: lower", "better: higher"), "other.yaml")
    with pytest.raises(
        HarnessError, match=r"other.yaml:4 in '%' \(higher is better\) and page.yaml:3 in '%' \(lower\)"
    ):
        read_published(tmp_path)
