"""What a trace cannot be: other work, another clock, tokens that must not be in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.sessions import GenerationWorkload, Trace
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
