"""Runs and builds that failed, in the cells that they would have filled."""

from __future__ import annotations

from typing import Any

from tests.unit.tables.frames import failed, row, size
from tests.unit.tables.texts import SPEED, texts


def test_a_failed_run_is_shown_with_its_reason(table: Any) -> None:
    made = table(SPEED, row("decode_tps", 10.0), failed("oom", "killed for memory", method="int4"))
    assert texts(made)[2] == ["INT4 RTN", "oom", "oom"]
    assert made.sections[0].rows[2 - 1][1].notes == (1,)
    assert made.notes == ("generation: oom: killed for memory",)


def test_a_failed_build_fills_the_cells_of_its_method(table: Any) -> None:
    made = table(
        SPEED,
        row("decode_tps", 10.0),
        failed("failed", "no such file", method="int4", kind="build", probe=None, engine=None),
    )
    assert texts(made)[2] == ["INT4 RTN", "failed", "failed"]


def test_a_failed_build_that_succeeded_later_is_forgotten(table: Any) -> None:
    early = failed("failed", "disk full", kind="build", probe=None, engine=None, method="int4", run="0")
    late = size(8e6, method="int4", run="1")
    made = table(SPEED, row("decode_tps", 10.0), early, late)
    assert texts(made)[2] == ["INT4 RTN", "-", "-"]


def test_a_status_can_have_its_own_token(table: Any) -> None:
    spec = SPEED.replace("rows:", "missing: {unsupported: N/A}\n  rows:")
    made = table(spec, row("decode_tps", 10.0), failed("unsupported", "no kernel", method="int4"))
    assert texts(made)[2] == ["INT4 RTN", "N/A", "N/A"]
    assert made.notes == ()


def test_what_was_never_planned_leaves_no_row(table: Any) -> None:
    assert len(texts(table(SPEED, row("decode_tps", 10.0)))) == 2


def test_the_latest_run_fills_a_cell_also_when_it_failed(table: Any) -> None:
    old = row("decode_tps", 10.0, started="2026-01-01T00:00:00+00:00", run="a")
    new = row("decode_tps", 12.0, started="2026-01-02T00:00:00+00:00", run="b", session="s2")
    assert texts(table(SPEED, new, old))[1][1] == "12.0"
    broken = failed("failed", "signal 9", started="2026-01-03T00:00:00+00:00", session="s3")
    assert texts(table(SPEED, new, old, broken))[1][1] == "failed"


def test_a_failed_run_that_lacks_a_row_key_stands_with_its_like_or_by_itself(table: Any) -> None:
    spec = SPEED.replace("rows: [", "rows: [dtype, ")
    out = failed("oom", "out of memory", run="x", method="int8", dtype=None)
    assert texts(table(spec, row("decode_tps", 10.0), out))[1:] == [
        ["float32", "FP32", "10.0", "1.00x"],
        ["-", "INT8", "oom", "oom"],
    ]
    older = row("decode_tps", 12.0, run="b", method="int8", started="2026-01-01T00:00:00+00:00")
    assert texts(table(spec, row("decode_tps", 10.0), older, out))[1:] == [
        ["float32", "FP32", "10.0", "1.00x"],
        ["float32", "INT8", "oom", "oom"],
    ]
