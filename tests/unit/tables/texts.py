"""The texts of a table, and a table of speeds that many tests fill."""

from __future__ import annotations

from harness.tables.result import Table


def texts(table: Table) -> list[list[str]]:
    """Return headers and rows of a table of one section."""
    section = table.sections[0]
    return [[column.header for column in section.columns], *([cell.text for cell in line] for line in section.rows)]


SPEED = """
speed:
  rows: [method]
  baseline: {method: fp32}
  cells:
    Decode: {metric: decode_tps, format: 1}
    Speedup: {metric: decode_tps, as: ratio, format: 2x}
"""
