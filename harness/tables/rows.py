"""Rows of the frame as a table sees them: matching, and which run fills a cell. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.core.errors import ConfigError, Problem
from harness.core.metric import METRICS, Direction
from harness.core.metric import metric as metric_named
from harness.numbers.intervals import RETIRED
from harness.store.result import ResultSet
from harness.tables.columns import BUILD_DIMENSIONS, IDENTITY, WORKLOAD
from harness.tables.options import OPTIONS, differing
from harness.tables.spec import Pick, TableSpec


@dataclass(frozen=True)
class TableRow:
    """One row of the frame: a measurement, or a run that is not ok (`metric` None). Absent values are None."""

    fields: Mapping[str, Any]

    def get(self, name: str) -> Any:
        """Return a value as the frame holds it, None where it is absent."""
        return self.fields.get(name)

    def text(self, name: str) -> str | None:
        """Return a value as specs write it."""
        value = self.fields.get(name)
        return value if value is None or isinstance(value, str) else text_of(value)

    @property
    def metric(self) -> str | None:
        return self.text("metric")

    @property
    def ok(self) -> bool:
        return self.text("status") == "ok"

    @property
    def is_build(self) -> bool:
        return self.text("kind") == "build"

    @property
    def run(self) -> str:
        return self.text("run") or ""

    @property
    def age(self) -> tuple[str, str]:
        """Sorts runs from oldest to newest; UTC times in ISO form sort as text."""
        moment = self.get("counts_from")
        return utc(self.get("started") if moment is None else moment), self.run


def is_ours(row: TableRow) -> bool:
    """Tell what was measured here from what others reported."""
    return row.text("origin") in {"measured", None}


def text_of(value: Any) -> str:
    """Write a dimension's value as specs do: whole floats as integers, truth as words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def utc(moment: Any) -> str:
    """Write a moment as ISO text in UTC, whether it is one or a text; empty where there is none."""
    if moment is None:
        return ""
    stamp = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return str((stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp.astimezone(UTC)).isoformat())


def rows_of(result: ResultSet) -> list[TableRow]:
    """Turn what the database answers into rows; a run placed twice counts once per placement."""
    return [TableRow(_whole(dict(zip(result.columns, record, strict=True)))) for record in dict.fromkeys(result.rows)]


def _whole(record: dict[Any, Any]) -> dict[str, Any]:
    """Call the whole workload by its one name, the empty part, and forget intervals that do not hold."""
    if record.get("metric") is not None and record.get("slice") is None:
        record["slice"] = ""
    if record.get("interval") in RETIRED:
        record |= {"low": None, "high": None, "interval": "none: those of version 0.1 covered too little"}
    return record


def direction(row: TableRow) -> Direction:
    """Say which way is better for a row's number: as its source says, else as its metric is defined."""
    said = row.text("better")
    if said is not None:
        return "higher" if said == "higher" else "lower" if said == "lower" else "none"
    return metric_named(row.metric).better if row.metric is not None else "none"


def matches(row: TableRow, where: Mapping[str, Sequence[str | None]]) -> bool:
    """Say whether a row meets all conditions; a build is only asked for what a build has."""
    return all(
        row.text(name) in values for name, values in where.items() if not row.is_build or name in BUILD_DIMENSIONS
    )


def distinct(rows: Iterable[TableRow]) -> list[TableRow]:
    """Keep each measurement (or failed run) once, however many sweeps and blocks it is placed in."""
    return list(
        {
            (row.run, row.metric, row.text("slice"), row.text("source"), row.text("comparison")): row for row in rows
        }.values()
    )


def wanted(spec: TableSpec, rows: Sequence[TableRow]) -> list[TableRow]:
    """Keep measurements of the table's metrics, failed runs of probes that would have given them, rows of words, and all builds."""
    metrics = set(spec.metrics) | {cell.metric for cell in spec.cells}
    probes = probes_of(metrics, rows)
    words = any(cell.text or cell.format.printed for cell in spec.cells)
    return [
        row
        for row in rows
        if row.is_build
        or row.metric in metrics
        or (not row.ok and (row.text("probe") in probes or (words and row.text("origin") == "reported")))
    ]


def probes_of(metrics: Iterable[str | None], rows: Sequence[TableRow]) -> set[str]:
    """Return the probes of failed runs that give these metrics: as declared, and as seen in the rows."""
    if all(row.ok for row in rows):
        return set()
    names = {name for name in metrics if name is not None}
    seen = {probe for row in rows if row.metric in names and (probe := row.text("probe")) is not None}
    return seen | set(_declared(names))


def _declared(metrics: set[str]) -> Iterator[str]:
    """Yield the probes that declare a metric; one whose module cannot be imported here declares nothing."""
    from harness.core.registry import load
    from harness.probes import PROBES

    for name in PROBES:
        try:
            probe = load(PROBES, "probe", name)
        except (ImportError, AttributeError):
            continue
        if metrics.intersection(probe.yields) or any(metric.startswith(f"{name}.") for metric in metrics):
            yield name


def is_size(metric: str) -> bool:
    """Say whether a metric describes the build."""
    return metric in METRICS and (METRICS[metric].kind == "size" or metric.startswith("build_"))


def choose(spec: TableSpec, found: Sequence[TableRow], cell: str, pick: Pick) -> TableRow | None:
    """Return the row that fills a cell, or None where there is none.

    latest: the newest run, also where it failed; where other rounds of its session are good, one of these, marked.
    median_of_runs: of the newest session's good runs the one with the median value (the lower of two).
    Raises: ConfigError where rows answer different questions, so that no rule about runs can choose.
    """
    rows = _said_of_it(sorted(distinct(found), key=lambda row: row.age))
    if not rows:
        return None
    newest = rows[-1]
    same_session = [row for row in rows if row.text("session") == newest.text("session")]
    _one_question(spec, [row for row in rows if row.ok], IDENTITY, cell)
    _one_question(spec, [row for row in same_session if row.ok], WORKLOAD, cell)
    ours = [row for row in same_session if row.ok and row.text("origin") == "measured"]
    _one_question(spec, ours, ("artifact",), cell)
    _one_file(spec, [row for row in rows if row.ok and row.text("origin") == "imported"], cell)
    good = [row for row in same_session if row.ok]
    if pick == "median_of_runs" and good:
        return sorted(good, key=lambda row: (row.get("value"), row.age))[(len(good) - 1) // 2]
    return _over_rounds(newest, good, same_session)


def _over_rounds(newest: TableRow, good: Sequence[TableRow], session: Sequence[TableRow]) -> TableRow:
    """Return what stands for a session's rounds: a good one, marked where others failed for good; else the newest run."""
    sitting = [row for row in good if row.get("rounds") is not None]
    done = {row.text("round") for row in sitting}
    lost = [row for row in session if not row.ok and row.text("round") not in {None, *done}]
    if not sitting or not (newest.ok or newest in lost):
        return newest
    if not lost:
        return sitting[-1]
    count, row = int(sitting[-1].get("rounds")), sitting[-1]
    turns = {one.text("round") for one in lost}
    reasons = dict.fromkeys(f"{one.text('status')}: {one.text('reason') or 'no reason was given'}" for one in lost)
    text = f"{len(turns)} of {count + len(turns)} rounds gave no number ({'; '.join(reasons)})"
    notes = [*json.loads(row.get("marks") or "[]"), {"code": "incomplete", "text": text}]
    return TableRow({**row.fields, "marks": json.dumps(notes)})


def _one_file(spec: TableSpec, rows: Sequence[TableRow], cell: str) -> None:
    """Refuse two imported numbers for one cell: no date of measurement says which is the later one."""
    artifacts = sorted({f"{row.text('citation')} ({row.text('artifact')})" for row in rows})
    if len(artifacts) > 1 and "artifact" not in spec.may_mix:
        message = (
            f"table '{spec.name}', {cell}: several imported results fit, {' and '.join(artifacts[:3])}; tell them apart with "
            "`harness import --label`, name 'artifact' in where or rows, or let the last one count with may_mix: [artifact]"
        )
        raise ConfigError([Problem(message, spec.path, spec.line)])


def _said_of_it(rows: list[TableRow]) -> list[TableRow]:
    """Drop what a page or file calls not available where it gives the number itself: that was said of another metric."""
    given = {_page(row) for row in rows if row.ok and row.text("origin") != "measured"}
    return [row for row in rows if row.ok or row.text("origin") == "measured" or _page(row) not in given]


def _page(row: TableRow) -> tuple[str | None, ...]:
    return row.text("origin"), row.text("session"), row.text("citation")


def _one_question(spec: TableSpec, rows: Sequence[TableRow], names: Sequence[str], cell: str) -> None:
    for name in names if len(rows) > 1 else ():
        values = sorted({row.text(name) or "none" for row in rows})
        if len(values) > 1 and name not in spec.may_mix:
            told = differing(row.text(name) or "{}" for row in rows) if name in OPTIONS else values
            raise ConfigError(
                [
                    Problem(
                        f"table '{spec.name}', {cell}: several measurements fit, with {name} {', '.join(told)}; "
                        f"name '{name}' in where, rows, each or pivot",
                        spec.path,
                        spec.line,
                    )
                ]
            )
