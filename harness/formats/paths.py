"""Numbers by where they stand in JSON objects or rows of CSV, for reports of no format that is known.

`results.speed` goes into objects, `runs[0].tps` (or `runs.0.tps`, `runs[-1].tps`) into a list, and `runs[*].tps` gives a row for each
item of it. All paths of one reading share their rows: the first `[*]` of each goes over the same items, so does the second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from harness.core.metric import OwnMetric, metric
from harness.core.options import Options
from harness.core.outcome import Protocol
from harness.formats.fields import Fields
from harness.formats.reading import possible
from harness.formats.records import UNKNOWN, FileContents, Found, Number, place
from harness.formats.source import FileSource
from harness.formats.units import scale, why_not

DIMENSIONS = ("batch", "prompt", "output", "concurrency")
"""What a report may say of a row beside its metrics."""
_ITEM = re.compile(r"\[(-?\d+|\*)\]")
_Place = tuple[int, ...]
"""Which item of each list that a path goes over."""
_NOTHING = object()
"""What an item of a list lacks."""


class FieldPath(Options):
    """Where a number stands, and its unit."""

    path: str
    """`results.speed`, `runs[0].tps` or `runs[*].tps` in JSON; name of a column in CSV."""
    unit: str = ""
    """Unit in the report; the metric's own where not said. For `own.NAME` that nothing else declares, the unit in which it is kept."""
    better: Literal["", "higher", "lower"] = ""
    """Which way is better, of a metric of your own (`own.NAME`) that no published file declares."""
    slice: str = ""
    """`stat:p99` and the like, where it is another statistic than the metric's own."""


Value = str | FieldPath


def read_values(
    source: FileSource, values: Mapping[str, Value], declared: Mapping[str, OwnMetric] | None = None
) -> FileContents:
    """Read every record of a file; names are metrics, or dimensions of the row.

    declared: unit and direction of metrics of somebody's own.

    Raises: ConfigError where it holds no record, a number is not there, its unit does not fit, or lists that should share rows differ.
    """
    if not source.records:
        raise source.wrong("is neither JSON nor CSV with a row")
    paths = {name: FieldPath(path=said) if isinstance(said, str) else said for name, said in values.items()}
    runs = []
    for number, record in enumerate(source.records, 1):
        where = f"record {number}: "
        try:
            rows = rows_of(record, [said.path for said in paths.values()])
        except ValueError as error:
            raise source.wrong(f"{where}{error}") from None
        for said in paths.values():
            if not any(said.path in row for row in rows):
                there = ", ".join(islice(names_in(record), 12))
                raise source.wrong(f"{where}there is no '{said.path}'; there are {there}")
        runs += [_run(Fields(row, source, where), paths, declared or {}) for row in rows]
    return possible(FileContents(tuple(runs)), source)


def _run(row: Fields, paths: Mapping[str, FieldPath], declared: Mapping[str, OwnMetric]) -> Found:
    numbers = tuple(
        _number(row, name, said, declared.get(name)) for name, said in paths.items() if name not in DIMENSIONS
    )
    workload = {name: row.whole(said.path) for name, said in paths.items() if name in DIMENSIONS}
    return Found(
        kind="speed",
        probe="command",
        workload={name: value for name, value in workload.items() if value is not None},
        engine=UNKNOWN,
        numbers=tuple(number for number in numbers if number),
        protocol=Protocol(name="command", version=0),
        environment=place(),
    )


def _number(row: Fields, name: str, said: FieldPath, own: OwnMetric | None) -> Number | None:
    kept = own.unit if own else metric(name).unit
    unit = said.unit or kept
    if reason := why_not(unit, kept):
        raise row.wrong(f"{name}: {reason}")
    if row.is_null(said.path):
        row.lose(f"{name}: '{said.path}' is empty")
    found = row.number(said.path, scale(unit, kept))
    better = own.better if own and own.better != "none" else None
    return None if found is None else Number(name, found, said.slice, unit=own.unit if own else None, better=better)


def rows_of(record: Mapping[str, Any], paths: Sequence[str]) -> list[dict[str, Any]]:
    """Give the rows that paths make of an object: path to value, what a row lacks left out; one row where no path goes over a list.

    Raises: ValueError where lists that should share their rows are not of one length.
    """
    found = {path: _items_of(record, path) for path in paths}
    rows: dict[int, tuple[str, set[_Place]]] = {0: ("", {()})}
    for path, items in found.items():
        depth = max(map(len, items), default=0)
        first, places = rows.setdefault(depth, (path, set(items)))
        if depth and places != set(items):
            raise ValueError(
                f"'{first}' goes over {len(places)} items and '{path}' over {len(items)}; they need the same ones to share rows"
            )
    return [
        {path: items[row[:depth]] for path, items in found.items() for depth in range(len(row) + 1)
         if items.get(row[:depth], _NOTHING) is not _NOTHING}
        for row in sorted(rows[max(rows)][1])
    ]  # fmt: skip


def _items_of(record: Mapping[str, Any], path: str) -> dict[_Place, Any]:
    """Find what a path leads to, by place; a name that is written just so comes before what its dots and brackets mean."""
    if path in record:
        return {(): record[path]}
    items = dict(_items(record, _ITEM.sub(r".\1", path).lstrip(".").split(".")))
    depth = max(map(len, items), default=0)
    return {place_: value for place_, value in items.items() if len(place_) == depth}


def _items(found: Any, parts: Sequence[str], at: _Place = ()) -> Iterator[tuple[_Place, Any]]:
    if not parts:
        yield at, found
    elif isinstance(found, list) and parts[0] == "*":
        for number, item in enumerate(found):
            yield from _items(item, parts[1:], (*at, number))
    elif isinstance(found, list) and _is_in(parts[0], found):
        yield from _items(found[int(parts[0])], parts[1:], at)
    elif isinstance(found, dict) and (size := _longest(parts, found)):
        yield from _items(found[".".join(parts[:size])], parts[size:], at)
    elif at:
        yield at, _NOTHING


def _is_in(part: str, found: list[Any]) -> bool:
    return re.fullmatch(r"-?\d{1,9}", part) is not None and -len(found) <= int(part) < len(found)


def _longest(parts: Sequence[str], found: Mapping[str, Any]) -> int:
    """Count how many parts of a path are one name of an object, which may have dots itself; 0 where none is."""
    return next((size for size in range(len(parts), 0, -1) if ".".join(parts[:size]) in found), 0)


def names_in(record: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Give the paths of an object, as an error tells them."""
    for name, value in record.items():
        if isinstance(value, dict) and value:
            yield from names_in(value, f"{before}{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from names_in(value[0], f"{before}{name}[*].")
        else:
            yield f"{before}{name}"
