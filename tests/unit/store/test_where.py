"""Conditions on the command line have one grammar and the types of the columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.store.database import Database
from harness.store.where import parse_where, values_told
from tests.conftest import Say
from tests.fake_machine import Bench
from tests.unit.store.outcomes import measured, measurement


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["method=fp32"], {"method": ["fp32"]}),
        (["method=fp32,int8", "method=int4"], {"method": ["fp32", "int8", "int4"]}),
        (["batch=8"], {"batch": [8.0]}),
        (["batch=1, 8,1e1"], {"batch": [1.0, 8.0, 10.0]}),
        (["request_rate=inf"], {"request_rate": [float("inf")]}),
        (["bos=true,FALSE"], {"bos": [True, False]}),
        (["started=2026-01-31T12:00"], {"started": [datetime(2026, 1, 31, 12, tzinfo=UTC)]}),
        (['slice="stratum:seen, new","x"'], {"slice": ["stratum:seen, new", "x"]}),
        (["engine_options={}"], {"engine_options": ["{}"]}),
        (["gpu="], {"gpu": [None]}),
        (["gpu=T4,"], {"gpu": ["T4", None]}),
        (["text=a=b"], {"text": ["a=b"]}),
    ],
)
def test_a_condition_has_the_type_of_its_column(words: list[str], found: dict[str, Any]) -> None:
    assert parse_where(words) == found


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("batch=8x", "--where batch=8x: column 'batch' holds numbers, not '8x'"),
        ("batch=nan", "column 'batch' holds numbers, not 'nan'"),
        ("bos=yes", "column 'bos' holds true or false, not 'yes'"),
        ("started=yesterday", "column 'started' holds times"),
        ("metod=fp32", "--where metod=fp32: unknown column 'metod'; did you mean 'method'"),
        ("fp32", "--where fp32: a condition is COLUMN=VALUE"),
        ('slice="open', "quotes stand around a whole value"),
    ],
)
def test_a_slip_names_the_column_and_what_it_holds(word: str, said: str) -> None:
    with pytest.raises(HarnessError) as raised:
        parse_where([word])
    assert said in str(raised.value)


def test_conditions_reach_the_database_with_their_types(database: Database) -> None:
    for number, batch in enumerate((1, 8, 16), start=1):
        database.ingest(measured(number, [measurement()], workload={"batch": batch, "prompt": 128}), None)
    assert database.frame(parse_where(["batch=8,16"]), ["batch"])["batch"].tolist() == [8.0, 16.0]
    assert database.frame(parse_where(["batch=8", "bos=true"]), ["batch"])["batch"].tolist() == [8.0]
    assert len(database.frame(parse_where(["gpu="]), ["batch"])) == 3


def test_every_command_reads_the_same_grammar(bench: Bench, say: Say) -> None:
    bench.sweep(
        method=["fp32", "int8"], probes={"generation": {"batch": [1, 2], "prompt": 8, "output": 4, "repetitions": 2}}
    )
    bench.run()
    out = bench.results / "out.csv"
    assert "metod" in say(bench, "report", "s", "--where", "metod=fp32").err
    assert "metod" in say(bench, "export", str(out), "--where", "metod=fp32").err
    assert say(bench, "export", str(out), "--where", "batch=2", "--where", "method=int8,int4").code == 0
    lines = out.read_text("utf-8").splitlines()
    assert len(lines) > 2
    assert all(",int8," in line and ",fp32," not in line for line in lines[1:])
    assert "holds numbers" in say(bench, "report", "s", "--where", "batch=two").err


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["model=tiny,method=int8"], {"model": ["tiny"], "method": ["int8"]}),
        (["model=tiny,small,method=int8", "batch=1"], {"model": ["tiny", "small"], "method": ["int8"], "batch": [1.0]}),
        (['slice="a, method=b",method=c'], {"slice": ["a, method=b"], "method": ["c"]}),
        (["method=a,method=b"], {"method": ["a", "b"]}),
        (["gpu=,method=a"], {"gpu": [None], "method": ["a"]}),
    ],
)
def test_one_word_may_hold_several_conditions(words: list[str], found: dict[str, list[object]]) -> None:
    assert parse_where(words) == found


def test_a_slip_in_a_later_condition_is_told_with_the_option_that_it_was_given_with() -> None:
    with pytest.raises(HarnessError, match="--only methd=int8: unknown column 'methd'; did you mean 'method'"):
        parse_where(["model=tiny,methd=int8"], option="--only")


def test_many_values_are_counted_and_numbers_stand_by_size() -> None:
    assert values_told({"batch": {16, 2, 1}, "task": set()}) == "batch 1, 2, 16"
    assert values_told({"batch": set(range(20))}).endswith("6, 7 and 12 more")
    assert values_told({}) == "nothing"
