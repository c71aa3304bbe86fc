"""The machine's own pace while it worked: a fixed computation timed between repetitions, outside every timer.

Virtual machines and laptops change their speed within seconds, by tens of percent, and no counter of theirs shows it. What
slows the workload then slows this computation about as much: seconds divided by its seconds vary half to a quarter as much
from process to process as seconds do (tests/benchmarks/README.md). Values at one pace serve comparisons of rounds of a session
(`numbers.rounds.ratio`); a number by itself is always that of the seconds that passed.
"""

from __future__ import annotations

import dataclasses
import platform
import statistics
import time
from collections.abc import Sequence

from harness.core.sessions import Trace
from harness.core.spec import JsonObject

SQUARES = 20_000
TIMES = 5
UNIT_SECONDS = 1e-3
"""The pace at which values are given: about that of the computation on a processor of 2023."""
LEAST = 5
"""Repetitions that are always taken, however few are half of them."""


def timed() -> float:
    """Time the computation: the median of five, seconds; about 5 ms in all."""
    return statistics.median(_once() for _ in range(TIMES))


def _once() -> float:
    begun = time.perf_counter()
    sum(number * number for number in range(SQUARES))
    return time.perf_counter() - begun


def computation() -> str:
    """Say what is timed: paces of other interpreters are no measure of each other."""
    return f"sum of the squares below {SQUARES:,}, {platform.python_implementation()} {platform.python_version()}"


def at_pace(trace: Trace, paces: Sequence[float]) -> Trace | None:
    """Return the repetitions as they would be at a pace of 1 ms: of the half of them during which the machine ran best.

    paces: seconds of the computation before the first repetition and after each. The other half is left out since the
    pace changed while it ran more often than not. None where not every repetition has a pace before and after it.
    """
    import numpy as np

    if len(paces) != len(trace.prefill) + 1:
        return None
    around = np.asarray(paces, dtype=np.float64)
    each = (around[:-1] + around[1:]) / 2
    kept = np.sort(np.argsort(each, kind="stable")[: max(LEAST, -(-len(each) // 2))])

    by = UNIT_SECONDS / each[kept]
    return dataclasses.replace(
        trace,
        prefill=trace.prefill[kept] * by,
        first_token=trace.first_token[kept] * by,
        steps=trace.steps[kept] * by[:, None],
        total=trace.total[kept] * by,
        setup=None,
        ids=None,
    )


def facts(paces: Sequence[float], values: dict[str, float]) -> JsonObject:
    """Say for the protocol what the pace was, seconds, and what the metrics come to at a pace of 1 ms."""
    return {
        "computation": computation(),
        "fastest": min(paces),
        "median": statistics.median(paces),
        "slowest": max(paces),
        "at_1ms": values,
    }
