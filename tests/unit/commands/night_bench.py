"""A machine on which nights of seconds run: two environments of this interpreter, the candidate slower where a test says so."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

from harness.night.files import NIGHTS, read_nights
from harness.night.record import NightRecord
from tests.fake_machine import Bench, Said, Say

GATE = "margins: {speed: 50 %, memory: 50 %, fraction: 0.1, perplexity: 5 %}\n"
"""Wide, so that fakes on a busy machine are decided in a few blocks."""
GENERATION = {"batch": 1, "prompt": 8, "output": 16, "warmup": 1, "repetitions": 2}
SLOW = """
import os, time
real = time.sleep
def sleep(seconds):
    factor = float(open({flag!r}).read()) if seconds < 1 and os.path.exists({flag!r}) else 1
    real(factor * seconds)
time.sleep = sleep
"""
"""Makes the fake engine, which sleeps where others compute, as many times slower as a file says, while that is there."""
BROKEN = """
import time
real = time.sleep
def sleep(seconds):
    if seconds == 0.002:
        raise RuntimeError("this version cannot generate")
    real(seconds)
time.sleep = sleep
"""
"""Lets the fake engine's steps fail."""
DISTURBED = """
import harness.probes.conditions
harness.probes.conditions.limit = lambda cpus: -1.0
"""
"""Calls any use of the machine by others too much."""


def night_bench(bench: Bench, **keys: Any) -> Bench:
    """Let a sweep measure speed and quality in environment `old`, and let `new` be the same."""
    (bench.configs / "gate.yaml").write_text(GATE, "utf-8")
    passages = [f"the cat number {place} sat on mat {place * 7} and looked at dog {place * 3}." for place in range(80)]
    bench.text.write_text("\n\n".join(passages), "utf-8")
    bench._write("environments.yaml", {name: {"python": sys.executable} for name in ("old", "new")})
    perplexity = {"window": 64, "stride": 32, "text": str(bench.text)}
    probes = {"perplexity": perplexity, "generation": GENERATION}
    engine = {"fake": {"step_seconds": 0.002}}
    bench.sweep(**{"method": ["fp32"], "environment": "old", "engine": engine, "probes": probes, **keys})
    return bench


def candidate(bench: Bench, customize: str = "") -> Path:
    """Say what stands behind `new`: this interpreter, with a few lines that run first. Returns the file while which is there it is eight times `SLOW`."""
    folder = bench.configs.parent / "candidate"
    flag = folder / "slow"
    python = changed_python(folder, customize.format(flag=str(flag)) if customize == SLOW else customize)
    flag.write_text("8", "utf-8")
    bench._write("environments.yaml", {"old": {"python": sys.executable}, "new": {"python": str(python)}})
    return flag


def changed_python(folder: Path, customize: str) -> Path:
    """Write an interpreter that is this one, with a few lines that run first."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(customize, "utf-8")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}:$PYTHONPATH" exec "{sys.executable}" "$@"\n', "utf-8")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return python


def night(say: Say, bench: Bench, *words: str, budget: str = "10m") -> Said:
    """Type `harness night`. budget: far more than nights of fakes use; what is decided ends earlier, however slow a machine is."""
    return say(
        bench, "night", "s", "--baseline", "old", "--candidate", "new", "--budget", budget, "--seed", "1", "--disturbed",
        "--where", "metric=decode_tps", "--configs", str(bench.configs), *words,
    )  # fmt: skip


def last_night(bench: Bench) -> NightRecord:
    """Read the last record."""
    return read_nights(bench.results / NIGHTS).records[-1]
