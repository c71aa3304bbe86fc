"""What a crash, or somebody else, may have left in the results folder: files, links and folders, each met by the next command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from filelock import FileLock

from harness.core import files
from harness.core.errors import HarnessError
from harness.core.files import remove, stamped_content, write_stamp
from harness.executors.local import open_local
from harness.executors.record import ExecutorOptions
from harness.importing.import_files import ASIDE, import_files
from harness.runner.opened import OpenWorkspace, recover
from harness.store.database import Database
from tests.fake_machine import Bench

LEFT = (
    "b-0123456789ab.stamp.partial",
    "b-0123456789ab.partial-deadbeef",
    "b-0123456789ab.partial-gone",
    "x.partial-gone.partial-gone",
)


def leave(place: Path, kind: str, outside: Path) -> None:
    """Put something of a kind at a place; links lead outside."""
    if kind == "file":
        place.write_text("{", "utf-8")
    elif kind == "folder":
        (place / "deep").mkdir(parents=True)
        (place / "deep" / "file").write_text("x", "utf-8")
    else:
        place.symlink_to({"link": outside, "link to nothing": outside / "nowhere", "link to itself": place}[kind])


@pytest.mark.parametrize("kind", ["file", "folder", "link", "link to nothing", "link to itself"])
def test_recovery_clears_whatever_has_the_name_of_something_half_made(bench: Bench, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("theirs", "utf-8")
    for where in ("artifacts", "runs", "sessions"):
        (bench.results / where).mkdir(parents=True)
        for name in LEFT:
            leave(bench.results / where / name, kind, outside)
    bench.methods({"a": {"recipes": {"fake": {}}}})
    bench.sweep(method="a")
    with bench.opened() as (_, opened):
        assert recover(opened) == []
    for where in ("artifacts", "runs", "sessions"):
        assert list((bench.results / where).iterdir()) == []
    assert (outside / "kept").read_text("utf-8") == "theirs"


@pytest.mark.parametrize("where", ["runs/backup", "runs", "artifacts", "sessions", "sessions/environments"])
def test_nothing_is_removed_behind_a_link(bench: Bench, tmp_path: Path, where: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "thesis.partial.docx").write_text("theirs", "utf-8")
    (bench.results / where).parent.mkdir(parents=True, exist_ok=True)
    (bench.results / where).symlink_to(outside)
    bench.methods({"a": {"recipes": {"fake": {}}}})
    bench.sweep(method="a")
    if where == "runs/backup":
        assert bench.run()[-1].what == "finished"
    else:
        with pytest.raises(HarnessError, match=rf"{where} is a link; nothing is written or removed behind it"):
            bench.run()
    assert [path.name for path in outside.iterdir()] == ["thesis.partial.docx"]


@pytest.mark.parametrize("where", ["runs", "artifacts", "sessions"])
def test_a_file_in_the_place_of_a_folder_is_told(bench: Bench, where: str) -> None:
    bench.results.mkdir(parents=True, exist_ok=True)
    (bench.results / where).write_text("x", "utf-8")
    bench.methods({"a": {"recipes": {"fake": {}}}})
    bench.sweep(method="a")
    with pytest.raises(HarnessError, match=rf"{where} is not a folder; move it away and run the same command again"):
        bench.run()


@pytest.mark.parametrize("kind", ["folder", "link", "link to nothing", "link to itself"])
@pytest.mark.parametrize("name", ["lock", "job.json", "outcome.json", "heartbeat"])
def test_whatever_stands_in_a_run_folder_a_command_goes_on(bench: Bench, tmp_path: Path, kind: str, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = bench.results / "runs" / "20260101T000000-b-000000000000-00000000"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text("{}", "utf-8")
    if name == "job.json":
        (folder / name).unlink()
    leave(folder / name, kind, outside)
    bench.methods({"a": {"recipes": {"fake": {}}}})
    bench.sweep(method="a")
    assert bench.run()[-1].what == "finished"
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("step", ["replace", "rmtree", "unlink"])
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_removal_that_is_cut_off_at_any_step_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, kind: str
) -> None:
    (tmp_path / "outside").mkdir()
    place = tmp_path / "thing"
    leave(place, kind, tmp_path / "outside")

    def cut(*_: object, **__: object) -> None:
        raise Cut

    with monkeypatch.context() as patched:
        owner = {"replace": files.os, "rmtree": files.shutil, "unlink": Path}[step]
        patched.setattr(owner, step, cut)
        try:
            remove(place)
        except Cut:
            assert not (place.exists() and (place.with_name("thing.partial-gone")).exists())
    for left in sorted(tmp_path.glob("*.partial*")):
        remove(left)
    remove(place)
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]


@pytest.mark.parametrize("stamp", ["", "{", "null", "{}", "[]", "7", '{"content": 7, "files": []}', '{"content": "x"}'])
def test_a_stamp_that_says_nothing_is_no_stamp(tmp_path: Path, stamp: str) -> None:
    folder = tmp_path / "b-x"
    folder.mkdir()
    (folder / "file").write_text("x", "utf-8")
    (tmp_path / "b-x.stamp").write_text(stamp, "utf-8")
    assert stamped_content(folder) is None
    write_stamp(folder, "right")
    assert stamped_content(folder) == "right"


def test_a_link_in_the_place_of_an_artifact_is_refused_and_its_target_named_by_no_remedy(
    bench: Bench, tmp_path: Path
) -> None:
    bench.methods({"a": {"recipes": {"fake": {}}}})
    bench.sweep(method="a")
    bench.run()
    (made,) = [path for path in (bench.results / "artifacts").iterdir() if path.is_dir()]
    elsewhere = tmp_path / "elsewhere"
    made.rename(elsewhere)
    made.symlink_to(elsewhere)
    with pytest.raises(
        HarnessError, match="is a link, and artifacts are folders of their own; remove the link"
    ) as told:
        bench.run()
    assert str(elsewhere) not in str(told.value)
    made.unlink()
    assert {event.status for event in bench.run() if event.what == "done"} == {"ok"}
    assert elsewhere.is_dir()


IMPORT = {"results": {"demo": {"acc,none": 0.5, "alias": "demo"}}, "n-samples": {"demo": {"effective": 10, "original": 10}},
          "config": {"model": "hf", "model_args": "pretrained=a/b"}, "versions": {"demo": 1}, "n-shot": {"demo": 0}}  # fmt: skip


def test_an_import_that_is_under_way_is_not_swept_away_by_a_sweep(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.importing import import_files as importing

    bench.methods({"a": {"recipes": {"fake": {}}}})
    bench.sweep(method="a")
    (tmp_path / "results_1.json").write_text(json.dumps(IMPORT), "utf-8")
    written = importing.write_run

    def slowly(*given: object) -> object:
        outcome = written(*given)  # type: ignore[arg-type]
        bench.run()
        return outcome

    monkeypatch.setattr(importing, "write_run", slowly)
    done = import_files([tmp_path / "results_1.json"], bench.results)
    assert [len(taken.new) for taken in done.files] == [1], done.problems
    (run,) = bench.results.glob("runs/imported-*")
    assert (run / "outcome.json").is_file()
    assert list((bench.results / "runs").glob(f"{ASIDE}*")) == []


def test_what_a_killed_import_left_goes_with_the_next_one_and_that_of_a_living_one_stays(
    bench: Bench, tmp_path: Path
) -> None:
    runs = bench.results / "runs"
    for name in ("dead", "living"):
        (runs / f"{ASIDE}{name}" / "imported-x-0").mkdir(parents=True)
    (runs / f"{ASIDE}begun.lock").touch()
    foreign = bench.results / "imports" / "mine.json"
    foreign.parent.mkdir()
    foreign.write_text(json.dumps(IMPORT), "utf-8")
    with FileLock(runs / f"{ASIDE}living.lock"):
        assert [len(taken.new) for taken in import_files([foreign], bench.results).files] == [1]
        assert sorted(path.name for path in runs.glob(f"{ASIDE}*")) == [f"{ASIDE}living", f"{ASIDE}living.lock"]
    assert foreign.is_file(), "a file that somebody put beside ours is read, and never removed"


def test_recovery_removes_no_folder_that_is_not_a_run_of_ours(bench: Bench) -> None:
    bench.methods({"a": {"recipes": {"fake": {}}}})
    bench.sweep(method="a")
    runs = bench.results / "runs"
    theirs = {
        runs / "holiday" / "photo.jpg",
        runs / "20260101T000000-b-000000000000-00000000" / "notes.txt",
        runs / "empty",
    }
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if path.name == "empty" else path.write_text("x", "utf-8")
    half = runs / "20260101T000000-q-000000000000-00000000"
    half.mkdir()
    (half / "job.json").write_text("{", "utf-8")
    cut = runs / "20260101T000000-s-000000000000-00000000"
    cut.mkdir()
    for name in ("log.txt", "arrays.npz.partial"):
        (cut / name).write_text("", "utf-8")
    bench.run()
    assert all(path.exists() for path in theirs)
    assert not half.exists()
    assert [path.name for path in cut.iterdir()] == ["log.txt"]


class Cut(BaseException):
    """A process that ends in the middle of a step."""


class Knife:
    """Cuts a process off at its n-th change of a file below a folder, as an audit hook (PEP 578) that is asleep between tests."""

    def __init__(self) -> None:
        self.folder, self.left = "", 0
        sys.addaudithook(self)

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if self.left and event in {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "shutil.rmtree"}:
            base = given[2] if event == "os.remove" and len(given) > 2 else given[1] if event == "os.rmdir" else -1
            if str(given[0]).startswith(self.folder) or (isinstance(base, int) and base > 2):
                self.left -= 1
                if not self.left:
                    raise Cut


@pytest.fixture(scope="module")
def knife() -> Knife:
    return Knife()


def wreck(results: Path) -> None:
    """Leave what kills at any moment may leave."""
    for where in ("artifacts", "runs", "sessions/environments"):
        (results / where).mkdir(parents=True)
    leave(results / "artifacts" / "b-0123456789ab.stamp.partial", "file", results)
    leave(results / "artifacts" / "b-0123456789ab.partial-deadbeef", "folder", results)
    leave(results / "artifacts" / "b-1123456789ab.partial-gone", "link", results)
    for name, held in (("20261128T000000-q-never", ("job.json", "lock", "folders.jsonl", "heartbeat", "answers.jsonl")),
                       ("20261128T000001-q-cut", ("job.json", "lock", "log.txt", "arrays.npz.partial", "outcome.json.7.partial"))):  # fmt: skip
        (results / "runs" / name).mkdir()
        for file in held:
            (results / "runs" / name / file).write_text("{}", "utf-8")
    leave(results / "sessions" / "x.json.partial", "file", results)
    leave(results / "sessions" / "environments" / "y.json.partial", "file", results)


def test_recovery_that_is_itself_cut_off_at_any_step_is_finished_by_the_next(tmp_path: Path, knife: Knife) -> None:
    cuts = 0
    for number in range(1, 100):
        results = tmp_path / str(number)
        wreck(results)
        with Database.open("sqlite://") as database:
            opened = OpenWorkspace(results, database, open_local(ExecutorOptions()), {}, cast("Any", None))
            knife.folder, knife.left = str(results), number
            try:
                recover(opened)
                break
            except Cut:
                cuts += 1
            finally:
                knife.left = 0
            assert recover(opened) == []
        assert [path.relative_to(results).as_posix() for path in sorted(results.rglob("*")) if path.is_file()] == [
            f"runs/20261128T000001-q-cut/{name}" for name in ("job.json", "lock", "log.txt")
        ]
        assert not list((results / "artifacts").iterdir())
    assert cuts > 10
