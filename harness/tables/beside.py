"""A row that was measured here, among rows that others published: what it was measured on and with, as far as theirs do not say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.tables.caption import configuration, dates, protocols
from harness.tables.coverage import Title
from harness.tables.mixing import Packages
from harness.tables.question import Filled
from harness.tables.result import Cell
from harness.tables.rows import TableRow, is_ours
from harness.tables.spec import RowKey, TableSpec


def own_notes(
    spec: TableSpec, rows: Sequence[TableRow], lines: Sequence[Sequence[Filled]], packages: Packages, title: Title
) -> dict[int, str]:
    """Write the footnotes of the lines that were measured here, where others' stand in the table; by the line's place."""
    if not spec.beside:
        return {}
    known = {str(row.get("measurement_id")): row for row in rows if row.ok}
    taken = [[known[one] for cell in cells for one in cell.measurements if one in known] for cells in lines]
    others = [row for found in taken for row in found if not is_ours(row)]
    measured = [place for place, found in enumerate(taken) if found and all(is_ours(row) for row in found)]
    return {place: own_note(spec, taken[place], others, packages, title) for place in measured} if others else {}


def own_note(
    spec: TableSpec, ours: Sequence[TableRow], others: Sequence[TableRow], packages: Packages, title: Title
) -> str:
    """Write the footnote of a measured row; what each of the others says as well is left out."""
    said = [_facts([row], packages, title) for row in others]
    own = [fact for fact in _facts(ours, packages, title) if any(fact not in facts for facts in said)]
    how = "; ".join(text.removesuffix(".") for text in protocols(ours, spec.keyed))
    return f"Measured here, {dates(ours)}: {', '.join(own)}{'; ' if own and how else ''}{how}."


def noted(keys: Sequence[RowKey], named: list[Cell], numbers: list[Cell], note: int) -> tuple[list[Cell], list[Cell]]:
    """Put a row's own footnote at its method's name, else at the first of its names, else at its first cell."""
    cells = named or numbers
    places = [place for place, cell in enumerate(named) if cell.text]
    method = [place for place in places if keys[place].name == "method"]
    at = (method or places or [0])[0]
    cells[at] = replace(cells[at], notes=tuple(sorted({*cells[at].notes, note})))
    return named, numbers


def _facts(rows: Sequence[TableRow], packages: Packages, title: Title) -> list[str]:
    named = [title("engine", value) for value in _values(rows, "engine")]
    named += [f"provider {value}" for value in _values(rows, "provider")]
    return list(dict.fromkeys([*named, *configuration(rows, packages)]))


def _values(rows: Sequence[TableRow], name: str) -> list[str]:
    return sorted({value for row in rows if (value := row.text(name)) not in {None, "unknown"} and value is not None})
