"""Live comparisons run for real: the same environment under two names, and each a verdict, a time and a number of blocks.

    python -m tests.benchmarks.live_runs --runs 10 --budget 20m > tests/benchmarks/records/live_runs.txt

Each is the command itself, `harness compare one same --live`, in a workspace of its own: INT4 of the shipped model, decode alone is judged, at the
shipped rates. Rounds that others disturb count with `--disturbed`, as they must on a machine that is busy throughout; without it such a machine gives no verdict.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import yaml

from tests.benchmarks.aa_speed import ROOT
from tests.benchmarks.facts import headline, result

SWEEP = {
    "title": "The same twice", "model": "reference", "engine": {"ort-genai": {"provider": "cpu"}}, "environment": ["one", "same"],
    "method": {"int4_rtn": "ort-genai"}, "verify": False, "skip": [{"probe": "output_check"}],
    "probes": {"generation": {"protocol": "genai-e2e-0.9-median", "prompt": 128, "output": 128, "repetitions": 8}},
}  # fmt: skip


SAME = 0.8
"""Share of comparisons of the same thing that have to come to `same`."""


def workspace(folder: Path) -> None:
    """Write a workspace whose two environments are this interpreter."""
    sweeps = folder / "configs" / "sweeps"
    sweeps.mkdir(parents=True)
    (folder / "harness.yaml").write_text("version: 1\n", "utf-8")
    places = {name: {"python": sys.executable} for name in ("one", "same")}
    (folder / "configs" / "environments.yaml").write_text(yaml.safe_dump(places), "utf-8")
    (sweeps / "aa.yaml").write_text(yaml.safe_dump(SWEEP), "utf-8")


def one_run(folder: Path, words: list[str]) -> tuple[str, str]:
    """Run one comparison; return its verdict, and all that is to be told of it."""
    begun = time.monotonic()
    command = [
        sys.executable, "-m", "harness", "compare", "one", "same", "--live", "--sweep", "aa", "--where", "metric=decode_tps", "--json", *words,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    if not ran.stdout.strip():
        return "failed", f"exit code {ran.returncode}: {ran.stderr[-500:]}"
    found = json.loads(ran.stdout)
    seconds, load = time.monotonic() - begun, os.getloadavg()[0]
    where = f"exit code {ran.returncode}, {seconds:.0f} s, load {load:.1f}, {next(note for note in found['notes'] if note.startswith('stopped'))}"
    for one in found["comparisons"]:
        return one[
            "verdict"
        ], f"{one['change']:+.1%} [{one['low']:+.1%}, {one['high']:+.1%}], {one['interval']}; {where}"
    return "no verdict", f"{found['missing'][0]['why']}; {where}"


def holds(counts: Counter[str]) -> bool:
    """Say whether nothing was called worse or better and enough was called the same: a tool that never decides holds nothing."""
    return counts["same"] >= SAME * counts.total() > 0 and not counts["worse"] + counts["better"] + counts["failed"]


def main() -> None:
    """Run so many comparisons and count their verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--budget", default="20m")
    parser.add_argument("--quiet-only", action="store_true", help="leave disturbed rounds out")
    asked = parser.parse_args()
    more = ["--quiet-only"] if asked.quiet_only else []
    headline(" ".join(["python -m tests.benchmarks.live_runs", f"--runs {asked.runs} --budget {asked.budget}", *more]))
    counts = Counter[str]()
    with tempfile.TemporaryDirectory() as scratch:
        workspace(Path(scratch))
        for number in range(asked.runs):
            words = ["--budget", asked.budget, *([] if asked.quiet_only else ["--disturbed"])]
            verdict, told = one_run(Path(scratch), words)
            counts[verdict] += 1
            print(f"run {number + 1}: {verdict}; {told}", flush=True)
    print(", ".join(f"{count} {word}" for word, count in counts.items()))
    sys.exit(result(holds(counts)))


if __name__ == "__main__":
    main()
