"""Markdown tables, read as a person's map says; nothing is known of them that the map or the table does not say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from harness.core.identity import file_sha256
from harness.core.metric import metric
from harness.core.outcome import Environment, Gpu, Protocol
from harness.core.spec import WORKLOAD_NUMBERS, WORKLOAD_TEXTS
from harness.formats.records import UNKNOWN, FileContents, FileFormat, Found, Number, given, place
from harness.formats.source import FileSource
from harness.formats.units import factor_printed, in_heading, unit_name, without_currency
from harness.importing import mapping as m
from harness.importing.markdown_tables import ImportedTable, choose, position, tables_of
from harness.markdown.blocks import bare

_NUMBER = re.compile(
    r"^(?P<value>[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(?P<unit>[^\s\d±(]*)\s*"
    r"(?:(?:±|\+/-)\s*(?:<[\d.]+|(?P<spread>\d+(?:\.\d+)?))\s*[^\s\d(]*)?\s*(?:\(.*\))?$"
)
_COMPARED = ("x", "×", "%")
_PLUS_MINUS = "plus-minus as published"


def recognizes(source: FileSource) -> bool:
    """Tell it by its name, or by the map that goes with it."""
    return source.is_markdown or source.map is not None


def read(source: FileSource) -> FileContents:
    """Read every row of the mapped tables; columns that stand for several methods give a run each.

    What a row says to be unsupported is a run of its own, after all runs with numbers, whose places name them.
    """
    if source.map is None:
        raise source.wrong("is Markdown; add --map FILE, which says what its columns are")
    map_ = m.read_map(source.map, source.declared)
    runs, left, missing = [], [], Counter[str]()
    tables = tables_of(source) if source.is_markdown else []
    for wanted in map_.tables:
        paths = [str(column.place.value) for column in wanted.columns]
        table = choose(tables or tables_of(source, paths), wanted.table)
        reader = _Rows(source, map_, wanted, table)
        runs += list(reader.runs())
        left += reader.left
        missing += reader.missing
    runs.sort(key=lambda run: run.unsupported is not None)
    return FileContents(tuple(runs), tuple(left), missing)


class _Rows:
    """One table under its map."""

    def __init__(self, source: FileSource, map_: m.Map, wanted: m.TableMap, table: ImportedTable) -> None:
        self.source, self.map, self.wanted, self.table = source, map_, wanted, table
        names = table.body[wanted.header - 1] if 0 < wanted.header <= len(table.body) else table.header
        places = [position(names, column.place) for column in wanted.columns]
        self.columns = [(at, _as_headed(one, names[at])) for at, one in zip(places, wanted.columns, strict=True)]
        taken = {place for place, _ in self.columns}
        self.left = [f"column '{bare(name)}'" for place, name in enumerate(names) if place not in taken and bare(name)]
        self.missing = Counter[str]()

    def runs(self) -> Iterator[Found]:
        """Give a run for each row and each set of dimensions in it."""
        above: dict[int, str] = {}
        for number, row in enumerate(self.table.body[self.wanted.header :], self.wanted.header + 1):
            said = dict(self.wanted.constants) | self._dimensions(row, above, number)
            groups: dict[tuple[tuple[str, Any], ...], list[Number]] = {}
            absent: dict[tuple[tuple[str, Any], ...], list[m.MappedColumn]] = {}
            for place_, column in self.columns:
                where = tuple(sorted(column.where.items()))
                if column.metric is not None and bare(row[place_]) in self.map.unsupported:
                    absent.setdefault(where, []).append(column)
                elif column.metric is not None and (found := self._number(row[place_], column, number)) is not None:
                    groups.setdefault(where, []).append(found)
            for where, found_here in groups.items():
                yield self._run(said | dict(where), found_here, number)
            for where, columns in absent.items():
                yield self._unsupported(said | dict(where), columns, number)

    def _dimensions(self, row: tuple[str, ...], above: dict[int, str], number: int) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for place_, column in self.columns:
            if column.dimension in (None, m.SKIP):
                continue
            text = row[place_] or (above.get(place_, "") if column.repeat else "")
            above[place_] = text
            if text in self.map.missing | self.map.unsupported:
                continue
            said[str(column.dimension)] = self._count(text, number) if column.dimension in WORKLOAD_NUMBERS else text
        return said

    def _count(self, text: str, number: int) -> int | float:
        found = _NUMBER.match(bare(text))
        if found is None or not found["value"]:
            raise self._wrong(number, f"'{text}' is not a count")
        value = float(found["value"].replace(",", ""))
        return int(value) if value.is_integer() else value

    def _number(self, cell: str, column: m.MappedColumn, number: int) -> Number | None:
        text = bare(cell)
        if text in self.map.missing:
            self.missing[text] += 1
            return None
        plain, money = without_currency(text)
        found = _NUMBER.match(plain)
        if found is None or not any(letter.isdigit() for letter in found["value"]):
            raise self._wrong(number, f"'{text}' in column '{column.place.value}' is not a number; list it under 'missing' if it means that there is none")  # fmt: skip
        scale = self._scale(text, f"{money}{found['unit']}", column, number)
        digits, spread, interval = Decimal(found["value"].replace(",", "")), found["spread"], _PLUS_MINUS
        off = Decimal(spread or 0)
        if spread is None:
            off, interval = Decimal(1).scaleb(int(digits.as_tuple().exponent)) / 2, "rounding"
        compared: dict[str, Any] = {}
        if column.comparison is not None:
            compared = {"comparison": column.comparison, "baseline": column.to, "unit": ""}
        elif column.own is not None:
            better = column.own.better if column.own.better != "none" else None
            compared = {"unit": column.own.unit, "better": better}
        return Number(
            str(column.metric),
            float(digits * scale),
            column.slice,
            low=float((digits - off) * scale),
            high=float((digits + off) * scale),
            interval=interval,
            **compared,
        )

    def _scale(self, text: str, printed: str, column: m.MappedColumn, number: int) -> Decimal:
        """Say what a cell's number is times, by the unit that it prints, else by the map's."""
        if printed == "" or (column.comparison and printed in _COMPARED):
            return Decimal(repr(m.scale(column)))
        target = m.target_unit(column)
        found = factor_printed(unit_name(printed), target)
        if found is None:
            raise self._wrong(
                number,
                f"'{text}' in column '{column.place.value}' is in '{printed}', which cannot be converted to '{target or column.unit}'",
            )
        return found

    def _run(self, said: Mapping[str, Any], found: list[Number], number: int) -> Found:
        if len({(one.metric, one.slice, one.comparison) for one in found}) < len(found):
            raise self._wrong(number, "two columns are the same metric; tell them apart with 'where' or 'slice'")
        return self._found(said, {one.metric for one in found}, number, numbers=tuple(found))

    def _unsupported(self, said: Mapping[str, Any], columns: list[m.MappedColumn], number: int) -> Found:
        """Make a run of what has no number for a reason, which the page keeps to itself."""
        named = ", ".join(f"'{column.place.value}'" for column in columns)
        marks = " or ".join(sorted(self.map.unsupported))
        reason = (
            f"published as {marks} in {self.source.name}, table at line {self.table.line}, row {number}, column {named}"
        )
        return self._found(said, {str(column.metric) for column in columns}, number, unsupported=reason)

    def _found(
        self, said: Mapping[str, Any], metrics: set[str], number: int,
        *, numbers: tuple[Number, ...] = (), unsupported: str | None = None,
    ) -> Found:  # fmt: skip
        source = self.map.source
        kinds = {metric(name).kind for name in metrics}
        return Found(
            kind="quality" if kinds == {"quality"} else "speed",
            probe=self.map.probe,
            workload={name: said[name] for name in (*WORKLOAD_NUMBERS, *WORKLOAD_TEXTS) if name in said},
            engine=str(said.get("engine", UNKNOWN)),
            numbers=numbers,
            protocol=Protocol(
                name=self.map.protocol,
                version=0,
                dtype=_text(said, "dtype"),
                gpu_count=int(said["gpu_count"]) if "gpu_count" in said else None,
                facts=given(table=self.table.heading or None, row=number, map_sha256=file_sha256(self.map.path)),
            ),
            environment=_environment(said),
            labels={name: str(said[name]) for name in m.LABELS if name in said},
            provider=_text(said, "provider"),
            started=self._date(said, number),
            title=source.get("title"),
            url=source.get("url"),
            version=source.get("version"),
            configuration=source.get("configuration"),
            unsupported=unsupported,
        )

    def _date(self, said: Mapping[str, Any], number: int) -> datetime | None:
        try:
            return datetime.fromisoformat(str(said["date"])) if "date" in said else None
        except ValueError:
            raise self._wrong(number, f"'{said['date']}' is not a date; write e.g. 2026-01-31") from None

    def _wrong(self, number: int, message: str) -> Exception:
        return self.source.wrong(f"table at line {self.table.line}, row {number}: {message}")


def _as_headed(column: m.MappedColumn, heading: str) -> m.MappedColumn:
    """Give a metric of somebody's own, of which nobody says the unit, the one that its heading names."""
    if column.own is None or column.own.unit or column.unit:
        return column
    unit = in_heading(bare(heading))[0]
    return replace(column, unit=unit, own=replace(column.own, unit=unit))


def _text(said: Mapping[str, Any], name: str) -> str | None:
    return str(said[name]) if name in said else None


def _environment(said: Mapping[str, Any]) -> Environment:
    names = [name.strip() for name in str(said.get("gpu", "")).split(" + ") if name.strip()]
    return place(
        tuple(Gpu(name=name, driver=_text(said, "driver")) for name in names),
        name=str(said.get("environment", "imported")),
        cuda=_text(said, "cuda"),
        python=_text(said, "python"),
        system=_text(said, "system"),
        cpu=_text(said, "cpu"),
    )


FORMAT = FileFormat("markdown", "Markdown table", recognizes, read)
