"""The pool of rounds that were recorded, cut into sittings, sessions and pairs, and compared as tables do."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
POOL = Path(os.environ.get("AA_POOL", Path(__file__).parent / "records" / "aa_speed.jsonl"))
METHODS = {"fp32": {"precision": "fp32"}, "int4": {"precision": "int4", "algo_config": "rtn"}}
SLOWER = 0.05
METRICS = ("decode_tps", "prefill_tps", "ttft", "e2e_latency")
MARKS = ("unstable", "disturbed")
WORK = "additions"
"""What the extra work is; sittings before 2026-11-28, 14:00 did small matrix products, of which one is 3 % of a step."""


def known_extra() -> dict[str, int]:
    """Return the extra work that the last sitting did."""
    return {row["method"]: int(row["extra"]) for row in lines() if row.get("work") == WORK} if POOL.exists() else {}


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
