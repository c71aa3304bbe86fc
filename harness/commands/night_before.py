"""The baseline's quality against a night before: files that both environments read alike, and that somebody changed, are worse in both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.commands.night_quality import RunByJob, work_named
from harness.commands.night_rounds import NightReading, found_of
from harness.comparing.measured import compared_sides
from harness.comparing.sides import side_where
from harness.core.identity import digest
from harness.night.judging import NightFound
from harness.night.record import BaselineScore, NightNumber, NightRecord
from harness.plan.expand import Plan, PlannedJob
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
    identity: Mapping[str, str] = field(default_factory=dict)
    """Hash, by work, of the packages that decide its numbers now."""


def baseline_now(
    record: NightRecord, nights: Sequence[NightRecord], plan: Plan, identity: Mapping[str, str]
) -> BaselineNow:
    """Take what the last of the finished nights before left, but for what stands on other packages now. identity: by key of a job (see `identities`)."""
    side = record.baseline.name
    here = {work: identity[job.key] for work, job in reversed([*_works(plan, side)])}
    if not nights:
        return BaselineNow(side, identity=here)
    last = nights[-1]
    is_as_it_was = last.baseline.identity == record.baseline.identity
    old = (_told(one, here) for one in last.scores if one.identity or is_as_it_was)
    before = tuple(one for one in old if here.get(one.work, one.identity) == one.identity)
    series = (one.series.split(" ") for one in last.open if one.series.startswith(f"{_BEFORE} "))
    return BaselineNow(side, before, frozenset(words[1] for words in series), here)


def _told(one: BaselineScore, identity: Mapping[str, str]) -> BaselineScore:
    """Complete a score of a record that kept less."""
    return one if one.identity else one.model_copy(update={"identity": identity.get(one.work, "")})


def _works(plan: Plan, side: str) -> Iterator[tuple[str, PlannedJob]]:
    """Give what a side measures of quality, and the jobs that do."""
    for job in plan.jobs:
        if job.kind == "quality" and job.environment == side and not (job.verifies or job.other_gpu):
            yield digest([*work_named(job), job.labels[0].reference])[:16], job


def scored(
    plan: Plan, side: str, runs: RunByJob, opened: OpenWorkspace, only: Collection[str] | None = None
) -> dict[str, tuple[str, str]]:
    """Give the baseline's quality: hash of what is measured to its name and run, where that has numbers. only: of these jobs (plan ids)."""
    found: dict[str, tuple[str, str]] = {}
    good = _contents(runs.values(), opened)
    for work, job in _works(plan, side):
        if runs.get(job.id) in good and _in(job.id, only):
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
    """Compare what was scored (see `scored`) with before, where the artifact is of other bytes now, or was when it was worse at last.

    What the run of before gives no number of any more, as one that is void, is missing: silence would be no proof.
    """
    numbers: dict[str, NightFound] = {}
    for one, called_, run in _changed(now, found, opened):
        source = NumberSource(opened.database)
        old, new = (side_where(now.side, source, {"run": which}) for which in (one.run, run))
        for number in compared_sides(old, new)[0] if new.rows else ():
            if number.estimate is None and (number.weight != "missing" or one.run == run):
                continue
            why = (
                ""
                if number.estimate
                else f"run {one.run} of night {one.night} gives no number to hold it against: {number.why}"
            )
            name = f"{called_[0]}, {now.side} itself against night {one.night}{called_[1]}"
            (told,) = found_of("", [replace(number, name=name, why=why)], opened, reading)
            series = f"{_BEFORE} {one.work} {number.metric.name}"
            numbers.setdefault(series, replace(told, series=series, against=one.night))
    return list(numbers.values())


def _changed(
    now: BaselineNow, found: Mapping[str, tuple[str, str]], opened: OpenWorkspace
) -> Iterator[tuple[BaselineScore, tuple[str, str], str]]:
    """Give the score of before, what it is called and what changed, and tonight's run."""
    pairs = [(one, *found[one.work]) for one in now.before if one.work in found]
    content = _contents([run for one, _, new in pairs for run in (one.run, new)], opened)
    for one, name, run in pairs:
        here = content.get(one.run), content.get(run)
        differs = all(here) and here[0] != here[1]
        if differs or one.run not in content or one.work in now.open:
            yield one, (name, " (its files changed)" if differs else ""), run


def _contents(runs: Iterable[str], opened: OpenWorkspace) -> dict[str, str]:
    """Give the contents of the artifacts behind runs, of those that have numbers; empty: not known."""
    asked = {"run": sorted(set(runs)), "status": "ok"}
    rows = opened.database.select(asked, ["run", "artifact_content"]).rows if asked["run"] else ()
    return {str(run): str(value or "") for run, value in rows}


def scores_after(
    record: NightRecord, now: BaselineNow, found: Mapping[str, tuple[str, str]]
) -> tuple[BaselineScore, ...]:
    """Say what later nights hold the baseline against: what it was at first, until it is better, a change is acknowledged, or its run is no more.

    While an alarm is open no other run takes the place of one that gives no number: that would close it.
    """
    kept = {one.work: one for one in now.before}
    for work, (name, run) in found.items():
        begin = f"{_BEFORE} {work} "
        mine = [one for one in record.numbers if one.against and one.series.startswith(begin)]
        is_open = any(one.series.startswith(begin) for one in record.open)
        is_lost = not is_open and "missing" in {one.word for one in mine} <= {"missing", "same", "better"}
        if work not in kept or is_lost or (mine and all(map(_moves, mine))):
            identity = now.identity.get(work, "")
            kept[work] = BaselineScore(work=work, name=name, run=run, night=record.night, identity=identity)
    return tuple(kept.values())


def _moves(one: NightNumber) -> bool:
    return one.word == "better" or bool(one.is_worse and one.cause)
