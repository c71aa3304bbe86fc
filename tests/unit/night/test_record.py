"""What a night comes to: exit codes, and alarms that stay open until a night says otherwise."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from harness.night.record import exit_code, said_of, without_folders
from tests.unit.night.numbers import FOUND, night, number

MISSED = (FOUND[0].model_copy(update={"found": False}), FOUND[1])
SKIPPED = (FOUND[0].model_copy(update={"found": False, "skipped": True}), FOUND[1])
KNOWN = {"cause": "graphs are off by default"}


@pytest.mark.parametrize(("numbers", "more", "code"), [
    ((number(), number("better"), number("cannot tell")), {}, 0),
    ((), {"unchanged": 3}, 0),
    ((number(), number("worse")), {}, 1),
    ((number("worse", confirmed=False),), {}, 0),
    ((number("worse", **KNOWN),), {}, 0),
    ((number("same", since=3),), {}, 1),
    ((number("worse"), number("missing")), {}, 1),
    ((number(), number("missing")), {}, 3),
    ((number(), number("skipped")), {}, 3),
    ((number(), number("not reached")), {}, 3),
    ((), {}, 3),
    ((number(),), {"canaries": MISSED}, 2),
    ((number("worse"),), {"canaries": MISSED}, 2),
    ((number(),), {"canaries": SKIPPED}, 3),
    ((number("worse"),), {"canaries": SKIPPED}, 1),
    ((number(),), {"canaries": (MISSED[0], SKIPPED[0])}, 2),
])  # fmt: skip
def test_the_exit_code_says_worse_before_missing_and_a_missed_canary_before_both(
    numbers: tuple, more: dict, code: int
) -> None:
    assert exit_code(night(*numbers, **more)) == code


def test_a_change_is_said_with_its_interval_and_what_came_of_the_second_measurement() -> None:
    assert said_of(number("worse")) == "-9.52% [-10.42%, -8.61%], again -9.34%"
    assert said_of(number("worse", log=False, exact=True, again=None, change=3.0)) == "+3"
    assert said_of(number("missing")) == "a reason"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_none_cannot_be_put_on_record(value: float) -> None:
    with pytest.raises(ValidationError, match="not finite"):
        number("same", change=value)


def test_folders_of_the_machine_are_in_no_report() -> None:
    lacking = number(
        "missing", why="/home/ada/bench/results/artifacts/b-1 is gone; see /home/ada/x and /home/ada/bench"
    )
    told = "/home/ada/bench/configs/acknowledged.yaml:4: it counts from 2027 on"
    folders = {"/home/ada/bench/results": "results", "/home/ada/bench": "", "/home/ada": "~"}
    record = without_folders(night(lacking, number(), told=(told,)), folders)
    assert record.numbers[0].why == "results/artifacts/b-1 is gone; see ~/x and ."
    assert record.told == ("configs/acknowledged.yaml:4: it counts from 2027 on",)
    assert record.numbers[1] == number()
    tabled = without_folders(night(tables=("| /home/ada/bench/x.onnx |",)), folders)
    assert tabled.tables == ("| x.onnx |",)
    other = night(told=("/home/adam/x and /home/ada",))
    assert without_folders(other, folders).told == ("/home/adam/x and ~",)
    assert without_folders(other, {"/": "~", "~": "~"}).told == other.told, (
        "of a home folder that is everything, or unknown"
    )
