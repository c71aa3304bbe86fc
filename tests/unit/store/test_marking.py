"""What a person says of a run: nothing that hangs on it keeps what does not count, and taken back it is as it was."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from harness.core.errors import ConfigError
from harness.core.outcome import Outcome
from harness.core.spec import Status
from harness.store import files
from harness.store.database import Database
from harness.store.mark import NO_MARK, RunMark
from tests.unit.store.outcomes import built, measured, measurement, with_array, write_run

VOID = RunMark(void="the fan stood still")


def rounds(*values: float, session: str = "s1") -> list[Outcome]:
    """Rounds of one job in one session."""
    found = []
    for place, value in enumerate(values):
        number = 1 + place + 10 * int(session[1:])
        one = measured(number, (measurement(value=value, samples=(value,)),), workload={"batch": 1})
        job = one.job.model_copy(update={"session": session, "round": place, "order": place})
        found.append(one.model_copy(update={"job": job}))
    return found


def taken(results: Path, *outcomes: Outcome) -> Database:
    for one in outcomes:
        write_run(results, one)
    database = Database.open(results / "bench.db")
    database.ingest_folder(results)
    return database


def mark(database: Database, results: Path, run: str, said: RunMark) -> None:
    files.write_mark(results / "runs" / run, said)
    database.marked.remark(results / "runs" / run)


def latest(results: Path) -> list[Any]:
    with Database.open(results / "bench.db") as database, database._reading() as connection:
        return list(connection.execute(text("SELECT run, value, rounds, marks FROM latest ORDER BY run")).all())


def whole(database: Database) -> list[Any]:
    """All rows of all that a question can reach, but for ids that only say when a row was written."""
    with database._reading() as connection:
        return [
            sorted(map(str, connection.execute(text(f"SELECT * FROM {name}")).all()))
            for name in ("results", "latest", "summary", "samples", "measurement", "run", "outcome")
        ]


def test_a_void_round_leaves_the_mean_and_the_view_and_comes_back(results: Path) -> None:
    runs = rounds(100.0, 102.0, 50.0)
    with taken(results, *runs) as database:
        before = whole(database)
        (row,) = latest(results)
        assert row.rounds == 3
        mark(database, results, runs[2].job.run, VOID)
        (row,) = latest(results)
        assert row.rounds == 2
        assert 100 < row.value < 102
        assert row.run == runs[1].job.run
        assert runs[2].job.run not in {run for (run,) in database.select({}, ["run"]).rows}
        ((run, status, reason),) = database.select({"status": "void"}, ["run", "status", "reason"]).rows
        assert (run, status, reason) == (runs[2].job.run, "void", "the fan stood still")
        assert database.outcome(runs[2].job.run) == runs[2], "what was written stays"
        mark(database, results, runs[2].job.run, NO_MARK)
        assert whole(database) == before


def test_where_all_rounds_are_void_the_session_before_is_the_latest_again(results: Path) -> None:
    older, newer = rounds(100.0, 101.0, 102.0), rounds(10.0, 11.0, 12.0, session="s2")
    with taken(results, *older, *newer) as database:
        assert latest(results)[0].value < 20
        for one in newer:
            mark(database, results, one.job.run, VOID)
        (row,) = latest(results)
        assert (row.rounds, row.value > 90) == (3, True)
        assert [one.run for one in database.marked.left_out(older[2].job.run)] == [one.job.run for one in newer]
        assert [one.run for one in database.marked.left_out(newer[0].job.run)] == [one.job.run for one in newer]


def test_void_quality_and_a_void_build_are_not_known_any_more(results: Path) -> None:
    scored, made = measured(7, kind="quality"), built(3)
    with taken(results, scored, made) as database:
        assert database.known_quality([scored.job.key])
        assert database.known_artifacts()
        for one in (scored, made):
            mark(database, results, one.job.run, VOID)
        assert not database.known_quality([scored.job.key])
        assert not database.known_artifacts()
        assert not database.artifact_runs()
        assert not database.history().by_key


def test_a_note_marks_the_number_of_one_run_and_the_mean_of_its_rounds(results: Path) -> None:
    runs, scored = rounds(100.0, 101.0, 102.0), measured(77, kind="quality", workload={"batch": 3})
    with taken(results, *runs, scored) as database:
        before = whole(database)
        for one in (runs[0], scored):
            mark(database, results, one.job.run, RunMark(note="window open"))
        marks = {row.run: row.marks for row in latest(results)}
        assert "window open" in marks[runs[2].job.run]
        ((notes,),) = database.select({"run": scored.job.run}, ["notes"]).rows
        assert "window open" in notes
        assert [note.text for note in database.marked.noted(scored.job.run).notes] == ["window open"]
        assert database.outcome(scored.job.run) == scored
        for one in (runs[0], scored):
            mark(database, results, one.job.run, NO_MARK)
        assert whole(database) == before


def test_a_database_that_is_made_anew_from_marked_folders_is_the_same(results: Path, tmp_path: Path) -> None:
    large = np.random.default_rng(1).random(20_000)
    runs = rounds(100.0, 101.0, 102.0)
    array = with_array(8, "nll", large)
    write_run(results, array, nll=large)
    with taken(results, *runs, measured(7, kind="quality"), built(3)) as database:
        for run, said in ((runs[1].job.run, VOID), (runs[2].job.run, RunMark(note="x")), (array.job.run, VOID)):
            mark(database, results, run, said)
        rows = database.frame().to_csv()
        voided = database.frame({"status": "void"}).to_csv()
    with Database.open(tmp_path / "other.db", results) as again:
        again.ingest_folder(results)
        assert again.frame().to_csv() == rows
        assert again.frame({"status": "void"}).to_csv() == voided


def test_a_mark_that_came_into_a_folder_is_taken_in_and_one_that_left_too(results: Path) -> None:
    runs = rounds(100.0, 101.0)
    with taken(results, *runs) as database:
        files.write_mark(results / "runs" / runs[0].job.run, VOID)
        said = database.ingest_folder(results)
        assert (said.marks, said.new) == (1, 0)
        assert "1 marks changed" in str(said)
        assert database.marked.of(runs[0].job.run).says == VOID.says
        (results / "runs" / runs[0].job.run / "mark.json").unlink()
        assert database.ingest_folder(results).marks == 1
        assert not database.marked.all()
        assert database.ingest_folder(results).marks == 0


@pytest.mark.parametrize(
    "content", ["", "{", '{"void": ""}', '{"void": "a\\nb"}', '{"void": "x", "more": 1}', "[]", "\0"]
)
def test_a_mark_that_is_broken_is_told_and_changes_nothing(results: Path, content: str) -> None:
    (run,) = rounds(100.0)
    with taken(results, run) as database:
        before = whole(database)
        path = results / "runs" / run.job.run / "mark.json"
        path.write_text(content, "utf-8")
        with pytest.raises(ConfigError):
            files.read_mark(path.parent)
        (problem,) = database.ingest_folder(results).problems
        assert "mark.json" in str(problem)
        assert whole(database) == before
    with Database.open(results / "other.db") as other:
        assert "mark.json" in str(other.ingest_folder(results).problems[0]), "nobody knows whether it counts"
        assert other.count() == 0


def test_what_was_half_written_beside_a_mark_is_never_read(results: Path) -> None:
    (run,) = rounds(100.0)
    with taken(results, run) as database:
        folder = results / "runs" / run.job.run
        (folder / "mark.json.partial").write_text('{"void": "half', "utf-8")
        assert files.read_mark(folder) == NO_MARK
        assert not database.ingest_folder(results).problems
        files.write_mark(folder, VOID)
        assert files.read_mark(folder) == VOID


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([NO_MARK, VOID, RunMark(note="n"), RunMark(void="v", note="n")])),
        max_size=8,
    )
)
def test_after_any_marks_the_database_is_the_one_that_these_folders_make(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, RunMark]]
) -> None:
    results = tmp_path_factory.mktemp("marks")
    runs = [*rounds(100.0, 101.0, 103.0), measured(70, kind="quality")]
    with taken(results, *runs) as database:
        for which, said in steps:
            mark(database, results, runs[which].job.run, said)
        with Database.open(results / "anew.db", results) as anew:
            anew.ingest_folder(results)
            assert whole(anew)[:3] == whole(database)[:3]


def test_a_run_whose_folder_is_gone_leaves_with_all_that_hung_on_it(results: Path) -> None:
    runs = [*rounds(100.0, 102.0, 50.0), measured(99)]
    with taken(results, *runs) as database:
        database.ingest(measured(55), None)
        shutil.rmtree(results / "runs" / runs[2].job.run)
        assert database.marked.forget_gone(results) == [runs[2].job.run]
        assert {row.rounds for row in latest(results) if row.run == runs[1].job.run} == {2}
        assert database.count() == 4, "what came without a folder stays"
        assert database.marked.forget_gone(results) == []


def test_runs_of_another_results_folder_stay_and_so_do_all_where_the_folder_of_runs_is_gone(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    with Database.open(tmp_path / "shared.db") as database:
        for place, number in ((one, 1), (other, 2)):
            write_run(place, measured(number))
            database.ingest_folder(place)
        assert database.marked.forget_gone(one) == []
        (other / "runs").rename(tmp_path / "away")
        assert database.marked.forget_gone(other) == []
        assert database.count() == 2


def test_runs_of_an_older_database_belong_to_the_folder_in_which_they_are_found(results: Path) -> None:
    (run,) = rounds(100.0)
    with taken(results, run) as database:
        with database._writing() as connection:
            connection.execute(text("UPDATE run SET results = NULL"))
        database.ingest_folder(results)
        shutil.rmtree(results / "runs" / run.job.run)
        assert database.marked.forget_gone(results) == [run.job.run]
        assert database.count() == 0


def test_no_outcome_says_void_itself() -> None:
    assert "void" not in [status.value for status in Status]
