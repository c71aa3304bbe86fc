"""Rows and a spec become a table of strings. Pure: samples and package versions come through functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.core.errors import ConfigError, Problem
from harness.tables import no_effect
from harness.tables.beside import noted, own_notes
from harness.tables.caption import captions
from harness.tables.catalogue import TableCatalogue
from harness.tables.cells import INCONCLUSIVE
from harness.tables.compare import better_way
from harness.tables.filling import fill, of_row, place_of
from harness.tables.formats import without_paths
from harness.tables.headers import Head, check_head, head_of, with_headers
from harness.tables.inputs import TableInputs, TakenRows
from harness.tables.layout import (
    Slot,
    best,
    first_number,
    is_bold,
    is_markup,
    key_cells,
    slots_of,
    title_of,
    without_empty,
)
from harness.tables.mixing import Packages, check_column, check_pivot, check_place
from harness.tables.options import OPTIONS, labels
from harness.tables.question import CellReader
from harness.tables.quoted import Quoted, in_place
from harness.tables.result import Cell, Section, Table
from harness.tables.row_index import RowIndex
from harness.tables.row_order import AddressedRow, CellAddress, ordered, row_addresses
from harness.tables.rows import TableRow, matches, wanted
from harness.tables.sitting import AT_PACE, paced
from harness.tables.spec import CellSpec, RowKey, TableSpec
from harness.tables.specfile import AS_PUBLISHED

LEGEND = f"{INCONCLUSIVE} the interval of this comparison holds no difference: the data cannot tell the two apart."


def build(
    spec: TableSpec,
    rows: Sequence[TableRow],
    catalogue: TableCatalogue | None = None,
    reader: CellReader | None = None,
    packages: Packages | None = None,
) -> Table:
    """Fill a table from rows (with the names of `columns.COLUMNS`, one per measurement or failed run).

    Raises: ConfigError for cells that would mix what must not be mixed, and for cells that several rows fit.
    """
    reader = reader or CellReader()
    rows = no_effect.marked(wanted(spec, rows), no_effect.kept(reader.samples, reader.items))
    spec = of_one_origin(spec, rows)
    versions = packages or (lambda _: {})
    told_apart = tuple(name for name in (*spec.each, *spec.row_dimensions) if name != "metric")
    quoted = Quoted(told_apart, rows, reader.outcome)
    names = (catalogue or TableCatalogue()).renamed({**_labels(spec, rows), **_titles(spec)})
    source = TableInputs(spec, RowIndex(rows), names, reader, TakenRows(), paced(rows), quoted, versions)
    shown = [row for row in rows if matches(row, _askable(spec, row))]
    check_pivot(spec, shown)
    sections, taken = [], []
    for each in _groups(source, shown):
        source.picked.by_column = {}
        sections.append(_section(source, each, shown))
        taken += _checked(source, versions)
    caption = captions(spec, taken, versions, source.catalogue.title) if spec.caption and taken else ()
    if any(cell.text.endswith(f" {INCONCLUSIVE}") for section in sections for row in section.rows for cell in row):
        caption = (LEGEND, *caption)
    if any(cell.trace and cell.trace.at_1ms for one in sections for row in one.rows for cell in row):
        caption = (*caption, AT_PACE)
    return Table(spec.name, spec.title, spec.template, tuple(sections), caption, source.picked.written())


def _labels(spec: TableSpec, rows: Sequence[TableRow]) -> dict[str, dict[str, str]]:
    """Call options that a table's rows, sections or pivot are told apart by so that people can read them; all others stand as they are."""
    keyed = {
        name: [text for row in rows if (text := row.text(name)) is not None] for name in OPTIONS if name in spec.keyed
    }
    return {
        name: {text: without_paths(label) for text, label in labels(texts).items()} for name, texts in keyed.items()
    }


def of_one_origin(spec: TableSpec, rows: Sequence[TableRow]) -> TableSpec:
    """Where `origin` lists several, keep the first that there is anything of: measured and reported numbers share no table."""
    choices = [replace(spec, where={**spec.where, "origin": (origin,)}) for origin in spec.where.get("origin", ())]
    there = (one for one in choices if any(not row.is_build and matches(row, _askable(one, row)) for row in rows))
    return next(there, spec)


def _titles(spec: TableSpec) -> dict[str, Mapping[str, str]]:
    """Give a metric that stands in rows its unit, unless its format says it or the spec gives it a title."""
    units = {
        name: title_of(CellSpec("", metric=name, unit=row.unit))
        for name, row in spec.metrics.items()
        if not row.format.suffix
    }
    return {**spec.titles, "metric": {**units, **spec.titles.get("metric", {})}}


def _askable(spec: TableSpec, row: TableRow) -> dict[str, Sequence[str]]:
    """Conditions that a row can meet: a failed run does not know what only a measurement says."""
    return {name: values for name, values in spec.where.items() if row.ok or row.get(name) is not None}


def _checked(source: TableInputs, packages: Packages) -> list[TableRow]:
    """Hold the section's cells against each other and return what they took. Sizes are the same on any machine."""
    for column, used in source.picked.by_column.items():
        check_column(source.spec, column, used, source.catalogue.own_unit)
    taken = [row for used in source.picked.by_column.values() for row in used]
    check_place(source.spec, [row for row in taken if not row.is_build], packages)
    return taken


def _groups(source: TableInputs, shown: Sequence[TableRow]) -> list[dict[str, str]]:
    spec = source.spec
    measured = [row for row in shown if not row.is_build]
    groups = source.order.addresses(measured or shown, spec.each)
    good = [row for row in measured if row.ok] or measured
    absent = [name for name in spec.each if any(row.get(name) is None for row in good)]
    if absent:
        share = "nothing" if not groups else "not all"
        message = (
            f"table '{spec.name}': {share} that was measured says {' or '.join(absent)}; "
            "leave it out of 'each', or choose with where"
        )
        raise ConfigError([Problem(message, spec.path, spec.line)])
    return groups


def _section(source: TableInputs, each: CellAddress, shown: Sequence[TableRow]) -> Section:
    spec = source.spec
    inside = [row for row in shown if all(row.text(name) in {value, None} for name, value in each.items())]
    slots = slots_of(source.order, inside)
    addresses = [{**each, **address} for address in row_addresses(source.order, inside)]
    lines: list[AddressedRow] = [(address, [fill(source, slot, address) for slot in slots]) for address in addresses]
    slots, lines = without_empty(spec, slots, _in_order(source, ordered(source.order, lines, first_number(slots))))
    keys = [key for key in spec.show if key.dimension not in each or key.attribute]
    headings = tuple(source.catalogue.title(name, value) for name, value in each.items())
    heads = [Head(key.header, "left") for key in keys] + [head_of(spec, slot) for slot in slots]
    check_head(spec, len(heads))
    return with_headers(spec.style, headings, heads, _cells(source, keys, lines, slots))


def _in_order(source: TableInputs, lines: list[AddressedRow]) -> list[AddressedRow]:
    """Put the rows that others published in the order of their file, where the spec asks for it."""
    if AS_PUBLISHED not in source.spec.order:
        return lines
    places = [place_of(source, address) for address, _ in lines]
    ordinals = [source.quoted.ordinal(place, source.spec.where) for place in places]
    seen = {key.dimension for key in source.spec.show} | set(source.spec.each)
    names = source.quoted.dimensions
    told = [tuple(value for name, value in zip(names, place, strict=True) if name in seen) for place in places]
    return [lines[at] for at in in_place(told, ordinals)]


def _cells(
    source: TableInputs, keys: Sequence[RowKey], lines: list[AddressedRow], slots: list[Slot]
) -> list[tuple[Cell, ...]]:
    tops = [best(slot, [cells[index] for _, cells in lines]) for index, slot in enumerate(slots)]
    rows, above = [], None
    told = own_notes(
        source.spec, source.pool.rows, [cells for _, cells in lines], source.packages, source.catalogue.title
    )
    notes = {place: source.picked.note(text) or 0 for place, text in told.items()}
    for place, (address, cells) in enumerate(lines):
        numbers = []
        for cell, slot, top in zip(cells, slots, tops, strict=True):
            here = {**address, source.spec.pivot.dimension: slot.pivot} if slot.pivot and source.spec.pivot else address
            numbers.append(
                Cell(
                    cell.text,
                    _is_name(source.spec, slot, address),
                    "",
                    is_bold(slot.cell, cell, top, here),
                    source.picked.numbered(cell.note, cell.marks),
                    cell.runs,
                    cell.measurements,
                    cell.trace,
                    here,
                    better_way(slot.cell.comparison, cell.better),
                    of_row(source.spec, slot.cell, address),
                    cell.failed,
                )
            )
        named = key_cells(source.catalogue, source.spec, keys, address, above)
        if place in notes:
            named, numbers = noted(keys, named, numbers, notes[place])
        rows.append((*named, *numbers))
        above = address
    return rows


def _is_name(spec: TableSpec, slot: Slot, address: CellAddress) -> bool:
    """Say whether a cell shows a name as it is; numbers, and names that the spec writes in Markdown, are markup."""
    key = slot.cell.attribute
    return key is not None and not is_markup(spec, key.name, address.get(key.dimension))
