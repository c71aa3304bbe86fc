"""Which rows a table has, and in which order they stand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from harness.tables.question import Filled
from harness.tables.row_order import LACKING, AddressedRow, Order, exact, ordered, row_addresses
from harness.tables.spec import CellSpec, RowKey, TableSpec
from tests.unit.tables.frames import CATALOGUE, failed, frame, row, size


def order_of(*rows: str, metric: str = "decode_tps", **given: Any) -> Order:
    return Order(
        TableSpec("t", tuple(RowKey(name, name) for name in rows), (CellSpec("A", metric=metric),), **given), CATALOGUE
    )


def test_a_spec_goes_before_the_catalogue_then_numbers_then_text_and_what_is_lacking_last() -> None:
    names = ["zeta", "int4", LACKING, "10", "int8", "9", "alpha", "fp32"]
    found = order_of("method", where={"method": ("int4",)}).in_order([{"method": one} for one in names], ["method"])
    assert [one["method"] for one in found] == ["int4", "fp32", "int8", "9", "10", "alpha", "zeta", LACKING]


def test_a_failed_run_has_a_row_and_a_build_one_in_tables_of_sizes_alone() -> None:
    rows = frame(row("decode_tps", 9.0, method="int8"), failed("oom", "too large", method="int4"), size(4.0))
    assert row_addresses(order_of("method"), rows) == [{"method": "int8"}, {"method": "int4"}]
    assert row_addresses(order_of("method", metric="artifact_bytes"), rows)[0] == {"method": "fp32"}


def test_a_measurement_that_lacks_a_dimension_stands_by_itself_and_a_failure_with_what_it_agrees_with() -> None:
    rows = frame(row("decode_tps", 9.0), row("decode_tps", 8.0, batch=None), failed("oom", "x", batch=None))
    assert row_addresses(order_of("method", "batch"), rows[:2]) == [
        {"method": "fp32", "batch": "1"},
        {"method": "fp32", "batch": LACKING},
    ]
    assert row_addresses(order_of("method", "batch"), [rows[0], rows[2]]) == [{"method": "fp32", "batch": "1"}]
    assert exact({"method": "fp32", "batch": LACKING, "metric": "x"}) == {"method": ("fp32",), "batch": (None,)}


def test_rows_stand_by_the_first_number_where_a_table_says_so_and_those_without_one_last() -> None:
    numbers = (("a", 2), ("c", None), ("b", 1))
    lines: list[AddressedRow] = [
        ({"method": name}, [Filled(name, None if number is None else Decimal(number))]) for name, number in numbers
    ]
    assert [one["method"] for one, _ in ordered(order_of("method", order=("value",)), lines, 0)] == ["b", "a", "c"]
    assert ordered(order_of("method"), lines, 0) == lines
