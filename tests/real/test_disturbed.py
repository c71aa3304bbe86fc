"""A machine that turns busy while a real engine generates: found in the results of that time, and counted."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.real.machine import RealMachine

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(900)]
WORK = {"protocol": "genai-e2e-0.9-median", "prompt": 64, "output": 128, "repetitions": 60}


def test_processes_that_begin_in_the_middle_are_counted_and_noted(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime_genai")
    machine = RealMachine(tmp_path)
    machine.sweep(
        "busy", engine="ort-genai", method="fp32", rounds=2, precision=None, verify=False, probes={"generation": WORK}
    )
    spinners: list[subprocess.Popen[bytes]] = []
    over = threading.Event()

    def spin() -> None:
        """Begin to use both processors a little after the second round began."""
        while not over.wait(0.05):
            if len(list((machine.results / "runs").glob("*-s-*/log.txt"))) >= 2:
                time.sleep(2.0)
                spinners.extend(subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2))
                return

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        machine.run("busy")
    finally:
        over.set()
        thread.join()
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
    assert spinners, "the second round was over before anybody began"
    found = [json.loads(path.read_text("utf-8")) for path in (machine.results / "runs").glob("*-s-*/outcome.json")]
    first, second = sorted(found, key=lambda one: one["job"]["round"])
    assert "disturbed" in {note["code"] for note in second["notes"]}
    assert second["protocol"]["facts"]["foreign_cpus_highest"] > 0.5
    assert second["protocol"]["facts"]["foreign_cpus"] >= first["protocol"]["facts"]["foreign_cpus"] - 0.5
