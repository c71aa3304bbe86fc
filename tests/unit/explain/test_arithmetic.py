"""A comparison with both of its inputs, also where it was published without them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.explain.archive import archive_of
from harness.explain.cell import Shown, explain
from harness.explain.text import as_text
from harness.pages import writing
from harness.published.sources import from_published
from harness.tables.catalogue import TableCatalogue
from harness.tables.locate import named
from tests.unit.explain.site import Site, at


def test_a_speed_up_shows_both_inputs_and_the_builds_behind_them(site: Site) -> None:
    found = at(site, "quickstart-speed", "INT4 RTN", "Decode speed-up")
    text = as_text(found)
    assert [one.role for one in found.inputs] == ["value", "baseline"]
    assert {one.kind for one in found.behind} == {"build"}
    assert len(found.behind) == 2
    value = site.source.database.outcome(found.inputs[0].run).job
    jobs = [outcome.job for outcome in site.source.published.outcomes]
    processes = sum((job.key, job.session) == (value.key, value.session) for job in jobs)
    assert processes > 1
    for part in ("ratio: value / baseline, from raw values", "command: harness run quickstart", "quantizer ort-genai",
                 "half to even", "commit ", f"over {processes} processes of the session", "content ", "batch 1"):  # fmt: skip
        assert part in text, part


def test_a_comparison_that_was_published_without_inputs_says_so(site: Site) -> None:
    found = at(site, "h100-speed", "Llama3-8B / 1", "FP8 / Speedup")
    assert found.arithmetic is not None
    assert found.arithmetic.published
    assert "published as it stands, without its inputs" in as_text(found)


REPORTED = """
reported: {title: A page, url: "https://example.org/page", version: v1, date: 2025-01-31}
blocks:
  - block: speed
    probe: generation
    metrics:
      speedup: {metric: decode_tps, as: ratio, baseline: {method: fp16}}
    columns: [model, method, batch, decode_tps, speedup]
    rows:
      - [tiny, fp16, 1, 10.0, 1.00]
      - [tiny, int4_awq, 1, 30.0, 2.50]
      - [other, int4_awq, 1, 30.0, 2.50]
"""
SPEED = """
page-speed:
  where: {sweep: page}
  rows: [model, method]
  baseline: {method: fp16}
  cells:
    Decode: {metric: decode_tps, format: 1}
    Speed-up: {metric: decode_tps, as: ratio, format: 2}
    First token: {metric: ttft, unit: ms, format: 1}
"""


@pytest.fixture(params=["[model, method]", "[model, method, gpu]"])
def page(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shown]:
    """The page above, also with a row key that its numbers lack."""
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "page.yaml").write_text(REPORTED, encoding="utf-8")
    (tmp_path / "page.tables.yaml").write_text(SPEED.replace("[model, method]", request.param), encoding="utf-8")
    (spec,) = writing.specs_in([tmp_path / "page.tables.yaml"], TableCatalogue())
    with from_published(tmp_path / "published") as source:
        rendered = writing.renderer(source, TableCatalogue())(spec)
        yield Shown(rendered, spec, TableCatalogue(), archive_of(source))


def row_name(page: Shown, name: str) -> str:
    return name if len(page.spec.show) == 2 else f"{name} / -"


def test_a_published_comparison_is_held_against_its_published_inputs(page: Shown) -> None:
    text = as_text(explain(page, named(page.rendered, row_name(page, "tiny / int4_awq"), "Speed-up")))
    assert "ratio: value / baseline, published as it stands\n" in text
    assert "published as 2.5; the published inputs 30 / 10 give 3.00" in text
    assert "ratio of decode_tps to method fp16: 2.5 as published [" in text
    assert "decode_tps: 2.5" not in text
    assert ", n 1" not in text


def test_a_published_comparison_without_one_of_its_inputs_says_so(page: Shown) -> None:
    text = as_text(explain(page, named(page.rendered, row_name(page, "other / int4_awq"), "Speed-up")))
    assert "published as it stands, without its inputs" in text
    assert "published as 2.5\n" in text


def test_a_number_that_nobody_published_is_not_called_unmeasured(page: Shown) -> None:
    found = explain(page, named(page.rendered, row_name(page, "tiny / fp16"), "First token"))
    assert found.kind == "not measured"
    assert found.said.startswith("Not published: ")
