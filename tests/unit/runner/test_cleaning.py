"""What makes room and what stays for which reason, decided without a sweep; and half-done work that is ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from filelock import FileLock

from harness.core.errors import HarnessError
from harness.core.identity import digest, short
from harness.runner.cleaning import CleaningPlan, Reliance, clear, finish, plan_cleaning
from harness.store.cleaned import CLEANED, read_cleaned
from harness.store.files import write_mark
from harness.store.mark import RunMark
from harness.store.session import SessionRecord
from harness.store.uses import RunUse
from tests.unit.store.outcomes import BEGIN, write_session

BYTES = 1000
EVERYTHING = 0
"""A budget into which nothing fits."""


class Results:
    """A results folder and what a database would say of it: artifact NAME has the content `NAME's`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uses: list[RunUse] = []
        self.artifacts: dict[str, str] = {}

    def artifact(self, name: str) -> Path:
        """Seal an artifact of 1,000 bytes."""
        self.artifacts[digest(name)] = f"{name}'s"
        return _filled(self.root / "artifacts" / short("b", digest(name)), "weights.bin")

    def run(self, name: str, day: int, *artifacts: str, over: bool = True, **facts: Any) -> Path:
        """Measure something: a run folder with 1,000 bytes that can go."""
        folder = _filled(self.root / "runs" / name, "log.txt")
        if over:
            (folder / "outcome.json").write_text("{}", "utf-8")
        held = {"session": "s-1", "current": False, "artifact": digest(artifacts[0]) if artifacts else None}
        contents = frozenset(f"{one}'s" for one in artifacts)
        use = RunUse(run=name, used=BEGIN + timedelta(days=day), contents=contents, **(held | facts))
        self.uses.append(use)
        return folder

    def plan(self, budget: int = EVERYTHING, **published: frozenset[str]) -> CleaningPlan:
        database = SimpleNamespace(uses=lambda: self.uses, known_artifacts=lambda: self.artifacts)
        return plan_cleaning(self.root, cast("Any", database), Reliance(**published), budget)

    def going(self, budget: int = EVERYTHING, **published: frozenset[str]) -> list[str]:
        """Name what would go, in order: runs by name, artifacts by that of their content."""
        names = {short("b", identity): content[:-2] for identity, content in self.artifacts.items()}
        return [names.get(one.path.name, one.path.name) for one in self.plan(budget, **published).going]


def _filled(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True)
    (folder / name).write_bytes(b"x" * BYTES)
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


@contextmanager
def told(words: str) -> Iterator[None]:
    with pytest.raises(HarnessError, match=words):
        yield


def test_an_empty_folder_has_nothing_to_clean(results: Results) -> None:
    assert results.plan() == CleaningPlan((), {}, 0, 0)


def test_what_was_used_longest_ago_goes_first_and_only_until_the_rest_fits(results: Results) -> None:
    results.artifact("int4")
    results.artifact("int8")
    results.run("r1", 1, "int8")
    results.run("r2", 2, "int4")
    results.run("r3", 3, "int8")
    assert results.going() == ["r1", "int4", "r2", "int8", "r3"]
    plan = results.plan()
    assert plan.bytes == 5 * BYTES + 3 * len("{}")
    assert plan.left == 3 * len("{}")
    assert results.going(plan.bytes) == []
    assert results.going(plan.bytes - 1) == ["r1"]
    assert results.going(plan.bytes - BYTES) == ["r1"]
    assert len(results.going(plan.bytes - BYTES - 1)) == 2


def test_an_artifact_was_used_when_its_content_was_whatever_it_was_called(results: Results) -> None:
    results.artifact("base")
    results.artifact("int4")
    results.run("r1", 1, "base", current=True)
    results.run("r2", 2, "int4", "base", current=True)
    results.run("r3", 3, "int4", current=True)
    assert results.going() == ["base", "int4"]
    results.uses.append(
        RunUse("gone", BEGIN + timedelta(days=9), "s-1", current=False, artifact=None, contents=frozenset({"base's"}))
    )
    assert results.going() == ["int4", "base"]


def test_what_a_run_keeps_does_not_count_as_room(results: Results) -> None:
    folder = results.run("r1", 1)
    (folder / "job.json").write_bytes(b"y" * 300)
    (folder / "deep").mkdir()
    (folder / "deep" / "outcome.json").write_bytes(b"z" * 40)
    (one,) = results.plan().going
    assert one.bytes == BYTES + 40
    (folder / "log.txt").unlink()
    (folder / "deep" / "outcome.json").unlink()
    assert results.plan().going == ()


@pytest.mark.parametrize(
    ("facts", "mark", "published", "why"),
    [
        ({"current": True}, None, frozenset(), "newest of its series"),
        ({}, None, frozenset({"r1"}), "published"),
        ({}, RunMark(keep=True), frozenset(), "marked to keep"),
        ({"over": False}, None, frozenset(), "in use"),
        ({"current": True}, None, frozenset({"r1"}), "published"),
        ({"current": True}, RunMark(keep=True), frozenset({"r1"}), "marked to keep"),
    ],
)
def test_a_run_stays_for_the_strongest_reason(
    results: Results, facts: dict[str, Any], mark: RunMark | None, published: frozenset[str], why: str
) -> None:
    folder = results.run("r1", 1, **facts)
    if mark is not None:
        write_mark(folder, mark)
    plan = results.plan(runs=published)
    assert plan.going == ()
    assert plan.kept == {why: BYTES}
    assert plan.left == plan.bytes


def test_a_run_that_no_database_knows_stays(results: Results) -> None:
    results.run("r1", 1)
    results.uses.clear()
    assert results.plan().kept == {"not on record": BYTES}


def test_a_note_alone_keeps_nothing(results: Results) -> None:
    write_mark(results.run("r1", 1), RunMark(note="fan"))
    assert results.going() == ["r1"]


def test_artifacts_behind_published_and_kept_runs_stay_with_all_that_these_read(results: Results) -> None:
    for name in ("base", "int4", "int8", "int2", "alone"):
        results.artifact(name)
    results.run("r1", 1, "int4", "base")
    write_mark(results.run("r2", 2, "int8"), RunMark(keep=True))
    results.run("r3", 3, "int2", "alone")
    plan = results.plan(runs=frozenset({"r1"}), contents=frozenset({"int2's"}))
    assert plan.kept["behind published numbers"] == 3 * BYTES
    assert plan.kept["marked to keep"] == 2 * BYTES  # the artifact, and the run
    assert results.going(runs=frozenset({"r1"}), contents=frozenset({"int2's"})) == ["alone", "r3"]


def test_an_artifact_that_no_run_made_stays(results: Results) -> None:
    _filled(results.root / "artifacts" / "mine", "weights.bin")
    assert results.plan().kept == {"no run on record made it": BYTES}


def test_a_session_that_is_not_over_keeps_what_it_used_until_a_later_one_of_its_sweep_is(results: Results) -> None:
    results.artifact("int4")
    results.run("r1", 1, "int4")
    write_session(results.root, SessionRecord(session="s-1", sweep="s", started=BEGIN, plan="p"))
    write_session(results.root, SessionRecord(session="s-2", sweep="t", started=BEGIN, plan="p", finished=BEGIN))
    assert results.plan().kept == {"in use": 2 * BYTES}
    write_session(results.root, SessionRecord(session="s-3", sweep="s", started=BEGIN, plan="p", finished=BEGIN))
    assert results.plan().kept == {}


def test_what_a_job_without_an_outcome_reads_stays(results: Results) -> None:
    path = results.artifact("int4")
    results.run("r1", 1, "int4")
    waiting = results.run("r2", 2, over=False)
    (waiting / "job.json").write_text(json.dumps({"inputs": [{"path": ""}, {"path": str(path)}]}), "utf-8")
    assert results.going() == ["r1"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"inputs": 3}', '{"inputs": ["x"]}', '{"inputs": [{"path": 3}]}'])
def test_a_job_that_cannot_be_read_keeps_its_own_folder_and_stops_nothing(results: Results, text: str) -> None:
    results.artifact("int4")
    results.run("r1", 1, "int4", current=True)
    (results.run("r2", 2, over=False) / "job.json").write_text(text, "utf-8")
    assert results.going() == ["int4"]


def test_while_a_worker_runs_a_job_nothing_is_planned(results: Results) -> None:
    folder = results.run("r1", 1, over=False)
    with FileLock(folder / "lock"), told("a worker is still running r1; wait until it is over"):
        results.plan()
    assert results.plan().going == ()


def test_links_and_half_made_folders_are_not_ours(results: Results, tmp_path: Path) -> None:
    theirs = _filled(tmp_path / "theirs", "weights.bin")
    results.run("r1", 1)
    (results.root / "artifacts").mkdir()
    (results.root / "artifacts" / short("b", digest("x"))).symlink_to(theirs)
    _filled(results.root / "artifacts" / "b-0.partial-1", "weights.bin")
    _filled(results.root / "runs" / ".hidden", "log.txt")
    assert results.going() == ["r1"]
    assert results.plan().kept == {}
    (results.root / "artifacts").rename(tmp_path / "moved")
    (results.root / "artifacts").symlink_to(tmp_path / "moved")
    with told("is a link; nothing is written or removed behind it"):
        results.plan()


def test_an_artifact_goes_whole_and_of_a_run_its_records_stay_with_what_its_arrays_were(results: Results) -> None:
    artifact = results.artifact("int4")
    folder = results.run("r1", 1, "int4")
    np.savez(folder / "arrays.npz", kl=np.zeros((2, 3)))
    write_mark(folder, RunMark(note="fan"))
    for one in results.plan().going:
        clear(one)
    assert not artifact.exists()
    assert {path.name for path in folder.iterdir()} == {"outcome.json", "mark.json", CLEANED}
    cleaned = read_cleaned(folder)
    assert cleaned is not None
    assert [(one.name, one.shape) for one in cleaned.arrays] == [("kl", (2, 3))]
    assert results.plan().going == ()


def test_a_run_whose_arrays_are_damaged_stays_whole(results: Results) -> None:
    folder = results.run("r1", 1)
    (folder / "arrays.npz").write_bytes(b"nothing")
    (one,) = results.plan().going
    with told("arrays.npz"):
        clear(one)
    assert {path.name for path in folder.iterdir()} == {"outcome.json", "arrays.npz", "log.txt"}


def test_what_a_kill_left_is_ended_and_nothing_else_is_touched(results: Results) -> None:
    half = _filled(results.root / "artifacts" / "b-0.partial-gone", "weights.bin")
    making = _filled(results.root / "artifacts" / "b-1.partial-1", "weights.bin")
    marked, begun, whole = (results.run(f"r{number}", number) for number in (1, 2, 3))
    (marked / CLEANED).write_text("{}", "utf-8")
    (begun / f"{CLEANED}.partial").write_text("{", "utf-8")
    finish(results.root)
    assert not half.exists()
    assert making.exists()
    assert {path.name for path in marked.iterdir()} == {"outcome.json", CLEANED}
    for folder in (begun, whole):
        assert {path.name for path in folder.iterdir()} == {"outcome.json", "log.txt"}
