"""What strangers' tars may hold when they are brought back: each is read, or refused by name."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bundling import back
from harness.bundling.back import bring_back
from harness.core.errors import HarnessError
from harness.importing.import_files import ASIDE
from harness.store.database import Database
from tests.edits import EDITS, PROPERTY, Edit, edited, held
from tests.unit.bundling.tars import packed, sha256, tar


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
