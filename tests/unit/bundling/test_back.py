"""What strangers' tars and folders may hold when they are brought back: links, pipes, no end; each refused by name, and a living job's folder stays."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from harness.bundling import back
from harness.bundling.back import bring_back
from harness.core.errors import HarnessError
from harness.core.files import seal
from harness.importing.import_files import ASIDE
from harness.runner.opened import recover
from harness.store.database import Database
from tests.fake_machine import Bench
from tests.test_any_bytes import EDITS, PROPERTY, Edit, edited, held
from tests.unit.bundling.conftest import QUICK


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with runs and a session."""
    bench = Bench(tmp_path_factory.mktemp("whole"))
    bench.methods({"a": {"recipes": {"fake": {}}}})
    bench.sweep(method="a")
    bench.run()
    return bench.results


@pytest.fixture
def brought(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    for name in ("runs", "sessions"):
        shutil.copytree(whole / name, tmp_path / "brought" / name)
    return tmp_path / "brought"


def names(place: Path) -> list[str]:
    return sorted(path.parent.name for path in place.glob("runs/*/outcome.json"))


def packed(place: Path, **more: object) -> bytes:
    """Write a tar as a stage does. more: what it says of itself instead."""
    files = {
        path.relative_to(place).as_posix(): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()
    }
    told = {
        "version": 1,
        "stage": "s",
        "runs": names(place),
        "files": {name: sha256(data) for name, data in files.items()},
    }
    told = {key: value for key, value in {**told, **more}.items() if value != "-"}
    return tar({"outcomes.json": json.dumps(told).encode(), **files})


def tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ---------------------------------------------------------------- folders


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


# ---------------------------------------------------------------- tars


def refused(content: bytes, tmp_path: Path) -> str:
    (tmp_path / "theirs.tar").write_bytes(content)
    found = bring_back(tmp_path / "theirs.tar", tmp_path / "results")
    assert not found.new
    assert not list((tmp_path / "results" / "runs").iterdir()), "nothing of it stays"
    (problem,) = found.problems
    assert "theirs.tar" in problem
    return problem


@pytest.mark.parametrize(
    "told",
    [b"[" * 100_000, b'{"a":' * 100_000, b"{}", b"5", b'{"version": 1}', b'{"version": ' + b"9" * 5000 + b"}", b"\xff"],
    ids=["deep", "deeper", "empty", "number", "nothing", "digits", "bytes"],
)
def test_what_a_tar_says_of_itself_is_read_or_refused(tmp_path: Path, told: bytes) -> None:
    assert "no outcomes of a bundle: copy it again" in refused(tar({"outcomes.json": told}), tmp_path)


@pytest.mark.parametrize(
    "more", [{"stage": "-"}, {"stage": 5}, {"runs": 5}, {"runs": [5]}, {"files": []}, {"files": {"runs/a": 5}}]
)
def test_a_tar_that_says_something_else_is_refused(brought: Path, tmp_path: Path, more: dict[str, object]) -> None:
    assert "no outcomes of a bundle" in refused(packed(brought, **more), tmp_path)


@pytest.mark.parametrize("form", ["gz", "xz", "bz2"])
def test_a_compressed_tar_is_refused_unread(tmp_path: Path, form: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{form}") as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo("outcomes.json")
        member.size = 10_000_000
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    assert "no outcomes of a bundle" in refused(out.getvalue(), tmp_path)


def test_a_tar_whose_files_are_too_large_together_is_refused(
    brought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(back, "BROUGHT_BYTES", 5000)
    assert "more than 5,000 bytes with what is before it" in refused(packed(brought), tmp_path)


def test_a_link_in_a_tar_and_a_name_that_is_both_file_and_folder_are_refused(tmp_path: Path) -> None:
    name = "runs/x/outcome.json"
    told = {"version": 1, "stage": "s", "runs": [], "files": {name: "0"}}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        first, link = tarfile.TarInfo("outcomes.json"), tarfile.TarInfo(name)
        first.size, link.type, link.linkname = len(json.dumps(told)), tarfile.SYMTYPE, "/dev/zero"
        archive.addfile(first, io.BytesIO(json.dumps(told).encode()))
        archive.addfile(link)
    assert "is no file of a run or session" in refused(out.getvalue(), tmp_path)
    told["files"] = {"runs/x": sha256(b"a"), "runs/x/y": sha256(b"b")}
    content = tar({"outcomes.json": json.dumps(told).encode(), "runs/x": b"a", "runs/x/y": b"b"})
    assert "is cut off or damaged" in refused(content, tmp_path)


def test_a_pipe_that_is_called_a_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / "1-s.tar")
    found = bring_back(tmp_path / "out", tmp_path / "results")
    assert found.problems == (f"{tmp_path / 'out' / '1-s.tar'} is no file; nothing of it was taken in",)


@PROPERTY
@given(edits=EDITS, what=st.sampled_from(["tar", "told", "member"]), number=st.integers(0, 1 << 20))
def test_any_tar_is_taken_in_or_refused(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, edits: list[Edit], what: str, number: int
) -> None:
    folder = tmp_path_factory.mktemp("tar")
    files = {
        path.relative_to(whole).as_posix(): path.read_bytes()
        for path in sorted([*whole.glob("runs/*/*"), *whole.glob("sessions/*.json")])
        if path.is_file()
    }
    name = sorted(files)[number % len(files)]
    if what == "member":
        files[name] = edited(files[name], edits)
    said = {"version": 1, "stage": "s", "runs": [], "files": {one: sha256(data) for one, data in files.items()}}
    told = json.dumps(said).encode()
    content = tar({"outcomes.json": edited(told, edits) if what == "told" else told, **files})
    (folder / "x.tar").write_bytes(edited(content, edits) if what == "tar" else content)

    def take() -> None:
        found = bring_back(folder / "x.tar", folder / "results")
        assert found.new or found.problems
        if what == "member":  # the rest of a run is read when it goes into the database
            with Database.open(folder / "results" / "bench.db") as database:
                assert all(str(problem) for problem in database.ingest_folder(folder / "results").problems)
        elif found.problems:
            raise HarnessError(found.problems[0])

    held(take, "x.tar", line="")
    assert not list((folder / "results" / "runs").glob(f"{ASIDE}*"))


def test_edited_headers_of_a_tar_end_soon(whole: Path, tmp_path: Path) -> None:
    content = bytearray(tar({"outcomes.json": b"{}", "runs/x/a": b"a" * 600}))
    for size in (b"\xff" * 12, b"\x80" + b"\xff" * 11, b"77777777777\0"):
        for header in (0, 1024):
            changed = content.copy()
            changed[header + 124 : header + 136] = size
            changed[header + 148 : header + 156] = b" " * 8
            changed[header + 148 : header + 156] = b"%06o\0 " % sum(changed[header : header + 512])
            (tmp_path / "x.tar").write_bytes(changed)
            read: Callable[[], object] = lambda: bring_back(tmp_path / "x.tar", tmp_path / "results")  # noqa: E731
            held(read)
            assert not list((tmp_path / "results" / "runs").iterdir())
