"""Inputs of a comparison that was published as it stands, where its source published them too. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.tables.compare import Operand
from harness.tables.formats import decimal
from harness.tables.result import Cell
from harness.tables.row_index import CellConditions
from harness.tables.row_order import exact
from harness.tables.rows import TableRow, matches
from harness.tables.spec import TableSpec


def inputs_beside(spec: TableSpec, cell: Cell, rows: Sequence[TableRow]) -> tuple[Operand, Operand] | None:
    """Find value and baseline of a published comparison among the rows that a table can use, as stored.

    None where one of them was not published, where several numbers could be it, and where units differ.
    """
    asked = cell.asked
    if asked is None or asked.metric is None:
        return None
    where = {"slice": (asked.slice,), **spec.where, **asked.where}
    value = _one(rows, asked.metric, {**where, **exact(cell.address)})
    to = {**where, **exact({**cell.address, **asked.baseline})}
    baseline = _one(rows, asked.metric, to)
    if value is None or baseline is None or value.text("unit") != baseline.text("unit"):
        return None
    if asked.comparison == "ratio_per_gpu" and not (value.get("gpu_count") and baseline.get("gpu_count")):
        return None
    return _operand(value), _operand(baseline)


def _operand(row: TableRow) -> Operand:
    return Operand(decimal(row.get("value")), gpus=int(row.get("gpu_count") or 1))


def _one(rows: Sequence[TableRow], metric: str, conditions: CellConditions) -> TableRow | None:
    found = [
        row
        for row in rows
        if row.ok
        and row.metric == metric
        and row.text("comparison") is None
        and row.text("origin") != "measured"
        and matches(row, conditions)
    ]
    return found[0] if len({(row.get("value"), row.text("unit")) for row in found}) == 1 else None
