"""Rows of the frame as tables and histories see them."""

from __future__ import annotations

from harness.store.result import ResultSet
from harness.tables.rows import rows_of


def test_a_row_has_every_column_that_was_asked_for() -> None:
    result = ResultSet(("run", "job_key", "harness", "metric", "slice"), [("r", "k", "0.1.0", "ppl", None)] * 2)
    (row,) = rows_of(result)
    assert dict(row.fields) == {"run": "r", "job_key": "k", "harness": "0.1.0", "metric": "ppl", "slice": ""}
