"""Record a pool of real rounds for live comparisons: the same thing twice, and a real slowdown, in balanced blocks.

    python -m tests.benchmarks.live_pool --until 15:15      # appends a sitting to records/live_speed.jsonl; run it as often as wanted

A round is a fresh process that opens the shipped model as INT4 and runs the quickstart's generation workload, with fewer repetitions.
A block runs three arms in random order and then in the reverse order, so that any two arms stand in it as ABBA or BAAB. Arms: `a` and
`b` are the same thing; `slow` does a fixed count of additions before each step (as `aa_speed`), set once per pool to a twentieth of a step.
One line a round; a block that was cut off is left out by who reads it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import aa_pool, aa_speed

POOL = Path(os.environ.get("LIVE_POOL", Path(__file__).parent / "records" / "live_speed.jsonl"))
ARMS = ("a", "b", "slow")
REPETITIONS = 8
KEPT = ("values", "notes", "foreign_cpus", "cpus")


def order_of(draw: random.Random) -> tuple[str, ...]:
    """Draw the order of one block: a palindrome of the arms."""
    some = draw.sample(ARMS, len(ARMS))
    return (*some, *reversed(some))


def known_extra() -> int | None:
    """Return the extra work that the pool's last sitting did."""
    if not POOL.exists():
        return None
    lines = POOL.read_text("utf-8").splitlines()
    return int(json.loads(lines[-1])["extra"]) if lines else None


def calibrated(artifact: Path) -> int:
    """Choose so many additions as make a step a twentieth longer, found in processes that do them every other time."""
    additions = aa_speed.additions_for(aa_pool.SLOWER / _round(artifact, 0)["values"]["decode_tps"])
    for _ in range(2):
        longer = statistics.median(
            float(aa_speed.in_process(artifact, additions, "alternating")["longer"]) for _ in range(3)
        )
        additions = max(1, round(additions * aa_pool.SLOWER / max(longer, aa_pool.SLOWER / 5)))
    return additions


def record(until: float, extra: int | None) -> None:
    """Append one sitting of whole blocks, of which none begins after a moment of the clock; extra: additions of the slow arm."""
    sitting = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    draw, places = random.Random(sitting), itertools.count()
    with tempfile.TemporaryDirectory() as scratch, open(POOL, "a", encoding="utf-8") as pool:
        artifact = aa_speed.build(Path(scratch))["int4"]
        extra = extra or known_extra() or calibrated(artifact)
        for block in itertools.count():
            if time.time() > until:
                return
            for arm in order_of(draw):
                head = {"sitting": sitting, "block": block, "order": next(places), "arm": arm}
                load, begun = round(os.getloadavg()[0], 2), time.monotonic()
                found = _round(artifact, extra if arm == "slow" else 0)
                line = head | {"load": load} | found | {"seconds": round(time.monotonic() - begun, 2), "extra": extra}
                pool.write(json.dumps(line) + "\n")
                pool.flush()


def _round(artifact: Path, extra: int) -> dict[str, Any]:
    found = aa_speed.in_process(artifact, extra, "round", REPETITIONS)
    return {name: found[name] for name in KEPT} | {"at_1ms": found["pace"]["at_1ms"]}


def _moment(text: str) -> float:
    """Read an hour of today, in UTC."""
    hour, minute = map(int, text.split(":"))
    return datetime.now(UTC).replace(hour=hour, minute=minute, second=0).timestamp()


def main() -> None:
    """Record until a moment of today."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", type=_moment, required=True, metavar="HH:MM", help="in UTC")
    parser.add_argument("--extra", type=int, help="additions before each step; else those of the last sitting")
    asked = parser.parse_args()
    record(asked.until, asked.extra)


if __name__ == "__main__":
    main()
