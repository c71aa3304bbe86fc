"""The working week: one row again, what failed again, a run that does not count, and what tables, pages and publishing make of it."""

from __future__ import annotations

import json
import shutil
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from harness.store import files
from harness.store.database import Database
from tests.fake_machine import Bench, Say
from tests.unit.bundling.test_back import packed
from tests.unit.importing.files import write
from tests.unit.test_leftovers import IMPORT

METHODS = ["fp32", "int8"]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A sweep of two methods with three rounds that ran once."""
    bench = Bench(tmp_path_factory.mktemp("once"))
    bench.sweep(method=METHODS, rounds=3)
    bench.run()
    return bench


@pytest.fixture
def measured(once: Bench, tmp_path: Path) -> Bench:
    """Its results in a folder of the test's own."""
    bench = copy(once)
    bench.results = tmp_path / "results"
    shutil.copytree(once.results, bench.results)
    return bench


def runs(bench: Bench, **where: Any) -> set[str]:
    return {run for (run,) in bench.frame(where, ["run"]).itertuples(index=False)}


def sessions(bench: Bench) -> list[Any]:
    found = [files.read_session(path) for path in sorted((bench.results / "sessions").glob("*.json"))]
    return sorted(found, key=lambda one: one.started)


def test_one_row_again_is_a_session_of_its_own_with_all_its_rounds(measured: Bench, say: Say) -> None:
    before = runs(measured)
    said = say(measured, "run", "s", "--only", "model=toy,method=int8", "--probe", "generation", "--rerun", "speed")
    assert said.code == 0
    new = measured.frame({"run": sorted(runs(measured) - before)}, ["run", "method", "kind", "round", "session"])
    assert set(new.method) == {"int8"}
    assert set(new.kind) == {"speed"}
    assert set(new["round"]) == {0, 1, 2}
    first, second = sessions(measured)
    assert not first.chosen
    assert second.chosen
    assert set(new.session) == {second.session}
    assert "session of its own" in said.out
    assert "chosen: 3 of " in said.out


def test_the_same_words_plan_what_run_then_runs(measured: Bench, say: Say) -> None:
    words = ["s", "--only", "method=int8", "--probe", "perplexity", "--rerun", "quality"]
    planned = json.loads(say(measured, "plan", *words, "--json").out)["jobs"]
    assert [job["kind"] for job in planned if job["verdict"] == "run"] == ["quality"]
    before = runs(measured)
    assert say(measured, "run", *words).code == 0
    new = measured.frame({"run": sorted(runs(measured) - before)}, ["run", "method", "probe"])
    assert set(zip(new.method, new.probe, strict=True)) == {("int8", "perplexity")}


def test_a_build_again_makes_the_artifact_of_the_chosen_row_alone(measured: Bench, say: Say) -> None:
    before = runs(measured)
    assert say(measured, "run", "s", "--only", "method=int8", "--probe", "generation", "--rerun", "build").code == 0
    new = measured.frame({"run": sorted(runs(measured) - before)}, ["run", "method", "kind"])
    assert set(new[new.kind == "build"].method) == {"int8"}
    assert set(new[new.kind != "build"].kind) == {"speed"}


def test_all_speed_again_leaves_quality_alone_and_measures_what_its_session_has(measured: Bench, say: Say) -> None:
    before = runs(measured)
    assert say(measured, "run", "s", "--rerun", "speed").code == 0
    new = measured.frame({"run": sorted(runs(measured) - before)}, ["run", "kind", "method"]).drop_duplicates()
    assert set(new.kind) == {"speed"}
    assert len(new) == 6


def test_one_round_is_measured_alone_and_the_price_is_told(measured: Bench, say: Say) -> None:
    before = runs(measured)
    said = say(measured, "run", "s", "--only", "method=int8", "--round", "2")
    assert said.code == 0
    assert "one round alone has no interval" in said.out
    new = measured.frame({"run": sorted(runs(measured) - before)}, ["run", "round"]).drop_duplicates()
    assert list(new["round"]) == [1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", "method=int9"], ["no job has method=int9", "method fp32, int8", "model toy", "batch 1"]),
        (["--only", "method=int8,batch=4"], ["no job has batch=4", "probe generation"]),
        (["--only", "methd=int8"], ["unknown column 'methd'; did you mean 'method'?"]),
        (["--only", "method"], ["a condition is COLUMN=VALUE"]),
        (["--only", "batch=two"], ["holds numbers, not 'two'"]),
        (["--round", "7"], ["is round 7", "3 rounds"]),
        (["--failed"], ["failed at its last attempt"]),
        (["--only", "method=int8", "--failed"], ["fits --only failed at its last attempt"]),
        (["--rerun", "sped"], ["did you mean 'speed'?"]),
    ],
)
def test_what_chooses_nothing_says_what_there_is(measured: Bench, say: Say, words: list[str], told: list[str]) -> None:
    for verb in ("plan", "run") if "--failed" in words else ("plan",):
        said = say(measured, verb, "s", *words)
        assert said.code == 2
        assert all(text in said.err for text in told), said.err
    assert len(sessions(measured)) == 1


def test_report_and_export_take_the_same_words(measured: Bench, say: Say, tmp_path: Path) -> None:
    out = tmp_path / "x.csv"
    assert say(measured, "export", str(out), "--only", "method=int8", "--probe", "generation", "--round", "2").code == 0
    lines = out.read_text("utf-8").splitlines()
    assert len(lines) > 1
    assert not any("fp32" in line or "perplexity" in line for line in lines)
    said = say(measured, "report", "s", "--only", "method=int8", "--probe", "perplexity")
    assert said.code == 0
    assert "INT8" in said.out
    assert "FP32" not in said.out
    for words in (["export", str(out)], ["report", "s"]):
        said = say(measured, *words, "--only", "method=int9")
        assert said.code == 2
        assert "no results fit method=int9; there is method fp32, int8; sweep s; model toy; probe" in said.err


def test_an_interrupted_choice_is_continued_by_the_same_command(measured: Bench, say: Say) -> None:
    words = ["run", "s", "--only", "method=int8", "--rerun", "speed"]
    assert say(measured, *words).code == 0
    path = max((measured.results / "sessions").glob("*.json"))
    open_ = {**json.loads(path.read_text("utf-8")), "finished": None}
    path.write_text(json.dumps(open_), "utf-8")
    before = runs(measured)
    assert say(measured, *words).code == 0
    assert runs(measured) == before
    assert say(measured, "run", "s", "--only", "method=fp32", "--rerun", "speed").code == 0
    assert len(sessions(measured)) == 3, "another choice is another session"


# ---------------------------------------------------------------- marks


def one_run(bench: Bench, **where: Any) -> str:
    return min(runs(bench, **where))


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
        (["RUN"], "say what to mark: --void REASON, --note TEXT, or --clear"),
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


def test_failed_jobs_alone_run_again(bench: Bench, say: Say) -> None:
    bench.sweep(method=["int8", "broken"], rounds=2)
    assert say(bench, "run", "s").code == 1
    before = runs(bench)
    planned = json.loads(say(bench, "plan", "s", "--failed", "--json").out)["jobs"]
    assert planned
    assert say(bench, "run", "s", "--failed").code == 1
    new = bench.frame({"run": sorted(runs(bench) - before)}, ["run", "method", "status"])
    assert set(new.method) == {"broken"}
    assert set(new.status) == {"failed"}
    assert "broken" in say(bench, "report", "s", "--failed").out


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
