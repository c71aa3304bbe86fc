"""One question to the database: `where` and `columns` become one SQL statement, its rows become a data frame.

Absence is the same everywhere: `pandas.isna` is true. Text columns are strings (absent: NaN), number columns float64
(absent: NaN), `bos` is True, False or None, `started` and `counts_from` are datetime64 in UTC. Labels that nobody gave are "".
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    null,
    or_,
    select,
    true,
    union_all,
)

from harness.core.errors import HarnessError, unknown
from harness.core.spec import Status
from harness.store import models as m
from harness.store import needed
from harness.store.needed import ids_in
from harness.store.row import table

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "number", "flag", "time"]
Place = Literal["run", "job", "environment", "placement", "quantity", "measurement", "summary"]
Where = Mapping[str, Any]
"""Column name to a value or a list of values; None stands for absent."""

_RUN, _JOB, _ENVIRONMENT = table(m.RunRow), table(m.JobRow), table(m.EnvironmentRow)
_PLACEMENT, _QUANTITY, _MEASUREMENT = table(m.PlacementRow), table(m.QuantityRow), table(m.MeasurementRow)
_SUMMARY = table(m.SummaryRow)
_NOT_OK = [status.value for status in Status if status is not Status.OK]
_MEASURED = frozenset({"quantity", "measurement", "summary"})
LABELS = ("sweep", "block", "model", "method", "recipe", "reference")


@dataclass(frozen=True)
class Column:
    """A column of the frame and where it lives."""

    name: str
    place: Place
    kind: Kind
    source: Any


_OF_A_PROCESS = ("low", "high", "interval")
"""What a run of 0.1.0 said of the repetitions inside its process: no uncertainty of a number that has a summary."""


def _columns() -> dict[str, Column]:
    listed: list[tuple[Place, Any, Kind, str]] = [
        ("run", _RUN, "text", "name:run"),
        ("job", _JOB, "text", "key:job_key kind"),
        ("run", _RUN, "text", "status reason origin"),
        ("run", _RUN, "time", "started counts_from"),
        ("run", _RUN, "number", "seconds"),
        ("run", _RUN, "text", "session"),
        ("run", _RUN, "number", "round order"),
        ("run", _RUN, "text", "written_by"),
        ("environment", _ENVIRONMENT, "text", "harness name:environment gpu"),
        ("run", _RUN, "number", "gpu_count"),
        ("environment", _ENVIRONMENT, "text", "driver cuda box cpu"),
        ("environment", _ENVIRONMENT, "number", "cores"),
        ("environment", _ENVIRONMENT, "text", "system python digest:environment_id"),
        ("placement", _PLACEMENT, "text", " ".join(LABELS)),
        ("run", _RUN, "text", "recipe_options"),
        ("job", _JOB, "text", "quantizer engine engine_options"),
        ("run", _RUN, "text", "provider dtype"),
        ("job", _JOB, "text", "probe"),
        ("run", _RUN, "text", "protocol"),
        ("run", _RUN, "number", "protocol_version"),
        ("job", _JOB, "number", "batch prompt output depth concurrency request_rate shots limit window stride"),
        ("job", _JOB, "text", "text task workload"),
        ("job", _JOB, "number", "tokens"),
        ("run", _RUN, "text", "artifact artifact_content scheme"),
        ("run", _RUN, "number", "bits_per_weight"),
        ("quantity", _QUANTITY, "text", "metric"),
        ("quantity", _QUANTITY, "number", "metric_version"),
        ("quantity", _QUANTITY, "text", "part"),
        ("measurement", _MEASUREMENT, "number", "value"),
        ("summary", _MEASUREMENT, "number", "low high"),
        ("summary", _QUANTITY, "text", "interval"),
        ("measurement", _MEASUREMENT, "number", "n"),
        ("quantity", _QUANTITY, "text", "unit source items better comparison baseline"),
        ("run", _RUN, "number", "scored skipped truncated warmups repetitions"),
        ("run", _RUN, "flag", "bos"),
        ("run", _RUN, "number", "prompt_tokens beyond_trained"),
        ("run", _RUN, "text", "citation notes sitting series"),
        ("summary", _SUMMARY, "number", "value:summary_value low:summary_low high:summary_high rounds"),
        ("summary", _SUMMARY, "text", "round_values marks"),
    ]
    found = {}
    for place, source, kind, names in listed:
        for item in names.split():
            inner, _, outer = item.partition(":")
            found[outer or inner] = Column(outer or inner, place, kind, source.c[inner])
    for name in _OF_A_PROCESS:
        found[name] = replace(found[name], source=case((_SUMMARY.c.rounds.is_(None), found[name].source)))
    found["measurement_id"] = Column(
        "measurement_id", "measurement", "text", _RUN.c.name + "#" + cast(_MEASUREMENT.c.ordinal, String)
    )
    return found


COLUMNS = _columns()
"""Every dimension and value that a table, a filter or an export can name, in the order of the whole frame."""

CONSTANT = frozenset(
    column.name
    for column in COLUMNS.values()
    if column.place in {"job", "placement", "quantity"}
    or column.name in {*needed.CONSTANT, "scheme", "bits_per_weight", "recipe_options", "series"}
)
"""Columns in which the measurements of a configuration's runs do not differ; what was quantized hangs on the artifact's id."""


def statement(where: Where, columns: Sequence[str]) -> Select[Any]:
    """Write the question as SQL: one row per measurement (and placement, where a label is named), one per failed run.

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
def needed_statement(columns: tuple[str, ...], labels: tuple[str, ...], left: bool, history: bool) -> Select[Any]:
    """Write the question of a table as SQL, in the form of `statement`; its parameters are the fields of `Kept`.

    labels: which of them are asked for. left: also what is not placed. history: among all runs.
    """
    chosen = [_column(name) for name in columns]
    placed: Placing = "inner" if labels and not left else "left"
    # An index on a label would lead to all of a sweep's history; the runs are known already.
    asked = [func.coalesce(COLUMNS[name].source, "").in_(bindparam(name, expanding=True)) for name in labels]
    good = [*_among("measured", _JOB.c.kind != "build", history), *_QUANTITIES, *asked]
    built = [*_among("built", _JOB.c.kind == "build", history), *asked]
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
    return [kind] if history else [ids_in(_RUN.c.id, runs)]


_QUANTITIES = (
    ids_in(_MEASUREMENT.c.ordinal, "ordinals"),
    # Added to nothing, since the index on quantities would lead to all of their history.
    ids_in(_MEASUREMENT.c.quantity_id + 0, "quantities"),
)


def to_frame(rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Turn rows into a frame whose types do not depend on what the rows happen to hold."""
    import pandas as pd

    values: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [_array(_column(name), cells) for name, cells in zip(columns, values, strict=True)]
    frame = pd.DataFrame(dict(enumerate(arrays)), index=pd.RangeIndex(len(rows)), copy=False)
    frame.columns = pd.Index(list(columns), dtype="str")
    return frame


def _array(column: Column, cells: Sequence[Any]) -> Any:
    import numpy as np
    import pandas as pd

    match column.kind:
        case "number":
            return np.array(cells, dtype="float64")
        case "time":
            return pd.Series(pd.to_datetime(list(cells), utc=True)).astype("datetime64[us, UTC]").array
        case "flag":
            return np.array(cells, dtype="object")
        case _:
            return pd.array(np.array(cells, dtype="object"), dtype="str")


def _column(name: str) -> Column:
    if name not in COLUMNS:
        raise HarnessError(unknown("column", name, COLUMNS))
    return COLUMNS[name]


_TYPES: dict[Kind, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, float),
    "flag": (bool,),
    "time": (datetime,),
}
_CALLED: dict[Kind, str] = {
    "text": "text (put it in quotes)",
    "number": "a number",
    "flag": "true or false",
    "time": "a time with its zone",
}


def _values(column: Column, value: Any) -> list[Any]:
    """Read a filter's values; a label that is absent is the empty text."""
    given = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    for item in given:
        right = isinstance(item, _TYPES[column.kind]) and (column.kind == "flag" or not isinstance(item, bool))
        if item is not None and not right:
            raise HarnessError(f"column '{column.name}' holds {_CALLED[column.kind]}, not {item!r}")
    return ["" if item is None else item for item in given] if column.place == "placement" else given


Placing = Literal["none", "left", "inner"]


def _placing(chosen: list[Column], filters: list[tuple[Column, list[Any]]]) -> Placing:
    asked = [values for column, values in filters if column.place == "placement"]
    if any("" not in values for values in asked):
        return "inner"
    return "left" if asked or any(column.place == "placement" for column in chosen) else "none"


def _branch(
    chosen: list[Column],
    filters: list[tuple[Column, list[Any]]],
    placed: Placing,
    *,
    measured: bool,
    among: Sequence[ColumnElement[bool]] = (),
) -> Select[Any]:
    """Select the measurements of the runs that are ok, or the runs that are not ok, once each."""
    places = {column.place for column, _ in filters} | {column.place for column in chosen}
    ordinal: Any = _MEASUREMENT.c.ordinal if measured else null()
    shown: list[Any] = [_shown(column, placed, measured=measured).label(column.name) for column in _once(chosen)]
    shown += [_RUN.c.counts_from.label("_counts_from"), _RUN.c.name.label("_run"), ordinal.label("_ordinal")]
    if placed != "none":
        shown += [_label(COLUMNS[name], placed).label(f"_{name}") for name in LABELS]
    asked = [pair for pair in filters if measured or pair[0].place not in _MEASURED]
    conditions = [_condition(column, values, placed) for column, values in asked]
    if not measured:
        conditions.append(_RUN.c.status.in_(_NOT_OK))
    conditions += among
    return select(*shown).select_from(_tables(places, placed, measured=measured)).where(*conditions)


def _once(chosen: list[Column]) -> list[Column]:
    return list({column.name: column for column in chosen}.values())


def _tables(places: set[Place], placed: Placing, *, measured: bool) -> FromClause:
    """Join what is asked for."""
    tables: FromClause = _RUN
    if "job" in places or placed != "none":
        tables = tables.join(_JOB, _JOB.c.id == _RUN.c.job_id)
    if "environment" in places or placed != "none":
        tables = tables.join(_ENVIRONMENT, _ENVIRONMENT.c.id == _RUN.c.environment_id)
    if placed != "none":
        same = and_(_PLACEMENT.c.job_key == _JOB.c.key, _PLACEMENT.c.environment == _ENVIRONMENT.c.name)
        tables = tables.join(_PLACEMENT, same, isouter=placed == "left")
    if measured:
        tables = tables.join(_MEASUREMENT, _MEASUREMENT.c.run_id == _RUN.c.id)
        if places & {"quantity", "summary"}:
            tables = tables.join(_QUANTITY, _QUANTITY.c.id == _MEASUREMENT.c.quantity_id)
        if "summary" in places:
            same_sitting = _SUMMARY.c.sitting == _RUN.c.sitting
            same = and_(same_sitting, _SUMMARY.c.quantity_id == _MEASUREMENT.c.quantity_id)
            tables = tables.join(_SUMMARY, same, isouter=True)
    return tables


def _label(column: Column, placed: Placing) -> ColumnElement[Any]:
    source: ColumnElement[Any] = column.source
    return func.coalesce(source, "") if placed == "left" else source


def _shown(column: Column, placed: Placing, *, measured: bool) -> ColumnElement[Any]:
    if column.place == "placement":
        return _label(column, placed)
    if column.place in _MEASURED and not measured:
        return null()
    source: ColumnElement[Any] = column.source
    return source


def _condition(column: Column, values: list[Any], placed: Placing) -> ColumnElement[bool]:
    if column.name == "measurement_id":
        return or_(false(), *[_same_measurement(value) for value in values if value is not None])
    source = _label(column, placed) if column.place == "placement" else column.source
    known = [value for value in values if value is not None]
    held: ColumnElement[bool] = source.in_(known) if len(known) != 1 else source == known[0]
    return or_(held, source.is_(None)) if None in values else held


def _same_measurement(name: str) -> ColumnElement[bool]:
    run, ordinal = split_measurement(name)
    return and_(_RUN.c.name == run, _MEASUREMENT.c.ordinal == ordinal)


def split_measurement(name: str) -> tuple[str, int]:
    """Read a measurement's id, `RUN#PLACE`. Raises: HarnessError."""
    run, mark, ordinal = name.rpartition("#")
    if not mark or not ordinal.isdecimal():
        raise HarnessError(f"'{name}' is not a measurement id; write RUN#PLACE, as in the column measurement_id")
    return run, int(ordinal)
