"""Queue folders on disks that are full or read-only, with what is none of ours in them: told in plain words, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from harness.host import environment
from harness.worker.queue_layout import DONE, FAILED, TAKEN, WAITING, WORKERS
from tests.conftest import ROOT
from tests.fake_machine import Bench, Said, Say
from tests.test_bad_disk import filled

Disk = Callable[[str], None]
Worker = Callable[[], Said]


@pytest.fixture
def queue(bench: Bench) -> Path:
    """A queue folder in which a worker has told what its environment is."""
    found = bench.results.parent / "queue"
    (found / WAITING).mkdir(parents=True)
    return found


def known(queue: Path) -> None:
    (queue / WORKERS).mkdir(exist_ok=True)
    said = {"environment": environment("here").model_dump(mode="json")}
    (queue / WORKERS / "before.json").write_text(json.dumps(said), "utf-8")


@pytest.fixture
def disk(queue: Path) -> Iterator[Disk]:
    """Put the queue on a disk of its own; `disk("ro")` changes it."""
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(queue)], capture_output=True, text=True, check=False)  # fmt: skip
    except OSError:
        pytest.skip("there is no `mount` here: a small disk cannot be made for this test")
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be made for this test, which needs root on Linux: {mounted.stderr.strip()}")
    (queue / WAITING).mkdir()
    yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", str(queue)], check=True) and None
    subprocess.run(["umount", "--lazy", str(queue)], check=True)


@pytest.fixture
def worker(queue: Path) -> Worker:
    """Let a worker serve the queue until it is idle."""

    def served() -> Said:
        words = [sys.executable, "-m", "tests.queue_worker", str(queue), "--exit-when-idle"]
        ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
        assert "Traceback" not in ran.stderr or "HarnessError" in ran.stderr, ran.stderr
        return Said(ran.returncode, ran.stdout, ran.stderr)

    return served


def sweep(bench: Bench, **more: object) -> None:
    bench.sweep(method=["fp32"], probes={"generation": {"prompt": 8, "output": 4}}, **more)


def through(queue: Path) -> tuple[str, ...]:
    return "run", "s", "--executor", f"folder={queue}"


def finished_by_a_worker(bench: Bench, queue: Path) -> int:
    """Run the same command with a worker; returns its exit code."""
    places = ["--configs", str(bench.configs), "--results", str(bench.results)]
    worker = subprocess.Popen([sys.executable, "-m", "tests.queue_worker", str(queue)], cwd=ROOT)
    try:
        words = [sys.executable, "-m", "harness", *through(queue), *places]
        return subprocess.run(words, cwd=ROOT, check=False, timeout=200, capture_output=True).returncode
    finally:
        worker.terminate()
        worker.wait(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize(("trouble", "told"), [
    ("full", "the disk is full: No space left on device"), ("ro", "no access: Read-only file system"),
])  # fmt: skip
def test_a_queue_that_cannot_be_written_ends_command_and_worker_in_words_and_the_same_command_goes_on(
    bench: Bench, queue: Path, disk: Disk, say: Say, worker: Worker, trouble: str, told: str
) -> None:
    known(queue)
    sweep(bench)
    waiting = queue / WAITING / "by-hand.jsonl"
    waiting.write_text('"nowhere"\n', "utf-8")

    def refused() -> None:
        said = say(bench, *through(queue))
        assert (said.code, told in said.err) == (2, True), said
        served = worker()
        assert served.code != 0
        assert f"{queue} cannot be written ({told}" in served.err
        assert waiting.read_text("utf-8") == '"nowhere"\n'

    if trouble == "full":
        for name in (TAKEN, DONE, FAILED):
            (queue / name).mkdir()
        with filled(queue):
            refused()
    else:
        disk("ro")
        refused()
        disk("rw")
    waiting.unlink()
    assert finished_by_a_worker(bench, queue) == 0
    assert {status for status, _ in bench.statuses().values()} == {"ok"}


@pytest.mark.slow
def test_a_disk_that_fills_while_a_job_runs_loses_no_outcome(bench: Bench, queue: Path, disk: Disk) -> None:
    bench.methods({"fp32": {"recipes": {"fake": {"seconds": 4.0}}}})
    sweep(bench)
    places = ["--configs", str(bench.configs), "--results", str(bench.results)]
    words = [sys.executable, "-m", "tests.queue_worker", str(queue)]
    worker = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        while not list((queue / WORKERS).glob("*.beat")):
            time.sleep(0.05)
        words = [sys.executable, "-m", "harness", *through(queue), *places]
        command = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not list(bench.results.glob("runs/*-b-*/log.txt")):
            assert command.poll() is None
            time.sleep(0.05)
        with filled(queue):
            while (
                command.poll() is None and worker.poll() is None
            ):  # whoever needs room first says so; what goes makes some
                time.sleep(0.05)
            whole = command.poll() == 0
            command.kill()
            _, err = command.communicate(timeout=60)
    finally:
        worker.terminate()
        _, told = worker.communicate(timeout=60)
    assert whole or "the disk is full" in err or "can no longer be written (the disk is full" in told, (err, told)
    assert len(list(bench.results.glob("runs/*-b-*/outcome.json"))) == 1
    assert finished_by_a_worker(bench, queue) == 0
    assert len(list(bench.results.glob("runs/*-b-*/outcome.json"))) == 1, "it was not built again"


def test_a_batch_of_a_newer_version_stays_and_is_told(queue: Path, worker: Worker) -> None:
    path = queue / WAITING / "a.jsonl"
    path.write_text('{"batch": 2, "needs": ["moon"]}\n"runs/r0"\n', "utf-8")
    (queue / WAITING / "b.jsonl").write_text("", "utf-8")
    served = worker()
    assert (served.code, served.out) == (1, "1 batches run; 1 of a newer version stay in 'waiting'\n")
    assert served.err == (
        "batch a.jsonl is of version 2, and this harness knows version 1: upgrade it; the batch stays where it is\n"
    )
    assert path.read_text("utf-8").startswith('{"batch": 2')
    assert (queue / DONE / "b.jsonl").exists()


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00\x01", b'{"batch": 1, "devices": "many"}\n', b'{"some": "thing"}\n', b'"\n']
)
def test_a_batch_that_cannot_be_read_goes_to_failed_with_the_reason(
    queue: Path, worker: Worker, content: bytes
) -> None:
    (queue / WAITING / "a.jsonl").write_bytes(content)
    served = worker()
    assert (served.code, served.out) == (1, "1 batches run; 1 failed: their last words are in 'failed'\n"), served.err
    assert (queue / FAILED / "a.jsonl").read_bytes() == content
    assert "batch a.jsonl@" in (queue / FAILED / "a.jsonl.said").read_text("utf-8")
    assert "cannot be read" in (queue / FAILED / "a.jsonl.said").read_text("utf-8")


def test_a_batch_for_another_environment_or_machine_is_left_to_others(queue: Path, worker: Worker) -> None:
    head = {
        "batch": 1,
        "environment": "there",
        "like": "x",
        "machine": "",
        "exclusive": "none",
        "devices": 0,
        "decided": True,
    }
    other = queue / WAITING / "a.jsonl"
    other.write_text(f"{json.dumps(head)}\n", "utf-8")
    assert worker() == Said(0, "0 batches run\n", "")
    assert other.exists()


# ---------------------------------------------------------------- naming an executor


@pytest.mark.parametrize(("executor", "told"), [
    ("foldr=x", "unknown executor 'foldr'; did you mean 'folder'?"),
    ("folder", "the executor 'folder' needs the queue folder: --executor folder=DIR"),
    ("folder=/nowhere/queue", "/nowhere/queue is no queue folder: it has no folder 'waiting'; make it with mkdir -p /nowhere/queue/waiting"),
])  # fmt: skip
def test_an_executor_that_cannot_be_had_is_told_with_the_remedy(
    bench: Bench, say: Say, executor: str, told: str
) -> None:
    sweep(bench)
    said = say(bench, "run", "s", "--executor", executor)
    assert said.code == 2
    assert told in said.err


def test_a_queue_without_a_worker_says_how_to_start_one(bench: Bench, queue: Path, say: Say) -> None:
    sweep(bench)
    said = say(bench, *through(queue))
    assert (said.code, said.err.strip()) == (
        2,
        f"no worker of folder={queue} has told what environment 'here' is; start one: harness worker here --queue {queue}",
    )


def test_local_yaml_names_the_executor_and_the_command_line_another(bench: Bench, queue: Path, say: Say) -> None:
    sweep(bench)
    local = bench.configs / "local.yaml"
    local.write_text(yaml.safe_dump({"executor": f"folder={queue}", "slots": 2}), "utf-8")
    assert f"no worker of folder={queue} has told" in say(bench, "plan", "s").err
    assert say(bench, "plan", "s", "--executor", "local").code == 0
    local.write_text("slots: 0\n", "utf-8")
    assert "slots" in say(bench, "plan", "s").err
