"""The baseline's quality against a night before: files that both environments read alike, and that somebody changed, are worse in both."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.commands.night_quality import RunByJob, work_named
from harness.commands.night_rounds import NightReading, found_of
from harness.comparing.measured import compared_sides
from harness.comparing.sides import side_where
from harness.core.identity import digest
from harness.night.judging import NightFound
from harness.night.record import BaselineScore, NightNumber, NightRecord
from harness.plan.expand import Plan
from harness.published.sources import NumberSource
from harness.runner.night import called
from harness.runner.opened import OpenWorkspace

_BEFORE = "before"


@dataclass(frozen=True)
class BaselineNow:
    """What a night knows of its baseline."""

    side: str
    before: Sequence[BaselineScore] = ()
    """What it is held against, as an earlier night left them."""
    open: frozenset[str] = frozenset()
    """Works that were worse at last."""


def baseline_now(record: NightRecord, nights: Sequence[NightRecord]) -> BaselineNow:
    """Take what the last of the finished nights before left; nothing where other packages stand in the baseline now."""
    last = nights[-1] if nights else None
    if last is None or last.baseline.identity != record.baseline.identity:
        return BaselineNow(record.baseline.name)
    series = (one.series.split(" ") for one in last.open if one.series.startswith(f"{_BEFORE} "))
    return BaselineNow(record.baseline.name, last.scores, frozenset(words[1] for words in series))


def scored(plan: Plan, side: str, runs: RunByJob, only: Collection[str] | None = None) -> dict[str, tuple[str, str]]:
    """Give the baseline's quality: hash of what is measured to its name and run. only: of these jobs (plan ids)."""
    found: dict[str, tuple[str, str]] = {}
    for job in plan.jobs:
        if (
            job.kind == "quality"
            and job.environment == side
            and not job.verifies
            and job.id in runs
            and _in(job.id, only)
        ):
            work = digest([*work_named(job), job.labels[0].reference])[:16]
            found.setdefault(work, (called(job), runs[job.id]))
    return found


def _in(name: str, only: Collection[str] | None) -> bool:
    return only is None or name in only


def changed_numbers(
    now: BaselineNow,
    found: Mapping[str, tuple[str, str]],
    opened: OpenWorkspace,
    reading: NightReading,
) -> list[NightFound]:
    """Compare what was scored (see `scored`) with before, where the artifact is of other bytes now, or was when it was worse at last."""
    numbers: list[NightFound] = []
    for one, called_, run in _changed(now, found, opened):
        source = NumberSource(opened.database)
        old, new = (side_where(now.side, source, {"run": which}) for which in (one.run, run))
        for number in compared_sides(old, new)[0] if old.rows and new.rows else ():
            if number.estimate is None:
                continue
            name = f"{called_[0]}, {now.side} itself against night {one.night}{called_[1]}"
            (told,) = found_of("", [replace(number, name=name)], opened, reading)
            series = f"{_BEFORE} {one.work} {number.metric.name}"
            numbers.append(replace(told, series=series, against=one.night))
    return numbers


def _changed(
    now: BaselineNow, found: Mapping[str, tuple[str, str]], opened: OpenWorkspace
) -> Iterator[tuple[BaselineScore, tuple[str, str], str]]:
    """Give the score of before, what it is called and what changed, and tonight's run."""
    pairs = [(one, *found[one.work]) for one in now.before if one.work in found]
    asked = sorted({run for one, _, new in pairs for run in (one.run, new)})
    rows = opened.database.select({"run": asked}, ["run", "artifact_content"]).rows if asked else ()
    content = {str(run): str(value) for run, value in rows if value}
    for one, name, run in pairs:
        differs = one.run in content and run in content and content[one.run] != content[run]
        if differs or one.work in now.open:
            yield one, (name, " (its files changed)" if differs else ""), run


def scores_after(
    record: NightRecord, before: Sequence[BaselineScore], found: Mapping[str, tuple[str, str]]
) -> tuple[BaselineScore, ...]:
    """Say what later nights hold the baseline against: what it was at first, until it is better or a change is acknowledged."""
    kept = {one.work: one for one in before}
    for work, (name, run) in found.items():
        mine = [one for one in record.numbers if one.against and one.series.startswith(f"{_BEFORE} {work} ")]
        if work not in kept or (mine and all(map(_moves, mine))):
            kept[work] = BaselineScore(work=work, name=name, run=run, night=record.night)
    return tuple(kept.values())


def _moves(one: NightNumber) -> bool:
    return one.word == "better" or bool(one.is_worse and one.cause)
