"""acknowledged.yaml: changes for the worse that are known, with their cause, so that a night does not call them again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import Field, field_validator

from harness.core.metric import METRICS
from harness.core.options import Options
from harness.core.spelling import unknown
from harness.night.record import VERDICTS, NightNumber, NightRecord
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


class AcknowledgedEntry(Options):
    """One known change."""

    noun = "key"
    metric: str
    covers: dict[str, str | int | float] = Field(default_factory=dict)
    """What it covers, as `{model: tiny, method: int4}`; nothing: the metric everywhere."""
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
    listed = node.fields.get("covers", node)
    for name in entry.covers:
        if name not in COVERS:
            mistakes.add(unknown("key of covers", name, COVERS), listed.fields.get(name, listed))
    return KnownChange(entry, f"{node.path}:{node.line}")


def acknowledged(
    numbers: Sequence[NightNumber], known: Sequence[KnownChange], night: date, before: Sequence[NightRecord] = ()
) -> tuple[list[NightNumber], list[str]]:
    """Give numbers that are worse the cause that is known of them; also say which known changes were never seen, tonight or before."""
    here = [one for one in known if one.entry.since <= night]
    found = [
        one.model_copy(update={"cause": next((change.entry.cause for change in here if change.fits(one)), "")})
        if one.is_worse
        else one
        for one in numbers
    ]
    ever = [one for record in before for one in record.numbers if one.is_worse]
    return found, list(_told(found, known, night, ever))


def _told(
    numbers: Sequence[NightNumber], known: Sequence[KnownChange], night: date, ever: Sequence[NightNumber]
) -> Iterator[str]:
    for change in known:
        entry = change.entry
        if entry.since > night:
            yield f"{change.place}: it counts from {entry.since} on, which is after this night"
            continue
        covered = [one for one in numbers if change.fits(one)]
        judged = [one for one in covered if one.word in VERDICTS]
        if not covered:
            yield f"{change.place}: no number of this night is a {entry.metric} that it covers; correct or remove it"
        elif (
            len(judged) == len(covered) and not any(one.is_worse for one in covered) and not any(map(change.fits, ever))
        ):
            yield f"{change.place}: this change of {entry.metric} is not seen in {len(judged)} numbers that it covers ({entry.cause}); remove it"
