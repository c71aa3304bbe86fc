"""A sweep in two environments: beside each other where it names one of them, in the place of all where it names none."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.night.places import night_sweep
from harness.plan.sweep import Case, Places, Sweep
from harness.plan.yamlfile import Node

NODE = Node(None, "s.yaml", 1)


def sweep(*names: dict[str, str]) -> Sweep:
    places = tuple(Places(one, NODE) for one in names)
    case = Case("b", (), (), (), places, (), None, (), 3, 0.0, None, NODE)
    return Sweep("s", Path("s.yaml"), (case,))


@pytest.mark.parametrize(("named", "wanted"), [
    ([{"other": "cpu"}], [{"other": "old"}, {"other": "new"}]),
    ([{"other": "old"}], [{"other": "old"}, {"other": "new"}]),
    ([{"other": "new"}], [{"other": "old"}, {"other": "new"}]),
    ([{"other": "old"}, {"other": "new"}], [{"other": "old"}, {"other": "new"}]),
    ([{"fake": "old", "other": "builder"}], [{"fake": "old", "other": "builder"}, {"fake": "new", "other": "builder"}]),
    ([{"fake": "a", "other": "b"}], [{"fake": "old", "other": "old"}, {"fake": "new", "other": "new"}]),
])  # fmt: skip
def test_every_case_runs_in_both(named: list[dict[str, str]], wanted: list[dict[str, str]]) -> None:
    (case,) = night_sweep(sweep(*named), "old", "new").cases
    assert [one.names for one in case.places] == wanted
