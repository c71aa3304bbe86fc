"""A program's own metrics: declared once, with one unit and one direction."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from tests.fake_machine import Bench
from tests.unit.probes.report_script import given

DECLARED = """
reported: {title: A page, date: 2026-01-31}
metrics:
  own.latency: {unit: ms, better: lower}
blocks:
  - {block: b, columns: [model, method, own.latency], rows: [[toy, fp16, 12.5]]}
"""


@pytest.mark.parametrize(("reads", "said"), [
    ([{"own.latency": "speed"}], "own.latency: its unit is 'ms' (page.yaml:4); say in which unit the report gives it"),
    ([{"own.latency": {"path": "speed", "unit": "tok/s"}}], "'tok/s' cannot be converted to 'ms'"),
    ([{"own.latency": {"path": "speed", "unit": "s", "better": "higher"}}], "higher is better here, and lower in page.yaml:4"),
    ([{"own.new": {"path": "speed", "unit": "J"}}, {"own.new": {"path": "speed", "unit": "s"}}], "'s' cannot be converted to 'J'"),
    ([{"own.new": {"path": "speed", "better": "lower"}}, {"own.new": {"path": "speed", "better": "higher"}}], "and lower in s.yaml:"),
])  # fmt: skip
def test_a_metric_of_ones_own_has_one_unit_and_direction_and_a_sweep_is_told_where(
    bench: Bench, reads: list[dict[str, Any]], said: str
) -> None:
    _own(bench, *reads)
    with pytest.raises(HarnessError, match=re.escape(said)), bench.opened():
        pass


def test_a_metric_of_ones_own_is_kept_in_the_unit_that_is_declared(bench: Bench, script: Path) -> None:
    _own(
        bench,
        {"own.latency": {"path": "speed", "unit": "s"}, "own.new": {"path": "speed", "unit": "J", "better": "higher"}},
    )
    _own_script(bench, script)
    bench.run()
    rows = bench.frame(
        {"metric": ["own.latency", "own.new"], "origin": "measured"}, ["metric", "value", "unit", "better"]
    )
    assert [tuple(row) for row in rows.sort_values("metric").itertuples(index=False)] == [
        ("own.latency", pytest.approx(12.0), "ms", "lower"), ("own.new", 0.012, "J", "higher"),
    ]  # fmt: skip
    outcome = next(bench.results.glob("runs/*-s-*/outcome.json")).read_text("utf-8")
    assert "page.yaml" not in outcome


def test_rounds_of_a_metric_of_ones_own_have_a_mean_and_an_interval(bench: Bench, tmp_path: Path) -> None:
    """Three processes report 10, 20 and 60: the cell is their mean, not the last of them."""
    program = tmp_path / "count.py"
    program.write_text(
        "import json, pathlib, sys\n"
        f"told = pathlib.Path({str(tmp_path / 'told')!r}); number = len(told.read_text()) if told.exists() else 0\n"
        "told.write_text('x' * (number + 1))\n"
        "pathlib.Path(sys.argv[1], 'r.json').write_text(json.dumps({'lat': [10, 20, 60][number]}))\n"
    )
    bench.methods({"fp32": {"recipes": {"fake": {}}}})
    read = {"own.latency": {"path": "lat", "unit": "ms", "better": "lower"}}
    probes = {"command": {"run": f"python '{program}' {{out}}", "read": read}}
    bench.sweep(method="fp32", engine="program", probes=probes, rounds=3)
    bench.run()
    rows = bench.frame({"metric": "own.latency"}, ["value", "summary_value", "summary_low", "summary_high", "rounds"])
    assert sorted(rows["value"]) == [10, 20, 60]
    assert set(rows["rounds"]) == {3}
    assert set(rows["summary_value"]) == {30}
    assert (rows["summary_low"] < 10).all()
    assert (rows["summary_high"] > 60).all()


def _own(bench: Bench, *reads: dict[str, Any]) -> None:
    """Write a published file that declares a metric, and a sweep with a block for each way of reading."""
    (bench.results / "published").mkdir(parents=True)
    (bench.results / "published" / "page.yaml").write_text(DECLARED, "utf-8")
    bench.methods({"fp32": {"recipes": {"fake": {}}}})
    blocks = {
        f"b{place}": {"probes": {"command": {"run": "x {out}", "read": read}}} for place, read in enumerate(reads)
    }
    bench.sweep(method="fp32", engine="program", probes=None, blocks=blocks)


def _own_script(bench: Bench, script: Path) -> None:
    path = bench.configs / "sweeps" / "s.yaml"
    run = f"python '{script}' --model {{artifact}} --out {{out}} {given({'speed': 0.012})}"
    path.write_text(path.read_text("utf-8").replace("x {out}", json.dumps(run)), "utf-8")
