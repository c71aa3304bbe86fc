"""What series are called: as little as tells one from the other."""

from __future__ import annotations

from typing import Any

from harness.plots.naming import names_of
from harness.tables.rows import TableRow


def rows(*of: dict[str, Any]) -> list[TableRow]:
    return [
        TableRow({"model": "toy", "method": "int4", "asked": f"{place}abcdefgh", **one}) for place, one in enumerate(of)
    ]


def test_one_series_is_called_by_model_and_method() -> None:
    assert names_of(rows({"batch": 1.0, "recipe": "fake"})) == ["toy, int4"]


def test_what_tells_model_and_method_apart_needs_no_more() -> None:
    found = rows({"recipe": "fake"}, {"method": "fp32", "recipe": "source"}, {"method": "int8", "window": 64.0})
    assert names_of(found) == ["toy, int4", "toy, fp32", "toy, int8"]


def test_series_of_one_name_are_told_apart_by_the_columns_in_which_they_differ() -> None:
    assert names_of(rows({"batch": 1.0}, {"batch": 8.0})) == ["toy, int4, batch 1", "toy, int4, batch 8"]
    assert names_of(rows({"window": 64.0}, {"window": 128.0}, {"method": "int8", "window": 64.0})) == [
        "toy, int4, window 64",
        "toy, int4, window 128",
        "toy, int8",
    ]
    assert names_of(rows({"reference": "fp32"}, {"reference": "bf16"})) == [
        "toy, int4, against fp32",
        "toy, int4, against bf16",
    ]


def test_options_tell_series_apart_without_a_folder_of_the_machine() -> None:
    options = ('{"bits":4,"dataset":"/home/me/a.txt","group":32}', '{"bits":4,"dataset":"/home/me/b.txt","group":64}')
    assert names_of(rows(*({"recipe_options": one} for one in options))) == [
        "toy, int4, dataset a.txt, group 32",
        "toy, int4, dataset b.txt, group 64",
    ]


def test_where_nothing_else_differs_the_beginning_of_a_hash_does() -> None:
    assert names_of(rows({}, {})) == ["toy, int4, key 0abcde", "toy, int4, key 1abcde"]
    assert names_of(rows({"made_in": "old"}, {"made_in": "new"})) == [
        "toy, int4, made in old",
        "toy, int4, made in new",
    ]


def test_a_row_that_nobody_called_anything_is_called_by_its_metric() -> None:
    assert names_of([TableRow({"metric": "decode_tps"})]) == ["decode_tps"]
