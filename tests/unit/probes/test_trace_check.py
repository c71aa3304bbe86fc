"""What a trace cannot be: other work, another clock, tokens that must not be in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.sessions import GenerationWorkload, Trace
from harness.probes import trace_check
from harness.probes.trace_check import (
    Stopwatch,
    clock_notes,
    ended_notes,
    refuse_trace,
    unsampled_notes,
    watched,
)

WORK = GenerationWorkload(batch=1, prompt_ids=((5, 6, 7),), output=11, warmups=1, repetitions=2)


def trace(**other: Any) -> Trace:
    steps = np.random.default_rng(0).uniform(0.009, 0.011, (2, 10))
    given: dict[str, Any] = {"prefill": np.full(2, 0.05), "first_token": np.full(2, 0.01), "steps": steps}
    given["total"] = 0.061 + steps.sum(axis=1)
    return Trace(**{**given, **other})


def texts(notes: Any) -> str:
    assert {note.code for note in notes} <= {"implausible"}
    return " ".join(note.text for note in notes)


def test_an_honest_trace_passes() -> None:
    refuse_trace(trace(), WORK)
    assert clock_notes(trace(), list(trace().total)) == ()


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"prefill": np.full(3, 0.05)}, r"prefill of shape \(3,\)"),
        ({"steps": np.full((2, 9), 0.01)}, r"steps of shape \(2, 9\), and 2 repetitions of 11 tokens have \(2, 10\)"),
        ({"steps": np.full((2, 10), 0.0)}, "steps that no clock gives"),
        ({"first_token": np.full(2, np.nan)}, "first_token that no clock gives"),
        ({"total": np.full(2, -1.0)}, "total that no clock gives"),
        ({"steps": np.cumsum(np.full((2, 10), 0.01), axis=1)}, "add up to 0.6100 s in repetition"),
    ],
)
def test_other_work_than_was_asked_for_is_refused(other: dict[str, Any], says: str) -> None:
    with pytest.raises(HarnessError, match=says):
        refuse_trace(trace(**other), WORK)


def test_a_clock_is_held_against_the_time_that_passed() -> None:
    said = trace()
    assert "waits or works outside its clock" in texts(clock_notes(said, [0.3, 0.3]))
    assert "what it times did not happen here" in texts(clock_notes(said, [0.001, 0.001]))
    assert "the end of 1 of 2 repetitions" in texts(clock_notes(said, [0.16, None]))
    assert clock_notes(said, list(said.total * 1.1)) == (), "a tenth may be anything"


def test_time_that_lies_in_no_part_is_told() -> None:
    said = trace()
    padded = replace(said, total=said.total * 2)
    assert "in neither prefill, first token nor steps" in texts(clock_notes(padded, list(padded.total)))


def test_steps_that_did_nothing_and_steps_that_nobody_timed_are_told() -> None:
    steps = trace().steps.copy()
    steps[:, ::5] = 1e-6
    skipped = trace(steps=steps, total=0.061 + steps.sum(axis=1))
    assert "20% of the decode steps took less" in texts(clock_notes(skipped, list(skipped.total)))
    same = trace(steps=np.full((2, 10), 0.01), total=np.full(2, 0.161))
    assert "to the last digit" in texts(clock_notes(same, [0.161, 0.161]))


def test_a_token_that_ends_a_text_is_found_with_its_place() -> None:
    ids = np.full((2, 1, 11), 9, dtype=np.int32)
    assert ended_notes(trace(ids=ids), (2, 3)) == ended_notes(trace(), (2, 3)) == ended_notes(trace(ids=ids), ()) == ()
    ids[1, 0, 4] = 3
    assert "token 3 ends a text and was generated (repetition 2, sequence 1, token 5)" in texts(
        ended_notes(trace(ids=ids), (2, 3))
    )


def test_random_choice_that_never_differs_is_greedy() -> None:
    ids = np.tile(np.arange(11, dtype=np.int32), (2, 1, 1))
    drawing = replace(WORK, sampling={"top_k": 50.0})
    assert "drew the same 11 tokens" in texts(unsampled_notes(trace(ids=ids), drawing))
    assert unsampled_notes(trace(ids=ids), WORK) == ()
    ids[1, 0, 3] = 7
    assert unsampled_notes(trace(ids=ids), drawing) == ()


def test_a_stopwatch_counts_between_words_of_progress_and_not_what_they_cost() -> None:
    watch = Stopwatch(2)
    for done in (0, 1, 2):
        assert watch.enter(done / 2) == done
        watch.left[done] = watch.entered[done] + 5
        watch.entered[done] = 10.0 * done
        watch.left[done] = 10.0 * done + 4
    assert [watch.seconds(number) for number in (0, 1, 2)] == [6.0, 6.0, None]


def test_a_session_that_tells_of_nothing_is_timed_as_a_whole() -> None:
    class Mute:
        def generate(self, workload: GenerationWorkload, progress: Any) -> Trace:
            return trace()

    found, seen, whole = watched(Mute(), WORK)
    assert found.total.shape == (2,)
    assert seen == [whole]


def test_a_repetition_that_stands_for_another_is_told() -> None:
    steps = trace().steps
    twice = np.stack([steps[0], np.roll(steps[0], 3)])
    said = trace(steps=twice, total=0.061 + twice.sum(axis=1))
    assert "one repetition stands for another" in texts(clock_notes(said, list(said.total)))


@pytest.mark.parametrize(("tick", "told"), [(1e-7, False), (1e-4, False), (1e-3, True), (5e-3, True)])
def test_a_clock_that_ticks_too_slowly_is_told(tick: float, told: bool) -> None:
    drawn = np.random.default_rng(3).uniform(0.006, 0.014, (3, 40))
    steps = np.round(drawn / tick) * tick
    said = Trace(np.full(3, 0.05), np.full(3, 0.01), steps, 0.06 + steps.sum(axis=1))
    assert ("the engine's clock is too coarse" in texts(clock_notes(said, list(said.total)))) is told


# ---------------------------------------------------------------- borders


def flat(repetitions: int = 2, step: float = 0.01, total: float | None = None, steps: Any = None) -> Trace:
    """Prefill of 50 ms, first token of 10 ms and ten steps that differ by a tenth of their length, in another order each time."""
    even = step * np.linspace(0.95, 1.05, 10)
    made = (
        np.stack([even * (1 + number / 1000) for number in range(repetitions)]) if steps is None else np.asarray(steps)
    )
    parts = 0.06 + made.sum(axis=1)
    return Trace(
        np.full(len(made), 0.05), np.full(len(made), 0.01), made, parts if total is None else np.full(len(made), total)
    )


@pytest.mark.parametrize(("passed", "says"), [
    (0.2, ""), (0.2001, "it waits or works outside its clock"), (0.16 / 1.19, ""), (0.16 / 1.21, "what it times did not happen here"),
])  # fmt: skip
def test_a_fifth_of_what_passed_may_lie_outside_the_engines_clock(passed: float, says: str) -> None:
    """0.16 s by its own clock: a fifth of 0.2 s is outside of it, and of 0.16 / 1.21 s too much in it."""
    said = replace(flat(), total=np.full(2, 0.16 + 1e-9))
    found = texts(clock_notes(said, [passed, passed]))
    assert says in found
    assert bool(found) == bool(says)
    assert f"{passed:.4f} s" in found or not says


@pytest.mark.parametrize(("beside", "told"), [(0.0019, False), (0.0021, True), (-0.0019, False), (-0.0021, True)])
def test_two_milliseconds_may_lie_outside_in_any_case(beside: float, told: bool) -> None:
    said = Trace(np.full(2, 0.001), np.full(2, 0.001), np.empty((2, 0)), np.full(2, 0.0025))
    assert bool(clock_notes(said, [0.0025 + beside] * 2)) is told


@pytest.mark.parametrize(("lost", "told"), [(0.0019, False), (0.0021, True)])
def test_two_milliseconds_may_lie_in_no_part(lost: float, told: bool) -> None:
    said = Trace(np.full(2, 0.001), np.full(2, 0.001), np.empty((2, 0)), np.full(2, 0.002 + lost))
    assert bool(clock_notes(said, list(said.total))) is told


@pytest.mark.parametrize(("share", "told"), [(0.19, False), (0.21, True)])
def test_a_fifth_of_a_repetition_may_lie_in_no_part(share: float, told: bool) -> None:
    parts = flat()
    said = replace(parts, total=(parts.total) / (1 - share))
    found = texts(clock_notes(said, list(said.total)))
    assert ("in neither prefill, first token nor steps" in found) is told
    assert (
        not told or f"{float(np.median(said.total - parts.total)):.4f} of {float(np.median(said.total)):.4f} s" in found
    )


def test_medians_are_held_against_each_other_and_not_single_repetitions() -> None:
    said = flat(5)
    assert clock_notes(said, [*list(said.total[:3]), 9.0, 9.0]) == ()
    assert clock_notes(said, [*list(said.total[:2]), 9.0, 9.0, 9.0]) != ()


@pytest.mark.parametrize(("idle", "of", "told"), [(1, 20, False), (2, 20, True)])
def test_one_step_of_twenty_may_do_nothing(idle: int, of: int, told: bool) -> None:
    steps = np.random.default_rng(1).uniform(0.009, 0.011, (3, of))
    steps[:, :idle] = 0.049 * np.median(steps)
    assert (
        "of the decode steps took less than a twentieth"
        in texts(clock_notes(flat(steps=steps), list(flat(steps=steps).total)))
    ) is told


@pytest.mark.parametrize(("share", "told"), [(0.049, True), (0.051, False)])
def test_a_step_did_nothing_below_a_twentieth_of_the_median_one_in_every_repetition(share: float, told: bool) -> None:
    steps = np.random.default_rng(1).uniform(0.0099, 0.0101, (2, 11))
    steps[:, ::4] = share * np.median(steps)
    said = flat(steps=steps)
    assert ("27% of the decode steps" in texts(clock_notes(said, list(said.total)))) is told
    once = flat(steps=steps[:1])
    assert "decode steps took less" not in texts(clock_notes(once, list(once.total))), (
        "a single repetition may have been disturbed"
    )
    steps[1] = np.roll(steps[1], 1)
    moved = flat(steps=steps)
    assert "decode steps took less" not in texts(clock_notes(moved, list(moved.total)))


@pytest.mark.parametrize(("count", "told"), [(7, False), (8, True)])
def test_eight_equal_steps_were_not_timed_one_by_one_nor_two_repetitions_alike(count: int, told: bool) -> None:
    drawn = np.random.default_rng(2).uniform(0.009, 0.011, (2, count))
    equal = drawn.copy()
    equal[1] = 0.01
    alike = np.stack([drawn[0], drawn[0][::-1]])
    for steps, says in ((equal, "took the same time to the last digit"), (alike, "one repetition stands for another")):
        said = flat(steps=steps)
        assert (says in texts(clock_notes(said, list(said.total)))) is told


@pytest.mark.parametrize(("count", "told"), [(15, False), (16, True)])
def test_sixteen_steps_tell_a_tick(count: int, told: bool) -> None:
    steps = 0.01 + 0.001 * (np.arange(count) % 3)
    said = flat(steps=steps[None, :])
    found = texts(clock_notes(said, list(said.total)))
    assert (f"{count} decode steps took 3 different times, 0.001 s or more apart" in found) is told


@pytest.mark.parametrize(("tick", "told"), [(0.049, False), (0.051, True)])
def test_a_tick_is_too_long_from_a_twentieth_of_the_median_step_on(tick: float, told: bool) -> None:
    said = flat(steps=0.01 * (1 + tick * np.tile([0.0, 0.0, 1.0], 6))[None, :])
    assert ("too coarse" in texts(clock_notes(said, list(said.total)))) is told


@pytest.mark.parametrize(("apart", "told"), [(8, True), (9, False)])
def test_most_times_have_to_be_equal_for_a_tick(apart: int, told: bool) -> None:
    """Of 17 steps 16 neighbours: at most half of them may lie apart."""
    said = flat(steps=0.01 * (1 + 0.1 * np.minimum(np.arange(17), apart))[None, :])
    assert ("too coarse" in texts(clock_notes(said, list(said.total)))) is told


@pytest.mark.parametrize(("missing", "refused"), [(0.0009, False), (0.0012 + 0.00016, True)])
def test_parts_may_add_up_to_a_thousandth_and_a_millisecond_more_than_the_whole(missing: float, refused: bool) -> None:
    parts = flat()
    said = replace(parts, total=parts.total - np.array([0.0, missing]))
    if refused:
        with pytest.raises(
            HarnessError,
            match=f"add up to {parts.total[1]:.4f} s in repetition 2, and its whole is {said.total[1]:.4f} s",
        ):
            refuse_trace(said, WORK)
    else:
        refuse_trace(said, WORK)


@pytest.mark.parametrize(("name", "value"), [("prefill", 0.0), ("first_token", 0.0)])
def test_only_steps_take_some_time_in_any_case(name: str, value: float) -> None:
    refuse_trace(replace(flat(), **{name: np.full(2, value)}), WORK)
    with pytest.raises(HarnessError, match=f"{name} that no clock gives"):
        refuse_trace(replace(flat(), **{name: np.array([0.01, -1e-9])}), WORK)
    steps = flat().steps.copy()
    steps[1, 3] = 0.0
    with pytest.raises(HarnessError, match=r"steps that no clock gives \(0.0 s\)"):
        refuse_trace(replace(flat(), steps=steps), WORK)


@pytest.mark.parametrize(("output", "repetitions", "told"), [(8, 2, True), (7, 2, False), (8, 1, False)])
def test_eight_tokens_of_two_repetitions_tell_whether_they_were_drawn(
    output: int, repetitions: int, told: bool
) -> None:
    ids = np.zeros((repetitions, 1, output), dtype=np.int32)
    work = replace(WORK, sampling={"top_k": 50.0}, output=output)
    assert bool(unsampled_notes(trace(ids=ids), work)) is told


def test_a_session_is_timed_by_its_own_words_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """One warm-up and two repetitions: begun at 0, opened at 1, rounds of 2, 3 and 4 s, half a second after each word, ended at 12."""
    moments = iter([0.0, 1.0, 1.5, 3.5, 4.0, 7.0, 7.5, 11.5, 11.75, 12.0])
    waits = iter([0.0] * 9 + [0.5])
    monkeypatch.setattr(trace_check, "perf_counter", lambda: next(moments))
    monkeypatch.setattr(trace_check, "waited_seconds", lambda: next(waits))

    class Telling:
        def generate(self, workload: GenerationWorkload, progress: Any) -> Trace:
            for done in range(4):
                progress(done / 3)
            return trace()

    assert watched(Telling(), WORK)[1:] == ([2.0, 3.0, 4.0], 11.5)
