"""Which columns a table has, their titles, and what its key cells say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.core.metric import metric as metric_named
from harness.markdown.rows import literal
from harness.tables.catalogue import TableCatalogue
from harness.tables.compare import COMPARISONS, WORSE
from harness.tables.formats import DEFAULT_UNIT
from harness.tables.question import Filled
from harness.tables.result import Cell
from harness.tables.row_order import AddressedRow, CellAddress, Order
from harness.tables.rows import TableRow
from harness.tables.spec import CellSpec, RowKey, TableSpec


@dataclass(frozen=True)
class Slot:
    """A column of cells after the pivot has multiplied it."""

    cell: CellSpec
    pivot: str | None
    header: str
    group: str = ""
    """The pivot's label, where the header is that of the cell alone."""


def first_number(slots: Sequence[Slot]) -> int | None:
    """Return the place of the first column that is no attribute; None where there is none."""
    return next((place for place, slot in enumerate(slots) if slot.cell.attribute is None), None)


def is_markup(spec: TableSpec, dimension: str, value: str | None) -> bool:
    """Say whether a value is called as the spec itself says, in Markdown."""
    return spec.style.markup and value in spec.titles.get(dimension, {})


def key_cells(
    catalogue: TableCatalogue, spec: TableSpec, keys: Sequence[RowKey], address: CellAddress, above: CellAddress | None
) -> list[Cell]:
    """Write the row keys; one that repeats the line above is left blank where the style or a row of metrics says so."""
    cells, style = [], spec.style
    for key in keys:
        cell = _key_cell(catalogue, spec, key, address)
        in_metrics = "metric" in address and key.dimension != "metric"
        if above is not None and style.blank is None:
            repeated = in_metrics and above.get(key.dimension) == address.get(key.dimension)
        else:
            repeated = (
                above is not None and key.name in (style.blank or ()) and cell == _key_cell(catalogue, spec, key, above)
            )
        cells.append(Cell("") if repeated else cell)
    return cells


def _key_cell(catalogue: TableCatalogue, spec: TableSpec, key: RowKey, address: CellAddress) -> Cell:
    value = address.get(key.dimension)
    if value is None:
        return Cell("-")
    plain = key.attribute in {"", "title"}
    markup = is_markup(spec, key.dimension if plain else key.name, value)
    text = catalogue.called(address, key.dimension) if plain else catalogue.shown(key.dimension, value, key.attribute)
    link = catalogue.link(key.dimension, value) if spec.style.links and not key.attribute and not markup else ""
    return Cell(text or ("" if plain and value else "-"), literal=not markup, link=link)


# ---------------------------------------------------------------- columns


def slots_of(order: Order, rows: Sequence[TableRow]) -> list[Slot]:
    """Multiply the cells by the pivot.

    A comparison along the pivot stands beside its own value; where there are two pivot values it stands under the
    second, so that it follows both of its inputs.
    """
    spec = order.spec
    if spec.pivot is None:
        return [Slot(cell, None, cell.header or title_of(cell)) for cell in spec.cells]
    dimension = spec.pivot.dimension
    found = order.addresses([row for row in rows if not row.is_build], [dimension])
    labels = dict(spec.pivot.labels) or {address[dimension]: "" for address in found}
    slots = []
    for place, (value, label) in enumerate(labels.items()):
        named = label or literal(order.catalogue.title(dimension, value))
        for cell in _under(spec.cells, dimension, value, place, list(labels)):
            base = cell.baseline.get(dimension) if compares(cell) else None
            if spec.style.groups:
                slots.append(Slot(cell, value, cell.header or title_of(cell), named))
            elif base in labels and len(labels) == 2:
                slots.append(Slot(cell, next(name for name in labels if name != base), cell.header or named))
            else:
                slots.append(Slot(cell, value, f"{cell.header} {named}".strip()))
    return slots + [Slot(cell, None, cell.header) for cell in spec.cells if cell.attribute]


def _under(cells: Sequence[CellSpec], dimension: str, value: str, place: int, labels: Sequence[str]) -> list[CellSpec]:
    """Return the cells that stand under one pivot value, each comparison right behind its metric's own column."""
    chosen: list[CellSpec] = []
    for cell in cells:
        base = cell.baseline.get(dimension) if compares(cell) else None
        here = base not in labels or (place == 1 if len(labels) == 2 else value != base)
        if here and not cell.attribute:
            same = [index for index, other in enumerate(chosen) if other.metric == cell.metric]
            chosen.insert(same[-1] + 1 if same else len(chosen), cell)
    return chosen


def compares(cell: CellSpec) -> bool:
    """Say whether a cell needs a baseline."""
    return COMPARISONS[cell.comparison].needs_baseline


def title_of(cell: CellSpec) -> str:
    """Name a column for its metric and unit."""
    if cell.metric is None:
        return "Value"
    metric = metric_named(cell.metric)
    unit = cell.unit or DEFAULT_UNIT.get(metric.unit, metric.unit)
    return f"{metric.title} ({unit})" if unit else metric.title


def without_empty(
    spec: TableSpec, slots: list[Slot], lines: list[AddressedRow]
) -> tuple[list[Slot], list[AddressedRow]]:
    """Leave out rows and columns in which nothing was ever measured, as `drop_empty` says; failures are something."""
    if spec.drop_empty in {"rows", "both"}:
        lines = [line for line in lines if not all(cell.absent for cell in line[1])]
    if spec.drop_empty in {"columns", "both"}:
        kept = [index for index in range(len(slots)) if not all(cells[index].absent for _, cells in lines)]
        slots = [slots[index] for index in kept]
        lines = [(address, [cells[index] for index in kept]) for address, cells in lines]
    return slots, lines


def is_bold(cell: CellSpec, filled: Filled, top: Decimal | None, address: CellAddress) -> bool:
    """Say whether a cell is bold: a whole column, the best number, or the rows that the spec names."""
    if cell.bold_where:
        return all(address.get(name) in values for name, values in cell.bold_where.items())
    return cell.bold == "all" or (filled.number is not None and filled.number == top)


def best(slot: Slot, cells: Sequence[Filled]) -> Decimal | None:
    """Return the best number of a column, None where the spec does not ask for it."""
    numbers = [cell.number for cell in cells if cell.number is not None]
    if slot.cell.bold != "best" or not numbers or slot.cell.metric is None:
        return None
    ways = {cell.better for cell in cells if cell.number is not None}
    if len(ways) != 1 or "none" in ways:  # nobody knows which is the better one
        return None
    higher = "higher" in ways
    if slot.cell.comparison in {"inverse_ratio", "loss_percent", "one_plus_reduction"}:
        higher = not higher
    if slot.cell.comparison == WORSE:
        higher = False
    return max(numbers) if higher else min(numbers)
