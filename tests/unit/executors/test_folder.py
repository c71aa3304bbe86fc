"""The executor `folder`: what it reads out of a queue folder, whatever lies there, and when it says that nobody gets on with a batch."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.registry import load
from harness.core.spec import Status
from harness.executors import EXECUTORS, folder
from harness.executors.record import Batch, BatchJob, BatchNeeds, Executor, ExecutorOptions, Handle
from harness.host import environment
from harness.worker import queue_watch
from harness.worker.answer import Answer
from harness.worker.queue_layout import DONE, FAILED, TAKEN, WAITING, WORKERS, read_batch
from harness.worker.queue_take import take


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folder, "LOOK_SECONDS", 0.01)
    found = tmp_path / "queue"
    for name in (WAITING, TAKEN, DONE, FAILED, WORKERS):
        (found / name).mkdir(parents=True)
    return found


@pytest.fixture
def opened(queue: Path) -> Executor:
    found: Executor = load(EXECUTORS, "executor", "folder")(ExecutorOptions(place=queue))
    return found


def submitted(opened: Executor, tmp_path: Path, name: str = "r0") -> Handle:
    jobs = []
    for run in (name, f"{name}-2"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        jobs.append(BatchJob(run, tmp_path / "runs" / run, 5.0))
    return opened.submit(Batch("here", tuple(jobs), BatchNeeds("device", 1)))


def heard(opened: Executor, handle: Handle) -> list[Answer]:
    return [answer for _, answer in opened.poll([handle], 0.05)]


def add(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_a_batch_says_what_it_needs_and_is_found_again_wherever_it_stands(
    queue: Path, opened: Executor, tmp_path: Path
) -> None:
    handle = submitted(opened, tmp_path)
    batch = read_batch(queue / WAITING / "r0.jsonl")
    assert (batch.environment, batch.exclusive, batch.devices, batch.decided) == ("here", "device", 1, True)
    assert batch.folders == tuple(map(str, handle.folders))
    taken = queue / TAKEN / "r0.jsonl@a.b-1"
    for place in (queue / WAITING / "r0.jsonl", taken, queue / DONE / "r0.jsonl", queue / FAILED / "r0.jsonl"):
        (path,) = queue.glob("*/r0.jsonl*")
        path.rename(place)
        other: Executor = load(EXECUTORS, "executor", "folder")(ExecutorOptions(place=queue))
        assert [(one.name, one.folders) for one in other.found(tmp_path / "runs")] == [(handle.name, handle.folders)]
        assert other.found(tmp_path / "elsewhere") == ()
    opened.cancel(handle)
    assert not list(queue.glob("*/r0*"))


def test_answers_are_read_once_and_whole_while_the_batch_moves_on(
    queue: Path, opened: Executor, tmp_path: Path
) -> None:
    handle = submitted(opened, tmp_path)
    assert heard(opened, handle) == []
    assert take(queue, "me") == queue / TAKEN / "r0.jsonl@me"
    assert [(one.what, one.text) for one in heard(opened, handle)] == [("taken", "me")]
    said = queue / TAKEN / "r0.jsonl@me.said"
    add(said, 'a library speaks\n{"begin": "r0", "now": 1}\n{"done": "r0", "sta')
    assert [(one.what, one.run) for one in heard(opened, handle)] == [("begin", "r0")]
    add(said, 'tus": "ok", "now": 5}\n')
    (done,) = heard(opened, handle)
    assert (done.what, done.run, done.status) == ("done", "r0", Status.OK)
    add(said, '{"begin": "r0-2", "now": 6}\n')
    said.rename(queue / DONE / "r0.jsonl.said")
    assert [one.what for one in heard(opened, handle)] == ["begin"], "answers go first"
    (queue / TAKEN / "r0.jsonl@me").rename(queue / DONE / "r0.jsonl")
    (end,) = heard(opened, handle)
    assert (end.what, end.status) == ("ended", None)


@pytest.mark.parametrize(("said", "run", "status", "text"), [
    ('{"failed": "r0.jsonl", "run": "r0-2", "status": "oom", "why": "no memory", "seconds": 2.5}\n', "r0-2", Status.OOM, "no memory"),
    ('{"failed": "r0.jsonl", "why": "it was in the hands of two workers when they stopped"}\n', "", Status.FAILED, "it was in the hands"),
    ("\x00\xff nothing of ours\n", "", Status.FAILED, "its worker stopped without a word"),
    (None, "", Status.FAILED, "its worker stopped without a word"),
])  # fmt: skip
def test_a_batch_that_failed_says_what_its_worker_died_of(
    queue: Path, opened: Executor, tmp_path: Path, said: str | None, run: str, status: Status, text: str
) -> None:
    handle = submitted(opened, tmp_path)
    taken = take(queue, "me")
    assert taken is not None
    if said is not None:
        add(queue / TAKEN / "r0.jsonl@me.said", said)
    assert heard(opened, handle)[0].what == "taken"  # what was said of the end is heard before the batch has moved
    for path in (queue / TAKEN).iterdir():
        path.rename(queue / FAILED / path.name.replace("@me", ""))
    (end,) = heard(opened, handle)
    assert (end.what, end.run, end.status) == ("ended", run, status)
    assert end.text.startswith(text)


def test_a_batch_that_somebody_removed_is_told_and_one_between_two_folders_is_not(
    queue: Path, opened: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "GONE_LOOKS", 3)
    handle = submitted(opened, tmp_path)
    path = queue / WAITING / "r0.jsonl"
    kept = path.read_bytes()
    path.unlink()
    assert opened.poll([handle], 0) == []
    path.write_bytes(kept)
    assert opened.poll([handle], 0) == []
    path.unlink()
    for _ in range(2):
        assert opened.poll([handle], 0) == []
    ((_, end),) = opened.poll([handle], 0)
    assert (end.what, end.status) == ("ended", Status.FAILED)
    assert end.text == f"batch r0.jsonl is gone from {queue}: somebody removed it"


# ---------------------------------------------------------------- who lives


def test_a_batch_that_nobody_takes_says_what_to_type(
    queue: Path, opened: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "UNTAKEN_SECONDS", 0.05)
    handle = submitted(opened, tmp_path)
    time.sleep(0.06)
    (told,) = heard(opened, handle)
    assert (told.what, told.text) == (
        "waiting",
        f"no worker takes batches from {queue}; start one: harness worker here --queue {queue}",
    )
    assert heard(opened, handle) == [], "once in a while"


@pytest.mark.parametrize("shift", [-3600, 0, 3600, 10**9], ids=["an-hour-behind", "right", "an-hour-ahead", "2058"])
def test_a_beat_that_changes_is_a_life_and_one_that_stands_still_a_death_whatever_time_it_bears(
    queue: Path, opened: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: float
) -> None:
    monkeypatch.setattr(queue_watch, "STILL_SECONDS", 0.5)
    handle = submitted(opened, tmp_path)
    assert take(queue, "me") is not None
    beat = queue / WORKERS / "me.beat"

    def beats(number: int) -> None:
        beat.write_text(f"{number}\n", "utf-8")
        os.utime(beat, (time.time() + shift, time.time() + shift))

    said = []
    for number in (7, 8, 10**12, 3, 4, 5, 6, 7):  # one that falls is a change, too
        beats(number)
        said += heard(opened, handle)
        time.sleep(0.1)
    assert [one.what for one in said] == ["taken"]
    end = time.monotonic() + 10
    while not (said := heard(opened, handle)):
        assert time.monotonic() < end
    assert [(one.what, one.text) for one in said] == [(
        "waiting",
        f"worker me has not been heard for 0.5 s; another one takes its batch over: harness worker here --queue {queue}",
    )]  # fmt: skip


def test_a_batch_that_is_taken_over_goes_on_where_it_was(queue: Path, opened: Executor, tmp_path: Path) -> None:
    handle = submitted(opened, tmp_path)
    taken = take(queue, "one")
    assert taken is not None
    add(queue / TAKEN / "r0.jsonl@one.said", '{"begin": "r0", "now": 1}\n')
    assert [one.what for one in heard(opened, handle)] == ["taken", "begin"]
    watch = queue_watch.QueueWatch(queue, "two")
    queue_watch.STILL_SECONDS, before = 0.0, queue_watch.STILL_SECONDS
    try:
        assert watch.taken_over() == queue / TAKEN / "r0.jsonl@two.again"
    finally:
        queue_watch.STILL_SECONDS = before
    said = heard(opened, handle)
    assert [(one.what, one.text) for one in said] == [
        ("taken", "two"), ("waiting", "taken over from one: its beat stood still for 0 s"),
    ]  # fmt: skip


# ---------------------------------------------------------------- what workers tell, and what is none of ours


def test_an_environment_is_what_a_living_worker_of_it_told(queue: Path, opened: Executor) -> None:
    assert opened.describe("here") is None
    here = environment("here")
    for worker, cores in (("a", 1), ("b", 2)):
        said = {"environment": here.model_copy(update={"cores": cores}).model_dump(mode="json")}
        (queue / WORKERS / f"{worker}.json").write_text(json.dumps(said), "utf-8")
    (queue / WORKERS / "b.beat").write_text("1\n", "utf-8")
    (queue / WORKERS / "junk.json").write_text('{"environment": 7}', "utf-8")
    (queue / WORKERS / "worse.json").write_bytes(b"\xff\x00")
    (queue / WORKERS / "list.json").write_text("[]", "utf-8")
    (queue / WORKERS / "0.json").mkdir()
    found = opened.describe("here")
    assert found is not None
    assert found.cores == 2
    assert opened.describe("there") is None


def test_what_is_none_of_ours_is_left_alone(queue: Path, opened: Executor, tmp_path: Path) -> None:
    strange = {
        WAITING: {"notes.txt": b"hm", "half.jsonl.partial": b"{", "bytes.jsonl": b"\xff\xfe\x00", "hand.jsonl": b'"runs/r9"\n'},
        TAKEN: {"x.jsonl@gone-1.said": b"?", "@": b"", "y@z": b""},
        DONE: {"newer.jsonl": b'{"batch": 99}\n"r"\n', "list.jsonl": b"[]\n"},
        FAILED: {"object.jsonl": b'{"batch": 1, "devices": "many"}\n"r"\n'},
    }  # fmt: skip
    for place, files in strange.items():
        for name, content in files.items():
            (queue / place / name).write_bytes(content)
        (queue / place / "folder.jsonl").mkdir()
    before = sorted(queue.rglob("*"))
    assert opened.found(tmp_path / "runs") == ()
    handle = submitted(opened, tmp_path)
    assert [one.name for one in opened.found(tmp_path / "runs")] == ["r0.jsonl"]
    assert heard(opened, handle) == []
    opened.cancel(handle)
    assert sorted(queue.rglob("*")) == before


def test_a_batch_that_a_killed_command_had_half_written_goes_and_those_of_others_stay(
    queue: Path, opened: Executor, tmp_path: Path
) -> None:
    handle = submitted(opened, tmp_path)
    for name in ("mine", "mine-too"):
        (tmp_path / "runs" / name).mkdir()
        (queue / WAITING / f"{name}.jsonl.partial").write_text('{"batch": 1, "environm', "utf-8")
    names = ("theirs.jsonl.partial", ".jsonl.partial", "..jsonl.partial")
    strangers = [*(queue / WAITING / name for name in names), queue / TAKEN / "mine.jsonl.partial"]
    for path in strangers:
        path.write_text("", "utf-8")
    assert [one.name for one in opened.found(tmp_path / "runs")] == [handle.name]
    assert sorted(queue.glob("*/*.partial")) == sorted(strangers)


@pytest.mark.parametrize(("place", "message"), [
    (None, "the executor 'folder' needs the queue folder: --executor folder=DIR"),
    (Path("nowhere"), "is no queue folder: it has no folder 'waiting'; make it with mkdir -p"),
])  # fmt: skip
def test_a_place_that_is_no_queue_folder_is_told_with_the_remedy(place: Path | None, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        load(EXECUTORS, "executor", "folder")(ExecutorOptions(place=place))
