"""Rounds of a job as outcomes, and a table of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.core.outcome import Measurement, Outcome
from harness.core.spec import Labels
from harness.plan.keys import spec_key
from harness.tables.result import Table
from tests.unit.store.outcomes import measured, measurement

SPEED = """
t:
  where: {sweep: any}
  rows: [method]
  baseline: {method: fp32}
  cells:
    Decode: {metric: decode_tps, format: 1, uncertainty: pm}
    Times: {metric: decode_tps, as: ratio, format: 3x, uncertainty: interval}
"""
FP32 = (100.0, 104.0, 98.0, 101.0, 99.0)
INT4 = (250.0, 243.0, 262.0, 255.0, 249.0)


def sitting(
    rates: Sequence[float],
    method: str = "fp32",
    session: str = "s-1",
    metric: str = "decode_tps",
    first: int = 0,
    **rest: Any,
) -> list[Outcome]:
    """The rounds of one job, in the order of their numbers."""
    found = []
    for turn, rate in enumerate(rates):
        items: tuple[Measurement, ...] = (
            measurement(metric, rate, n=1, unit="tok/s" if metric == "decode_tps" else "B"),
        )
        given = {"labels": Labels(sweep="demo", block="b", model="m", method=method, recipe="r")} | rest
        number = first + 100 * len(method) + turn + (ord(session[-1]) << 12)
        outcome = measured(number, items, workload={"batch": 1, "of": method}, **given)
        job = outcome.job.model_copy(update={"session": session, "round": turn, "order": number})
        spec = job.spec.model_copy(update={"probe": "generation"})
        found.append(outcome.model_copy(update={"job": job.model_copy(update={"spec": spec, "key": spec_key(spec)})}))
    return found


def row_of(table: Table, place: int = 0) -> list[str]:
    return [cell.text for cell in table.sections[0].rows[place]]
