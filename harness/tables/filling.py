"""A cell of a table: which rows answer it, or what was printed in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from harness.core.identity import canonical
from harness.tables.cells import filled
from harness.tables.columns import OF_METHOD
from harness.tables.inputs import TableInputs
from harness.tables.layout import Slot, compares
from harness.tables.question import CellQuestion, Filled
from harness.tables.quoted import QuotedPlace
from harness.tables.row_index import PLAIN, meets
from harness.tables.row_order import LACKING, CellAddress, exact
from harness.tables.rows import TableRow, choose, is_ours
from harness.tables.sitting import over_rounds
from harness.tables.spec import CellSpec, RowKey, TableSpec
from harness.tables.specfields import ABSENT

T = TypeVar("T")


def place_of(source: TableInputs, address: CellAddress) -> QuotedPlace:
    """Give the place of a row among those that were printed."""
    return tuple(None if address[name] == LACKING else address[name] for name in source.quoted.dimensions)


def fill(source: TableInputs, slot: Slot, address: CellAddress) -> Filled:
    """Find what answers a cell, and write it."""
    spec, cell = source.spec, of_row(source.spec, slot.cell, address)
    here = dict(address)
    if slot.pivot is not None and spec.pivot is not None:
        here[spec.pivot.dimension] = slot.pivot
    if cell.attribute is not None:
        return _attribute(source, cell.attribute, here)
    absent = Filled(spec.missing.get(ABSENT, "-"), absent=True)
    if cell.text is not None:
        words = _quote(source, cell, here) if cell.text else ""
        return absent if words is None else Filled(words)
    row, baseline, elsewhere = _compared(source, slot, cell, here)
    quote = _quote(source, cell, here) if cell.format.printed and (row is None or not is_ours(row)) else None
    if quote is not None and (row is None or not row.ok or baseline is not None):
        return Filled(quote)  # a word; with a baseline, in the place of a comparison that could be computed
    if row is None:
        return absent
    source.picked.took(slot.header, row, baseline)
    beside = tuple(source.pool.sitting(row)) if cell.stat is not None and over_rounds(spec, row) else ()
    done = filled(CellQuestion(spec, cell, row, baseline, beside, elsewhere, source.at_pace), source.reader)
    return done if quote is None else replace(done, text=quote)


def _compared(
    source: TableInputs, slot: Slot, cell: CellSpec, here: CellAddress
) -> tuple[TableRow | None, TableRow | None, str]:
    """Find the row that fills a cell, what it is compared with, and, where that is not there, where it is instead."""
    spec = source.spec
    row = _lookup(source, cell, here, spec.where, slot.header)
    baseline, published, elsewhere = None, None, ""
    if compares(cell):
        published = _lookup(source, cell, here, spec.where, slot.header, published=True)
        if row is not None and row.ok:
            where = _without_made(spec.where) | {name: (value,) for name, value in cell.baseline.items()}
            there = _without_made(here)
            baseline = _lookup(source, cell, {**there, **cell.baseline}, where, slot.header)
            elsewhere = "" if baseline else _elsewhere(source, cell, there, where)
    if published is not None and published.ok:
        place = ", ".join([*here.values(), f"column '{slot.header}'"])
        choose(spec, [published, *(one for one in (row,) if baseline is not None and one is not None)], place, "latest")
        return published, None, elsewhere
    return row, baseline, elsewhere


def _quote(source: TableInputs, cell: CellSpec, here: CellAddress) -> str | None:
    """Return what was printed in a cell by those who reported it."""
    spec = source.spec
    pivot = (
        exact({spec.pivot.dimension: here[spec.pivot.dimension]}) if spec.pivot and spec.pivot.dimension in here else {}
    )
    return source.quoted.text(cell, place_of(source, here), {**spec.where, **cell.where, **pivot})


def _elsewhere(source: TableInputs, cell: CellSpec, there: CellAddress, where: Mapping[str, Sequence[str]]) -> str:
    """Say for which value of one other row key there is a baseline; empty where there is none, or several keys differ."""
    keys = {name: value for name, value in there.items() if name not in cell.baseline}
    for name in keys:
        others = {key: value for key, value in keys.items() if key != name} | dict(cell.baseline)
        conditions = _conditions(others, {**where, **cell.where}, cell.slice)
        found = source.pool.found(cell.metric or "", PLAIN, conditions)
        values = sorted({value for row in found if row.ok and (value := row.text(name)) is not None})
        if values:
            return f"exists for {name} {', '.join(values)} only; add `{name}: {values[0]}` to baseline"
    return ""


def _without_made(conditions: Mapping[str, T]) -> dict[str, T]:
    """Leave out what another method makes otherwise."""
    return {name: value for name, value in conditions.items() if name not in OF_METHOD}


def of_row(spec: TableSpec, cell: CellSpec, address: CellAddress) -> CellSpec:
    """Where the metric is a row, give the cell that row's metric and, for values, its format."""
    if cell.metric is not None or cell.attribute is not None or "metric" not in address:
        return cell
    name = address["metric"]
    form = spec.metrics[name].format
    if not compares(cell):
        return replace(cell, metric=name, format=form, unit=spec.metrics[name].unit)
    if cell.comparison != "difference":
        return replace(cell, metric=name)
    suffix = cell.format.suffix or form.suffix
    return replace(
        cell, metric=name, format=replace(cell.format, suffix=suffix), unit=cell.unit or spec.metrics[name].unit
    )


def _lookup(
    source: TableInputs,
    cell: CellSpec,
    address: CellAddress,
    where: Mapping[str, Sequence[str]],
    column: str,
    *,
    published: bool = False,
) -> TableRow | None:
    """Find the row that fills a cell: the measurement, else the failed run, else the failed build before it.

    published: find the comparison that was published without its inputs instead.
    """
    assert cell.metric is not None
    conditions = _conditions(address, {**where, **cell.where}, cell.slice)
    place = ", ".join([*address.values(), f"column '{column}'"])
    asked = (cell.comparison, canonical(dict(cell.baseline))) if published else PLAIN
    found = source.pool.found(cell.metric, asked, conditions)
    chosen = choose(source.spec, found, place, source.spec.pick)
    if chosen is not None or published:
        return chosen
    newest = max(source.pool.builds(conditions), key=lambda row: row.age, default=None)
    return newest if newest is not None and not newest.ok else None


def _conditions(address: CellAddress, where: Mapping[str, Sequence[str]], part: str) -> dict[str, Sequence[str | None]]:
    return {"slice": (part,), **where, **exact(address)}


def _attribute(source: TableInputs, key: RowKey, address: CellAddress) -> Filled:
    """Show a catalogue attribute of what was measured in this line."""
    known = address.get(key.dimension)
    if known is not None and known != LACKING and key.dimension not in OF_METHOD:
        nothing = "" if key.attribute in {"", "title"} else "-"  # a name is empty only where a table calls it nothing
        return Filled(source.catalogue.shown(key.dimension, known, key.attribute) or nothing)
    conditions = _conditions(address, source.spec.where, "")
    names = [*source.spec.metrics, *(cell.metric for cell in source.spec.cells)]
    found = [
        row for row in source.pool.rows if row.metric is not None and row.metric in names and meets(row, conditions)
    ]
    values = sorted({value for row in found if (value := row.text(key.dimension)) is not None})
    if not values:
        return Filled(source.spec.missing.get(ABSENT, "-"), absent=True)
    if key.dimension == "bits_per_weight":
        return Filled(", ".join(f"{float(value):.2f}" for value in values))
    return Filled(", ".join(source.catalogue.shown(key.dimension, value, key.attribute) or "-" for value in values))
