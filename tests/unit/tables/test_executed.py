"""What really ran, as a column, as a condition, and as a mark behind a number of a method that runs as another."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from harness.core.executed import OTHERWISE, Executed, executed
from harness.core.outcome import Outcome
from harness.core.spec import Labels, Note
from harness.explain.text import _executed
from harness.published.kept import kept_run
from harness.store.database import Database
from harness.store.where import parse_where
from harness.tables.markdown import to_markdown
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.unit.store.outcomes import BEGIN, measured
from tests.unit.tables.frames import CATALOGUE, frame, row, size
from tests.unit.tables.test_markdown import TEMPLATES

SPEC = """speed:
  rows: [method]
  cells: {Executed: executed, Decode: {metric: decode_tps, format: 1}}
"""
FLOATS = executed({"float32 MatMul": 11}, ("float32",), "GroupQueryAttention", {"cpu": {"MatMul": 11, "Shape": 1}})
PACKED = executed({"int4 b32 MatMulNBits": 11}, ("float32",), "GroupQueryAttention")
FOLDED = Note(code=OTHERWISE, text="11 of 11 multiplied weight matrices lie in the files as int8 and run as float32")


def outcomes() -> list[Outcome]:
    """FP32, an INT8 whose weights become floats, INT4, and one from before that was written down."""
    said: list[tuple[str, Executed | None, tuple[Note, ...]]] = [
        ("fp32", FLOATS, ()), ("int8", FLOATS, (FOLDED,)), ("int4", PACKED, ()), ("old", None, ()),
    ]  # fmt: skip
    return [
        measured(
            number, labels=Labels(sweep="s", model="m", method=method), executed=ran, notes=notes, workload={"batch": 1, "seed": number},
            started=BEGIN + timedelta(minutes=number),
        )
        for number, (method, ran, notes) in enumerate(said, 1)
    ]  # fmt: skip


def database(folder: Path) -> Database:
    found = Database.open(folder / "bench.db")
    for one in outcomes():
        found.ingest(one, None)
    return found


def test_a_table_shows_what_ran_and_marks_a_method_that_runs_as_another(tmp_path: Path) -> None:
    (tmp_path / "demo.tables.yaml").write_text(SPEC, "utf-8")
    noted = json.dumps([FOLDED.model_dump()])
    rows = frame(
        row("decode_tps", 100.0, executed=FLOATS.text), row("decode_tps", 100.0, method="int8", executed=FLOATS.text, marks=noted),
        row("decode_tps", 100.0, method="int4", executed=PACKED.text), row("decode_tps", 100.0, method="old"),
        size(9.0, method="int4"),
    )  # fmt: skip
    (spec,) = read_specs(tmp_path / "demo.tables.yaml")
    lines = to_markdown(build(spec, rows, CATALOGUE), TEMPLATES).markdown.splitlines()
    assert lines[0] == "| Method | Executed | Decode |"
    assert f"| FP32 | {FLOATS.text} | 100.0 |" in lines
    assert any(line.startswith(f"| INT8 | {FLOATS.text} | 100.0") and "<sup>" in line for line in lines)
    assert any(line.startswith(f"| [INT4 RTN](https://example.org/int4) | {PACKED.text} | 100.0 |") for line in lines)
    assert any(line.startswith("| old | - | 100.0") for line in lines)
    (note,) = [line for line in lines if "runs in another form" in line]
    assert FOLDED.text in note


def test_a_condition_names_what_ran(tmp_path: Path) -> None:
    with database(tmp_path) as opened:
        where = parse_where([f'executed="{FLOATS.text}"'])
        assert sorted(opened.frame(where, ["method"])["method"]) == ["fp32", "int8"]
        assert list(opened.frame(parse_where(["executed="]), ["method"])["method"]) == ["old"]


def test_the_views_have_what_ran(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    database(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "bench.db")) as connection:
        for view in ("latest", "results"):
            query = f"SELECT method FROM {view} WHERE executed LIKE 'float32%' ORDER BY method"
            assert connection.execute(query).fetchall() == [("fp32",), ("int8",)]


def test_what_ran_is_published_whole() -> None:
    assert kept_run(outcomes()[0]).outcome["executed"] == FLOATS.model_dump(mode="json", exclude_defaults=True)


def test_what_ran_is_explained_with_its_nodes_by_provider() -> None:
    assert _executed(FLOATS.model_dump()) == [
        f"executed: {FLOATS.text}",
        "  12 nodes on cpu: MatMul x11, Shape x1",
    ]
    assert _executed(PACKED.model_dump(exclude_defaults=True)) == [f"executed: {PACKED.text}"]
