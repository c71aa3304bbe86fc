"""A live comparison as a plan: blocks of rounds, each balanced; and when it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.plan.expand import Plan, PlannedJob
from harness.runner.live import MOST, LiveStop, live_plan, side_kind
from tests.unit.runner.test_choosing import job

SIDES = ("fp16", "int8")


def speed(method: str, **rest: Any) -> PlannedJob:
    name = rest.pop("name", f"s-{method}")
    return job(name, "speed", method, (f"b-{method}",), own_process=True, **({"group": f"{method}#0"} | rest))


PLAN = Plan("s", (job("b-fp16", "build", "fp16"), job("b-int8", "build", "int8"), *map(speed, SIDES)))


def rounds(plan: Plan) -> list[PlannedJob]:
    return [one for one in plan.jobs if one.kind == "speed"]


def test_two_sides_stand_in_blocks_of_four_that_run_backwards_in_their_second_half() -> None:
    found = rounds(live_plan(PLAN, SIDES, "method", {}, ""))
    assert len(found) == 4 * MOST
    orders = set()
    for block in range(MOST):
        four = [one.labels[0].method for one in found[4 * block : 4 * block + 4]]
        assert four == four[::-1]
        assert sorted(four) == ["fp16", "fp16", "int8", "int8"]
        assert [one.round for one in found[4 * block : 4 * block + 4]] == [2 * block] * 2 + [2 * block + 1] * 2
        orders.add(four[0])
    assert orders == set(SIDES), "which side begins is drawn"


def sides_first(plan: Plan) -> list[str]:
    """Name the side that begins each block."""
    return [one.labels[0].method for one in rounds(plan)[::4]]


def test_which_side_begins_is_drawn_anew_in_each_comparison_and_by_nothing_else() -> None:
    """The first process of a block may be slower, which is no difference of the sides: it has to meet both as often."""
    drawn = [sides_first(live_plan(PLAN, SIDES, "method", {}, str(draw))) for draw in range(40)]
    assert len({tuple(one) for one in drawn}) == 40
    for block in range(MOST):
        assert 8 <= sum(one[block] == SIDES[0] for one in drawn) <= 32, "block by block as often the one as the other"
    again = live_plan(PLAN, SIDES, "method", {}, "7")
    assert again.digest == live_plan(PLAN, SIDES, "method", {}, "7").digest, "what continues is the same"


def test_every_round_is_a_process_of_its_own_and_is_never_stopped_by_precision() -> None:
    found = rounds(live_plan(PLAN, SIDES, "method", {}, ""))
    assert len({one.id for one in found}) == len({one.group for one in found}) == 4 * MOST
    assert {one.precision for one in found} == {-1.0}


def test_what_a_process_measures_together_stays_together() -> None:
    two = [
        replace(speed(method, name=f"s{batch}-{method}"), spec=replace_workload(speed(method), batch))
        for method in SIDES
        for batch in (1, 4)
    ]
    found = rounds(live_plan(replace(PLAN, jobs=(*PLAN.jobs[:2], *two)), SIDES, "method", {}, ""))
    assert len(found) == 8 * MOST
    assert len({one.group for one in found}) == 4 * MOST
    assert [one.id.split("-")[0] for one in found[:4]] == ["s1", "s4", "s1", "s4"]


def replace_workload(one: PlannedJob, batch: int) -> Any:
    return one.spec.model_copy(update={"workload": {"batch": batch}})


def test_the_same_call_is_the_same_plan_and_another_is_not() -> None:
    one = live_plan(PLAN, SIDES, "method", {}, "")
    assert one.digest == live_plan(PLAN, SIDES, "method", {}, "").digest
    assert one.digest != live_plan(PLAN, SIDES[::-1], "method", {}, "").digest
    assert one.live == "method fp16 and method int8"


def test_environments_are_sides_too() -> None:
    both = [speed("int8", name=f"s@{place}", environment=place, group=f"{place}#0") for place in ("old", "new")]
    plan = Plan("s", tuple(both))
    assert side_kind(plan, ("old", "new")) == "environment"
    found = rounds(live_plan(plan, ("old", "new"), "environment", {}, ""))
    assert {one.environment for one in found[:4]} == {"old", "new"}


@pytest.mark.parametrize(("jobs", "sides", "said"), [
    (PLAN.jobs, ("fp16", "int3"), "two methods or two environments int3; it has methods fp16, int8; environments cpu"),
    (PLAN.jobs[:2], SIDES, "it measures no speed"),
    ((*PLAN.jobs[:3], replace(PLAN.jobs[3], refused="no GPU")), SIDES, "method int8 cannot run here: no GPU"),
    ((*PLAN.jobs[:3], replace(PLAN.jobs[3], other_gpu="H200")), SIDES, "method int8 is not measured with tiny"),
    ((*PLAN.jobs, replace(PLAN.jobs[3], id="other", group="other#0")), SIDES, "int8 is measured in several ways"),
    ((*PLAN.jobs[:3], replace(PLAN.jobs[3], spec=replace_workload(PLAN.jobs[3], 9))), SIDES, "do other work"),
])  # fmt: skip
def test_what_cannot_be_compared_is_told(jobs: Any, sides: tuple[str, str], said: str) -> None:
    plan = Plan("s", tuple(jobs))
    with pytest.raises(HarnessError, match=said):
        live_plan(plan, sides, side_kind(plan, sides), {}, "")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def stopped_after(decided: Any, budget: float, seconds: float = 10.0) -> tuple[int, str]:
    """Run blocks that take so many seconds; return how many ran, and why no more."""
    plan, clock = live_plan(PLAN, SIDES, "method", {}, ""), Clock()
    stop = LiveStop(plan, decided, clock, budget)
    for place, one in enumerate(rounds(plan)):
        if why := stop(one):
            assert stop(rounds(plan)[-1]) == why, "what follows is not needed either"
            return place, why
        stop.began()
        clock.now += seconds / 4
    return len(rounds(plan)), stop.why


def test_it_ends_when_it_is_decided_and_only_between_blocks() -> None:
    assert stopped_after(lambda blocks: "worse is shown" if blocks >= 3 else "", 1e9) == (12, "worse is shown")


def test_a_block_that_would_pass_the_budget_is_not_begun() -> None:
    assert stopped_after(lambda _: "", 45.0) == (16, "the budget of 45 s is used")
    assert stopped_after(lambda _: "", 5.0)[0] == 4, "one block runs in any case"


def test_nobody_looks_beyond_the_last_look() -> None:
    assert stopped_after(lambda _: "", 1e9) == (4 * MOST, "")


def test_nothing_runs_after_a_round_that_gave_no_number() -> None:
    plan = live_plan(PLAN, SIDES, "method", {}, "")
    stop = LiveStop(plan, lambda _: "", Clock(), 1e9, broken="round 2 came to oom")
    assert stop(rounds(plan)[2]) == "round 2 came to oom"
