"""Tables for a sweep that has none of its own: generated specs, one for each probe and workload, with every metric. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from harness.core.errors import HarnessError
from harness.core.metric import METRICS, OWN, metric
from harness.core.spec import WORKLOAD_NUMBERS
from harness.tables.columns import DIMENSIONS, IDENTITY, MADE, SAME_COLUMN, SAME_PLACE, WORKLOAD
from harness.tables.formats import NumberFormat
from harness.tables.layout import title_of
from harness.tables.options import OPTIONS, differing
from harness.tables.rows import TableRow, is_size
from harness.tables.spec import CellSpec, RowKey, TableSpec

MOST = 100
"""Rows of a table; whoever has more is better served by an export."""
_ROWS = ("model", "method", "engine")
_ASKED = ("reference", "task", "text", *WORKLOAD_NUMBERS)
"""What also a failed run knows; measurements that lack one of them stand in a table of their own."""
_SPLIT = ("protocol", "protocol_version", "metric_version")
_FORMATS = {"s": ("ms", NumberFormat(2, comma=True)), "B": ("MB", NumberFormat(1, comma=True)), "tok/s": (None, NumberFormat(1, comma=True)),
            "fraction": ("%", NumberFormat(2)), "nat": (None, NumberFormat(5))}  # fmt: skip
"""Stored unit -> unit and format that people read it in."""


@dataclass(frozen=True)
class Plain:
    """A generated table and what it is filled from."""

    spec: TableSpec
    filled_from: Sequence[TableRow]
    rows: int
    """Rows that there would be; it is filled from what the first `MOST` need."""


@dataclass
class _Group:
    """Measurements that can stand in one table, by their place among all."""

    rows: list[TableRow] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


def plain_tables(sweep: str, rows: Sequence[TableRow], title: str = "") -> list[Plain]:
    """Generate a sweep's tables from its rows: what was built, then speed, then quality.

    `title` is the heading that the sweep gives itself; its name stands where there is none.

    Rows are model, method, engine, and whatever of workload and machine differs; columns are the metrics that the runs
    gave, with units and uncertainty. A failed run stands with the others of its probe.
    """
    found = [_plain(sweep, title or f"Sweep {sweep}", name, group, rows) for name, group in _groups(rows)]
    return _apart([plain for plain in found if plain.spec.cells])


def _apart(tables: Sequence[Plain]) -> list[Plain]:
    """Number tables of one name, so that each can be asked for."""
    seen: dict[str, int] = {}
    found = []
    for plain in tables:
        name = plain.spec.name
        seen[name] = seen.get(name, 0) + 1
        spec = replace(plain.spec, name=f"{name}-{seen[name]}") if seen[name] > 1 else plain.spec
        found.append(replace(plain, spec=spec))
    return found


def _groups(rows: Sequence[TableRow]) -> Iterator[tuple[str, _Group]]:
    built = _Group()
    good: dict[tuple[object, ...], _Group] = {}
    failed: list[tuple[int, TableRow]] = []
    for place, row in enumerate(rows):
        if row.is_build:
            built.rows.append(row)
            built.places.append(place)
        elif not row.ok:
            failed.append((place, row))
        elif row.metric is not None and not row.text("slice"):
            group = good.setdefault((*_signature(row), *(row.text(name) for name in _SPLIT)), _Group())
            group.rows.append(row)
            group.places.append(place)
    for place, row in failed:
        if row.text("kind") != "reference":
            signature = _signature(row)
            like = next((key for key in good if key[: len(signature)] == signature), signature)
            group = good.setdefault(like, _Group())
            group.rows.append(row)
            group.places.append(place)
    if built.rows:
        yield "builds", built
    for key, group in sorted(good.items(), key=_place):
        yield str(key[0]), group


def _place(item: tuple[tuple[object, ...], _Group]) -> tuple[bool, int, str]:
    """Sort speed before quality, then as the probes are registered, whatever ran first."""
    from harness.probes import PROBES

    key, group = item
    known = list(PROBES)
    return (
        all(row.text("kind") != "speed" for row in group.rows),
        known.index(str(key[0])) if key[0] in known else len(known),
        str(key),
    )


def _signature(row: TableRow) -> tuple[object, ...]:
    return (row.text("probe") or row.text("kind"), *(row.get(name) is None for name in _ASKED))


def _plain(sweep: str, title: str, name: str, group: _Group, rows: Sequence[TableRow]) -> Plain:
    keys = _keys(group.rows, ("model", "method", "recipe") if name == "builds" else _ROWS)
    addresses: dict[tuple[str | None, ...], list[int]] = {}
    for row, place in zip(group.rows, group.places, strict=True):
        addresses.setdefault(tuple(row.text(key) for key in keys), []).append(place)
    kept = [place for places in list(addresses.values())[:MOST] for place in places]
    spec = TableSpec(
        name=f"{sweep}-{name}",
        title=f"{title}: {name}",
        rows=tuple(RowKey(key, DIMENSIONS[key]) for key in keys),
        show=tuple(_shown(keys, group.rows)),
        cells=(*_cells(name, group.rows), *_made(name, group.rows)),
        where={"sweep": (sweep,)},
        may_mix=frozenset({"source"}),
        drop_empty="columns",
    )
    return Plain(spec, [rows[place] for place in sorted(kept)], len(addresses))


def _keys(rows: Sequence[TableRow], usual: tuple[str, ...]) -> list[str]:
    """Choose the row keys: the usual ones, what must be equal in a table and is not, and what tells measurements apart."""
    good = [row for row in rows if row.ok]
    shared = [] if all(row.is_build for row in rows) else [*SAME_PLACE, *SAME_COLUMN]
    keys = [*usual, *(name for name in shared if name not in {*_SPLIT, "source"} and _differs(good, name))]
    for name in (*IDENTITY, *WORKLOAD, "artifact"):
        asked = name not in {*keys, *_SPLIT, "source", "probe"}
        if asked and any(len(values) > 1 and None not in values for values in _seen(rows, keys, name)):
            keys.append(name)
    if all(row.get("engine") is None for row in rows):
        keys = [key for key in keys if key != "engine"]
    return keys


def _seen(rows: Sequence[TableRow], keys: Sequence[str], name: str) -> Iterable[set[str | None]]:
    """Return the values of a dimension by what else tells rows apart; what a failed run cannot know is none."""
    seen: dict[tuple[str | None, ...], set[str | None]] = {}
    failed = any(not row.ok for row in rows)  # such a run has no metric, and stands in the place of all
    for row in rows:
        if row.ok or row.get(name) is not None:
            address = (*(row.text(key) for key in keys), *(() if failed else (row.metric, row.text("source"))))
            seen.setdefault(address, set()).add(row.text(name))
    return seen.values()


def _shown(keys: Sequence[str], rows: Sequence[TableRow]) -> Iterator[RowKey]:
    """Show the row keys; of engine options those that differ."""
    for key in keys:
        found = differing(row.text(key) or "{}" for row in rows) if key in OPTIONS else []
        yield from (RowKey(f"{key}.{name}", name) for name in found)
        if not found:
            yield RowKey(key, DIMENSIONS[key])


def _differs(rows: Iterable[TableRow], name: str) -> bool:
    return len({row.text(name) for row in rows} - {None}) > 1


def _cells(name: str, rows: Sequence[TableRow]) -> Iterator[CellSpec]:
    """Give a column for each metric, and for each source of it where there are several."""
    found = {row.metric: row for row in rows if row.ok and row.metric is not None}
    names = [given for given in found if given is not None and (name != "builds" or is_size(given))] or _declared(name)
    known = list(METRICS)
    for given in sorted(names, key=lambda one: (known.index(one) if one in known else len(known), one)):
        same = [row for row in rows if row.metric == given]
        sources = sorted({source for row in same if (source := row.text("source"))})
        unit, form = _format(given, same)
        cell = CellSpec("", metric=given, unit=unit, format=form, uncertainty="pm")
        for source in sources if len(sources) > 1 else ("",):
            header = f"{title_of(cell)}{f', {source}' if source else ''}"
            where = {"source": (source,)} if source else {}
            yield CellSpec(header, metric=given, unit=unit, format=form, uncertainty="pm", where=where)


def _made(name: str, rows: Sequence[TableRow]) -> Iterator[CellSpec]:
    """Give columns for what was quantized, where it is known."""
    for dimension in MADE if name == "builds" else ("bits_per_weight",):
        if any(row.get(dimension) is not None for row in rows):
            yield CellSpec(DIMENSIONS[dimension], attribute=RowKey(dimension, DIMENSIONS[dimension]))


def _format(name: str, rows: Sequence[TableRow]) -> tuple[str | None, NumberFormat]:
    """Choose unit and digits: as people read them, and enough of them to show two of the smallest value."""
    units = {row.text("unit") or "" for row in rows if name.startswith(OWN)}
    stored = (
        next(iter(units)) if len(units) == 1 else metric(name).unit
    )  # several are refused where the table is filled
    unit, form = _FORMATS.get(stored, (None, NumberFormat(3)))
    values = [value for row in rows if (value := abs(float(row.get("value"))))]
    if stored == "s" and (is_size(name) or max(values, default=0.0) >= 1.0):
        unit, form = "s", NumberFormat(2, comma=True)
    if unit is None and values:
        form = replace(form, decimals=min(9, max(form.decimals, 1 - math.floor(math.log10(min(values))))))
    return (unit or stored or None) if units else unit, form


def _declared(probe: str) -> list[str]:
    """Name the first that a probe would have given, for tables in which every run failed: the failure is told once."""
    from harness.core.registry import load
    from harness.probes import PROBES

    if probe == "builds":
        return ["artifact_bytes"]
    try:
        yields = load(PROBES, "probe", probe).yields if probe in PROBES else ()
    except ImportError:
        return []
    return [name for name in yields if _known(name)][:1]


def _known(name: str) -> bool:
    try:
        metric(name)
    except HarnessError:
        return False
    return True
