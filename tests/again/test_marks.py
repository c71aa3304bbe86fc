"""A run that does not count, and what tables, pages and publishing make of it."""

from __future__ import annotations

import json
import shutil
from copy import copy
from pathlib import Path

import pytest

from harness.store.database import Database
from tests.again.week import one_run, runs, sessions
from tests.fake_machine import Bench, Say
from tests.unit.bundling.tars import packed
from tests.unit.importing.files import write
from tests.unit.test_leftovers import IMPORT


def test_a_void_round_leaves_every_table_and_comes_back(measured: Bench, say: Say) -> None:
    whole = say(measured, "report", "s").out
    run = one_run(measured, kind="speed", method="int8")
    said = say(measured, "mark", run, "--void", "the fan stood still")
    assert (said.code, said.out) == (0, f"run {run} void: the fan stood still\n")
    assert (
        json.loads((measured.results / "runs" / run / "mark.json").read_text("utf-8"))["void"] == "the fan stood still"
    )
    assert say(measured, "mark", run, "--void", "the fan stood still").out == f"run {run} was marked so already\n"
    less = say(measured, "report", "s").out
    assert less != whole
    assert run not in runs(measured)
    assert say(measured, "mark", run, "--clear").out == f"run {run} cleared\n"
    assert say(measured, "report", "s").out == whole


def test_a_void_session_is_as_if_it_had_not_been(measured: Bench, say: Say) -> None:
    whole = say(measured, "report", "s").out
    assert say(measured, "run", "s", "--only", "method=int8", "--rerun", "speed").code == 0
    assert say(measured, "report", "s").out != whole
    session = sessions(measured)[-1].session
    said = say(measured, "mark", session, "--void", "on battery")
    assert said.out == f"session {session}: 3 of 3 runs void: on battery\n"
    assert say(measured, "report", "s").out == whole


def test_void_quality_is_measured_again(measured: Bench, say: Say) -> None:
    run = one_run(measured, kind="quality", method="int8", probe="perplexity")
    assert say(measured, "mark", run, "--void", "wrong text").code == 0
    before = runs(measured)
    assert say(measured, "run", "s", "--probe", "perplexity").code == 0
    assert len(runs(measured) - before) == 1


def test_a_note_is_a_footnote_and_an_explanation_tells_of_marks(measured: Bench, say: Say) -> None:
    first, *_, last = sorted(runs(measured, kind="speed", method="int8"))
    assert say(measured, "mark", last, "--note", "window *open*").code == 0
    assert say(measured, "mark", first, "--void", "fan").code == 0
    said = say(measured, "report", "s")
    assert "noted: window" in said.out
    table = next(name for name in said.out.rpartition("tables: ")[2].strip(". \n").split(", ") if "generation" in name)
    explained = say(measured, "explain", table, "INT8", "Decode (tok/s)").out
    assert "noted: window *open*" in explained
    assert "(anew: harness run s --only model=toy,method=int8,probe=generation,engine=fake --rerun speed)" in explained
    assert "(anew: harness run s --only model=toy,method=int8,kind=build --rerun build)" in explained
    assert f"left out: run {first}, round " in explained
    assert "void: fan" in explained


def test_publishing_leaves_void_runs_out_and_refuses_a_named_one(measured: Bench, say: Say, tmp_path: Path) -> None:
    run, noted = one_run(measured, kind="speed", method="int8"), one_run(measured, kind="speed", method="fp32")
    file = tmp_path / "p.yaml"
    assert say(measured, "mark", run, "--void", "fan").code == 0
    assert say(measured, "mark", noted, "--note", "warm room").code == 0
    said = say(measured, "publish", run, "--to", str(file), "--unverified")
    assert said.code == 2
    assert f"run {run} is void: fan" in said.err
    assert say(measured, "publish", "s", "--to", str(file), "--unverified").code == 0
    text = file.read_text("utf-8")
    assert run not in text
    assert "warm room" in text


def test_a_published_file_of_a_run_that_is_void_since_is_told(measured: Bench, say: Say, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    assert say(measured, "publish", "s", "--to", str(file), "--unverified").code == 0
    words = ("compare", str(file), "int8", "--where", "method=int8")
    assert "declared void" not in say(measured, *words).out
    for run in runs(measured, kind="speed", method="int8"):
        assert say(measured, "mark", run, "--void", "fan").code == 0
    assert "was declared void since (fan), and still counts here; publish it anew" in say(measured, *words).out


def test_publishing_a_sweep_after_one_row_ran_again_keeps_the_other_rows(
    measured: Bench, say: Say, tmp_path: Path
) -> None:
    old = runs(measured, kind="speed", method="int8")
    assert say(measured, "run", "s", "--only", "method=int8", "--rerun", "speed").code == 0
    file = tmp_path / "p.yaml"
    assert say(measured, "publish", "s", "--to", str(file), "--unverified").code == 0
    text = file.read_text("utf-8")
    assert not any(run in text for run in old)
    assert all(run in text for run in runs(measured, kind="speed") - old)
    assert all(run in text for run in runs(measured, kind="quality", probe="perplexity"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing", "--void", "x"], "unknown run or session 'nothing'"),
        (["RUN"], "say what to mark: --void REASON, --note TEXT, --keep, or --clear"),
        (["RUN", "--void", ""], "--void takes one line of 1 to 500 characters"),
        (["RUN", "--note", "a\nb"], "--note takes one line"),
        (["UNFINISHED", "--void", "x"], "has no outcome: it is still running, or was interrupted"),
        (["GONE", "--void", "x"], "is not here, and marks are kept in it"),
    ],
)
def test_what_cannot_be_marked_says_why(measured: Bench, say: Say, words: list[str], told: str) -> None:
    run, gone = sorted(runs(measured))[:2]
    shutil.rmtree(measured.results / "runs" / gone)
    (measured.results / "runs" / "20260101T000000-x").mkdir()
    names = {"RUN": run, "GONE": gone, "UNFINISHED": "20260101T000000-x"}
    said = say(measured, "mark", *(names.get(word, word) for word in words))
    assert said.code == 2
    assert told in said.err


def test_a_deleted_run_folder_leaves_the_database_at_the_next_ingest(measured: Bench, say: Say) -> None:
    run = one_run(measured, kind="speed", method="int8")
    shutil.rmtree(measured.results / "runs" / run)
    said = say(measured, "ingest")
    assert said.code == 0
    assert f"1 runs left the database, since their folders are gone: {run}\n" in said.out
    assert run not in runs(measured)
    assert "left the database" not in say(measured, "ingest").out


def test_what_somebody_else_measured_can_be_marked_too(bench: Bench, say: Say, tmp_path: Path) -> None:
    file = write(tmp_path, "r.json", IMPORT)
    assert say(bench, "import", str(file)).code == 0
    (folder,) = (bench.results / "runs").glob("imported-*")
    assert say(bench, "mark", folder.name, "--note", "other prompt").code == 0
    assert "noted: other prompt" in say(bench, "report", "imported").out
    assert say(bench, "mark", folder.name, "--void", "other model").code == 0
    out = tmp_path / "x.csv"
    assert say(bench, "export", str(out)).out.startswith("0 rows")
    assert say(bench, "export", str(out), "--where", "status=void").out.startswith("1 rows")
    assert say(bench, "mark", folder.name, "--clear").code == 0
    assert not say(bench, "export", str(out)).out.startswith("0 rows")
    shutil.rmtree(folder)
    assert "1 runs left the database" in say(bench, "ingest").out


@pytest.mark.parametrize("tarred", [False, True])
def test_marks_come_with_the_runs_that_a_bundle_or_a_folder_brings(
    measured: Bench, say: Say, tmp_path: Path, tarred: bool
) -> None:
    run, noted = one_run(measured, kind="speed", method="int8"), one_run(measured, kind="quality", probe="perplexity")
    assert say(measured, "mark", run, "--void", "fan").code == 0
    assert say(measured, "mark", noted, "--note", "warm").code == 0
    place = tmp_path / "brought"
    for name in ("runs", "sessions"):
        shutil.copytree(measured.results / name, place / name)
    if tarred:
        place, folder = tmp_path / "b.tar", place
        place.write_bytes(packed(folder))
    other = copy(measured)
    other.results = tmp_path / "other"
    assert say(other, "ingest", str(place)).code == 0
    with Database.open(other.results / "bench.db") as database:
        assert {name: mark.says for name, mark in database.marked.all().items()} == {
            run: ("fan", None),
            noted: (None, "warm"),
        }
