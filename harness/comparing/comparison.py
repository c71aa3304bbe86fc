"""What comes of comparing two sides: each number with its estimate or the reason why there is none, and their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.comparing.gate import Gate, Margin
from harness.comparing.verdict import ChangeEstimate, Judged, judge, limits
from harness.core.metric import Direction, Metric

MissingWeight = Literal["judged", "missing", "told"]
"""What a number counts for: a verdict; that something is missing; or nothing, since it is never judged."""


@dataclass(frozen=True)
class Flip:
    """A question that only one side answered rightly."""

    name: str
    gained: bool
    """B has it right."""
    question: str = ""
    right: str = ""
    """The right answer."""
    answers: tuple[str, str] = ("", "")
    """What A and B said."""


@dataclass(frozen=True)
class ComparedNumber:
    """One number of both sides."""

    name: str
    """Of what, in the dimensions in which the numbers of this call differ."""
    metric: Metric
    better: Direction
    values: tuple[float | None, float | None]
    estimate: ChangeEstimate | None = None
    why: str = ""
    """Why there is no estimate."""
    weight: MissingWeight = "judged"
    flips: tuple[Flip, ...] = ()
    moved: tuple[int, int] | None = None
    """Answers gained and lost."""
    marks: tuple[str, ...] = ()
    """What marks its numbers, as `unstable`."""
    measurement: str = ""
    """Id of A's measurement; of B's where A has none."""
    disturbed: bool = False
    """There is no estimate since other processes disturbed its rounds."""


@dataclass(frozen=True)
class JudgedSides:
    """All numbers of a call, judged together."""

    sides: tuple[str, str]
    gate: Gate
    judged: tuple[tuple[ComparedNumber, Judged, Margin | None], ...]
    missing: tuple[ComparedNumber, ...]
    told: tuple[ComparedNumber, ...]
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """The verdicts."""
        return [judged.word for _, judged, _ in self.judged]

    @property
    def exit_code(self) -> int:
        """1 where something is worse; 3 where nothing was judged, or a number that one side has is missing on the other; else 0."""
        if "worse" in self.words:
            return 1
        return 3 if self.missing or not self.judged else 0


def judged_together(
    sides: tuple[str, str], found: Sequence[ComparedNumber], gate: Gate, notes: Sequence[str] = ()
) -> JudgedSides:
    """Judge all numbers of a call."""
    good = [one for one in found if one.estimate is not None]
    margins = [gate.margin(one.metric) for one in good]
    asked = []
    for one, margin in zip(good, margins, strict=True):
        assert one.estimate is not None
        asked.append((one.estimate, limits(margin, one.estimate, one.values[0] or 0.0), one.better))
    verdicts = judge(asked, gate)
    return JudgedSides(
        sides,
        gate,
        tuple(zip(good, verdicts, margins, strict=True)),
        tuple(one for one in found if one.estimate is None and one.weight == "missing"),
        tuple(one for one in found if one.estimate is None and one.weight == "told"),
        tuple(notes),
    )
