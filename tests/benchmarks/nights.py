"""Replayed nights: how often the history of a night is wrong, and what it finds. 300 series, 90 nights, noise resampled from what was measured.

    python -m tests.benchmarks.nights > tests/benchmarks/records/nights.txt      # about half an hour on two cores
    python -m tests.benchmarks.nights --curve 0 --only 0.005 --gate 0.05 --judged > tests/benchmarks/records/nights_gate.txt

Noise: `night_noise`, scaled to a deviation of 0.3, 0.5, 1 and 2 % between nights. Two nights are missing altogether, and 3 % of all other values.
All series share a walk of 0.2 % a night and a step of 3 %: no change. A candidate is measured again the same night. How much of what nights
differ by a second measurement draws anew differs between machines: judged are all of it, and what our own rounds show (what lies between their
sessions is kept; the database was not measured twice); half and nothing are shown, since nobody knows it of other machines.
Changes: 20 steps of 3 % and 20 of 1 % up or down, each of one series from a night between the 31st and the 84th, and 10 creeps to 3 % over 60 nights.
With a gate the comparison within each night pages, too (without a margin it would call what lies between sessions).
A page counts once a change: after it the series begins anew. Nights until a page count those in which the series was measured.
Seeds below 1000 were used while constants were chosen; the record is of others.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from harness.night import judging
from harness.numbers import proportions
from harness.numbers.nights import nights_needed
from tests.benchmarks import night_canary, night_noise, night_rules
from tests.benchmarks.facts import headline, result
from tests.benchmarks.night_replay import (
    FALSE_ALARMS,
    MEASURED,
    NIGHTS,
    POWER,
    SERIES,
    Fleet,
    Step,
    fleet,
    nights_until,
    replay,
    within_nights,
)

DEVIATIONS = (0.003, 0.005, 0.01, 0.02)
JUDGED_SHARES = (1.0, MEASURED)
SHARES = (0.5, 0.0)
"""Of what nights differ by, drawn anew by a second measurement: shown beside what is judged."""
PROMISED = 0.005
JUDGED = 20261129
SIZES, EACH, CREEPS = (0.03, 0.01), 20, 10
FIRST, LAST = 30, 84
WITHIN = {0.03: (2, 0.95), 0.01: (7, 0.7)}
"""At a deviation of 0.5 %: size of a step, nights within which it is found, and in what share; besides, one false page in 300 x 90 on average."""


@dataclass(frozen=True)
class Case:
    """One kind of replay."""

    deviation: float
    within: float
    changed: bool
    seed: int
    noise: str = ""
    margin: float | None = None
    """Of the gate, on the scale of logarithms."""


@dataclass
class CaseFound:
    """What one replay came to."""

    false: Counter[str]
    """Pages for nothing, by pool of the series, those of the comparison within a night among them."""
    candidates: int
    steps: list[tuple[float, int, int | None, str]]
    """Size, night, nights until its page (None: never), pool."""
    creeps: list[float | None]
    """What a creep had come to when it was called."""


def changes(seed: int) -> tuple[list[Step], list[Step]]:
    """Draw steps and creeps, each of a series of its own."""
    draw = np.random.default_rng([seed, 1])
    rows = [int(row) for row in draw.permutation(SERIES)]
    sizes = [size for size in SIZES for _ in range(EACH)]
    steps = [
        Step(row, int(draw.integers(FIRST, LAST)), size * float(draw.choice([-1, 1])))
        for row, size in zip(rows, sizes, strict=False)
    ]
    creeping = rows[len(steps) : len(steps) + CREEPS]
    return steps, [Step(row, int(draw.integers(10, FIRST)), 0.03 * float(draw.choice([-1, 1])), 60) for row in creeping]


def drawn(case: Case, *, drift: bool = True) -> tuple[Fleet, list[Step], list[Step]]:
    """Draw the nights of a case, with what changes in them. drift: with what is common to all series."""
    steps, creeps = changes(case.seed) if case.changed else ([], [])
    names = [case.noise] if case.noise else []
    seed = [case.seed, int(case.deviation * 1e4), int(case.within * 10) % 100, case.changed]
    return fleet(seed, case.deviation, case.within, [*steps, *creeps], names, drift=drift), steps, creeps


def run(case: Case) -> CaseFound:
    """Replay one case."""
    some, steps, creeps = drawn(case)
    changed = {one.series: one for one in (*steps, *creeps)}
    found = CaseFound(Counter(), 0, [], [])
    replayed = replay(some, list(changed.values()), case.margin)
    found.candidates, reached = replayed.candidates, dict[int, int]()
    for row, night in replayed.pages:
        if row in changed and changed[row].night <= night:
            reached[row] = night
        else:
            found.false[some.pools[row]] += 1
    if case.margin is not None:
        found.false.update(some.pools[row] for row, _ in within_nights(some, case.margin) if row not in changed)
    for one in steps:
        until = nights_until(some, one, reached[one.series]) if one.series in reached else None
        found.steps.append((abs(one.size), one.night, until, some.pools[one.series]))
    found.creeps = [
        abs(float(one.at(NIGHTS)[reached[one.series]])) if one.series in reached else None for one in creeps
    ]
    return found


def others(case: Case) -> dict[str, tuple[float, float, dict[float, float]]]:
    """Return of each other rule: false pages in all, share of unchanged series that it pages at least once, share of steps found in time.

    Nothing is common to all series here, which these rules would take for changes.
    """
    some, steps, creeps = drawn(case, drift=False)
    values, changed = some.values.copy(), {one.series: one for one in (*steps, *creeps)}
    values[[row for row, one in changed.items() if one.size > 0]] *= -1
    found = {}
    for name, rule in night_rules.RULES.items():
        called = [night_rules.pages(rule, one) for one in values]
        quiet = [nights for row, nights in enumerate(called) if row not in changed]
        shares = {}
        for size in SIZES:
            limit = WITHIN[size][0]
            hits = [
                any(one.night <= night and nights_until(some, one, night) <= limit for night in called[one.series])
                for one in steps
                if abs(one.size) == size
            ]
            shares[size] = sum(hits) / len(hits)
        found[name] = (float(sum(map(len, quiet))), sum(map(bool, quiet)) / len(quiet), shares)
    return found


# ---------------------------------------------------------------- what is printed


def judged(deviation: float, within: float, unchanged: Sequence[CaseFound], changed: Sequence[CaseFound]) -> bool:
    """Print one line of the curve; say whether it holds what is promised of a deviation of 0.5 %."""
    false = [one.false.total() for one in unchanged]
    looked = sum(one.candidates for one in unchanged) / len(unchanged) / NIGHTS
    told, good = [], np.mean(false) <= 1
    for size, (limit, least) in WITHIN.items():
        some = [step for one in changed for step in one.steps if step[0] == size]
        hits = sum(until is not None and until <= limit for _, _, until, _ in some)
        share, low, high = proportions.share(hits, len(some))
        good = good and share >= least
        told.append(
            f"{size:.0%} within {limit} nights {share:6.1%} [{low:.1%}, {high:.1%}], ever {np.mean([one[2] is not None for one in some]):6.1%}"
        )
    creeps = [size for one in changed for size in one.creeps]
    known = [size for size in creeps if size is not None]
    creep = f"creep found {len(known) / len(creeps):.0%}, at {np.median(known):.1%}" if known else "creep never found"
    passing = sum(one.false.total() for one in changed) / len(changed)
    print(
        f"sd {deviation:.1%}, anew {'as measured' if within == MEASURED else f'{within:4.0%}'}: false pages in {SERIES} x {NIGHTS}: {', '.join(map(str, false))} (mean {np.mean(false):.2f}; beside changes {passing:.2f}); "
        f"measured again in vain {looked:.2f} a night; {'; '.join(told)}; {creep}",
        flush=True,
    )
    return bool(good)


def by_pool(changed: Sequence[CaseFound], unchanged: Sequence[CaseFound]) -> None:
    """Print what a curve's line at 0.5 % is made of: kinds of noise, and how long a series had been known."""
    for name in sorted({step[3] for one in changed for step in one.steps}):
        false = sum(one.false[name] for one in unchanged)
        told = []
        for size, (limit, _) in WITHIN.items():
            some = [step[2] for one in changed for step in one.steps if step[0] == size and step[3] == name]
            told.append(
                f"{size:.0%} within {limit} {np.mean([until is not None and until <= limit for until in some]):.0%} of {len(some)}"
            )
        print(f"    {name}: {false} false in {len(unchanged)} replays; {', '.join(told)}")
    for low, high in ((FIRST, 48), (48, 66), (66, LAST)):
        some = [step[2] for one in changed for step in one.steps if step[0] == SIZES[1] and low <= step[1] < high]
        print(
            f"    1 % from nights {low + 1} to {high}: within 7 {np.mean([until is not None and until <= 7 for until in some]):.0%} of {len(some)}"
        )


def needed() -> None:
    """Print how many nights a series needs."""
    for size in SIZES:
        told = [
            f"{deviation:.1%}: {nights_needed(deviation, size, false_alarms=FALSE_ALARMS / SERIES, power=POWER)}"
            for deviation in DEVIATIONS
        ]
        print(f"nights needed for a change of {size:.0%} at {POWER:.0%} power, by sd between nights: {', '.join(told)}")


def main() -> None:
    """Replay, print, and say whether what is promised of 0.5 % holds at every share that is measured anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--replays", type=int, default=10, help="of each kind, without changes and with them, at 0.5 %%"
    )
    parser.add_argument("--curve", type=int, default=2, help="as many at the other deviations")
    parser.add_argument("--seed", type=int, default=JUDGED)
    parser.add_argument("--only", type=float, help="one deviation, as 0.005")
    parser.add_argument(
        "--gate",
        type=float,
        help="the gate's margin, as 0.05, of which a part matters to the history; default: every change does",
    )
    parser.add_argument("--judged", action="store_true", help="leave out what is shown beside what is judged")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    more = "".join(f" --{name} {value:g}" for name in ("only", "gate") if (value := getattr(asked, name)))
    more += " --judged" if asked.judged else ""
    headline(
        f"python -m tests.benchmarks.nights --replays {asked.replays} --curve {asked.curve} --seed {asked.seed}{more}"
    )
    margin = math.log1p(asked.gate) if asked.gate else None
    night_noise.described()
    shares = ", ".join(f"{name} {share:.0%}" for name, share in night_noise.drawn_anew().items())
    print(f"drawn anew by a second measurement, as measured: {shares}")
    needed()
    told = (
        f"a margin of {asked.gate:.1%}, of which 1/{judging.CREEPS} matters to the history"
        if asked.gate
        else "no margin"
    )
    print(f"gate: {FALSE_ALARMS:.0%} of a night's changes may be false, {POWER:.0%} power, {told}", flush=True)
    good = night_canary.found_in_time()
    with ProcessPoolExecutor(asked.processes, initializer=os.nice, initargs=(10,)) as workers:
        for deviation in [asked.only] if asked.only else sorted(DEVIATIONS, key=lambda one: one != PROMISED):
            seeds = range(asked.seed, asked.seed + (asked.replays if deviation == PROMISED else asked.curve))
            for within in (*JUDGED_SHARES, *(() if asked.judged else SHARES)):
                unchanged, changed = (
                    list(workers.map(run, [Case(deviation, within, kind, seed, margin=margin) for seed in seeds]))
                    for kind in (False, True)
                )
                holds = judged(deviation, within, unchanged, changed)
                if deviation == PROMISED:
                    good = good and (holds or within not in JUDGED_SHARES)
                    print(
                        f"    the promises of {PROMISED:.1%} {'hold' if holds else 'DO NOT HOLD'} here{'' if within in JUDGED_SHARES else ', which is not judged'}"
                    )
                    by_pool(changed, unchanged)
            told_others(list(workers.map(others, [Case(deviation, 0.5, True, seed) for seed in seeds])))
        for noise in night_noise.CHAINS if asked.curve else ():
            found = list(
                workers.map(
                    run, [Case(PROMISED, 0.0, False, asked.seed + place, noise, margin) for place in range(asked.curve)]
                )
            )
            print(
                f"{noise}, nothing anew, not judged: false pages {', '.join(str(one.false.total()) for one in found)}",
                flush=True,
            )
    sys.exit(result(good))


def told_others(found: Sequence[dict[str, tuple[float, float, dict[float, float]]]]) -> None:
    """Print what other rules do on the same nights."""
    for name in night_rules.RULES:
        rows = [one[name] for one in found]
        shares = ", ".join(
            f"{size:.0%} within {WITHIN[size][0]} {np.mean([row[2][size] for row in rows]):.0%}" for size in SIZES
        )
        print(
            f"    {name}: mean of {np.mean([row[0] for row in rows]):.1f} false pages, {np.mean([row[1] for row in rows]):.0%} of unchanged series paged; {shares}",
            flush=True,
        )


if __name__ == "__main__":
    main()
