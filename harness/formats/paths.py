"""Metrics by where they stand in a JSON object or a row of CSV, for reports of no format that is known."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.metric import metric
from harness.core.seam import Options
from harness.core.spec import Protocol
from harness.formats.fields import Fields
from harness.formats.found import UNKNOWN, Contents, Found, Number, place
from harness.formats.reading import possible
from harness.formats.source import Source
from harness.formats.units import scale, why_not


class FieldPath(Options):
    """Where a number stands, and its unit."""

    path: str
    """Dotted name in JSON, `results.speed`; name of a column in CSV."""
    unit: str = ""
    """Unit in the report; the metric's own where not said."""
    part: str = ""
    """`stat:p99` and the like, where it is another statistic than the metric's own."""


Value = str | FieldPath


def read_values(source: Source, values: Mapping[str, Value]) -> Contents:
    """Read every record of a file. Raises: ConfigError where it holds no record, a number is not there, or its unit does not fit."""
    if not source.records:
        raise source.wrong("is neither JSON nor CSV with a row")
    runs = []
    for number, record in enumerate(source.records, 1):
        fields = Fields(record, source, f"record {number}: ")
        numbers = tuple(_number(fields, name, value) for name, value in values.items())
        runs.append(
            Found(
                kind="speed",
                probe="command",
                workload={},
                engine=UNKNOWN,
                numbers=tuple(n for n in numbers if n),
                protocol=Protocol(name="command", version=0),
                environment=place(),
            )
        )
    return possible(Contents(tuple(runs)), source)


def _number(fields: Fields, name: str, value: Value) -> Number | None:
    said = FieldPath(path=value) if isinstance(value, str) else value
    own = metric(name).unit
    unit = said.unit or own
    if reason := why_not(unit, own):
        raise fields.wrong(f"{name}: {reason}")
    if said.path not in fields.names:
        raise fields.wrong(f"there is no '{said.path}'; there are {', '.join(fields.names[:12])}")
    found = fields.number(said.path, scale(unit, own))
    return None if found is None else Number(name, found, said.part)
