"""A comparison as JSON, for scripts: every number in full."""

from __future__ import annotations

import math

from harness.comparing.comparison import ComparedNumber, JudgedSides
from harness.comparing.gate import Margin
from harness.comparing.verdict import Judged
from harness.core.spec import JsonObject

FORMAT = 1
"""Version of the object."""


def to_record(result: JudgedSides) -> JsonObject:
    """Write a comparison as a JSON object. Changes of ratios are shares of A: -0.05 is 5 % less."""
    gate = result.gate
    return {
        "format": FORMAT,
        "a": result.sides[0],
        "b": result.sides[1],
        "exit_code": result.exit_code,
        "false_alarms": gate.false_alarms,
        "false_same": gate.false_same,
        "power": gate.power,
        "comparisons": [_judged(*one) for one in result.judged],
        "missing": [_told(one) for one in result.missing],
        "not_judged": [_told(one) for one in result.told],
        "notes": list(result.notes),
    }


def _told(one: ComparedNumber) -> JsonObject:
    return {**_head(one), "why": one.why}


def _head(one: ComparedNumber) -> JsonObject:
    return {
        "metric": one.metric.name,
        "name": one.name,
        "unit": one.metric.unit,
        "better": one.better,
        "a": one.values[0],
        "b": one.values[1],
    }


def _judged(one: ComparedNumber, judged: Judged, margin: Margin | None) -> JsonObject:
    estimate = one.estimate
    assert estimate is not None

    def change(value: float) -> float:
        return math.expm1(min(value, 700.0)) if estimate.log else value

    return {
        **_head(one),
        "verdict": judged.word,
        "change": change(estimate.value),
        "low": change(judged.interval[0]),
        "high": change(judged.interval[1]),
        "relative": estimate.log,
        "interval": estimate.how,
        "p": judged.p,
        "p_same": judged.p_same,
        "margin": None if margin is None else {"size": margin.size, "relative": margin.relative},
        "smallest_change": change(judged.smallest),
        "gained": None if one.moved is None else one.moved[0],
        "lost": None if one.moved is None else one.moved[1],
        "flips": [
            {
                "question": flip.name,
                "gained": flip.gained,
                "text": flip.question,
                "right": flip.right,
                "answers": list(flip.answers),
            }
            for flip in one.flips
        ],
        "marks": list(one.marks),
    }
