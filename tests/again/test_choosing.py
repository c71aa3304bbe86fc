"""Some of a sweep again: one row, what failed, one round, and what chooses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.again.week import runs, sessions
from tests.fake_machine import Bench, Say


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
