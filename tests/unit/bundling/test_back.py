"""What strangers' folders may hold when they are brought back: links, pipes, no end; each refused by name, and a living job's folder stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from harness.bundling import back
from harness.bundling.back import bring_back
from harness.core.files import seal
from harness.importing.import_files import ASIDE
from harness.runner.opened import recover
from tests.fake_machine import Bench
from tests.unit.bundling.conftest import QUICK
from tests.unit.bundling.tars import names


def test_runs_that_are_being_brought_back_are_not_swept_away_by_a_sweep(
    brought: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.sweep(method="fp32")
    sealed, begun = seal, list[object]()

    def slowly(made: Path, to: Path) -> None:
        with bench.opened() as (_, opened):  # what every sweep does first
            begun.append(recover(opened))
        sealed(made, to)

    monkeypatch.setattr(back, "seal", slowly)
    found = bring_back(brought, bench.results)
    assert not found.problems
    assert list(found.new) == names(brought) == names(bench.results)
    assert len(begun) == len(found.new) > 1
    assert list((bench.results / "runs").glob(f"{ASIDE}*")) == []


@pytest.mark.parametrize("place", ["log.txt", "deep/inner", "outcome.json"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_link_or_a_pipe_in_a_run_is_refused_by_name_and_the_other_runs_are_taken(
    brought: Path, tmp_path: Path, kind: str, place: str
) -> None:
    first, *others = names(brought)
    path = brought / "runs" / first / place
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero") if kind == "link" else os.mkfifo(path)
    found = bring_back(brought, tmp_path / "results")
    assert list(found.new) == others
    assert len(found.problems) == 1
    assert f"{first}/{place} is {'a link' if kind == 'link' else 'no file'}" in found.problems[0]
    assert names(tmp_path / "results") == others


def test_a_run_folder_and_a_session_that_are_no_such_are_refused_by_name(brought: Path, tmp_path: Path) -> None:
    first, *others = names(brought)
    (brought / "runs" / first).rename(tmp_path / "elsewhere")
    (brought / "runs" / first).symlink_to(tmp_path / "elsewhere")
    os.mkfifo(brought / "sessions" / "0.json")
    found = bring_back(brought, tmp_path / "results")
    assert list(found.new) == others
    assert f"{first} is a link" in found.problems[0]
    assert "0.json is no file" in found.problems[1]


def test_a_run_that_is_too_large_is_refused_before_it_is_copied(
    brought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = names(brought)
    with open(brought / "runs" / first / "large", "wb") as file:
        file.truncate(3_000_000_000)
    found = bring_back(brought, tmp_path / "results")
    assert list(found.new) == others
    assert f"{first}/large has 3,000,000,000 bytes, more than any run holds" in found.problems[0]
    monkeypatch.setattr(back, "BROUGHT_BYTES", 100)
    assert "more than 100 bytes with what is before it" in bring_back(brought, tmp_path / "other").problems[0]


def test_a_folder_in_which_a_job_is_running_stays_and_what_was_begun_and_never_ended_gives_way(
    brought: Path, tmp_path: Path
) -> None:
    first, second, *_ = names(brought)
    for name in (first, second):
        (tmp_path / "results" / "runs" / name).mkdir(parents=True)
        (tmp_path / "results" / "runs" / name / "log.txt").write_text("begun here", "utf-8")
    with FileLock(tmp_path / "results" / "runs" / first / "lock"):
        found = bring_back(brought, tmp_path / "results")
    assert found.problems == (
        f"run {first} is being measured here; it stays, and the one that was brought was left out",
    )
    assert (tmp_path / "results" / "runs" / first / "log.txt").read_text("utf-8") == "begun here"
    assert second in found.new
    assert bring_back(brought, tmp_path / "results").new == (first,)


def test_what_is_brought_outlives_a_power_cut(brought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, real = set[int](), os.fsync

    def noted(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    found = bring_back(brought, tmp_path / "results")
    outcomes = [tmp_path / "results" / "runs" / name / "outcome.json" for name in found.new]
    assert {path.stat().st_ino for path in outcomes} <= synced
    assert {path.parent.stat().st_ino for path in outcomes} <= synced


@pytest.mark.slow
def test_what_was_brought_back_counts_as_measured_here(bench: Bench, tmp_path: Path) -> None:
    bench.sweep(
        method="fp32",
        probes={**QUICK, "perplexity": {"window": 64, "stride": 32, "tokens": 256, "text": str(bench.text)}},
    )
    bench.run()
    theirs = bench.results.rename(tmp_path / "theirs")
    found = bring_back(theirs, bench.results)
    assert found.new
    assert "known" in [event.what for event in bench.run()]
    new = set(names(bench.results)) - set(found.new)
    assert not [name for name in new if "-q-" in name], "what it measured of quality is not measured again"
