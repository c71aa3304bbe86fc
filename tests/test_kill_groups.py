"""kill -9 in the middle of an evaluation on a real engine: the next attempt goes on at the last finished group, bit for bit."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from harness.core.seam import Context
from harness.core.sessions import Request, Score
from harness.engines.ort_genai import ENGINE
from tests.real.machine import RealMachine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PER_SUBJECT = 70
"""Questions of each of the eight subjects: enough for a round to end with its subject."""
REQUESTS = 8 * PER_SUBJECT * 4


class Counted:
    """A session that counts what it is asked to score."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def score(self, requests: Sequence[Request]) -> list[Score]:
        self.asked += len(requests)
        found: list[Score] = self._session.score(requests)
        return found


def scored(artifact: Path, run: Path, kept: Path | None) -> tuple[Any, int]:
    """Answer the shipped questions; what was found, and how many requests were computed for it."""
    from harness.probes.lm_eval import Workload, measure

    with ENGINE.open(artifact, ENGINE.options(threads=1)) as session:
        counted: Any = Counted(session)
        found = measure(counted, Workload(limit=PER_SUBJECT), Context(folder=run, resume=kept))
        return found, counted.asked


def until(met: Any, process: Any) -> None:
    """Wait for a condition while a process lives."""
    while not met():
        assert process.is_alive() if hasattr(process, "is_alive") else process.poll() is None, "it ended too early"
        time.sleep(0.005)


def test_a_killed_evaluation_computes_only_what_it_had_not_finished(tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    from tests.unit.probes.genai_export import reference_export

    artifact = reference_export(tmp_path / "fp32")
    kept = tmp_path / "kept"
    expected, whole = scored(artifact, tmp_path / "whole", None)
    assert whole == REQUESTS
    killed = multiprocessing.get_context("spawn").Process(target=scored, args=(artifact, tmp_path / "run-1", kept))
    killed.start()
    until(lambda: len(list(kept.glob("group-??????"))) >= 3, killed)
    killed.kill()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    done = len(list(kept.glob("group-??????")))
    (kept / "group-000002").write_bytes(b"half a file")
    found, computed = scored(artifact, tmp_path / "run-2", kept)
    assert computed == REQUESTS - (done - 1) * PER_SUBJECT * 4
    assert [note.code for note in found.notes] == ["resumed", "kept-spoilt"]
    for one, other in zip(expected.values, found.values, strict=True):
        assert (one.metric, one.slice, one.value, one.items) == (other.metric, other.slice, other.value, other.items)
        assert one.samples.tobytes() == other.samples.tobytes()
    assert expected.arrays["choice_logprobs"].tobytes() == found.arrays["choice_logprobs"].tobytes()
    assert expected.protocol == found.protocol


def test_a_run_whose_worker_is_killed_goes_on_and_its_outcome_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lm_eval")
    pytest.importorskip("onnxruntime_genai")
    cache = tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    machines = [RealMachine(tmp_path / name) for name in ("whole", "killed")]
    for machine in machines:
        probes = {"lm_eval": {"limit": PER_SUBJECT}}
        machine.sweep("s", engine={"ort-genai": {"threads": 1}}, method="fp32", verify=False, probes=probes)
    machines[0].run("s")
    kill_in_evaluation(machines[1], cache / "groups")
    machines[1].run("s")
    (whole, _), (resumed, notes) = (evaluation(machine) for machine in machines)
    assert {name: values.tobytes() for name, values in whole.items()} == {
        name: values.tobytes() for name, values in resumed.items()
    }
    assert "by run " in notes["resumed"]
    assert not any((cache / "groups").iterdir()), "what is done needs no groups"


def kill_in_evaluation(machine: RealMachine, groups: Path) -> None:
    """Start the sweep, kill the worker once two groups are kept, then let the runner come to its end."""
    words = ("run", "s", "--configs", str(machine.configs), "--results", str(machine.results))
    with subprocess.Popen([sys.executable, "-m", "harness", *words], stdout=subprocess.DEVNULL) as runner:
        until(lambda: len(list(groups.glob("*/group-??????"))) >= 2, runner)
        workers = [child for child in psutil.Process(runner.pid).children() if "harness.worker" in child.cmdline()]
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
        assert workers


def evaluation(machine: RealMachine) -> tuple[dict[str, Any], dict[str, str]]:
    """Give the arrays and notes of the one evaluation that ended well."""
    found = []
    for path in (machine.results / "runs").glob("*/outcome.json"):
        outcome = json.loads(path.read_text("utf-8"))
        if outcome["job"]["kind"] == "quality" and outcome["status"] == "ok":
            with np.load(path.with_name("arrays.npz")) as held:
                arrays = {name: held[name] for name in held.files}
            found.append((arrays, {note["code"]: note["text"] for note in outcome["notes"]}))
    assert len(found) == 1
    assert found[0][0]
    return found[0]
