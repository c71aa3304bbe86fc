"""Several builds in one worker: each in a child of its own, which ends with the worker and takes it along when it dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from harness.core.clock import Spans
from harness.core.outcome import Outcome
from harness.worker.children import forks, how_made
from harness.worker.queue_folder import WAITING, serve_queue
from tests.fake_machine import Bench

pytestmark = pytest.mark.skipif(not forks(), reason="this system has no fork that ends with its parent")

CHILD = """
import os, sys, time
from pathlib import Path
from harness.worker.children import in_child

def work():
    Path(sys.argv[1]).write_text(str(os.getpid()))
    {work}

in_child(work)
Path(sys.argv[2]).write_text("after")
"""


def run_child(folder: Path, work: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", CHILD.format(work=work), str(folder / "pid"), str(folder / "after")]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def outcomes(bench: Bench, kind: str) -> dict[str, Outcome]:
    found = (Outcome.model_validate_json(path.read_text("utf-8")) for path in bench.results.glob("runs/*/outcome.json"))
    return {one.job.labels.method: one for one in found if one.job.kind == kind}


def test_builds_of_one_model_share_a_worker_and_each_has_an_outcome_of_its_own(bench: Bench) -> None:
    bench.sweep(method=["fp32", "broken", "int8", "int4"], probes={"perplexity": {"text": str(bench.text)}})
    events = bench.run()
    begun = [
        event.job.labels[0].method
        for event in events
        if event.what == "begin" and event.job and event.job.kind == "build"
    ]
    assert begun == ["fp32", "broken", "int8", "int4"]
    assert len(list(bench.results.glob("runs/*-b-*/folders.jsonl"))) == 1, "one worker was handed them all"
    built = outcomes(bench, "build")
    assert {method: one.status.value for method, one in built.items()} == {
        "fp32": "ok", "broken": "failed", "int8": "ok", "int4": "ok",
    }  # fmt: skip
    assert "import" in events[-1].spans


def test_a_build_that_dies_costs_itself_alone(bench: Bench) -> None:
    bench.sweep(method=["fp32", "deadly", "int4"], probes={"perplexity": {"text": str(bench.text)}})
    bench.run()
    built = outcomes(bench, "build")
    assert {method: one.status.value for method, one in built.items()} == {
        "fp32": "ok",
        "deadly": "failed",
        "int4": "ok",
    }
    assert "killed by signal 9" in str(built["deadly"].reason)


def test_the_peak_of_a_small_build_is_not_that_of_the_large_one_before_it(tmp_path: Path) -> None:
    words = """
from harness.process_memory import peak_rss_bytes
from harness.worker.children import in_child
def large(): held = bytearray(300_000_000); held[::4096] = bytes(len(held[::4096])); print(peak_rss_bytes(), flush=True)
def small(): print(peak_rss_bytes(), flush=True)
in_child(large); in_child(small)
"""
    ran = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=60)
    large, small = map(int, ran.stdout.split())
    assert large > 300e6
    assert small < 100e6


@pytest.mark.parametrize(("work", "code"), [("os._exit(4)", 4), ("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", -9)])
def test_a_worker_ends_as_its_child_did(tmp_path: Path, work: str, code: int) -> None:
    ran = run_child(tmp_path, work)
    assert ran.returncode == code
    assert not (tmp_path / "after").exists()


def test_what_a_child_cannot_catch_is_an_exit_with_its_words(tmp_path: Path) -> None:
    ran = run_child(tmp_path, "raise ValueError('so')")
    assert ran.returncode == 1
    assert "ValueError: so" in ran.stderr


def test_a_child_ends_with_its_worker(tmp_path: Path) -> None:
    words = [sys.executable, "-c", CHILD.format(work="time.sleep(60)"), str(tmp_path / "pid"), str(tmp_path / "after")]
    with subprocess.Popen(words) as process:
        end = time.monotonic() + 30
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < end
            time.sleep(0.02)
        child = psutil.Process(int((tmp_path / "pid").read_text()))
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        child.wait(timeout=10)
    assert not child.is_running()


def test_one_build_alone_or_what_cannot_be_read_has_no_child(tmp_path: Path) -> None:
    assert how_made([tmp_path], Spans()) == "here"
    (tmp_path / "job.json").write_text("{", "utf-8")
    assert how_made([tmp_path, tmp_path], Spans()) == "here"


@pytest.mark.parametrize(
    ("devices", "how"), [(("cpu", "cpu"), "copied"), (("cpu", "gpu"), "anew"), (("gpu", "gpu"), "anew")]
)
def test_builds_of_a_gpu_in_one_hand_written_batch_begin_anew(
    bench: Bench, tmp_path: Path, devices: tuple[str, str], how: str
) -> None:
    recipes = [{"device": device, "noise": 0.1 * place} for place, device in enumerate(devices, start=1)]
    bench.methods({f"m{place}": {"recipes": {"fake": recipe}} for place, recipe in enumerate(recipes)})
    bench.sweep(method=["m0", "m1"], probes={"perplexity": {"text": str(bench.text)}})
    bench.run()
    folders = []
    for ran in sorted(bench.results.glob("runs/*-b-*")):
        job = json.loads((ran / "job.json").read_text("utf-8"))
        folders.append(tmp_path / "queue" / ran.name)
        folders[-1].mkdir(parents=True)
        again = {**job, "out": str(folders[-1] / "made"), "run": ran.name}
        (folders[-1] / "job.json").write_text(json.dumps(again), "utf-8")
    assert len(folders) == 2
    assert how_made(folders, Spans()) == how
    waiting = tmp_path / "queue" / WAITING
    waiting.mkdir()
    (waiting / "both.jsonl").write_text("".join(f"{json.dumps(folder.name)}\n" for folder in folders), "utf-8")
    assert serve_queue(tmp_path / "queue", "here", exit_when_idle=True).code == 0
    said = [json.loads(line) for line in (tmp_path / "queue/done/both.jsonl.said").read_text("utf-8").splitlines()]
    assert Counter(key for one in said for key in ("ready", "begin", "done") if key in one) == {
        "ready": 1,
        "begin": 2,
        "done": 2,
    }
    assert all((folder / "made" / "weights.bin").is_file() for folder in folders)


def test_a_build_of_a_gpu_that_dies_takes_its_batch_along_with_its_words(bench: Bench, tmp_path: Path) -> None:
    bench.methods({f"m{place}": {"recipes": {"fake": {"device": "gpu", "noise": 0.1 * place}}} for place in (1, 2)})
    bench.sweep(method=["m1", "m2"], probes={"perplexity": {"text": str(bench.text)}})
    bench.run()
    folders = []
    for ran in sorted(bench.results.glob("runs/*-b-*")):
        job = json.loads((ran / "job.json").read_text("utf-8"))
        job["spec"]["options"]["fail"] = "kill"
        folders.append(tmp_path / ran.name)
        folders[-1].mkdir()
        (folders[-1] / "job.json").write_text(json.dumps({**job, "out": str(folders[-1] / "made")}), "utf-8")
    (tmp_path / "both").write_text("".join(f"{folder}\n" for folder in folders), "utf-8")
    words = [sys.executable, "-m", "harness.worker", "here", "--folders", str(tmp_path / "both")]
    ran_ = subprocess.run(words, capture_output=True, check=False, timeout=60)
    assert ran_.returncode == -signal.SIGKILL
    assert not (folders[1] / "outcome.json").exists()
