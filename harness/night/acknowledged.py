"""acknowledged.yaml: changes for the worse that are known, with their cause, so that a night does not call them again."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import Field, field_validator

from harness.core.metric import METRICS
from harness.core.options import Options
from harness.core.spelling import unknown
from harness.night.record import NightNumber
from harness.plan.yamlfile import Mistakes, Node, collecting, kind, read, validate

FILE = "acknowledged.yaml"
COVERS = (
    "model",
    "method",
    "recipe",
    "engine",
    "provider",
    "probe",
    "batch",
    "prompt",
    "output",
    "task",
    "text",
    "gpu",
)
"""By what an entry can say what it covers."""
_PERCENT = re.compile(r"\s*([+-]?[0-9]*\.?[0-9]+)\s*%\s*")


class AcknowledgedEntry(Options):
    """One known change."""

    noun = "key"
    metric: str
    covers: dict[str, str | int | float] = Field(default_factory=dict)
    """What it covers, as `{model: tiny, method: int4}`; nothing: the metric everywhere."""
    change: str | float | None = None
    """How much is known: `-6 %` of the baseline's value, or a number in the metric's unit; nothing: as much as the first night that it covers."""
    cause: str = Field(min_length=1)
    """Why it is so, as a link to what changed."""
    since: date
    """Day of the first night that it is known for."""

    @field_validator("since", mode="before")
    @classmethod
    def _a_day(cls, value: object) -> object:
        if isinstance(value, str | date):
            return value
        raise ValueError("a day is written as 2026-11-29")

    @field_validator("change")
    @classmethod
    def _a_change(cls, value: str | float | None) -> str | float | None:
        share = _share(value)
        if isinstance(value, str) and (share is None or share <= -1):
            raise ValueError(
                "a change is written as `-6 %`, which is above -100 %, or as a number in the metric's unit"
            )
        return value


@dataclass(frozen=True)
class KnownChange:
    """An entry with its place."""

    entry: AcknowledgedEntry
    place: str
    """FILE:LINE."""

    def fits(self, one: NightNumber) -> bool:
        """Say whether it covers a number."""
        wanted = self.entry.covers
        return one.metric == self.entry.metric and all(
            one.covers.get(name) == str(value) for name, value in wanted.items()
        )

    def written(self, one: NightNumber) -> float | None:
        """Return how much is known of a number's change, on its scale; None where the entry does not say it."""
        change, share = self.entry.change, _share(self.entry.change)
        if share is not None:
            return math.log1p(share) if one.log else None if one.a is None else share * abs(one.a)
        if change is None or not one.log:
            return None if change is None else float(change)
        return math.log1p(max(float(change) / abs(one.a), -1 + 1e-9)) if one.a else None


def _share(value: str | float | None) -> float | None:
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else float(found[1]) / 100


def read_acknowledged(folders: Sequence[Path]) -> list[KnownChange]:
    """Read acknowledged.yaml of each folder that has one. Raises: ConfigError with every mistake."""
    found = []
    with collecting() as mistakes:
        for path in [folder / FILE for folder in folders if (folder / FILE).is_file()]:
            root = read(path, mistakes)
            if root.value is None:
                continue
            if not isinstance(root.value, list):
                mistakes.add(f"{FILE} must be a list of known changes; it is {kind(root)}", root)
                continue
            found += [one for node in root.items if (one := _entry(node, mistakes)) is not None]
    return found


def _entry(node: Node, mistakes: Mistakes) -> KnownChange | None:
    entry: AcknowledgedEntry | None = validate(AcknowledgedEntry, node, "a known change", mistakes)
    if entry is None:
        return None
    if entry.metric not in METRICS and "." not in entry.metric:
        mistakes.add(unknown("metric", entry.metric, METRICS), node.fields["metric"])
    if _is_for_the_better(entry):
        said = f"a change of {entry.change} makes {entry.metric} better; a known change is one for the worse"
        mistakes.add(said, node.fields["change"])
    listed = node.fields.get("covers", node)
    for name in entry.covers:
        if name not in COVERS:
            mistakes.add(unknown("key of covers", name, COVERS), listed.fields.get(name, listed))
    return KnownChange(entry, f"{node.path}:{node.line}")


def _is_for_the_better(entry: AcknowledgedEntry) -> bool:
    share = _share(entry.change)
    size = share if share is not None else entry.change
    better = METRICS[entry.metric].better if entry.metric in METRICS else "none"
    return isinstance(size, float) and size != 0 and better != "none" and (size > 0) == (better == "higher")
