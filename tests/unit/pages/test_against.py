"""Measured numbers beside reported ones."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.pages.against import Pair, against
from harness.pages.history import Sessions
from harness.tables.result import Cell, CellTrace, Table
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.unit.tables.frames import CATALOGUE, frame, row

SPEC = """
t:
  rows: [method]
  baseline: {method: fp32}
  cells:
    Decode: {metric: decode_tps, format: 1}
    Speedup: {metric: decode_tps, as: ratio, format: 2x}
"""


def side_by_side(tmp_path: Path, *rows: dict[str, Any]) -> Table:
    path = tmp_path / "demo.tables.yaml"
    path.write_text(SPEC, encoding="utf-8")
    spec = read_specs(path)[0]
    sides = [replace(spec, where={**spec.where, "origin": (origin,)}) for origin in ("measured", "reported")]
    return against(*(build(side, frame(*rows), CATALOGUE) for side in sides))


def measured(value: float, half: float | None, **given: Any) -> dict[str, Any]:
    ends = {} if half is None else {"low": value - half, "high": value + half, "interval": "student-t 95%"}
    return row("decode_tps", value, **ends, **given)


def reported(value: float, **given: Any) -> dict[str, Any]:
    said = {"low": value - 0.05, "high": value + 0.05, "interval": "rounding", "metric_version": 0.0}
    return row("decode_tps", value, origin="reported", **said, **given)


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in line] for line in table.sections[0].rows]


def test_each_number_stands_beside_the_reported_one_with_its_difference(tmp_path: Path) -> None:
    made = side_by_side(
        tmp_path, measured(10.0, 0.5), measured(30.0, 0.5, method="int4"), reported(10.4), reported(20.0, method="int4")
    )
    assert texts(made) == [
        ["FP32", "Decode", "10.0", "10.4", "-3.8%", "yes"],
        ["FP32", "Speedup", "1.00x", "1.00x", "0.0%", "not known"],
        ["INT4 RTN", "Decode", "30.0", "20.0", "+50.0%", "no"],
        ["INT4 RTN", "Speedup", "3.00x", "1.92x", "+56.0%", "no"],
    ]
    assert made.caption[0].startswith(
        "4 of 4 cells are both measured and reported: 1 agree, 2 do not, of 1 it is not known"
    )


def test_a_measurement_without_an_interval_neither_agrees_nor_disagrees(tmp_path: Path) -> None:
    made = side_by_side(tmp_path, measured(10.0, None), reported(10.0))
    assert texts(made)[0] == ["FP32", "Decode", "10.0", "10.0", "0.0%", "not known"]


def test_what_was_reported_alone_is_shown_and_what_was_measured_alone_is_counted(tmp_path: Path) -> None:
    made = side_by_side(
        tmp_path, measured(10.0, 1.0), measured(5.0, 1.0, method="int8"), reported(20.0, method="int4"), reported(10.0)
    )
    assert ["INT4 RTN", "Decode", "-", "20.0", "-", "-"] in texts(made)
    assert not any(line[0] == "INT8" for line in texts(made))
    assert made.caption[-1] == "2 further numbers were measured and not reported."


def test_where_nothing_meets_the_key_is_named(tmp_path: Path) -> None:
    made = side_by_side(tmp_path, measured(10.0, 1.0, method="int8"), reported(20.0, method="int4"))
    assert "Nothing meets: method: int8 measured, int4 reported." in made.caption


def test_digits_that_round_to_the_reported_ones_agree(tmp_path: Path) -> None:
    made = side_by_side(tmp_path, measured(10.04, 0.001), reported(10.0))
    assert texts(made)[0][-1] == "yes"
    made = side_by_side(tmp_path, measured(10.06, 0.001), reported(10.0))
    assert texts(made)[0][-1] == "no"


def cells(*numbers: float) -> tuple[Cell, Cell]:
    """A measured and a reported number."""
    traces = [CellTrace("decode_tps", "value", "value", "raw", (), Decimal(str(number))) for number in numbers]
    one, other = (Cell(str(number), trace=trace) for number, trace in zip(numbers, traces, strict=True))
    return one, other


@pytest.mark.parametrize(
    ("known", "theirs", "said"),
    [
        ((100.0, 102.0), 101.0, "not known (2 of 5 sessions)"),
        ((100.0, 102.0, 98.0, 101.0, 99.0), 103.0, "yes"),
        ((100.0, 102.0, 98.0, 101.0, 99.0), 120.0, "no"),
    ],
)
def test_speed_agrees_by_the_spread_between_sessions(known: tuple[float, ...], theirs: float, said: str) -> None:
    ours, other = cells(100.0, theirs)
    assert ours.trace is not None
    ours = replace(ours, trace=replace(ours.trace, low=Decimal("99.9"), high=Decimal("100.1")))
    assert Pair("m", "Decode", ours, other, Sessions((known,), log=True)).verdict == said


@pytest.mark.parametrize(("theirs", "said"), [(100, "yes"), (101, "no"), (99, "no")])
def test_a_mean_of_sessions_that_rounds_to_the_reported_digits_agrees_however_little_sessions_differ(
    theirs: int, said: str
) -> None:
    ours, other = cells(100.4, theirs)
    known = (100.4, 100.41, 100.39, 100.4, 100.4)
    assert Pair("m", "Decode", ours, other, Sessions((known,), log=True)).verdict == said
