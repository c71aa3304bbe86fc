"""Two sessions of the same thing must agree, and a real slowdown of 5 % must show: judged on real rounds.

    python -m tests.benchmarks.aa_speed record --cycles 17          # one sitting; at least six are wanted
    python -m tests.benchmarks.aa_speed record --cycles 20 --busy   # sittings beside a process that keeps one core busy
    python -m tests.benchmarks.aa_speed judge

A round is a fresh process that opens an artifact and runs the quickstart's own generation workload through its probe. A cycle runs, in
random order, two plain rounds and one slowed round of two methods (busy: one plain round of each). The slowdown is real work: before each
step of the generator a fixed count of additions, set once for each method so that a step takes 5 % longer, as repetitions with and without
show that take turns in one process. Every sitting is appended to `records/aa_speed.jsonl`, one line a round, in the order in which they ran; `judge`
reads nothing else.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.aa_judge import judge
from tests.benchmarks.aa_pool import MARKS, METHODS, METRICS, POOL, ROOT, SLOWER, WORK, known_extra

SWEEP = ROOT / "configs" / "sweeps" / "quickstart.yaml"
SPIN = "import time; end = time.monotonic() + 7200\nwhile time.monotonic() < end: pass"
"""Keeps a core busy; ends by itself where nobody is left to end it."""


def workload() -> dict[str, Any]:
    """Read the generation workload of the quickstart: what a session of default size measures."""
    blocks = yaml.safe_load(SWEEP.read_text("utf-8"))["blocks"]
    found: dict[str, Any] = blocks["quickstart"]["probes"]["generation"]
    return found


def one_round(artifact: Path, extra: int, repetitions: int | None = None) -> dict[str, Any]:
    """Open the artifact, measure it, and return the values, notes and conditions of this process."""
    from harness.core.seam import Context
    from harness.engines.ort_genai import ENGINE
    from harness.probes.generation import PROBE

    if extra:
        _slow_down(extra)
    given = workload() | ({"repetitions": repetitions} if repetitions else {})
    options = PROBE.workload.model_validate(given)
    with tempfile.TemporaryDirectory() as scratch, ENGINE.open(artifact, ENGINE.options()) as session:
        found = PROBE.measure(session, options, Context(folder=Path(scratch), artifact=artifact))
    facts = found.protocol.facts
    codes = sorted({note.code for note in found.notes if note.code in MARKS})
    return {
        "values": {reading.metric: reading.value for reading in found.values if reading.metric in METRICS},
        "notes": codes,
        "repetitions": given["repetitions"],
        "protocol": found.protocol.name,
        "pace": facts["pace"] | {"at_1ms": {name: facts["pace"]["at_1ms"][name] for name in METRICS}},
        **{name: facts.get(name) for name in ("spread", "foreign_cpus", "foreign_cpus_highest", "cpus")},
    }


def alternating(artifact: Path, extra: int, repetitions: int = 80) -> dict[str, float]:
    """Say by which share a step is longer with the extra work, which every other repetition of this process does."""
    import numpy as np

    from harness.engines.ort_genai import ENGINE
    from harness.probes.generation import PROBE, generation_workload

    _slow_down(extra, every=2)
    options: Any = PROBE.workload.model_validate(workload() | {"repetitions": repetitions, "warmup": 2})
    with ENGINE.open(artifact, ENGINE.options()) as session:
        trace = session.generate(generation_workload(session, options), lambda _: None)
    steps = np.log(np.median(trace.steps, axis=1))
    return {"longer": float(np.exp(np.median(steps[1::2] - steps[0::2])) - 1)}


def _slow_down(extra: int, every: int = 1) -> None:
    """Make each step of every generator, or of every other one, do `extra` additions first."""
    import onnxruntime_genai as og

    count = itertools.count(1)

    class Slowed(og.Generator):  # type: ignore[misc]
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.extra = 0 if next(count) % every else extra

        def generate_next_token(self) -> None:
            added(self.extra)
            super().generate_next_token()

    og.Generator = Slowed


def added(count: int) -> int:
    """Add up so many numbers."""
    total = 0
    for number in range(count):
        total += number
    return total


def additions_for(seconds: float, tried: int = 1000) -> int:
    """Count the additions that take so long, measured here."""
    times = []
    for _ in range(200):
        begun = time.perf_counter()
        added(tried)
        times.append((time.perf_counter() - begun) / tried)
    return max(1, round(seconds / statistics.median(times)))


def build(folder: Path) -> dict[str, Path]:
    """Build both methods of the shipped model with the model builder."""
    from harness.core.seam import Base, Context
    from harness.quantizers.ort_genai import QUANTIZER
    from harness.reference import model_folder

    for name, options in METHODS.items():
        out = folder / name
        out.mkdir()
        base = Base(path=model_folder(), format="hf", model=model_folder())
        QUANTIZER.build(base, QUANTIZER.options.model_validate(options), out, Context(folder=folder))
    return {name: folder / name for name in METHODS}


@contextmanager
def busy_core(wanted: bool) -> Iterator[None]:
    """Keep one core busy with a process of its own, where it is wanted."""
    if not wanted:
        yield
        return
    other = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        yield
    finally:
        other.kill()
        other.wait()


def cycle(methods: Sequence[str], *, busy: bool, draw: random.Random) -> list[tuple[str, str]]:
    """List the rounds of one cycle in random order: (method, arm)."""
    arms = ("busy",) if busy else ("plain", "plain", "slow")
    rounds = [(method, arm) for method in methods for arm in arms]
    draw.shuffle(rounds)
    return rounds


def record(cycles: int, *, busy: bool, other: Mapping[str, int]) -> None:
    """Run one sitting and append its rounds to the pool; `other`: additions in place of those of earlier sittings."""
    extra = {**known_extra(), **other}
    sitting = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    draw = random.Random(sitting)
    POOL.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, busy_core(busy), open(POOL, "a", encoding="utf-8") as pool:
        folders = build(Path(scratch))
        extra = extra or {name: _calibrated(folder) for name, folder in folders.items()}
        order = itertools.count()
        for _ in range(cycles):
            for method, arm in cycle(tuple(METHODS), busy=busy, draw=draw):
                load = os.getloadavg()[0]
                found = in_process(folders[method], extra[method] if arm == "slow" else 0)
                line = {"sitting": sitting, "order": next(order), "method": method, "arm": arm, "load": round(load, 2)}
                pool.write(json.dumps(line | found | {"extra": extra[method], "work": WORK}) + "\n")
                pool.flush()


def _calibrated(folder: Path) -> int:
    """Choose the extra work: so many additions as make a step 5 % longer, found in processes that do them every other time."""
    additions = additions_for(SLOWER / in_process(folder, 0)["values"]["decode_tps"])
    for _ in range(3):
        longer = sum(float(in_process(folder, additions, "alternating")["longer"]) for _ in range(3)) / 3
        additions = max(1, round(additions * SLOWER / max(longer, SLOWER / 5)))
    return additions


def in_process(artifact: Path, extra: int, verb: str = "round", repetitions: int | None = None) -> dict[str, Any]:
    more = [] if repetitions is None else [str(repetitions)]
    command = [sys.executable, "-m", "tests.benchmarks.aa_speed", verb, str(artifact), str(extra), *more]
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    if ran.returncode:
        sys.exit(f"a round failed: {ran.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Record, judge, or be one round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record")
    recording.add_argument("--cycles", type=int, default=17)
    recording.add_argument("--busy", action="store_true")
    recording.add_argument("--extra", action="append", default=[], metavar="METHOD=ADDITIONS")
    verbs.add_parser("judge")
    for name in ("round", "alternating"):
        single = verbs.add_parser(name)
        single.add_argument("artifact", type=Path)
        single.add_argument("extra", type=int)
        single.add_argument("repetitions", type=int, nargs="?")
    asked = parser.parse_args()
    if asked.verb == "record":
        other = dict(one.split("=") for one in asked.extra)
        record(asked.cycles, busy=asked.busy, other={name: int(count) for name, count in other.items()})
    elif asked.verb in {"round", "alternating"}:
        more = (asked.repetitions,) if asked.repetitions else ()
        print(json.dumps((one_round if asked.verb == "round" else alternating)(asked.artifact, asked.extra, *more)))
    else:
        sys.exit(judge())


if __name__ == "__main__":
    main()
