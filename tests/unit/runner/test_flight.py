"""A batch on its way: what its worker's answers mean for its jobs, also where some are lost or say nothing of any."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.core.spec import Status
from harness.executors.record import BatchNeeds, Handle
from harness.runner import flight as flights
from harness.runner.flight import Carried, Flight, ServedBatch
from harness.worker.answer import Answer


@pytest.fixture
def jobs(tmp_path: Path) -> list[Carried]:
    found = []
    for run in ("r0", "r1"):
        (tmp_path / run).mkdir()
        job: Any = SimpleNamespace(kind="quality", id=run)
        found.append(Carried(job, cast("Any", SimpleNamespace(run=run)), tmp_path / run))
    return found


def flown(jobs: list[Carried], **more: Any) -> Flight:
    return Flight(Handle("b", tuple(one.folder for one in jobs), 0.0), jobs, BatchNeeds(), **more)


def heard(flight: Flight, *answers: Answer) -> list[ServedBatch]:
    found = []
    for answer in answers:
        for item in flight.hear(answer):
            if item.what == "done":
                del flight.left[item.run]
            found.append(item)
    return found


DONE = (Answer("begin", "r0", heard=1), Answer("done", "r0", heard=2, status=Status.OK))


def test_jobs_that_a_worker_did_not_begin_are_left_without_an_answer(jobs: list[Carried]) -> None:
    flight = flown(jobs)
    assert [one.what for one in heard(flight, *DONE, Answer("ended"))] == ["begin", "done"]
    assert (flight.landed, list(flight.left)) == (True, ["r1"])


def test_a_death_is_that_of_the_job_that_it_names_else_of_the_one_that_it_was_at(jobs: list[Carried]) -> None:
    dead = Answer("ended", run="r1", status=Status.OOM, text="no memory", seconds=3)
    assert heard(flown(jobs), dead) == [ServedBatch("done", "r1", "no memory", outcome=Status.OOM, seconds=3)]
    unnamed = Answer("ended", status=Status.FAILED, text="gone")
    assert heard(flown(jobs), *DONE, unnamed)[-1].run == "r1"
    assert heard(flown(jobs), Answer("begin", "r1"), unnamed)[-1].run == "r1"


def test_a_worker_that_ends_without_a_word_is_not_asked_for_ever(jobs: list[Carried]) -> None:
    (told,) = heard(flown(jobs), Answer("ended"))
    assert (told.run, told.outcome, told.text) == ("r0", Status.FAILED, "its worker ended without a word of it")
    assert heard(flown(jobs, adopted=True), Answer("ended")) == [], (
        "of one that an earlier command handed over, words may be gone"
    )


def test_an_outcome_whose_word_was_lost_is_found_at_the_end(jobs: list[Carried]) -> None:
    (jobs[1].folder / "outcome.json").write_text("{}", "utf-8")
    flight = flown(jobs)
    assert [(one.what, one.run, one.outcome) for one in heard(flight, Answer("ended"))] == [("done", "r1", None)]
    assert list(flight.left) == ["r0"]


def test_words_of_runs_that_are_not_left_say_nothing(jobs: list[Carried]) -> None:
    flight = flown(jobs[1:])
    assert heard(flight, *DONE, Answer("progress", "r9", text="x", share=0.5)) == []


def test_what_nobody_gets_on_with_is_told_of_the_job_that_it_is_at(jobs: list[Carried]) -> None:
    flight = flown(jobs)
    assert heard(flight, *DONE, Answer("waiting", text="nobody"))[-1] == ServedBatch("waiting", "r1", "nobody")
    heard(flight, Answer("done", "r1", status=Status.OK))
    assert heard(flight, Answer("waiting", text="nobody")) == []


def test_silence_is_told_once_in_a_while_with_the_end_of_the_log(
    jobs: list[Carried], monkeypatch: pytest.MonkeyPatch
) -> None:
    flight = flown(jobs)
    assert list(flight.silence()) == []
    monkeypatch.setattr(flights, "QUIET_SECONDS", 0.0)
    (jobs[0].folder / "log.txt").write_text("one\ntwo \n\n", "utf-8")
    (told,) = flight.silence()
    assert (told.what, told.run) == ("quiet", "r0")
    assert told.text.endswith("; its log ends: two")
