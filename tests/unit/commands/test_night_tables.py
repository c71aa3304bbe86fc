"""The sweep's own table and the night's verdict come from the same rounds; a candidate that the sweep does not name stays out of its tables."""

from __future__ import annotations

import re
import sys
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from harness.commands import night_tables
from harness.commands.answers import answers
from harness.commands.compare import compare_named
from harness.commands.night import run_night
from harness.commands.night_asked import NightAsked
from harness.commands.report import print_tables, rendered_or_told
from harness.commands.workspace import Workspace
from harness.core.errors import ConfigError
from harness.environments import ROOT
from harness.night.record import NightRecord
from harness.night.text import to_markdown
from harness.published.reading import read_published
from tests.fake_machine import Bench, Say
from tests.unit.commands.night_bench import SLOW, candidate, night, night_bench

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(280), pytest.mark.usefixtures("found")]
TABLES = """\
eight:
  where: {sweep: s}
  rows: {method: "", batch: Batch Size}
  pivot: {environment: {new: <sub>v2</sub>, old: <sub>v1</sub>}}
  baseline: {environment: old}
  cells:
    Mean Latency (ms): {metric: per_token_latency, unit: ms, format: 4}
    Throughput: {metric: decode_tps, format: 2}
    Latency Improvement: {metric: per_token_latency, as: one_plus_reduction, unit: ms, format: 2}
    Throughput Improvement: {metric: decode_tps, as: ratio, format: 3x, uncertainty: pm}
apart: {where: {sweep: s}, rows: [method], cells: {Throughput: {metric: decode_tps}}}
"""


def test_a_table_that_cannot_be_rendered_says_so_in_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConfigError("a | <b>")

    unused: Any = None
    monkeypatch.setattr(night_tables, "_rendered", refuse)
    (text,) = night_tables.night_tables(unused, unused, "", (), whole=True)
    assert rendered_or_told(unused, refuse) == (text, True)  # type: ignore[arg-type]
    assert "a \\| &lt;b&gt;" in text


def workspace(bench: Bench) -> Workspace:
    tables = bench.configs / "tables"
    tables.mkdir()
    (tables / "both.tables.yaml").write_text(TABLES, "utf-8")
    return Workspace(ROOT, (bench.configs,), (tables,), bench.results, lent=True)


def tonight(bench: Bench, home: Workspace, budget: float = 60.0) -> NightRecord:
    asked = NightAsked("s", "old", "new", budget, 1, where=("metric=decode_tps",), disturbed=True)
    return run_night(asked, Console(file=StringIO()), home)


def printed(home: Workspace, name: str, session: str = "") -> str:
    text = StringIO()
    assert print_tables(Console(file=text, width=400), home, [name], {"session": (session,)} if session else {}) == 0
    return text.getvalue()


def test_the_eight_columns_and_the_verdict_are_of_the_same_rounds(bench: Bench) -> None:
    """And what does not tell environments apart is not among the night's tables."""
    home = workspace(night_bench(bench, environment=["new", "old"], tables=["both"]))
    candidate(bench, SLOW)
    record = tonight(bench, home)
    (worse,) = record.alarms
    (text,) = record.tables
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    head, row = ([cell.strip() for cell in line] for line in (lines[0], lines[2]))
    assert len(head) == len(row) == 8
    cells = dict(zip(head, (re.split(r"[ x<]", cell)[0] for cell in row), strict=True))
    assert worse.a is not None
    assert worse.b is not None
    assert float(cells["Throughput <sub>v1</sub>"]) == pytest.approx(worse.a, abs=0.0051)
    assert float(cells["Throughput <sub>v2</sub>"]) == pytest.approx(worse.b, abs=0.0051)
    assert float(cells["Throughput Improvement"]) == pytest.approx(worse.b / worse.a, abs=0.00051)
    assert text in to_markdown(record)
    session = record.sessions["main"]
    assert f"--where session={session}." in to_markdown(record)
    assert text.strip() in printed(home, "eight", session), "the same text by hand"
    again = compare_named("old", "new", [f"session={session}", "metric=decode_tps"], home, disturbed=True)
    ((number, judged, _),) = again.judged
    assert judged.word == worse.word == "worse"
    assert number.values == (worse.a, worse.b)
    assert number.estimate is not None
    assert number.estimate.value == pytest.approx(worse.change)


def test_what_a_night_did_not_reach_is_in_none_of_its_tables_though_an_older_session_has_it(bench: Bench) -> None:
    keys = {"environment": ["new", "old"], "method": ["fp32", "int8"]}
    night_bench(bench, **keys)
    bench.run()
    home = workspace(night_bench(bench, tables=["both"], **keys))
    assert printed(home, "eight").count("\n| ") == 3
    record = tonight(bench, home, 0.001)
    assert len(record.of("not reached")) == 2
    assert "".join(record.tables).count("\n| ") <= 2, record.tables


def test_a_candidate_that_the_sweep_does_not_name_is_not_in_its_tables_nor_published(bench: Bench, say: Say) -> None:
    home = workspace(night_bench(bench))
    assert night(say, bench).code == 0
    text = printed(home, "apart")
    assert "no table" not in text
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 3
    runs = answers("s", bench.results) or []
    assert set(bench.frame({"run": runs, "kind": "speed"}, ["environment"])["environment"]) == {"old"}
    assert set(bench.frame({"environment": "new", "kind": "speed"}, ["sweep"])["sweep"]) == {"s by night"}
    to = bench.results / "published" / "p.yaml"
    assert say(bench, "publish", "s", "--to", str(to)).code == 0
    speed = [one for one in read_published(to.parent).outcomes if one.job.kind == "speed"]
    assert {one.environment.name for one in speed} == {"old"}
    said = say(bench, "report", "s")
    assert (said.code, "no table" in said.out) == (0, False)


def test_a_night_shows_the_candidate_in_a_table_that_tells_environments_apart(bench: Bench) -> None:
    home = workspace(night_bench(bench, tables=["both"]))
    bench._write("environments.yaml", {name: {"python": sys.executable} for name in ("old", "new")})
    record = tonight(bench, home)
    assert "v1" in record.tables[0]
    assert "v2" in record.tables[0]
