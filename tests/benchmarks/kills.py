"""kill -9 where it hurts, many times: with real engines, at system calls, and while `make bench` makes all from nothing.

    python -m tests.benchmarks.kills engines --kills 200     # half an hour
    python -m tests.benchmarks.kills system-calls            # every one of a small sweep's runner and workers; needs strace
    python -m tests.benchmarks.kills system-calls --refused  # a seeded third of them refused (disk full, permission denied)
    python -m tests.benchmarks.kills setup --kills 50        # while a small environment is made
    python -m tests.benchmarks.kills bench --clones 3        # fresh clones, each killed three times, then run to its end

After each kill the same command must come to the same rows, hashes and artifacts as one that nothing happened to. What was
struck, and where, is appended to `records/kills.jsonl`. Short forms are slow tests: tests/test_kill.py, tests/test_kill_setup.py, tests/test_storm.py.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).parent / "records" / "kills.jsonl"
AT_A_TIME = 25
"""Kills between two lines of the record: what was struck is kept where the rest is cut off."""
REACH_SECONDS = {"environment": 150.0, "sweep": 200.0}
"""Within which a command of `make bench` is killed: while its environment is made, then while its sweep runs."""


def engines(kills: int, seed: int) -> bool:
    """Kill commands and workers of a sweep with ONNX Runtime at seeded moments of four phases."""
    from tests.fake_machine import Bench
    from tests.test_kill import check, real_sweep

    done = 0
    for begin in range(0, kills, AT_A_TIME):
        some = min(AT_A_TIME, kills - begin)
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder))
            real_sweep(bench)
            hits = check(bench, Path(folder), kills=some, reach=2.0, seed=seed + begin)
        struck = {f"{whom} in {phase}": count for (phase, whom), count in sorted(hits.items())}
        _record("engines", {"kills": sum(hits.values()), "seed": seed + begin, "struck": struck})
        done += sum(hits.values())
    return done >= kills


def system_calls(asked: list[str], *, refused: bool) -> bool:
    """Kill runner or worker of a small sweep with fakes at every system call that changes a file, or may make one by opening it; SQLite's own among them.

    asked: names of calls, or `runner` or `worker`; all by default. refused: a seeded third of them fails instead, with ENOSPC or EACCES.
    The record has a line for each process and name.
    """
    from tests.fake_machine import Bench
    from tests.storm import system_calls as storm
    from tests.storm.forked import forks
    from tests.test_storm import Sea, small_sweep, wrong_of

    with tempfile.TemporaryDirectory() as folder, forks(Path(folder), 2) as run:
        bench = Bench(Path(folder))
        small_sweep(bench)
        storm.traced_interpreter(bench, Path(folder))
        (Path(folder) / "sea").mkdir()
        sea = Sea(bench, Path(folder) / "sea", run)
        sea.changes()
        calls, good = storm.found(sea), True
        strikes = storm.refused(calls) if refused else [(call, "kill") for call in calls]
        for who, name in sorted({(call.who, call.name) for call in calls}):
            some = [one for one in strikes if (one[0].who, one[0].name) == (who, name)]
            if not some or (asked and not {who.partition(" ")[0], name} & set(asked)):
                continue
            found = wrong_of(lambda one: storm.strike(sea, *one), some)
            for said in found:
                print(said)
            kind = {"refused": len(some), "seed": storm.SEED} if refused else {"kills": len(some)}
            _record("system-calls", {**kind, "who": who, "call": name, "wrong": len(found)})
            good = good and not found
    return good


def _commit() -> str:
    """Name the commit that is struck, with `+` where files differ from it."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "harness", "tests/*.py"], check=False).returncode
    return f"{head.strip()}{'+' if changed else ''}"


def setup(kills: int) -> bool:
    """Kill at seeded moments what makes a small environment of local wheels; the command after it makes it whole."""
    from tests.test_kill_setup import kill_in_two_places

    with tempfile.TemporaryDirectory() as folder:
        done = kill_in_two_places(Path(folder), kills)
    _record("setup", {"kills": done})
    return done == kills


def bench(clones: int, seed: int) -> bool:
    """Kill `make bench` on fresh clones: once or twice while the environment is made, once in its sweep; then let it end."""
    draw, good, struck = random.Random(seed), True, Counter[str]()
    for number in range(clones):
        with tempfile.TemporaryDirectory() as folder:
            clone = Path(folder) / "clone"
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
            for phase in ("environment", "environment", "sweep"):
                struck[phase] += _killed(clone, draw.uniform(5.0, REACH_SECONDS[phase]))
            ran = _make(clone)
            words, _ = ran.communicate()
            whole = ran.returncode == 0 and "jobs:" in words and "failed" not in words and "Traceback" not in words
            print(f"clone {number + 1}: {'recovered' if whole else words[-3000:]}", flush=True)
            good = good and whole
    _record("bench", {"clones": clones, "seed": seed, "struck": dict(struck), "recovered": good})
    return good


def _make(clone: Path) -> subprocess.Popen[str]:
    variables = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.Popen(
        ["make", "bench"], cwd=clone, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def _killed(clone: Path, seconds: float) -> bool:
    """Start `make bench` and kill all of it after a while; says whether it was still running then."""
    process = _make(clone)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=seconds)
        return False
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return True


def _record(what: str, found: dict[str, Any]) -> None:
    line = {"what": what, "date": f"{datetime.now(UTC):%Y-%m-%d}", **found, "commit": _commit()}
    with open(RECORD, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def main() -> None:
    """Strike."""
    from tests.benchmarks.facts import headline, result

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    real = verbs.add_parser("engines")
    real.add_argument("--kills", type=int, default=200)
    calls = verbs.add_parser("system-calls")
    calls.add_argument("names", nargs="*", help="as pwrite64, runner or worker; all by default")
    calls.add_argument("--refused", action="store_true", help="a seeded third fails instead (ENOSPC, EACCES)")
    little = verbs.add_parser("setup")
    little.add_argument("--kills", type=int, default=50)
    whole = verbs.add_parser("bench")
    whole.add_argument("--clones", type=int, default=3)
    for some in (real, whole):
        some.add_argument("--seed", type=int, default=20261128)
    asked = parser.parse_args()
    headline(f"python -m tests.benchmarks.kills {asked.verb}")
    begun = time.monotonic()
    if asked.verb == "engines":
        good = engines(asked.kills, asked.seed)
    elif asked.verb == "system-calls":
        good = system_calls(asked.names, refused=asked.refused)
    elif asked.verb == "setup":
        good = setup(asked.kills)
    else:
        good = bench(asked.clones, asked.seed)
    print(f"{time.monotonic() - begun:.0f} s")
    sys.exit(result(good))


if __name__ == "__main__":
    main()
