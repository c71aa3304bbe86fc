"""Change points of `harness history`: on real series marked by eye before the code was written, and on noise of several kinds.

    python -m tests.benchmarks.change_points [--series 500]

Real series are read from HARNESS_TEST_DATA; their marks, and the rule by which they agree, stand in tests/golden/change_points.json. Made series of
40 and 90 nights have no change, or a step in the middle of one to four deviations of their noise. `drift` is a chain with correlation
0.5 from night to night, which shuffles take for change: its share is told, not judged.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from harness.numbers.change_points import LEVEL, change_points
from tests.benchmarks.facts import headline, result
from tests.conftest import extra
from tests.unit.numbers.test_change_points import MARKS, agreement, noise

SEED = 20261129
KINDS = ("normal", "heavy", "two speeds", "outliers", "drift")
STEPS = (1, 2, 4)


def made(seed: int, count: int, kind: str) -> np.ndarray:
    """Make one series of noise."""
    if kind != "drift":
        return noise(seed, count, kind)
    draw, values = np.random.default_rng([SEED, seed, count]), [0.0]
    for shock in draw.normal(size=count + 20):
        values.append(0.5 * values[-1] + float(shock))
    return np.array(values[-count:])


def share(kind: str, count: int, step: float, series: int) -> float:
    """Return the share of series in which a change is found; with a step, within 3 places of it."""
    hits = 0
    for seed in range(series):
        values = made(seed, count, kind)
        values[count // 2 :] += step * float(np.std(values))
        found = [one.place for one in change_points(list(values))]
        hits += any(abs(place - count // 2) <= 3 for place in found) if step else bool(found)
    return hits / series


def main() -> None:
    """Measure, print, and say whether real series agree with their marks and noise keeps to the level."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, default=500)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    series = asked.series
    headline(f"python -m tests.benchmarks.change_points --series {series}")
    rows = agreement(extra())
    for name, found, missed, wrong, length in rows:
        print(f"{name}: {length} values, found {found}, missed {missed}, not marked {wrong}")
    sure = sum(len(one["sure"]) for one in MARKS["series"].values())
    lost, odd, values = sum(len(row[2]) for row in rows), sum(len(row[3]) for row in rows), sum(row[4] for row in rows)
    print(f"{sure - lost} of {sure} sure marks found, {odd} points in {values} values that nobody marked\n")
    print(
        f"share of {series} series with a change point (level {LEVEL:g}), and with one within 3 places of a step of so many deviations"
    )
    print("noise        nights   none  " + "  ".join(f"{step} sd" for step in STEPS), flush=True)
    worst, cases = 0.0, [(kind, count) for kind in KINDS for count in (40, 90)]
    with ProcessPoolExecutor(asked.processes) as workers:
        asking = [[workers.submit(share, *case, step, series) for step in (0, *STEPS)] for case in cases]
        for (kind, count), asked_of in zip(cases, asking, strict=True):
            shares = [one.result() for one in asked_of]
            worst = max(worst, shares[0] if kind != "drift" else 0.0)
            print(f"{kind:12} {count:6}  {'  '.join(f'{one:5.3f}' for one in shares)}", flush=True)
    most = LEVEL + 3 * (LEVEL * (1 - LEVEL) / series) ** 0.5
    sys.exit(result(not lost and odd <= MARKS["most_wrong_per_100"] * values / 100 and worst <= most))


if __name__ == "__main__":
    main()
