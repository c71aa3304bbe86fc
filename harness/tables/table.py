"""Rows and a spec become a table of strings. Pure: samples and package versions come through functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from harness.core.errors import ConfigError, Problem
from harness.core.identity import canonical
from harness.core.marks import MARKS, merged
from harness.core.spec import Note
from harness.tables import no_effect
from harness.tables.beside import noted, own_notes
from harness.tables.caption import captions
from harness.tables.catalogue import Catalogue
from harness.tables.cells import GREY, CellQuestion, CellReader, Filled, filled
from harness.tables.columns import MADE
from harness.tables.compare import better_way
from harness.tables.formats import without_paths
from harness.tables.heads import Head, check_head, head_of, laid_out
from harness.tables.layout import (
    LACKING,
    AddressedRow,
    CellAddress,
    Order,
    Slot,
    best,
    compares,
    exact,
    is_bold,
    is_markup,
    key_cells,
    ordered,
    row_addresses,
    slots_of,
    title_of,
    without_empty,
)
from harness.tables.mixing import Packages, check_column, check_pivot, check_place
from harness.tables.options import OPTIONS, labels
from harness.tables.pool import PLAIN, Pool, meets
from harness.tables.quoted import Quoted, QuotedPlace, in_place
from harness.tables.result import Cell, Section, Table
from harness.tables.rows import TableRow, choose, is_ours, matches, wanted
from harness.tables.sitting import AT_PACE, Measure, over_rounds, paced
from harness.tables.spec import CellSpec, RowKey, TableSpec
from harness.tables.specfields import ABSENT
from harness.tables.specfile import AS_PUBLISHED

T = TypeVar("T")

_TOLD = 3
"""Texts of one mark that are told below a table; `harness explain` tells those of a cell."""
LEGEND = f"{GREY} the interval of this comparison holds no difference: the data cannot tell the two apart."


@dataclass
class _Picked:
    """What the cells of a table took from the frame, and its footnotes."""

    notes: list[str] = field(default_factory=list)
    marks: dict[str, list[str]] = field(default_factory=dict)
    """Code of a mark to what it says, each text once; in the list of notes it stands by its code."""
    by_column: dict[str, list[TableRow]] = field(default_factory=dict)
    """Of the section that is being filled."""

    def note(self, text: str) -> int | None:
        """Number a footnote; equal ones share a number."""
        if not text:
            return None
        if text not in self.notes:
            self.notes.append(text)
        return self.notes.index(text) + 1

    def numbered(self, note: str, marks: Iterable[Note]) -> tuple[int, ...]:
        """Number a cell's footnote and its marks; all cells with one mark share a number."""
        found = [self.note(note)]
        for mark in marks:
            texts = self.marks.setdefault(mark.code, [])
            if mark.text not in texts:
                texts.append(mark.text)
            found.append(self.note(_slot(mark.code)))
        return tuple(sorted({number for number in found if number is not None}))

    def written(self) -> tuple[str, ...]:
        """Write the footnotes; of a mark that many runs carry in many words, the first few."""
        marks = {_slot(code): _mark_text(code, texts) for code, texts in self.marks.items()}
        return tuple(marks.get(note, note) for note in self.notes)

    def took(self, column: str, *rows: TableRow | None) -> None:
        self.by_column.setdefault(column, []).extend(row for row in rows if row is not None and row.ok)


def _slot(code: str) -> str:
    return f"mark {code}"


def _mark_text(code: str, texts: Sequence[str]) -> str:
    told = merged(texts)
    more = f"; and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    return f"{MARKS[code]}: {'; '.join(without_paths(text) for text in told[:_TOLD])}{more}"


@dataclass(frozen=True)
class _Source:
    """What the functions below share: the spec, the rows that it concerns, names and callbacks."""

    spec: TableSpec
    pool: Pool
    catalogue: Catalogue
    reader: CellReader
    picked: _Picked
    at_pace: frozenset[Measure]
    quoted: Quoted
    packages: Packages

    @property
    def order(self) -> Order:
        return Order(self.spec, self.catalogue)


def build(
    spec: TableSpec,
    rows: Sequence[TableRow],
    catalogue: Catalogue | None = None,
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
    names = (catalogue or Catalogue()).renamed({**_labels(spec, rows), **_titles(spec)})
    source = _Source(spec, Pool(rows), names, reader, _Picked(), paced(rows), quoted, versions)
    shown = [row for row in rows if matches(row, _askable(spec, row))]
    check_pivot(spec, shown)
    sections, taken = [], []
    for each in _groups(source, shown):
        source.picked.by_column = {}
        sections.append(_section(source, each, shown))
        taken += _checked(source, versions)
    caption = captions(spec, taken, versions, source.catalogue.title) if spec.caption and taken else ()
    if any(cell.text.endswith(f" {GREY}") for section in sections for row in section.rows for cell in row):
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


def _checked(source: _Source, packages: Packages) -> list[TableRow]:
    """Hold the section's cells against each other and return what they took. Sizes are the same on any machine."""
    for column, used in source.picked.by_column.items():
        check_column(source.spec, column, used, source.catalogue.own_unit)
    taken = [row for used in source.picked.by_column.values() for row in used]
    check_place(source.spec, [row for row in taken if not row.is_build], packages)
    return taken


def _groups(source: _Source, shown: Sequence[TableRow]) -> list[dict[str, str]]:
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


def _section(source: _Source, each: CellAddress, shown: Sequence[TableRow]) -> Section:
    spec = source.spec
    inside = [row for row in shown if all(row.text(name) in {value, None} for name, value in each.items())]
    slots = slots_of(source.order, inside)
    addresses = [{**each, **address} for address in row_addresses(source.order, inside)]
    lines: list[AddressedRow] = [(address, [_fill(source, slot, address) for slot in slots]) for address in addresses]
    slots, lines = without_empty(spec, slots, _in_order(source, ordered(source.order, lines, slots)))
    keys = [key for key in spec.show if key.dimension not in each or key.attribute]
    headings = tuple(source.catalogue.title(name, value) for name, value in each.items())
    heads = [Head(key.header, "left") for key in keys] + [head_of(spec, slot) for slot in slots]
    check_head(spec, len(heads))
    return laid_out(spec.style, headings, heads, _cells(source, keys, lines, slots))


def _in_order(source: _Source, lines: list[AddressedRow]) -> list[AddressedRow]:
    """Put the rows that others published in the order of their file, where the spec asks for it."""
    if AS_PUBLISHED not in source.spec.order:
        return lines
    places = [_place(source, address) for address, _ in lines]
    ordinals = [source.quoted.ordinal(place, source.spec.where) for place in places]
    seen = {key.dimension for key in source.spec.show} | set(source.spec.each)
    names = source.quoted.dimensions
    told = [tuple(value for name, value in zip(names, place, strict=True) if name in seen) for place in places]
    return [lines[at] for at in in_place(told, ordinals)]


def _place(source: _Source, address: CellAddress) -> QuotedPlace:
    return tuple(None if address[name] == LACKING else address[name] for name in source.quoted.dimensions)


def _cells(
    source: _Source, keys: Sequence[RowKey], lines: list[AddressedRow], slots: list[Slot]
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
                    _of_row(source.spec, slot.cell, address),
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


# ---------------------------------------------------------------- cells


def _fill(source: _Source, slot: Slot, address: CellAddress) -> Filled:
    spec, cell = source.spec, _of_row(source.spec, slot.cell, address)
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
    source: _Source, slot: Slot, cell: CellSpec, here: CellAddress
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


def _quote(source: _Source, cell: CellSpec, here: CellAddress) -> str | None:
    """Return what was printed in a cell by those who reported it."""
    spec = source.spec
    pivot = (
        exact({spec.pivot.dimension: here[spec.pivot.dimension]}) if spec.pivot and spec.pivot.dimension in here else {}
    )
    return source.quoted.text(cell, _place(source, here), {**spec.where, **cell.where, **pivot})


def _elsewhere(source: _Source, cell: CellSpec, there: CellAddress, where: Mapping[str, Sequence[str]]) -> str:
    """Say for which value of one other row key there is a baseline; empty where there is none, or several keys differ."""
    keys = {name: value for name, value in there.items() if name not in cell.baseline}
    for name in keys:
        others = {key: value for key, value in keys.items() if key != name} | dict(cell.baseline)
        conditions = _conditions(others, {**where, **cell.where}, cell.part)
        found = source.pool.found(cell.metric or "", PLAIN, conditions)
        values = sorted({value for row in found if row.ok and (value := row.text(name)) is not None})
        if values:
            return f"exists for {name} {', '.join(values)} only; add `{name}: {values[0]}` to baseline"
    return ""


def _without_made(conditions: Mapping[str, T]) -> dict[str, T]:
    """Leave out what another method makes otherwise."""
    return {name: value for name, value in conditions.items() if name not in MADE}


def _of_row(spec: TableSpec, cell: CellSpec, address: CellAddress) -> CellSpec:
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
    source: _Source,
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
    conditions = _conditions(address, {**where, **cell.where}, cell.part)
    place = ", ".join([*address.values(), f"column '{column}'"])
    asked = (cell.comparison, canonical(dict(cell.baseline))) if published else PLAIN
    found = source.pool.found(cell.metric, asked, conditions)
    chosen = choose(source.spec, found, place, source.spec.pick)
    if chosen is not None or published:
        return chosen
    newest = max(source.pool.builds(conditions), key=lambda row: row.age, default=None)
    return newest if newest is not None and not newest.ok else None


def _conditions(address: CellAddress, where: Mapping[str, Sequence[str]], part: str) -> dict[str, Sequence[str | None]]:
    return {"part": (part,), **where, **exact(address)}


def _attribute(source: _Source, key: RowKey, address: CellAddress) -> Filled:
    """Show a catalogue attribute of what was measured in this line."""
    known = address.get(key.dimension)
    if known is not None and known != LACKING and key.dimension not in MADE:
        return Filled(source.catalogue.shown(key.dimension, known, key.attribute) or "-")
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
