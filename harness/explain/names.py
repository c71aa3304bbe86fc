"""What an explanation calls a cell: table, row, column, definition."""

from __future__ import annotations

from harness.core.metric import METRICS
from harness.tables.result import Section


def _definition(dimension: str, value: str) -> str:
    return f": {METRICS[value].definition}" if dimension == "metric" and value in METRICS else ""


def _address(section: Section, row: int) -> dict[str, str]:
    """Take what a row is about from its cells; a pivot's values differ from cell to cell and are left out."""
    addresses = [cell.address for cell in section.rows[row] if cell.asked is not None]
    if not addresses:
        return {}
    return {name: value for name, value in addresses[0].items() if all(one.get(name) == value for one in addresses)}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
