"""What is not the same of two places, in the order in which it can change a number."""

from __future__ import annotations

from harness.core.outcome import Gpu
from harness.plots.differences import changed_between
from tests.unit.store.outcomes import environment


def test_packages_that_can_change_a_number_stand_first_then_facts_then_other_packages() -> None:
    old = environment(gpus=(Gpu(name="L4", driver="570"),), aaa="1", torch="2.8", zzz="1")
    new = environment(gpus=(Gpu(name="L40", driver="580"),), aaa="2", torch="2.9", bbb="1", zzz="1")
    new = new.model_copy(update={"python": "3.12.1", "threads": {"OMP_NUM_THREADS": "1"}})
    assert list(changed_between([("", old, new)])) == [
        "torch 2.8 to 2.9",
        "GPU L4 to L40",
        "OMP_NUM_THREADS none to 1",
        "driver 570 to 580",
        "python 3.11.7 to 3.12.1",
        "aaa 1 to 2",
        "bbb none to 1",
    ]
    assert list(changed_between([("", old, old)])) == list(changed_between([])) == []


def test_what_changed_where_it_was_measured_is_not_told_of_where_it_was_made() -> None:
    old, new = environment(torch="2.8"), environment(torch="2.9").model_copy(update={"harness": "0.2"})
    other = environment(torch="2.7")
    told = list(changed_between([("", old, new), ("made with ", old, new), ("made with ", other, new)]))
    assert told == ["torch 2.8 to 2.9", "made with torch 2.7 to 2.9", "harness 0.1.0+abc to 0.2"]
