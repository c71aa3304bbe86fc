"""Files whole or not at all, sealed folders and what is noted beside them."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.core import files
from harness.core.files import (
    STAMP,
    Stamp,
    disk_trouble,
    regular_bytes,
    remove,
    seal,
    stamp_of,
    stamped_content,
    stamps_beside,
    write_stamp,
    write_whole,
)


def filled(folder: Path, text: str = "x") -> Path:
    folder.mkdir()
    (folder / "a").write_text(text, "utf-8")
    return folder


def test_a_file_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "ä")
    write_whole(tmp_path / "b", b"\0", durable=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": "ä".encode(), "b": b"\0"}


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "kept").touch()
    with pytest.raises(OSError, match="a"):
        write_whole(tmp_path / "a", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_only_files_are_read_and_none_beyond_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert regular_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        regular_bytes(tmp_path / "a", 4)
    with pytest.raises(OSError, match="it is a folder"):
        regular_bytes(tmp_path, 4)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is no file"):
        regular_bytes(tmp_path / "pipe", 4)


def test_a_sealed_folder_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    filled(tmp_path / "sealed", "old")
    seal(filled(tmp_path / "partial", "new"), tmp_path / "sealed")
    assert (tmp_path / "sealed" / "a").read_text("utf-8") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["sealed"]


def test_removing_a_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    folder = filled(tmp_path / "real")
    (tmp_path / "link").symlink_to(folder)
    remove(tmp_path / "link")
    remove(tmp_path / "never-there")
    assert [path.name for path in tmp_path.iterdir()] == ["real"]
    remove(folder)
    assert not list(tmp_path.iterdir())


def test_a_stamp_holds_while_nothing_changes(tmp_path: Path) -> None:
    folder = filled(tmp_path / "one")
    assert stamped_content(folder) is None
    write_stamp(folder, Stamp("c1", weights="w"))
    assert stamped_content(folder) == "c1"
    assert stamp_of(folder) == Stamp("c1", weights="w")
    os.utime(folder / "a", (1, 1))
    assert stamp_of(folder) is stamped_content(folder) is None


@pytest.mark.parametrize("broken", ["", "[]", '{"content": 3}', "{"])
def test_a_broken_stamp_is_none_and_hinders_nobody(tmp_path: Path, broken: str) -> None:
    folder, other = filled(tmp_path / "one"), filled(tmp_path / "two")
    (tmp_path / f"one{STAMP}").write_text(broken, "utf-8")
    write_stamp(other, "c2")
    assert stamp_of(folder) is None
    assert "two" in stamps_beside(folder)
    assert json.loads((tmp_path / f"two{STAMP}").read_text("utf-8"))["content"] == "c2"
    assert "two" not in stamps_beside(other)


@pytest.mark.parametrize(("number", "says"), [
    (errno.ENOSPC, "the disk is full"), (errno.EFBIG, "the disk is full"), (errno.EROFS, "no access"), (errno.EACCES, "no access"),
])  # fmt: skip
def test_a_disk_that_takes_nothing_is_told_with_what_to_do(number: int, says: str) -> None:
    text = disk_trouble(OSError(number, os.strerror(number), "/x/y"))
    assert text is not None
    assert text.startswith(says)
    assert "(/x/y)" in text
    assert disk_trouble(OSError(errno.ENOENT, "gone")) is None


def test_a_file_that_several_processes_write_at_once_is_always_whole(tmp_path: Path) -> None:
    path = tmp_path / "b-0.stamp"
    code = (
        "import sys; from pathlib import Path; from harness.core.files import write_whole\n"
        "for number in range(200): write_whole(Path(sys.argv[1]), sys.argv[2] * 400, durable=False, shared=True)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), letter]) for letter in "abcd"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0, 0]
    assert len(set(path.read_text("utf-8"))) == 1
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("given", "synced"), [({}, 2), ({"durable": False}, 0), ({"durable": True, "shared": True}, 2)]
)
def test_a_durable_file_is_synced_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, bool], synced: int
) -> None:
    calls: list[int] = []
    moved: list[str] = []
    replace = os.replace
    monkeypatch.setattr(os, "fsync", calls.append)
    monkeypatch.setattr(os, "replace", lambda old, new: (moved.append(Path(old).name), replace(old, new)))
    write_whole(tmp_path / "a", "x", **given)
    assert len(calls) == synced
    assert moved == [f"a.partial-{os.getpid()}-{threading.get_ident()}" if given.get("shared") else "a.partial"]


def test_sealing_syncs_every_file_and_folder_and_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled(tmp_path / "partial")
    (folder / "sub").mkdir()
    (folder / "sub" / "b").write_text("y", "utf-8")
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    seal(folder, tmp_path / "sealed")
    assert len(calls) == 2 + 2 + 1


def test_what_is_half_removed_is_removed_and_what_is_beside_it_stays(tmp_path: Path) -> None:
    filled(tmp_path / "a.partial-gone")
    filled(tmp_path / "b")
    remove(tmp_path / "a.partial-gone")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_stamp_keeps_what_was_asked_for_and_leaves_out_what_is_none(tmp_path: Path) -> None:
    folder = filled(tmp_path / "one")
    whole = Stamp("c", "w", "int4", {"bits": 4}, {"fake": "s"})
    write_stamp(folder, whole)
    assert stamp_of(folder) == whole
    kept = json.loads((tmp_path / f"one{STAMP}").read_text("utf-8"))
    (tmp_path / f"one{STAMP}").write_text(json.dumps({**kept, "recipe": [1], "scores": "s"}), "utf-8")
    assert stamp_of(folder) == Stamp("c", "w", "int4")


def test_disks_that_are_full_by_quota_and_errors_without_a_name(tmp_path: Path) -> None:
    for number in (errno.EDQUOT, errno.ENOSPC):
        assert (
            str(disk_trouble(OSError(number, "no space")))
            == "the disk is full: no space; free some space and run the same command again"
        )
    assert str(disk_trouble(OSError(errno.EPERM, "no"))).startswith("no access: no; make it writable")


def test_what_is_removed_has_another_name_before_anything_of_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "weights").write_text("w")
    erased: list[str] = []
    erase = files._erase
    monkeypatch.setattr(files, "_erase", lambda path: (erased.append(path.name), erase(path)))
    files.remove(folder)
    assert set(erased) == {f"artifact{files._GONE}"}
    assert list(tmp_path.iterdir()) == []
