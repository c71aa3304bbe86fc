"""Room in a results folder: what was used longest ago goes, what somebody relies on stays, and what is needed again is built again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from harness.commands import disk
from harness.core.files import remove
from harness.night.files import NIGHTS, alone_tonight, write_night
from harness.night.record import BaselineScore
from harness.store import files
from harness.store.database import Database
from tests.fake_machine import Bench, Say
from tests.unit.night.numbers import night

ALL = ("clean", "--budget", "1kB")
"""Let all go that may."""


def size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def artifacts(bench: Bench) -> set[str]:
    return {path.name for path in (bench.results / "artifacts").iterdir() if path.is_dir()}


def run_of(bench: Bench, method: str, kind: str = "build") -> str:
    """Name the newest run of a method."""
    frame = bench.frame({"method": method, "kind": kind}, ["started", "run"])
    return str(frame.sort_values("started")["run"].iloc[-1])


def artifact_of(bench: Bench, method: str) -> str:
    outcome = json.loads((bench.results / "runs" / run_of(bench, method) / "outcome.json").read_text("utf-8"))
    return f"b-{outcome['artifact']['id'][:12]}"


@pytest.fixture
def used(bench: Bench) -> Bench:
    """A machine on which fp32 was used, then int8, then fp32 again."""
    for methods in (["fp32"], ["int8"], ["fp32"]):
        bench.sweep(method=methods)
        bench.run()
    bench.sweep(method=["fp32", "int8"])
    return bench


def test_what_was_used_longest_ago_goes_until_the_rest_fits(used: Bench, say: Say) -> None:
    order = [artifact_of(used, "int8"), artifact_of(used, "fp32")]
    said = say(used, *ALL, "--dry-run").out
    assert [name for line in said.splitlines() for name in order if name in line] == order
    assert "(toy, int8)" in said
    while len(artifacts(used)) == 2:
        total = size(used.results / "artifacts") + size(used.results / "runs")
        assert say(used, "clean", "--budget", str(total - 1)).code == 0, "one more goes"
    assert artifacts(used) == {order[1]}


def test_a_run_that_makes_way_keeps_its_outcome_and_its_numbers(used: Bench, say: Say) -> None:
    before = used.frame({"kind": ["quality", "speed"]}, ["run", "metric", "value"]).to_dict("list")
    say(used, *ALL)
    cleaned = [path.parent for path in (used.results / "runs").glob("*/cleaned.json")]
    assert cleaned
    for folder in cleaned:
        assert {path.name for path in folder.iterdir()} <= {"outcome.json", "job.json", "mark.json", "cleaned.json"}
    assert used.frame({"kind": ["quality", "speed"]}, ["run", "metric", "value"]).to_dict("list") == before
    (used.results / "bench.db").unlink()
    assert say(used, "ingest").code == 0
    assert used.frame({"kind": ["quality", "speed"]}, ["run", "metric", "value"]).to_dict("list") == before
    assert say(used, "doctor", "--files").code == 0


def test_the_newest_of_every_series_keeps_its_arrays(used: Bench, say: Say) -> None:
    say(used, *ALL)
    for method in ("fp32", "int8"):
        assert not (used.results / "runs" / run_of(used, method, "speed") / "cleaned.json").exists()
    assert any((used.results / "runs").glob("*/cleaned.json")), "the earlier round of fp32 went"


def test_what_a_sweep_needs_is_built_again_with_the_content_it_had(used: Bench, say: Say) -> None:
    with Database.open(used.results / "bench.db") as database:
        known = dict(database.known_artifacts())
    say(used, *ALL)
    assert artifacts(used) == set()
    assert "its folder is gone" in say(used, "plan", "s", "--why").out
    assert say(used, "run", "s").code == 0
    assert len(artifacts(used)) == 2
    with Database.open(used.results / "bench.db") as database:
        assert database.known_artifacts() == known
        assert not [note for note in database.outcome(run_of(used, "int8")).notes if note.code == "not-reproducible"]


def test_a_content_that_differs_from_the_record_is_told(used: Bench, say: Say) -> None:
    say(used, *ALL)
    run = run_of(used, "int8")
    with closing(sqlite3.connect(used.results / "bench.db")) as database, database:
        database.execute("UPDATE run SET artifact_content = ? WHERE name = ?", ("f" * 64, run))
    said = say(used, "run", "s")
    assert said.code == 0
    assert "built again from the same inputs: content " in said.out
    with Database.open(used.results / "bench.db") as opened:
        notes = opened.outcome(run_of(used, "int8")).notes
    assert ["before ffffffffffff" in note.text for note in notes if note.code == "not-reproducible"] == [True]


def test_a_dry_run_removes_nothing_and_says_the_same(used: Bench, say: Say) -> None:
    before = {path: path.read_bytes() for path in used.results.rglob("*") if path.is_file() and "db" not in path.name}
    dry = say(used, *ALL, "--dry-run")
    after = {path: path.read_bytes() for path in used.results.rglob("*") if path.is_file() and "db" not in path.name}
    after = {path: content for path, content in after.items() if path.name != "runner.lock"}
    assert after == {path: content for path, content in before.items() if path.name != "runner.lock"}
    real = say(used, *ALL)
    plain = [line.replace("would remove", "removing").replace("would leave", "left") for line in dry.out.splitlines()]
    assert [line for line in plain if "removing" in line] == [
        line for line in real.out.splitlines() if "removing" in line
    ]
    assert len(plain) == len(real.out.splitlines())


def test_what_was_published_stays_with_what_is_behind_it(used: Bench, say: Say) -> None:
    run = run_of(used, "int8", "speed")
    assert say(used, "publish", run, "--to", str(used.results / "published" / "v1.yaml")).code == 0
    said = say(used, *ALL)
    assert said.code == 1
    assert "behind published numbers" in said.out
    assert artifacts(used) == {artifact_of(used, "int8")}


def test_what_is_marked_to_keep_stays(used: Bench, say: Say) -> None:
    older = min(used.frame({"method": "fp32", "kind": "speed"}, ["run"])["run"])
    assert say(used, "mark", older, "--keep").code == 0
    said = say(used, *ALL)
    assert said.code == 1
    assert "marked to keep" in said.out
    assert not (used.results / "runs" / older / "cleaned.json").exists()
    assert artifacts(used) == {artifact_of(used, "fp32")}
    assert say(used, "mark", older, "--clear").code == 0
    say(used, *ALL)
    assert artifacts(used) == set()


def test_what_nights_hold_their_baseline_against_stays(used: Bench, say: Say) -> None:
    older = min(used.frame({"method": "fp32", "kind": "speed"}, ["run"])["run"])
    scores = (BaselineScore(work="w", name="toy fp32 fake", run=older, night="n1"),)
    write_night(used.results / NIGHTS, night(scores=scores))
    assert "nights are held against it" in say(used, *ALL).out
    assert not (used.results / "runs" / older / "cleaned.json").exists()
    write_night(used.results / NIGHTS, night(count=2))
    assert f"run {older}" in say(used, *ALL).out


def test_a_mark_of_a_cleaned_run_keeps_its_small_arrays(used: Bench, say: Say) -> None:
    run = min(used.frame({"method": "fp32", "kind": "speed"}, ["run"])["run"])
    with Database.open(used.results / "bench.db") as database:
        before = {name: database.array(run, name) for name in database.array_shapes(run)}
    say(used, *ALL)
    assert (used.results / "runs" / run / "cleaned.json").exists()
    assert say(used, "mark", run, "--note", "fan").code == 0
    with Database.open(used.results / "bench.db") as database:
        for name, array in before.items():
            assert np.array_equal(database.array(run, name), array)


def test_what_a_session_that_is_not_over_used_stays(used: Bench, say: Say) -> None:
    newest = max((used.results / "sessions").glob("*.json"))
    record = json.loads(newest.read_text("utf-8"))
    newest.write_text(json.dumps({**record, "finished": None}), "utf-8")
    said = say(used, *ALL)
    assert "in use" in said.out
    assert artifacts(used) == {artifact_of(used, "fp32")}


def test_of_sessions_the_last_is_the_one_that_counts_last_whatever_the_clocks_called_them(
    used: Bench, say: Say
) -> None:
    """One began in 2149 by its clock; the next, its clock right again, counts from after it and is not over."""
    newest = max((used.results / "sessions").glob("*.json"))
    record = json.loads(newest.read_text("utf-8"))
    ahead = {**record, "session": "21490101T000000-0", "started": "2149-01-01T00:00:00Z"}
    newest.with_name("21490101T000000-0.json").write_text(json.dumps(ahead), "utf-8")
    newest.write_text(json.dumps({**record, "finished": None, "not_before": "2149-01-02T00:00:00Z"}), "utf-8")
    say(used, *ALL)
    assert artifacts(used) == {artifact_of(used, "fp32")}


def test_while_a_sweep_runs_nothing_is_cleaned(used: Bench, say: Say) -> None:
    before = artifacts(used)
    with FileLock(used.results / "runner.lock"):
        said = say(used, *ALL)
    assert said.code == 2
    assert "another command is running" in said.err
    assert artifacts(used) == before


def test_while_a_night_runs_nothing_is_cleaned_even_between_its_parts(used: Bench, say: Say) -> None:
    before = artifacts(used)
    with alone_tonight(used.results / NIGHTS):
        said = say(used, *ALL)
    assert said.code == 2
    assert "another night is running" in said.err
    assert artifacts(used) == before
    assert say(used, *ALL).code != 2


def test_while_a_worker_of_a_killed_sweep_runs_nothing_is_cleaned(used: Bench, say: Say) -> None:
    before, folder = artifacts(used), used.results / "runs" / "20260101T000000-s-int8-0"
    folder.mkdir()
    shutil.copy(used.results / "runs" / run_of(used, "int8", "speed") / "job.json", folder)
    with FileLock(folder / "lock"):
        said = say(used, *ALL)
    assert said.code == 2
    assert "a worker is still running" in said.err
    assert artifacts(used) == before


def test_links_are_never_followed(used: Bench, say: Say, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "weights.bin").write_bytes(b"x" * 5000)
    name = artifact_of(used, "int8")
    remove(used.results / "artifacts" / name)
    (used.results / "artifacts" / name).symlink_to(theirs)
    old = next(path for path in sorted((used.results / "runs").iterdir()) if path.is_dir())
    (old / "behind").symlink_to(theirs)
    (used.results / "runs" / "20250101T000000-s").symlink_to(theirs)
    say(used, *ALL)
    assert (theirs / "weights.bin").stat().st_size == 5000
    assert {path.name for path in theirs.iterdir()} == {"weights.bin"}


@pytest.mark.parametrize("name", ["artifacts", "runs"])
def test_a_link_in_the_place_of_a_folder_is_refused(used: Bench, say: Say, tmp_path: Path, name: str) -> None:
    (used.results / name).rename(tmp_path / "elsewhere")
    (used.results / name).symlink_to(tmp_path / "elsewhere")
    before = size(tmp_path / "elsewhere")
    said = say(used, *ALL)
    assert said.code == 2
    assert "is a link" in said.err
    assert size(tmp_path / "elsewhere") == before


def test_what_a_kill_left_half_removed_goes_first(used: Bench, say: Say) -> None:
    half = used.results / "artifacts" / "b-000000000000.partial-gone"
    half.mkdir()
    (half / "weights.bin").write_bytes(b"x")
    say(used, *ALL)
    cleaned = next((used.results / "runs").glob("*/cleaned.json")).parent
    (cleaned / "log.txt").write_text("left", "utf-8")
    assert say(used, "clean", "--budget", "1TB").code == 0
    assert not half.exists()
    assert not (cleaned / "log.txt").exists()


def test_damaged_arrays_keep_their_run_whole(used: Bench, say: Say) -> None:
    older = min(used.frame({"method": "fp32", "kind": "speed"}, ["run"])["run"])
    (used.results / "runs" / older / "arrays.npz").write_bytes(b"nothing")
    said = say(used, *ALL)
    assert f"run {older} stays" in said.out
    assert (used.results / "runs" / older / "log.txt").exists()


@pytest.mark.parametrize("words", [("clean", "--budget", "much"), ("clean", "--dry-run")])
def test_words_that_say_nothing_are_refused(bench: Bench, say: Say, words: tuple[str, ...]) -> None:
    assert say(bench, *words).code == 2


def test_an_artifact_that_no_run_made_stays(used: Bench, say: Say) -> None:
    stranger = used.results / "artifacts" / "mine"
    stranger.mkdir()
    (stranger / "weights.bin").write_bytes(b"x" * 2000)
    said = say(used, *ALL)
    assert "no run on record made it" in said.out
    assert (stranger / "weights.bin").exists()


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_a_sweep_that_cannot_fit_is_refused_before_anything_runs(
    bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    bench.sweep(method=["fp32"])

    def nearly_full(_: Any) -> Any:
        return shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000)  # type: ignore[attr-defined]

    monkeypatch.setattr(disk.shutil, "disk_usage", nearly_full)
    said = say(bench, verb, "s")
    assert said.code == 2
    assert "cannot fit: up to" in said.err
    assert "1.0 kB are free" in said.err
    assert not list((bench.results / files.RUNS).glob("*/")) if (bench.results / files.RUNS).exists() else True
