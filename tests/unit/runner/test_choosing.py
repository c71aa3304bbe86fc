"""What a command chooses of a plan: what fits, with all that it needs, and nothing that fits only by what it lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import HarnessError
from harness.core.spec import BuildSpec, Labels, MeasureSpec
from harness.plan.expand import Plan, PlannedJob
from harness.runner.choosing import EVERYTHING, JobChoice, choose, told

ROUNDS = 3


def job(name: str, kind: Any, method: str, needs: tuple[str, ...] = (), **rest: Any) -> PlannedJob:
    spec = BuildSpec(quantizer="fake", version=1, model="m" * 64) if kind == "build" else MeasureSpec(
        probe="generation" if kind == "speed" else "perplexity", version=1, engine="fake", engine_version=1, artifact="a" * 64,
        workload={"batch": 4} if kind == "speed" else {},
    )  # fmt: skip
    facts: dict[str, Any] = {
        "key": name.partition("#")[0], "artifact": None, "inputs": (), "environment": "cpu", "provider": "cpu", "round": 0,
        "labels": (Labels(sweep="s", model="tiny", method=method),), "own_process": False, "timeout_seconds": None, "group": "g",
    }  # fmt: skip
    return PlannedJob(id=name, kind=kind, spec=spec, needs=needs, **(facts | rest))


def row(method: str, base: tuple[str, ...] = ()) -> list[PlannedJob]:
    build, check = f"b-{method}", f"c-{method}"
    speed = [
        job(f"s-{method}#{number}", "speed", method, (build,), round=number, check=check, rounds=ROUNDS)
        for number in range(ROUNDS)
    ]
    return [
        job(build, "build", method, base),
        job(f"q-{method}", "quality", method, (build,)),
        job(check, "quality", method, (build,)),
        *speed,
    ]


PLAN = Plan("s", (*row("fp16"), *row("int8", ("b-fp16",))))


def ids(choice: JobChoice, failed: set[tuple[str, str]] | None = None) -> set[str]:
    return {one.id for one in choose(PLAN, choice, failed or set()).jobs}


def test_nothing_chosen_is_the_whole_plan_with_the_digest_that_it_had() -> None:
    assert choose(PLAN, EVERYTHING) is PLAN
    assert choose(PLAN, JobChoice(kinds=frozenset({"quality"}))) is PLAN, "as it was before there were choices"


def test_a_row_brings_all_that_it_needs_and_only_that() -> None:
    speed = {f"s-int8#{number}" for number in range(ROUNDS)}
    chosen = choose(PLAN, JobChoice({"method": ["int8"], "probe": ["generation"]}))
    assert {one.id for one in chosen.jobs} == {*speed, "b-int8", "b-fp16", "c-int8"}
    assert chosen.chosen == speed
    assert [one.id for one in chosen.jobs] == [one.id for one in PLAN.jobs if one in chosen.jobs], "in the plan's order"


def test_a_build_is_made_anew_by_what_a_build_has() -> None:
    asked = JobChoice({"method": ["int8"], "probe": ["generation"], "batch": [4.0]}, kinds=frozenset({"build"}))
    chosen = choose(PLAN, asked).chosen
    assert chosen is not None
    assert "b-int8" in chosen
    assert "b-fp16" not in chosen, "its base is another row's"


def test_kinds_that_measure_leave_the_others_out() -> None:
    assert not any(name.startswith("s-") for name in ids(JobChoice({"method": ["int8"]}, kinds=frozenset({"quality"}))))
    speed = ids(JobChoice(kinds=frozenset({"speed"})))
    assert not any(name.startswith("q-") for name in speed)
    assert sum(name.startswith("s-") for name in speed) == 2 * ROUNDS


def test_one_round_is_one_and_its_price_is_told() -> None:
    chosen = choose(PLAN, JobChoice({"method": ["int8"]}, round=1))
    assert [one.id for one in chosen.jobs if one.kind == "speed"] == ["s-int8#1"]
    assert any("no interval" in line and "--round" in line for line in told(chosen, PLAN))
    whole = choose(PLAN, JobChoice({"method": ["int8"]}))
    assert not any("--round" in line for line in told(whole, PLAN))
    assert told(PLAN, PLAN) == []


def test_what_failed_is_chosen_with_all_of_its_rounds() -> None:
    found = ids(JobChoice(failed=True), {("s-int8", "cpu")})
    assert {name for name in found if name.startswith("s-")} == {f"s-int8#{number}" for number in range(ROUNDS)}


def test_choices_are_parts_of_what_continues() -> None:
    one, other = (JobChoice({"method": [method]}) for method in ("int8", "fp16"))
    again = replace(one, kinds=frozenset({"speed"}))
    digests = [choose(PLAN, choice).digest for choice in (EVERYTHING, one, other, again, one)]
    assert len(set(digests)) == 4
    assert digests[1] == digests[4]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (
            JobChoice({"method": ["int4"]}),
            "no job has method=int4); there is model tiny; method fp16, int8; kind build",
        ),
        (JobChoice({"batch": [8.0], "method": ["int8"]}), "(no job has batch=8)"),
        (JobChoice({"quantizer": ["fake"], "probe": ["generation"]}), "fits --only; there is"),
        (JobChoice(round=8), "is round 9; its speed jobs have 3 rounds"),
        (JobChoice(failed=True), "nothing of sweep s failed at its last attempt"),
    ],
)
def test_where_nothing_fits_it_is_said_what_there_is(choice: JobChoice, said: str) -> None:
    with pytest.raises(HarnessError) as raised:
        choose(PLAN, choice)
    assert said in str(raised.value)


@given(
    st.sets(st.sampled_from(["fp16", "int8"]), min_size=1),
    st.none() | st.integers(0, 2),
    st.sets(st.sampled_from(["speed", "quality", "build"])),
)
def test_no_choice_leaves_out_what_a_job_of_it_needs(methods: set[str], turn: int | None, kinds: set[str]) -> None:
    try:
        chosen = choose(PLAN, JobChoice({"method": sorted(methods)}, turn, kinds=frozenset(kinds)))
    except HarnessError:
        assert turn is not None
        assert kinds & {"quality"}
        return
    there = {one.id for one in chosen.jobs}
    assert chosen.chosen
    assert chosen.chosen <= there
    assert all(set(one.needs) <= there and (one.check is None or one.check in there) for one in chosen.jobs)
