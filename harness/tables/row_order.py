"""Which rows a table has, and in which order they stand. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.tables.catalogue import TableCatalogue
from harness.tables.columns import BUILD_DIMENSIONS
from harness.tables.question import Filled
from harness.tables.rows import TableRow, is_size
from harness.tables.spec import TableSpec

CellAddress = Mapping[str, str]
"""Dimension -> value: where in the table a cell stands."""
LACKING = "-"
"""The value of a dimension that a result does not have, as a table shows it."""
AddressedRow = tuple[CellAddress, list[Filled]]


def exact(address: CellAddress) -> dict[str, Sequence[str | None]]:
    """Return what a row must say to stand at an address: its values, and nothing where it lacks a dimension."""
    return {name: (None if value == LACKING else value,) for name, value in address.items() if name != "metric"}


@dataclass(frozen=True)
class Order:
    """Orders values as the spec lists them, else as the catalogue does, else as numbers, else as text."""

    spec: TableSpec
    catalogue: TableCatalogue

    def rank(self, name: str, value: str) -> tuple[int, float, str]:
        """Return what a value sorts by among its dimension's values; what is lacking comes last."""
        if value == LACKING:
            return 4, 0.0, ""
        for place, known in enumerate((self.spec.where.get(name, ()), self.catalogue.names(name))):
            if value in known:
                return place, float(known.index(value)), ""
        try:
            return 2, float(value), ""
        except ValueError:
            return 3, 0.0, value

    def addresses(self, rows: Iterable[TableRow], names: Sequence[str]) -> list[dict[str, str]]:
        """Return the distinct combinations of values; rows that lack one of them have no place."""
        found = {tuple(row.text(name) for name in names) for row in rows}
        whole = [tuple(value for value in combination if value is not None) for combination in found]
        addresses = [dict(zip(names, values, strict=True)) for values in whole if len(values) == len(names)]
        return self.in_order(addresses, names)

    def in_order(self, addresses: Iterable[dict[str, str]], names: Sequence[str]) -> list[dict[str, str]]:
        """Sort addresses by the ranks of their values."""
        return sorted(addresses, key=lambda address: [self.rank(name, address[name]) for name in names])


def row_addresses(order: Order, rows: Sequence[TableRow]) -> list[dict[str, str]]:
    """Return the table's rows: what was measured or failed. Builds alone open rows in tables of sizes only.

    A measurement that lacks one of the dimensions has a row of its own; a failed run or a build that does stands with
    all that it agrees with, and only where there is nothing such by itself.
    """
    spec = order.spec
    metrics = [*spec.metrics, *(cell.metric for cell in spec.cells if cell.metric is not None)]
    sizes_only = all(is_size(name) for name in metrics)
    builds = all(name in BUILD_DIMENSIONS for name in spec.where)
    telling = [
        row for row in rows if not row.is_build or (builds and (not row.ok or (sizes_only and row.metric in metrics)))
    ]
    names = [name for name in spec.row_dimensions if name != "metric"]
    said = [(row, tuple(row.text(name) for name in names)) for row in telling]
    own = {values for row, values in said if (row.ok and not row.is_build) or None not in values}
    for values in sorted({values for _, values in said} - own, key=lambda values: (values.count(None), str(values))):
        if not any(_agree(values, other) for other in own):
            own.add(values)
    addresses = order.in_order(
        [dict(zip(names, (LACKING if value is None else value for value in values), strict=True)) for values in own],
        names,
    )
    if "metric" not in spec.row_dimensions:
        return addresses
    return [{**address, "metric": name} for address in addresses for name in spec.metrics]


def _agree(values: Sequence[str | None], other: Sequence[str | None]) -> bool:
    return all(value is None or value == there for value, there in zip(values, other, strict=True))


def ordered(order: Order, lines: list[AddressedRow], first: int | None) -> list[AddressedRow]:
    """Sort lines as `order` says; `value` is the first column of numbers, ascending. first: that column's place."""
    if not order.spec.order:
        return lines

    def place(line: AddressedRow) -> list[tuple[int, float, str]]:
        address, cells = line
        number = cells[first].number if first is not None else None
        value = (1, 0.0, "") if number is None else (0, float(number), "")
        names = [name for name in order.spec.order if name == "value" or name in address]
        return [value if name == "value" else order.rank(name, address[name]) for name in names]

    return sorted(lines, key=place)
