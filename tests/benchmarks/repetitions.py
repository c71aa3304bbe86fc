"""How many repetitions a process needs: values of few and of many must vary between processes alike.

    python -m tests.benchmarks.repetitions record --cycles 15   # about ten minutes
    python -m tests.benchmarks.repetitions judge

A cycle runs, in random order, a process of FEW and one of MANY repetitions of each method of `aa_speed`, so that what drifts meets both.
Every round is appended to `records/repetitions.jsonl`. Between processes lies 4 to 8 %, within one under 1 %: few repetitions serve
where their values vary between processes no more than those of many, both as seconds passed and at one pace.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.aa_pool import METHODS, METRICS, ROOT
from tests.benchmarks.aa_speed import build
from tests.benchmarks.facts import headline, result

RECORD = Path(__file__).parent / "records" / "repetitions.jsonl"
FEW, MANY = 16, 40
WORSE = 1.3
"""How much more values of few may vary: what a t-interval may be wider, too."""
ROUND = (
    "import json, sys; from pathlib import Path; from tests.benchmarks.aa_speed import one_round;"
    "print(json.dumps(one_round(Path(sys.argv[1]), 0, int(sys.argv[2]))))"
)


def record(cycles: int) -> None:
    """Run one sitting and append its rounds."""
    sitting = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    draw = random.Random(sitting)
    with tempfile.TemporaryDirectory() as scratch, open(RECORD, "a", encoding="utf-8") as file:
        folders = build(Path(scratch))
        for _ in range(cycles):
            turns = [(method, count) for method in METHODS for count in (FEW, MANY)]
            draw.shuffle(turns)
            for method, count in turns:
                found = _round(folders[method], count)
                line = {"sitting": sitting, "method": method, "repetitions": count, "values": found["values"]}
                file.write(json.dumps(line | {"at_pace": found["pace"]["at_1ms"], "notes": found["notes"]}) + "\n")
                file.flush()


def _round(artifact: Path, count: int) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-c", ROUND, str(artifact), str(count)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def judge() -> bool:
    """Hold the spread of values of few repetitions against that of many; returns whether few serve."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in RECORD.read_text("utf-8").splitlines()]
    good = True
    for kind in ("values", "at_pace"):
        for metric in METRICS:
            spreads = {count: _spread(rows, kind, metric, count) for count in (FEW, MANY)}
            ratio = spreads[FEW] / spreads[MANY]
            good = good and ratio <= WORSE
            print(f"{kind}, {metric}: {spreads[FEW]:.2%} with {FEW}, {spreads[MANY]:.2%} with {MANY}: {ratio:.2f}")
    print(f"{len(rows)} rounds; values of few may vary {WORSE} times as much")
    return good


def _spread(rows: list[dict[str, Any]], kind: str, metric: str, count: int) -> float:
    """Standard deviation of logs between processes of a sitting and method, pooled."""
    groups: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["repetitions"] == count:
            groups.setdefault((row["sitting"], row["method"]), []).append(math.log(row[kind][metric]))
    squares = sum(statistics.variance(group) * (len(group) - 1) for group in groups.values())
    return math.sqrt(squares / sum(len(group) - 1 for group in groups.values()))


def main() -> None:
    """Record or judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("record").add_argument("--cycles", type=int, default=15)
    verbs.add_parser("judge")
    asked = parser.parse_args()
    headline(f"python -m tests.benchmarks.repetitions {asked.verb}")
    if asked.verb == "record":
        record(asked.cycles)
    sys.exit(result(judge()))


if __name__ == "__main__":
    main()
