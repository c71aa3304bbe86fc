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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
POOL = Path(os.environ.get("AA_POOL", Path(__file__).parent / "records" / "aa_speed.jsonl"))
SWEEP = ROOT / "configs" / "sweeps" / "quickstart.yaml"
METHODS = {"fp32": {"precision": "fp32"}, "int4": {"precision": "int4", "algo_config": "rtn"}}
SLOWER = 0.05
SPIN = "import time; end = time.monotonic() + 7200\nwhile time.monotonic() < end: pass"
"""Keeps a core busy; ends by itself where nobody is left to end it."""
METRICS = ("decode_tps", "prefill_tps", "ttft", "e2e_latency")
MARKS = ("unstable", "disturbed")
WORK = "additions"
"""What the extra work is; sittings before 2026-11-28, 14:00 did small matrix products, of which one is 3 % of a step."""


def workload() -> dict[str, Any]:
    """Read the generation workload of the quickstart: what a session of default size measures."""
    blocks = yaml.safe_load(SWEEP.read_text("utf-8"))["blocks"]
    found: dict[str, Any] = blocks["quickstart"]["probes"]["generation"]
    return found


# ---------------------------------------------------------------- one round, in a process of its own


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


# ---------------------------------------------------------------- recording


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


def known_extra() -> dict[str, int]:
    """Return the extra work that the last sitting did."""
    return {row["method"]: int(row["extra"]) for row in lines() if row.get("work") == WORK} if POOL.exists() else {}


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


# ---------------------------------------------------------------- judging


@dataclass(frozen=True)
class Round:
    """One process: where it stood, what it measured, what it said of itself."""

    sitting: str
    order: int
    method: str
    arm: str
    values: dict[str, float]
    at_pace: dict[str, float]
    """The same at one pace of the machine."""
    notes: tuple[str, ...] | None
    """Codes of what marks it by today's limits; None where nothing was kept to judge by."""


def lines() -> Iterator[dict[str, Any]]:
    """Read the pool."""
    yield from map(json.loads, POOL.read_text("utf-8").splitlines())


def rounds() -> list[Round]:
    """Read the pool as records, in the order in which they ran."""
    names = ("sitting", "order", "method", "arm", "values")
    found = [
        Round(**{name: row[name] for name in names}, at_pace=row["pace"]["at_1ms"], notes=marks_of(row))
        for row in lines()
    ]
    return sorted(found, key=lambda one: (one.sitting, one.order))


def marks_of(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Judge anew by what a round kept, so that limits can be tried on the pool that they are set by."""
    from harness.probes import conditions, speed

    if row.get("spread") is None:
        return None
    notes = (*speed.unstable(row["spread"], speed.Work(1, 128, 128, "median")), *conditions.notes(row))
    return tuple(sorted({note.code for note in notes if note.code in MARKS}))


def in_sittings(pool: Sequence[Round], method: str, arm: str) -> list[list[Round]]:
    """Group the rounds of a method and arm by sitting."""
    kept = [one for one in pool if (one.method, one.arm) == (method, arm)]
    return [list(group) for _, group in itertools.groupby(kept, key=lambda one: one.sitting)]


def pairs(pool: Sequence[Round], size: int) -> list[tuple[list[Round], list[Round]]]:
    """Cut plain rounds into disjoint pairs of sessions that ran interleaved, as two candidates of one command do."""
    found = []
    for method in METHODS:
        for sitting in in_sittings(pool, method, "plain"):
            for start in range(0, len(sitting) - 2 * size + 1, 2 * size):
                some = sitting[start : start + 2 * size]
                found.append((some[0::2], some[1::2]))
    return found


def sessions(pool: Sequence[Round], arm: str, size: int) -> list[list[Round]]:
    """Cut the rounds of an arm into disjoint sessions."""
    return [
        sitting[start : start + size]
        for method in METHODS
        for sitting in in_sittings([one for one in pool if one.notes is not None], method, arm)
        for start in range(0, len(sitting) - size + 1, size)
    ]


def default_rounds() -> int:
    """Read how many rounds a session has where a sweep does not say it."""
    from harness.plan.sweep import ROUNDS

    return ROUNDS


def ratio(one: Sequence[Round], other: Sequence[Round], metric: str) -> Any:
    """Compare two sessions as tables do."""
    from harness.core.metric import METRICS
    from harness.numbers import rounds as numbers

    return numbers.ratio(as_numbers(one, metric), as_numbers(other, metric), METRICS[metric].unit)


def as_numbers(session: Sequence[Round], metric: str) -> list[Any]:
    """Give rounds as the harness' own arithmetic has them."""
    from harness.numbers import rounds as numbers

    return [
        numbers.Round(place, each.order, each.values[metric], each.at_pace[metric])
        for place, each in enumerate(session)
    ]


def excludes_one(found: Any) -> bool:
    """Say whether an interval holds no 1."""
    return bool(found.low > 1 or found.high < 1)


def judge() -> int:
    """Print what the pool says and whether it holds."""
    from tests.benchmarks.facts import headline, result

    headline("python -m tests.benchmarks.aa_speed judge")
    if not POOL.exists():
        sys.exit(
            f"no rounds yet in {POOL.name}; run `python -m tests.benchmarks.aa_speed record` on a quiet machine first"
        )
    pool, size = rounds(), default_rounds()
    parts = [
        _described(pool, size), _same(pool, size), _unbiased(pool), _slower(pool, size), _marked(pool, size),
    ]  # fmt: skip
    return result(all(parts))


def _described(pool: Sequence[Round], size: int, rounds_: int = 120, sittings: int = 6) -> bool:
    """Say what is in the pool, and whether it is enough to judge by."""
    good = True
    for method in METHODS:
        plain = in_sittings(pool, method, "plain")
        print(f"{method}: {sum(map(len, plain))} plain rounds in {len(plain)} sittings")
        for name, at_pace in (("as they passed", False), ("at one pace", True)):
            spreads = ", ".join(f"{metric} {100 * _spread(plain, metric, at_pace):.2f} %" for metric in METRICS)
            print(f"  between processes, seconds {name}: {spreads}")
        good = good and len(plain) >= sittings and sum(map(len, plain)) >= rounds_
    print(f"a session has {size} rounds; wanted are {rounds_} plain rounds in {sittings} sittings")
    return good


def _spread(sittings: Sequence[Sequence[Round]], metric: str, at_pace: bool) -> float:
    """Pool the variance of logarithms within sittings: standard deviation."""
    import numpy as np

    squares, degrees = 0.0, 0
    for sitting in sittings:
        logs = np.log([(each.at_pace if at_pace else each.values)[metric] for each in sitting])
        squares += float(((logs - logs.mean()) ** 2).sum())
        degrees += len(logs) - 1
    return float((squares / degrees) ** 0.5)


def _same(pool: Sequence[Round], size: int, wanted: int = 40, most: int = 4) -> bool:
    """Compare sessions of the same thing: how many intervals exclude 1, and how wide they are."""
    import numpy as np

    from harness.numbers import rounds as numbers
    from harness.numbers.intervals import student_t

    some = pairs(pool, size)[:wanted]
    good = len(some) == wanted
    for metric in METRICS:
        found = [ratio(*pair, metric) for pair in some]
        wrong = sum(map(excludes_one, found))
        widths = []
        for one, pair in zip(found, some, strict=True):
            sittings = in_sittings(pool, pair[0][0].method, "plain")
            sd, degrees = numbers.pooled([as_numbers(each, metric) for each in sittings]), sum(map(len, sittings))
            widths.append(
                np.log(one.high / one.low) / (2 * student_t(degrees - len(sittings)) * sd * (2 / size) ** 0.5)
            )
        width = float(np.median(widths))
        holds = wrong <= most and width <= 1.3
        good = good and holds
        print(
            f"same, {metric}: {wrong} of {len(some)} pairs apart (at most {most}), width {width:.2f} of the pooled t (at most 1.3)"
        )
    return good


def _unbiased(pool: Sequence[Round], most: float = 0.03) -> bool:
    """Compare the methods over the whole pool at one pace and by the seconds that passed: they must say the same."""
    import numpy as np

    good = True
    for metric in METRICS:
        sides = [
            [
                np.log(
                    [
                        (one.at_pace if paced else one.values)[metric]
                        for one in pool
                        if (one.method, one.arm) == (method, "plain")
                    ]
                ).mean()
                for method in reversed(METHODS)
            ]
            for paced in (False, True)
        ]
        seconds, paced = (float(np.exp(one - other)) for one, other in sides)
        holds = abs(np.log(paced / seconds)) <= most
        good = good and holds
        print(
            f"{' / '.join(reversed(METHODS))}, {metric}: {seconds:.3f} by seconds, {paced:.3f} at one pace (apart at most {100 * most:.0f} %)"
        )
    return good


def _slower(pool: Sequence[Round], size: int, wanted: float = 0.9, most: int = 8) -> bool:
    """Find the rounds that show the injected slowdown in nine of ten sessions."""
    import numpy as np

    near = []
    for method in METHODS:
        groups = [in_sittings(pool, method, arm) for arm in ("plain", "slow")]
        apart = [
            np.mean(np.log([one.at_pace["decode_tps"] for one in plain]))
            - np.mean(np.log([one.at_pace["decode_tps"] for one in slow]))
            for plain, slow in zip(*groups, strict=True)
        ]
        longer, error = float(np.mean(apart)), 1.96 * float(np.std(apart, ddof=1)) / len(apart) ** 0.5
        near.append(longer - error <= SLOWER + 0.015 and longer + error >= SLOWER - 0.015)
        print(
            f"injected, {method}: set to {100 * SLOWER:.0f} % within a process; between processes a step takes {100 * longer:.1f} ± "
            f"{100 * error:.1f} % longer, over {len(apart)} sittings (3.5 to 6.5 are wanted)"
        )
    curves = {method: {size_: _power(pool, method, size_) for size_ in range(3, most + 1)} for method in METHODS}
    for method, curve in curves.items():
        print(
            f"found, {method}, by rounds: " + ", ".join(f"{one}: {100 * share:.0f} %" for one, share in curve.items())
        )
    least = [min(curve[size_] for curve in curves.values()) for size_ in range(3, most + 1)]
    enough = next((size_ for size_, share in enumerate(least, 3) if share >= wanted), None)
    print(
        f"rounds for {100 * wanted:.0f} %: {enough or f'more than {most}'}; the default is {size}, {most} at the most"
    )
    return all(near) and (enough or most) <= size <= most


def _power(pool: Sequence[Round], method: str, size: int) -> float:
    """Share of sessions of this size, of all that stand in the pool, in which the slowdown shows."""
    found = []
    slow = {group[0].sitting: group for group in in_sittings(pool, method, "slow")}
    for plain in in_sittings(pool, method, "plain"):
        slowed, normal = slow[plain[0].sitting], plain[::2]
        for start in range(min(len(slowed), len(normal)) - size + 1):
            one = ratio(slowed[start : start + size], normal[start : start + size], "decode_tps")
            found.append(bool(one.high < 1))
    return sum(found) / len(found)


def _marked(pool: Sequence[Round], size: int, wanted: int = 40) -> bool:
    """Count the sessions that say they were disturbed: few of the quiet ones, nearly all beside a busy core."""
    counts = {}
    for arm in ("plain", "busy"):
        some = sessions(pool, arm, size)[:wanted]
        counts[arm] = (sum(any(one.notes for one in session) for session in some), len(some))
        print(f"marked, {arm}: {counts[arm][0]} of {counts[arm][1]} sessions")
    (quiet, of_quiet), (busy, of_busy) = counts["plain"], counts["busy"]
    return of_quiet == of_busy == wanted and quiet <= 2 and busy >= 38


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
