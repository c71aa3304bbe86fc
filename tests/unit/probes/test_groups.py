"""What finished groups leave for the next attempt: whose it is, that it is whole, and what is told of it."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.seam import Context
from harness.core.spec import Note
from harness.probes import groups, mmlu_modelopt, perplexity
from harness.probes.groups import Finished
from harness.worker.context import forget
from tests.unit.probes.table_scores import TableScores

FOUND = {"a": np.asarray([0.1, -1e-300, 3.0]), "b": np.asarray([True, False])}


def attempt(root: Path, name: str, kept: str = "kept") -> Finished:
    return Finished(TableScores(), Context(folder=root / name, resume=root / kept))


def never() -> Any:
    raise AssertionError("this is known")


def told(finished: Finished) -> dict[str, str]:
    return {note.code: note.text for note in finished.notes()}


def test_a_finished_group_is_taken_bit_for_bit_and_told_by_number_and_run(tmp_path: Path) -> None:
    first = attempt(tmp_path, "run-1")
    for ids in ([1, 2], [3], [4]):
        assert first.group([ids], lambda: FOUND) is FOUND
    assert told(first) == {}
    second = attempt(tmp_path, "run-2")
    for ids in ([1, 2], [3]):
        again = second.group([ids], never)
        assert {name: value.tobytes() for name, value in again.items()} == {
            name: value.tobytes() for name, value in FOUND.items()
        }
    shutil.copyfile(tmp_path / "kept" / "group-000003", tmp_path / "kept" / "group-000005")
    for ids in ([5], [6], [4]):
        second.group([ids], lambda: FOUND)
    third = attempt(tmp_path, "run-3")
    for ids in ([1, 2], [3], [5], [6], [4]):
        third.group([ids], never)
    assert told(third)["resumed"] == (
        "5 of 5 groups were measured by an attempt that was interrupted: 1 to 2 by run run-1; 3 to 5 by run run-2"
    )
    assert told(second)["kept-spoilt"].startswith("what an interrupted attempt had kept of group 3, 5 was damaged")


def test_groups_of_other_requests_another_number_or_another_job_are_not_taken(tmp_path: Path) -> None:
    attempt(tmp_path, "run-1").group([[1, 2], [3]], lambda: FOUND)
    for numbers in ([[1], [2, 3]], [[1, 2]], [[1, 2], [4]]):
        other = attempt(tmp_path, "run-2")
        shutil.copytree(tmp_path / "kept", tmp_path / "copy", dirs_exist_ok=True)
        other.group(numbers, lambda: FOUND)
        assert set(told(other)) == {"kept-spoilt"}
        shutil.rmtree(tmp_path / "kept")
        (tmp_path / "copy").rename(tmp_path / "kept")
    (tmp_path / "kept").rename(tmp_path / "of-another-job")
    other = attempt(tmp_path, "run-3", "of-another-job")
    other.group([[1, 2], [3]], lambda: FOUND)
    assert set(told(other)) == {"kept-spoilt"}


def test_whatever_byte_is_another_the_group_is_measured_again_and_that_is_told(tmp_path: Path) -> None:
    attempt(tmp_path, "run-1").group([[1, 2]], lambda: FOUND)
    path = tmp_path / "kept" / "group-000001"
    whole = path.read_bytes()
    damaged = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 7)]
    for content in (*damaged, b"", whole[:31], whole[:-1], whole + b"x"):
        path.write_bytes(content)
        again = attempt(tmp_path, "run-2")
        found = again.group([[1, 2]], lambda: FOUND)
        assert found is FOUND
        assert set(told(again)) == {"kept-spoilt"}


def test_what_earlier_sessions_said_of_their_groups_is_said_again_with_their_run(tmp_path: Path) -> None:
    first = attempt(tmp_path, "run-1")
    first.session.notes = (Note(code="smaller-passes", text="once"), Note(code="whole-prompts", text="3"))  # type: ignore[misc]
    first.group([[1]], lambda: FOUND)
    second = attempt(tmp_path, "run-2")
    second.session.notes = (Note(code="whole-prompts", text="2"),)  # type: ignore[misc]
    second.group([[1]], never)
    second.group([[2]], lambda: FOUND)
    said = [(note.code, note.text) for note in second.notes() if note.code != "resumed"]
    assert said == [("smaller-passes", "once (run run-1)"), ("whole-prompts", "3 (run run-1)")]
    third = attempt(tmp_path, "run-3")
    for ids in ([1], [2]):
        third.group([ids], never)
    assert [note.text for note in third.notes()][1:] == ["once (run run-1)", "3 (run run-1)", "2 (run run-2)"]


def test_what_each_session_says_of_how_it_was_opened_is_said_once(tmp_path: Path) -> None:
    opened = Note(code="fake", text="no model ran")
    for name in ("run-1", "run-2"):
        session = TableScores()
        session.notes = (opened,)  # type: ignore[misc]
        finished = Finished(session, Context(folder=tmp_path / name, resume=tmp_path / "kept"))
        finished.group([[1]], lambda: FOUND)
    assert set(told(finished)) == {"resumed"}


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    finished = Finished(TableScores(), Context(folder=tmp_path))
    assert finished.group([[1]], lambda: FOUND) is FOUND
    assert finished.group([[1]], lambda: FOUND) is FOUND
    assert list(tmp_path.iterdir()) == []
    assert finished.notes() == ()


class Dying(TableScores):
    """A table that dies after so many passes."""

    left = 10**9

    def rows(self, ids: Any, positions: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().rows(ids, positions)


def resumed(measure: Any, workload: Any, tmp_path: Path, left: int) -> tuple[Any, Any, int]:
    """Measure whole; then again with an attempt that dies and one that goes on; both results and the passes that the last one saved."""
    whole, dying, last = Dying(), Dying(), Dying()
    expected = measure(whole, workload, Context(folder=tmp_path / "whole"))
    dying.left = left
    with pytest.raises(KeyboardInterrupt):
        measure(dying, workload, Context(folder=tmp_path / "run-1", resume=tmp_path / "kept"))
    found = measure(last, workload, Context(folder=tmp_path / "run-2", resume=tmp_path / "kept"))
    return expected, found, last.left - whole.left


def same(one: Any, other: Any) -> bool:
    """Tell whether values, samples and protocol are equal bit for bit."""
    values = zip(one.values, other.values, strict=True)
    return one.protocol == other.protocol and all(
        (a.value, a.low, a.high, a.items, a.samples.tobytes()) == (b.value, b.low, b.high, b.items, b.samples.tobytes())
        for a, b in values
    )


@pytest.mark.parametrize("documents", [False, True])
def test_perplexity_goes_on_at_the_last_finished_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, documents: bool
) -> None:
    monkeypatch.setattr(groups, "LEAST", 300)
    text = tmp_path / "text.txt"
    text.write_text("".join(f"Passage {number} says a little.\n\n" for number in range(60)))
    cut = {"documents": True} if documents else {"window": 64, "stride": 32}
    workload = perplexity.Workload(text=str(text), **cut)
    expected, found, saved = resumed(perplexity.measure, workload, tmp_path, 40)
    assert same(expected, found)
    assert saved >= 20
    assert "by run run-1" in {note.code: note.text for note in found.notes}["resumed"]
    assert [note for note in found.notes if note.code != "resumed"] == list(expected.notes)


def test_two_greedy_tokens_go_on_at_the_last_finished_subject(tmp_path: Path) -> None:
    rows = "".join(f"Question {number}?,a,b,c,d,{'ABCD'[number % 4]}\n" for number in range(8))
    for split in ("dev", "test"):
        (tmp_path / split).mkdir()
        for subject in ("birds", "stars", "towns"):
            (tmp_path / split / f"{subject}_{split}.csv").write_text(rows.replace("Question", subject))
    expected, found, saved = resumed(
        mmlu_modelopt.measure, mmlu_modelopt.Workload(questions=str(tmp_path)), tmp_path, 36
    )
    assert same(expected, found)
    assert saved == 32  # two subjects of eight questions, two tokens each
    assert "1 to 2 by run run-1" in {note.code: note.text for note in found.notes}["resumed"]


def test_two_jobs_of_one_folder_do_not_break_each_other(tmp_path: Path) -> None:
    start = threading.Barrier(2)

    def job(name: str) -> list[Any]:
        start.wait()
        found = []
        for _ in range(20):
            finished = attempt(tmp_path, name)
            found += [finished.group([[number]], lambda: FOUND) for number in range(3)]
            forget(tmp_path / "kept")
        return found

    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(job, ("run-1", "run-2")):
            assert len(found) == 60
            assert {arrays["a"].tobytes() for arrays in found} == {FOUND["a"].tobytes()}


def test_half_written_files_of_two_jobs_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    monkeypatch.setattr(groups, "write_whole", lambda path, content, *, shared=False: names.append(shared))
    attempt(tmp_path, "run-1").group([[1]], lambda: FOUND)
    assert names == [True]


def test_what_cannot_be_kept_or_read_fails_no_evaluation(tmp_path: Path) -> None:
    (tmp_path / "kept" / "group-000001").mkdir(parents=True)
    (tmp_path / "file").write_bytes(b"")
    for kept in ("kept", "file"):
        for _ in range(2):
            assert attempt(tmp_path, "run-1", kept).group([[1]], lambda: FOUND) is FOUND
