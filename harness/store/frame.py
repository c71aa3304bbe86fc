"""One question to the database: `where` and `columns` become one SQL statement."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    false,
    func,
    null,
    or_,
    select,
    true,
    union_all,
)

from harness.core.errors import HarnessError
from harness.core.spec import Status
from harness.core.spelling import unknown
from harness.store.columns import (
    COLUMNS,
    CONSTANT,
    ENVIRONMENT,
    JOB,
    LABEL,
    LABELS,
    MEASUREMENT,
    METRIC_VARIANT,
    RUN,
    SUMMARY,
    FrameColumn,
    FrameTable,
)
from harness.store.latest import ids_in
from harness.store.mark import VOID
from harness.store.result import ValueKind

__all__ = ["COLUMNS", "CONSTANT", "Where", "latest_statement", "split_measurement", "statement"]

Where = Mapping[str, Any]
"""Column name to a value or a list of values; None stands for absent."""
Placing = Literal["none", "left", "inner"]

_NOT_OK = [status.value for status in Status if status is not Status.OK]
_MEASURED = frozenset({"metric_variant", "measurement", "summary"})


def statement(where: Where, columns: Sequence[str]) -> Select[Any]:
    """Write the question as SQL: one row per measurement (and label, where one is named), one per failed run.

    Raises: HarnessError for an unknown column, with the nearest right name, or a value of the wrong type.
    """
    chosen = [_column(name) for name in columns]
    filters = [(_column(name), _values(_column(name), value)) for name, value in where.items()]
    placed = _placing(chosen, filters)
    branches = [_branch(chosen, filters, placed, measured=True)]
    if all(None in values for column, values in filters if column.place in _MEASURED):
        branches.append(_branch(chosen, filters, placed, measured=False))
    return _together(branches, columns, placed)


@functools.lru_cache(maxsize=64)
def latest_statement(columns: tuple[str, ...], labels: tuple[str, ...], left: bool, history: bool) -> Select[Any]:
    """Write the question of a table as SQL, in the form of `statement`; its parameters are the fields of `Kept`.

    labels: which of them are asked for. left: also what is not placed. history: among all runs.
    """
    chosen = [_column(name) for name in columns]
    placed: Placing = "inner" if labels and not left else "left"
    # An index on a label would lead to all of a sweep's history; the runs are known already.
    asked = [func.coalesce(COLUMNS[name].source, "").in_(bindparam(name, expanding=True)) for name in labels]
    good = [*_among("measured", JOB.c.kind != "build", history), *_QUANTITIES, *asked]
    built = [*_among("built", JOB.c.kind == "build", history), *asked]
    failed = [*_among("failed", true(), history), *asked]
    branches = [
        _branch(chosen, [], placed, measured=True, among=good),
        _branch(chosen, [], placed, measured=True, among=built),
        _branch(chosen, [], placed, measured=False, among=failed),
    ]
    return _together(branches, columns, placed)


def _together(branches: Sequence[Select[Any]], columns: Sequence[str], placed: Placing) -> Select[Any]:
    facts = (union_all(*branches) if len(branches) > 1 else branches[0]).subquery("facts")
    order = [facts.c[name] for name in ("_counts_from", "_run", "_ordinal")]
    order += [facts.c[f"_{name}"] for name in LABELS] if placed != "none" else []
    return select(*[facts.c[name] for name in columns]).order_by(*order)


def _among(runs: str, kind: ColumnElement[bool], history: bool) -> list[ColumnElement[bool]]:
    """Narrow a branch to known runs, or with all history to those of a kind."""
    return [kind] if history else [ids_in(RUN.c.id, runs)]


_QUANTITIES = (
    ids_in(MEASUREMENT.c.ordinal, "ordinals"),
    # Added to nothing, since the index on variants would lead to all of their history.
    ids_in(MEASUREMENT.c.quantity_id + 0, "variants"),
)


def _column(name: str) -> FrameColumn:
    if name not in COLUMNS:
        raise HarnessError(unknown("column", name, COLUMNS))
    return COLUMNS[name]


_TYPES: dict[ValueKind, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, float),
    "flag": (bool,),
    "time": (datetime,),
}
_CALLED: dict[ValueKind, str] = {
    "text": "text (put it in quotes)",
    "number": "a number",
    "flag": "true or false",
    "time": "a time with its zone",
}


def _values(column: FrameColumn, value: Any) -> list[Any]:
    """Read a filter's values; a label that is absent is the empty text."""
    given = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    for item in given:
        right = isinstance(item, _TYPES[column.kind]) and (column.kind == "flag" or not isinstance(item, bool))
        if item is not None and not right:
            raise HarnessError(f"column '{column.name}' holds {_CALLED[column.kind]}, not {item!r}")
    return ["" if item is None else item for item in given] if column.place == "label" else given


def _placing(chosen: list[FrameColumn], filters: list[tuple[FrameColumn, list[Any]]]) -> Placing:
    asked = [values for column, values in filters if column.place == "label"]
    if any("" not in values for values in asked):
        return "inner"
    return "left" if asked or any(column.place == "label" for column in chosen) else "none"


def _branch(
    chosen: list[FrameColumn],
    filters: list[tuple[FrameColumn, list[Any]]],
    placed: Placing,
    *,
    measured: bool,
    among: Sequence[ColumnElement[bool]] = (),
) -> Select[Any]:
    """Select the measurements of the runs that are ok, or the runs that are not ok, once each."""
    places = {column.place for column, _ in filters} | {column.place for column in chosen}
    ordinal: Any = MEASUREMENT.c.ordinal if measured else null()
    shown: list[Any] = [_shown(column, placed, measured=measured).label(column.name) for column in _once(chosen)]
    shown += [RUN.c.counts_from.label("_counts_from"), RUN.c.name.label("_run"), ordinal.label("_ordinal")]
    if placed != "none":
        shown += [_label(COLUMNS[name], placed).label(f"_{name}") for name in LABELS]
    asked = [pair for pair in filters if measured or pair[0].place not in _MEASURED]
    conditions = [_condition(column, values, placed) for column, values in asked]
    if not measured:
        named = any(column.name == "status" and VOID in values for column, values in filters)
        conditions.append(RUN.c.status.in_([*_NOT_OK, VOID] if named else _NOT_OK))
    conditions += among
    return select(*shown).select_from(_tables(places, placed, measured=measured)).where(*conditions)


def _once(chosen: list[FrameColumn]) -> list[FrameColumn]:
    return list({column.name: column for column in chosen}.values())


def _tables(places: set[FrameTable], placed: Placing, *, measured: bool) -> FromClause:
    """Join what is asked for."""
    tables: FromClause = RUN
    if "job" in places or placed != "none":
        tables = tables.join(JOB, JOB.c.id == RUN.c.job_id)
    if "environment" in places or placed != "none":
        tables = tables.join(ENVIRONMENT, ENVIRONMENT.c.id == RUN.c.environment_id)
    if placed != "none":
        same = and_(LABEL.c.job_key == JOB.c.key, LABEL.c.environment == ENVIRONMENT.c.name)
        tables = tables.join(LABEL, same, isouter=placed == "left")
    if measured:
        tables = tables.join(MEASUREMENT, MEASUREMENT.c.run_id == RUN.c.id)
        if places & {"metric_variant", "summary"}:
            tables = tables.join(METRIC_VARIANT, METRIC_VARIANT.c.id == MEASUREMENT.c.quantity_id)
        if "summary" in places:
            same_sitting = SUMMARY.c.sitting == RUN.c.sitting
            same = and_(same_sitting, SUMMARY.c.quantity_id == MEASUREMENT.c.quantity_id)
            tables = tables.join(SUMMARY, same, isouter=True)
    return tables


def _label(column: FrameColumn, placed: Placing) -> ColumnElement[Any]:
    source: ColumnElement[Any] = column.source
    return func.coalesce(source, "") if placed == "left" else source


def _shown(column: FrameColumn, placed: Placing, *, measured: bool) -> ColumnElement[Any]:
    if column.place == "label":
        return _label(column, placed)
    if column.place in _MEASURED and not measured:
        return null()
    source: ColumnElement[Any] = column.source
    return source


def _condition(column: FrameColumn, values: list[Any], placed: Placing) -> ColumnElement[bool]:
    if column.name == "measurement_id":
        return or_(false(), *[_same_measurement(value) for value in values if value is not None])
    source = _label(column, placed) if column.place == "label" else column.source
    known = [value for value in values if value is not None]
    held: ColumnElement[bool] = source.in_(known) if len(known) != 1 else source == known[0]
    return or_(held, source.is_(None)) if None in values else held


def _same_measurement(name: str) -> ColumnElement[bool]:
    run, ordinal = split_measurement(name)
    return and_(RUN.c.name == run, MEASUREMENT.c.ordinal == ordinal)


def split_measurement(name: str) -> tuple[str, int]:
    """Read a measurement's id, `RUN#PLACE`. Raises: HarnessError."""
    run, mark, ordinal = name.rpartition("#")
    if not mark or not ordinal.isdecimal():
        raise HarnessError(f"'{name}' is not a measurement id; write RUN#PLACE, as in the column measurement_id")
    return run, int(ordinal)
