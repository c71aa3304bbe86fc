"""Rounds of a night as a plan: which pairs there are, in which order they run, and when each of them ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.numbers.blocks import LOOKS
from harness.plan.expand import Plan, PlannedJob
from harness.runner.live import LivePair
from harness.runner.night import ROUNDS, USED, NightStop, called, most_blocks, night_pairs, night_plan, set_apart
from tests.unit.runner.test_choosing import job

SIDES = ("old", "new")


def speed(method: str, side: str, **rest: Any) -> PlannedJob:
    name = f"{method}@{side}"
    return job(name, "speed", method, (), own_process=True, environment=side, **({"group": f"{name}#0"} | rest))


def both(*methods: str) -> Plan:
    return Plan("s", tuple(speed(method, side) for method in methods for side in SIDES))


def test_what_both_sides_measure_is_a_pair_and_what_one_cannot_is_told() -> None:
    jobs = [*both("a", "b", "c").jobs, speed("d", "old")]
    jobs[3] = replace(jobs[3], refused="no such kernel")
    jobs[4:6] = [replace(one, refused="no GPU") for one in jobs[4:6]]
    found = night_pairs(Plan("s", tuple(jobs)), SIDES)
    assert [pair.name.split()[1] for pair in found.pairs] == ["a"]
    assert [(name.split()[1], why) for name, why in found.lacking.items()] == [
        ("b", "new cannot run it here: no such kernel"), ("d", "new does not measure it"),
    ]  # fmt: skip
    assert list(found.refused.values()) == ["old cannot run it here: no GPU"]


def test_jobs_of_other_machines_and_environments_take_no_part() -> None:
    jobs = [*both("a").jobs, speed("a", "third"), replace(speed("b", "old"), other_gpu="H200")]
    assert len(night_pairs(Plan("s", tuple(jobs)), SIDES).pairs) == 1


def test_pairs_that_differ_in_options_alone_have_names_of_their_own() -> None:
    jobs = [
        replace(speed("a", side), id=f"{side}{threads}", group=f"{side}{threads}#0",
                spec=speed("a", side).spec.model_copy(update={"engine_options": {"threads": threads}}))  # type: ignore[call-arg]
        for threads in (1, 2) for side in SIDES
    ]  # fmt: skip
    names = [pair.name for pair in night_pairs(Plan("s", tuple(jobs)), SIDES).pairs]
    assert len(set(names)) == 2
    assert names[1] == f"{names[0]} (2)"


def test_what_a_sweep_does_not_name_has_another_sweeps_name_and_pairs_all_the_same() -> None:
    jobs = [replace(one, labels=(one.labels[0].model_copy(update={"block": "s"}),)) for one in both("a").jobs]
    found = set_apart(Plan("s", tuple(jobs)), ["old"])
    assert [one.labels[0].sweep for one in found.jobs] == ["s", "s by night"]
    assert [called(one) for one in found.jobs] == ["tiny a fake"] * 2, "its block is the sweep itself"
    assert len(night_pairs(found, SIDES).pairs) == 1
    assert set_apart(Plan("s", tuple(jobs)), SIDES).jobs == tuple(jobs)
    build = job("b", "build", "a", environment="new")
    needing = (build, replace(jobs[0], needs=("b",)), jobs[1])
    assert set_apart(Plan("s", needing), ["old"]).jobs[0] == build, "what the sweep's own jobs read is its own"


def planned(*methods: str, most: int = 8) -> tuple[Plan, dict[str, tuple[str, int]]]:
    plan = both(*methods)
    return night_plan(plan, night_pairs(plan, SIDES).pairs, "environment old and environment new", most, 7)


def test_every_pair_has_the_first_look_before_any_has_more() -> None:
    plan, places = planned("a", "b")
    order = [places[one.id] for one in plan.jobs][::4]
    assert [(name.split()[1], block) for name, block in order[:6]] == [
        ("a", 0),
        ("a", 1),
        ("b", 0),
        ("b", 1),
        ("a", 2),
        ("b", 2),
    ]
    assert len(plan.jobs) == 2 * 8 * 4
    assert len({one.id for one in plan.jobs}) == len({one.group for one in plan.jobs}) == len(plan.jobs)
    assert {one.rounds for one in plan.jobs} == {16}


def test_a_block_is_balanced_and_the_plan_knows_that_it_is_live() -> None:
    plan, _ = planned("a", most=2)
    for start in (0, 4):
        four = [one.environment for one in plan.jobs[start : start + 4]]
        assert four == four[::-1]
        assert sorted(four) == ["new", "new", "old", "old"]
    assert plan.live
    assert plan.digest != planned("a", most=3)[0].digest


def test_which_side_begins_differs_from_night_to_night_and_where_rounds_are_measured_again() -> None:
    def begins(seed: int, live: str) -> tuple[str, ...]:
        plan = both("a")
        found, _ = night_plan(plan, night_pairs(plan, SIDES).pairs, live, LOOKS[-1], seed)
        return tuple(one.environment for one in found.jobs[::4])

    orders = [begins(seed, "night n") for seed in range(20)]
    assert len({*orders, begins(0, "night m"), begins(0, "night n, again")}) == 22
    assert begins(0, "night n") == orders[0], "a night that was cut off goes on"
    assert 4 <= sum(one[0] == "old" for one in orders) <= 16


def test_a_plan_is_never_longer_than_a_session_can_hold() -> None:
    pairs = [LivePair(str(number), (speed("a", "old"),), (speed("a", "new"),)) for number in range(600)]
    most = most_blocks(pairs)
    assert most in LOOKS
    assert 4 * most * len(pairs) <= ROUNDS
    assert most_blocks(pairs[:1]) == LOOKS[-1]
    assert most_blocks(pairs * 20) == LOOKS[0], "two blocks each in any case"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ran(
    methods: str,
    decided: Any = lambda pair, blocks: "",
    budget: float = 1e9,
    *,
    breaks: str = "",
    most: int = 8,
    **more: Any,
) -> NightStop:
    """Run rounds of a second each, as the loop does."""
    plan, places = planned(*methods, most=most)
    clock = Clock()
    stop = NightStop(places, lambda pair, blocks: decided(pair.split()[1], blocks), clock, budget, **more)
    for one in plan.jobs:
        if stop(one):
            continue
        stop.began(one)
        clock.now += 1.0
        stop.landed(one, "round 1 came to oom" if one.labels[0].method == breaks else "")
    return stop


def blocks(stop: NightStop) -> dict[str, int]:
    return {name.split()[1]: stop.blocks(name) for name in dict.fromkeys(name for name, _ in stop.places.values())}


def test_a_pair_ends_when_it_is_decided_and_the_others_go_on() -> None:
    stop = ran("ab", lambda pair, count: "same" if pair == "a" and count >= 3 else "")
    assert blocks(stop) == {"a": 3, "b": 8}
    assert list(stop.why.values()) == ["same"]


def test_one_that_is_undecided_again_goes_on_at_the_next_look() -> None:
    asked: list[int] = []

    def decided(pair: str, count: int) -> str:
        asked.append(count)
        return "same" if len(asked) == 1 else ""

    stop = ran("a", decided)
    assert asked == [2, 2, 3, 5], "at blocks 2, 3, 4 and 6, of which one was left out"
    assert blocks(stop) == {"a": 7}


def test_a_budget_covers_as_many_pairs_as_it_can_and_names_the_others() -> None:
    stop = ran("abcd", budget=20.0)
    assert blocks(stop) == {"a": 2, "b": 2, "c": 0, "d": 0}
    assert set(stop.why.values()) == {USED}
    assert stop.used == 16.0, "no block is begun that would pass it"


def test_time_to_measure_again_what_is_worse_is_kept() -> None:
    assert blocks(ran("ab", budget=40.0)) == {"a": 6, "b": 4}
    worse = {name for name, _ in planned("a", "b")[1].values() if name.split()[1] == "a"}
    stop = ran("ab", budget=40.0, reserved=worse)
    assert blocks(stop) == {"a": 3, "b": 3}
    assert stop.used + stop.reserve <= 40.0


def test_a_pair_that_breaks_ends_alone() -> None:
    stop = ran("ab", breaks="a")
    assert blocks(stop) == {"a": 0, "b": 8}
    assert list(stop.broken.values()) == ["round 1 came to oom"]


def test_rounds_that_an_interrupted_command_ran_count_and_a_block_that_began_is_finished() -> None:
    plan, places = planned("a")
    stop = NightStop(places, lambda pair, count: "same", Clock(), 0.5)
    for one in plan.jobs[:6]:
        stop.landed(one)
    assert stop.blocks(places[plan.jobs[0].id][0]) == 1
    assert stop(plan.jobs[6]) == ""
    assert stop.used == 0.0


def test_nothing_runs_where_a_command_that_was_cut_off_used_the_whole_budget() -> None:
    assert blocks(ran("ab", budget=0.0)) == {"a": 0, "b": 0}
    assert set(ran("ab", budget=-5.0).why.values()) == {USED}
    assert blocks(ran("ab", budget=0.1)) == {"a": 1, "b": 0}, "what there is of one runs a block"
    plan, places = planned("a")
    stop = NightStop(places, lambda pair, count: "", Clock(), 0.0)
    for one in plan.jobs[:9]:
        stop.landed(one)
    assert stop(plan.jobs[9]) == "", "a block that began is whole"
    assert stop(plan.jobs[12]) == USED


@pytest.mark.parametrize("early", [0, 20, 31])
def test_it_may_be_asked_of_any_round_before_its_turn(early: int) -> None:
    plan, places = planned("a")
    stop = NightStop(places, lambda pair, count: "same", Clock(), 1e9)
    assert stop(plan.jobs[early]) == ""
    assert stop(plan.jobs[0]) == ""
