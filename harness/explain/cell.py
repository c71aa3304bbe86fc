"""A cell that explains itself: what it is, how its text came about, and everything behind its inputs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Literal

from harness.core.metric import metric as metric_named
from harness.explain.archive import Archive
from harness.explain.arithmetic import Arithmetic, arithmetic, format_text
from harness.explain.facts import Provenance
from harness.explain.inputs import inputs_beside
from harness.explain.names import _address, _capital, _definition
from harness.explain.provenance import behind, measurement_of, provenance
from harness.tables.catalogue import TableCatalogue
from harness.tables.columns import DIMENSIONS, OF_METHOD
from harness.tables.locate import MARK, Beside, Spot, column_names, row_names
from harness.tables.markdown import Rendered
from harness.tables.options import OPTIONS, option
from harness.tables.result import Cell, Section
from harness.tables.row_order import LACKING
from harness.tables.rows import matches
from harness.tables.spec import CellSpec, RowKey, TableSpec

CellKind = Literal["number", "name", "attribute", "empty", "heading", "failed", "not measured", "not computed", "line"]


@dataclass(frozen=True)
class Explanation:
    """Everything that stands behind one cell."""

    place: str
    """As it was asked for."""
    table: str
    kind: CellKind
    text: str
    """As it stands in the cell, without emphasis and link."""
    said: str
    """What the cell is, in one sentence."""
    headings: tuple[str, ...] = ()
    row: str = ""
    column: str = ""
    address: Mapping[str, str] = field(default_factory=dict)
    """Dimension to value: what the cell is about."""
    entry: Mapping[str, str] = field(default_factory=dict)
    """For names: the catalogue's entry."""
    footnote: str = ""
    arithmetic: Arithmetic | None = None
    inputs: tuple[Provenance, ...] = ()
    """Value and baseline; for failures the run that failed."""
    behind: tuple[Provenance, ...] = ()
    """Runs that made what the inputs read, each once."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values; equal cells give equal objects."""
        found = _json(asdict(self))
        assert isinstance(found, dict)
        return found


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {str(name): _json(part) for name, part in value.items()}
    return [_json(part) for part in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Shown:
    """A rendered table with what it was made of."""

    rendered: Rendered
    spec: TableSpec
    catalogue: TableCatalogue
    archive: Archive


def explain(shown: Shown, at: Spot | Beside, place: str = "") -> Explanation:
    """Explain a cell of a table, or a line beside its cells.

    Raises: HarnessError where the source does not hold a run that the table took.
    """
    table = shown.rendered.table
    if isinstance(at, Beside):
        return Explanation(place, table.name, "line", "", f"This line is {at.said}.")
    section = table.sections[at.section]
    column = MARK.join(column_names(section, shown.rendered.keys)[at.column])
    if at.row is None or at.row < section.head_rows:
        text = section.columns[at.column].header if at.row is None else section.rows[at.row][at.column].text
        said = _heading(shown, section, at, text)
        return Explanation(place, table.name, "heading", text, said, section.headings, "", column)
    cell = section.rows[at.row][at.column]
    row = MARK.join(row_names(section, shown.rendered.keys)[at.row])
    told = _told(shown, section, at, cell)
    return Explanation(
        place=place,
        table=table.name,
        kind=told.kind,
        text=cell.text,
        said=told.said,
        headings=section.headings,
        row=row,
        column=column,
        address=dict(cell.address) or _address(section, at.row),
        entry=told.entry,
        footnote="; ".join(table.notes[number - 1] for number in cell.notes),
        arithmetic=told.arithmetic,
        inputs=told.inputs,
        behind=_behind(shown.archive, told.inputs),
    )


@dataclass(frozen=True)
class _Told:
    """What depends on the sort of cell."""

    kind: CellKind
    said: str
    entry: Mapping[str, str] = field(default_factory=dict)
    arithmetic: Arithmetic | None = None
    inputs: tuple[Provenance, ...] = ()


def _told(shown: Shown, section: Section, at: Spot, cell: Cell) -> _Told:
    assert at.row is not None
    if cell.asked is None:
        return _name(shown, section, at.row, at.column, cell)
    if cell.asked.attribute is not None:
        return _Told("attribute", _attribute(shown, cell, cell.asked.attribute))
    if cell.trace is not None:
        return _number(shown, cell)
    if not cell.runs:
        words = _published_words(shown, cell, cell.asked)
        return _Told("attribute", words) if words else _Told("not measured", _never(shown, cell, cell.asked))
    inputs = tuple(provenance(shown.archive, "run", run) for run in cell.runs)
    bad = next((one for one in inputs if one.status != "ok"), None)
    if bad is None:
        return _Told("not computed", _uncomputed(shown, cell, cell.asked), inputs=inputs)
    reason = (bad.reason or "no reason was given").rstrip(".")
    who = "the run that should give" if bad.origin == "measured" else "in its source,"
    said = f"There is no number: {who} {_what(cell.asked)} has status {bad.status}: {reason}."
    return _Told("failed", said, inputs=inputs)


def _published_words(shown: Shown, cell: Cell, asked: CellSpec) -> str:
    """Say of a cell that holds words of others what they are; empty for what was never measured."""
    if asked.text is not None:
        return f"Words that others published, kept as '{asked.text}' beside their numbers."
    if asked.format.printed and cell.text != shown.spec.missing.get("absent", "-"):
        return f"What others published in the place of a number: {_what(asked)}."
    return ""


def _behind(archive: Archive, inputs: tuple[Provenance, ...]) -> tuple[Provenance, ...]:
    found: list[Provenance] = []
    seen = frozenset(one.run for one in inputs)
    for one in inputs:
        further = behind(archive, one, seen)
        seen |= {more.run for more in further}
        found += further
    return tuple(found)


# ---------------------------------------------------------------- numbers


def _number(shown: Shown, cell: Cell) -> _Told:
    assert cell.trace is not None
    assert cell.asked is not None
    stored = [measurement_of(shown.archive, side.measurement) for side in cell.trace.sides]
    beside = inputs_beside(shown.spec, cell, shown.archive.rows(shown.spec)) if cell.trace.published else None
    done = arithmetic(cell, stored, beside)
    stat = cell.asked.stat or ""
    inputs = tuple(
        provenance(
            shown.archive,
            side.role,
            side.run,
            side.measurement,
            stat=stat,
            rounds=side.rounds is not None,
        )
        for side in cell.trace.sides
    )
    origins = list(dict.fromkeys(one.origin for one in inputs))
    whose = " and ".join("measured" if origin == "measured" else f"{origin}, not measured here" for origin in origins)
    return _Told("number", f"{_capital(_what(cell.asked))}; {whose}.", arithmetic=done, inputs=inputs)


def _what(asked: CellSpec) -> str:
    """Name what a cell shows: the statistic, the metric, the part and what it is compared with."""
    metric = metric_named(asked.metric or "")
    title = f"{asked.stat} of {metric.title.lower()}" if asked.stat else metric.title.lower()
    part = f" of part '{asked.slice}'" if asked.slice else ""
    part += f" ({metric.name})" if metric.name != metric.title.lower() else ""
    if asked.comparison == "value":
        return f"{title}{part}"
    against = ", ".join(f"{name} {value}" for name, value in asked.baseline.items()) or "its baseline"
    return f"{asked.comparison.replace('_', ' ')} of {title}{part} to {against}"


def _never(shown: Shown, cell: Cell, asked: CellSpec) -> str:
    where = {name: " or ".join(values) for name, values in (*shown.spec.where.items(), *asked.where.items())}
    place = ", ".join(f"{name} {value}" for name, value in {**where, **cell.address}.items())
    never = "Not published" if _of_others(shown, cell, asked) else "Never measured"
    return f"{never}: the results hold no run that gives {_what(asked)} for {place or 'this cell'}."


def _of_others(shown: Shown, cell: Cell, asked: CellSpec) -> bool:
    """Say whether a table's numbers are all reported: it asks for such, or what it can use is."""
    if cell.address.get("origin", "reported") != "reported":
        return False
    wanted = asked.where.get("origin") or shown.spec.where.get("origin")
    if wanted is not None:
        return tuple(wanted) == ("reported",)
    origins = {row.text("origin") for row in shown.archive.rows(shown.spec) if matches(row, shown.spec.where)}
    return origins == {"reported"}


def _uncomputed(shown: Shown, cell: Cell, asked: CellSpec) -> str:
    if cell.notes:
        note = shown.rendered.table.notes[cell.notes[0] - 1].rstrip(".")
        return f"There is a run, but {_what(asked)} cannot be computed: {note}."
    return f"This is the baseline itself: {_what(asked)} would compare a run with itself."


# ---------------------------------------------------------------- names


def _name(shown: Shown, section: Section, row: int, column: int, cell: Cell) -> _Told:
    keys = shown_keys(shown.spec)
    if column >= len(keys):
        return _Told("empty", "An empty cell of the column that stands between two groups of columns.")
    key = keys[column]
    value = _address(section, row).get(key.dimension, "")
    entry = dict(shown.catalogue.entries.get(key.dimension, {}).get(value, {}))
    called = f"{DIMENSIONS.get(key.dimension, key.dimension).lower()} '{value}'"
    if not cell.text:
        return _Told("empty", f"Left blank since it repeats the cell above: {called}.", entry)
    if value in {"", LACKING}:
        return _Told("name", f"This row has no {key.dimension}.")
    if key.attribute and key.dimension in OPTIONS:
        held = "what" if option(value, key.attribute) else "empty, since nothing is what"
        return _Told("name", f"This is {held} {OPTIONS[key.dimension]} was told as '{key.attribute}': {value}")
    if key.attribute not in {"", "title"}:
        held = "what" if entry.get(key.attribute) else "empty, since nothing is what"
        return _Told("name", f"This is {held} the catalogue says as '{key.attribute}' of {called}.", entry)
    return _Told("name", f"The name of {called}{_definition(key.dimension, value)}.", entry)


def shown_keys(spec: TableSpec) -> list[RowKey]:
    """List the leading columns that name rows."""
    return [key for key in spec.show if key.dimension not in spec.each or key.attribute]


def _attribute(shown: Shown, cell: Cell, key: RowKey) -> str:
    if cell.text == shown.spec.missing.get("absent", "-"):
        return f"Nothing to show as '{key.name}': no run of this row says it, or the catalogue does not."
    if key.dimension == "executed":
        return "What the engine really ran of what was measured in this row, as its runtime reports it once the artifact is opened."
    if key.dimension in OF_METHOD:
        return f"The {DIMENSIONS[key.dimension].lower()} of what was measured in this row, read back from the files of its artifact."
    return (
        f"What the catalogue says as '{key.attribute or 'title'}' of the {key.dimension} that was measured in this row."
    )


# ---------------------------------------------------------------- headings


def _heading(shown: Shown, section: Section, at: Spot, text: str) -> str:
    keys = shown_keys(shown.spec)
    asked = next((row[at.column].asked for row in section.rows[section.head_rows :] if row[at.column].asked), None)
    if at.column < len(keys):
        said = f"The heading of the names of {keys[at.column].name}"
    elif asked is None:
        said = "The heading of an empty column between two groups"
    elif asked.attribute is not None:
        whose = "" if asked.attribute.dimension in OF_METHOD else "the catalogue's "
        said = f"The heading of a column of {whose}{asked.attribute.name}"
    elif "metric" in shown.spec.row_dimensions:
        said = f"The heading of a column of {asked.comparison}s; each row has its own metric"
    else:
        unit = f", in {asked.unit}" if asked.unit else ""
        said = f"The heading of {_what(asked)}, written as '{format_text(asked.format)}'{unit}"
    empty = "" if text else "; left empty, since the names stand in the next row or in none"
    return f"{said}{empty}."
