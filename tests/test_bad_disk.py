"""Disks that are full or may not be written: nothing finished is lost, and the same command goes on once there is room."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.files import PARTIAL, disk_trouble, write_whole
from harness.core.spec import Status
from harness.worker.failures import status_of
from tests.fake_machine import Bench, Say

Disk = Callable[[str], None]
QUICK = {"generation": {"prompt": 8, "output": 4}}
LONG = {"perplexity": {"window": 64, "stride": 32, "tokens": 256}, **QUICK}


@pytest.fixture
def disk(bench: Bench) -> Iterator[Disk]:
    """Put the results folder on a disk of its own; `disk("size=8m")` or `disk("ro")` changes it."""
    bench.results.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(bench.results)]
    try:
        mounted = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:
        pytest.skip("there is no `mount` here: a small disk cannot be made for this test")
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be made for this test, which needs root on Linux: {mounted.stderr.strip()}")

    def change(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(bench.results)], check=True)

    yield change
    subprocess.run(["umount", "--lazy", str(bench.results)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave no byte of a disk free for a while."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    yield
    filler.unlink()


def test_a_full_disk_fails_the_build_that_filled_it_and_nothing_else(bench: Bench, say: Say, disk: Disk) -> None:
    bench.methods({"fp32": {"recipes": {"fake": {}}}, "big": {"recipes": {"fake": {"bytes": 12_000_000}}}})
    bench.sweep(method=["big", "fp32"], probes=QUICK)
    said = say(bench, "run", "s")
    assert said.code == 1
    status, reason = bench.statuses()["toy big build"]
    assert status == "failed"
    assert reason.startswith("the disk is full: No space left on device")
    assert reason.endswith("free some space and run the same command again")
    assert bench.statuses()["toy fp32 fake generation"][0] == "ok"
    assert not list((bench.results / "artifacts").glob(f"*{PARTIAL}*")), "half an artifact takes no space"
    disk("size=40m")
    assert "1 known, 3 ok" in say(bench, "run", "s").out


def test_a_disk_that_fills_before_the_outcome_is_written_ends_the_command_and_the_next_one_recovers(
    bench: Bench, say: Say, disk: Disk
) -> None:
    disk("size=6m")
    probes = {"perplexity": {**LONG["perplexity"], "text": str(bench.text)}}
    bench.sweep(method=["fp32"], engine={"fake": {"open_seconds": 1.0}}, probes=probes)
    words = [
        sys.executable,
        "-m",
        "harness",
        "run",
        "s",
        "--configs",
        str(bench.configs),
        "--results",
        str(bench.results),
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
        while not list((bench.results / "runs").glob("*-q-*/log.txt")):
            assert first.poll() is None
            time.sleep(0.01)
        with filled(bench.results):
            _, err = first.communicate(timeout=60)
    assert first.returncode == 2
    assert "Traceback" not in err
    assert "disk" in err
    assert "full" in err
    assert "run the same command again" in err
    assert err.count("\n") == 1
    said = say(bench, "run", "s")
    assert said.code == 0
    assert "1 known, 1 ok" in said.out, "the build before is kept"
    assert {status for status, _ in bench.statuses().values()} == {"ok"}


def test_a_disk_that_is_full_before_anything_begins_is_named(bench: Bench, say: Say, disk: Disk) -> None:
    bench.sweep(method=["fp32"], probes=QUICK)
    with filled(bench.results):
        said = say(bench, "run", "s")
    assert said.code == 2
    assert "full" in said.err
    assert say(bench, "run", "s").code == 0


def test_results_on_a_read_only_disk_are_named_and_kept(bench: Bench, say: Say, disk: Disk) -> None:
    bench.sweep(method=["fp32"], probes=QUICK)
    assert say(bench, "run", "s").code == 0
    disk("ro")
    for words in (("run", "s"), ("ingest",)):
        said = say(bench, *words)
        assert said.code == 2
        assert str(bench.results) in said.err
        assert "writable" in said.err
    disk("rw")
    assert "1 known, 1 ok" in say(bench, "run", "s").out


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that not even root can write to")
def test_a_results_folder_that_nobody_can_write_to_is_named(bench: Bench, say: Say) -> None:
    bench.sweep(method=["fp32"], probes=QUICK)
    bench.results = Path("/proc/results")
    for words in (("run", "s"), ("ingest",)):
        said = say(bench, *words)
        assert said.code == 2
        assert said.err.startswith("cannot make the results folder /proc/results")
        assert "make it writable for this user or choose another" in said.err


@pytest.mark.parametrize(("code", "told"), [
    (errno.ENOSPC, "the disk is full"),
    (errno.EFBIG, "the disk is full"),
    (errno.EROFS, "no access"),
    (errno.EACCES, "no access"),
])  # fmt: skip
def test_trouble_with_a_disk_is_told_with_the_file_and_the_remedy(code: int, told: str) -> None:
    said = disk_trouble(OSError(code, os.strerror(code), "results/x")) or ""
    assert said.startswith(told)
    assert "(results/x); " in said
    assert disk_trouble(OSError(errno.ENOENT, "no such file")) is None


def test_a_library_that_hides_the_full_disk_in_its_own_error_is_understood() -> None:
    for error in (
        RuntimeError("I/O error: No space left on device (os error 28)"),
        HarnessError("x: No space left on device"),
    ):
        status, reason = status_of(error)
        assert status is Status.FAILED
        assert reason.startswith("the disk is full: ")


def test_a_reason_is_one_line_and_the_log_has_the_rest() -> None:
    assert status_of(HarnessError("it broke:\nhere\nthere"))[1] == "it broke; the rest is in log.txt"
    assert status_of(HarnessError("it broke"))[1] == "it broke"


def test_a_file_that_could_not_be_written_leaves_no_half_behind(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.mkdir()
    with pytest.raises(OSError, match="taken"):
        write_whole(target, "x" * 100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]
