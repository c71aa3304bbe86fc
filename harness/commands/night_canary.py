"""A night's canaries: run apart from all other results, compared and judged as all numbers are."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from harness.commands.night_quality import RunByJob, run_quality
from harness.commands.night_rounds import NightReading, RoundsAsked, numbers_of, run_rounds
from harness.comparing.comparison import ComparedNumber
from harness.comparing.gate import Gate
from harness.comparing.measured import compared_sides
from harness.comparing.sides import side_where
from harness.core.files import remove
from harness.core.spec import Input, MeasureSpec
from harness.night.canary import SCORED, CanaryPair, quality_canary, speed_canary
from harness.night.files import CANARY
from harness.night.judging import NightFound, judged_numbers, margin_of, night_numbers, value_of
from harness.night.record import NightCanary, said_of
from harness.numbers.blocks import LOOKS
from harness.numbers.nights import is_confirmed
from harness.plan.expand import Plan, PlannedJob
from harness.published.sources import NumberSource
from harness.runner.live import LivePair
from harness.runner.opened import OpenWorkspace
from harness.store.database import Database
from harness.store.location import USUAL

SHARE = 0.2
"""Of the budget that the rounds of a canary may take."""


@dataclass(frozen=True)
class CanaryNight:
    """What canaries are made from."""

    plan: Plan
    baseline: str
    opened: OpenWorkspace
    runs: RunByJob
    gate: Gate
    seed: int
    reading: NightReading
    family: int
    """Numbers that the night may judge: a canary is judged as one of them."""
    console: Console


def canary_folder(nights: Path, *, anew: bool) -> Path:
    """Name the folder of the canaries' runs; anew: what another night left in it goes."""
    folder = nights / CANARY
    if anew and folder.exists():
        remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run_canaries(
    night: CanaryNight, pairs: Sequence[LivePair], folder: Path, budget: float, most: int
) -> list[NightCanary]:
    """Put a slowdown on one series and a loss of quality on another, and say whether they were found."""
    draw = random.Random(night.seed)
    located = _locating(night.plan, night.opened)
    found = []
    with ExitStack() as stack:
        # Never the database that HARNESS_DB names: it is everybody's.
        database = stack.enter_context(Database.open(folder / USUAL, folder))
        apart = replace(night.opened, results=folder, database=database, untaken=[], behind=[])
        if any(job.kind == "speed" for job in night.plan.jobs):
            there = [pair for pair in pairs if all(_is_here(job, located) for job in pair.before)]
            asked = RoundsAsked((), "the baseline and its canary", most, SHARE * budget)
            found.append(_speed(night, speed_canary(there, night.gate, draw, located), apart, asked))
        scored = [
            job
            for job in night.plan.jobs
            if job.kind == "quality" and job.environment == night.baseline and not job.verifies
        ]
        if scored:
            here = [job for job in scored if _is_here(job, located)]
            found.append(_quality(night, quality_canary(_valued(here, night), night.gate, draw, located), apart))
    return found


def _locating(plan: Plan, opened: OpenWorkspace) -> Callable[[Input], Input]:
    kinds = {job.artifact: job.kind for job in plan.jobs if job.artifact}
    made = opened.database.known_artifacts()

    def located(item: Input) -> Input:
        if item.path or item.id not in kinds:
            return item
        folder = opened.artifact(item.id, kinds[item.id]).absolute()
        return item.model_copy(update={"path": str(folder), "content": made.get(item.id)})

    return located


def _is_here(job: PlannedJob, located: Callable[[Input], Input]) -> bool:
    return not job.refused and all(Path(located(item).path or "absent").is_dir() for item in job.inputs)


def _valued(jobs: Sequence[PlannedJob], night: CanaryNight) -> list[tuple[PlannedJob, float]]:
    """Give the jobs that have a number that a loss of quality is told by, with that number."""
    found = []
    for job in jobs:
        metric = job.spec.probe if isinstance(job.spec, MeasureSpec) else ""
        if metric in SCORED and (run := night.runs.get(job.id)):
            rows = night.opened.database.select({"run": run, "metric": metric, "status": "ok"}, ["slice", "value"]).rows
            found += [(job, float(value)) for part, value in rows if not part][:1]
    return found


# ---------------------------------------------------------------- speed


def _speed(night: CanaryNight, canary: CanaryPair | str, apart: OpenWorkspace, asked: RoundsAsked) -> NightCanary:
    if isinstance(canary, str):
        return NightCanary(kind="speed", found=False, said=canary)
    plan = Plan(night.plan.sweep, ())
    reading = replace(night.reading, where={})

    def target(session: str) -> ComparedNumber | None:
        return _target(canary.metrics, numbers_of(canary.pair, session, apart, reading))

    def decided(session: str, pair: str, blocks: int) -> str:  # noqa: ARG001 - there is one pair
        one = target(session)
        word = judged_numbers([one], (), night.gate, night.family)[0].word if one and one.estimate else "cannot tell"
        return "" if word == "cannot tell" else f"{word} is shown"

    asked = replace(asked, pairs=(canary.pair,))
    session, stop = run_rounds(plan, asked, apart, night.console, decided)
    first = target(session)
    if stop.broken:
        return _told("speed", canary, f"its rounds gave no number: {next(iter(stop.broken.values()))}")
    if stop.blocks(canary.pair.name) < LOOKS[0]:
        return _told(
            "speed",
            canary,
            f"the {asked.budget:.3g} s that it may take, {SHARE:.0%} of the budget, were over after {stop.blocks(canary.pair.name)} of {LOOKS[0]} blocks; give the night more time with --budget",
        )
    if first is None or first.estimate is None:
        return _told("speed", canary, first.why if first else "it has no number")
    if judged_numbers([first], (), night.gate, night.family)[0].word != "worse":
        return _told("speed", canary, f"it is not called worse: {_said(first, night)}")
    blocks = stop.blocks(canary.pair.name)
    more = replace(asked, live=f"{asked.live}, again", most=max(blocks, 2))
    session, _ = run_rounds(
        plan, more, apart, night.console, lambda session, pair, done: "as many as before" if done >= blocks else ""
    )
    return _held("speed", canary, first, target(session), night)


def _target(metrics: Sequence[str], numbers: Sequence[ComparedNumber]) -> ComparedNumber | None:
    """Choose the number by which a canary is told."""
    there = {one.metric.name: one for one in reversed(numbers)}
    return next((there[name] for name in metrics if name in there), None)


# ---------------------------------------------------------------- quality


def _quality(night: CanaryNight, canary: CanaryPair | str, apart: OpenWorkspace) -> NightCanary:
    if isinstance(canary, str):
        return NightCanary(kind="quality", found=False, said=canary)
    worse = canary.pair.after[0]
    plan = Plan(night.plan.sweep, (worse,))
    numbers = []
    for again in ((), (worse.id,)):
        runs = run_quality(plan, apart, night.console, again)
        if worse.id not in runs:
            return _told("quality", canary, "it could not be measured")
        numbers.append(_damaged(night, canary, apart, runs[worse.id]))
        one = numbers[-1]
        if one is None or one.estimate is None:
            return _told("quality", canary, one.why if one else "it has no number")
        if judged_numbers([one], (), night.gate, night.family)[0].word != "worse":
            return _told("quality", canary, f"it is not called worse: {_said(one, night)}")
    first, second = numbers
    assert first is not None
    return _held("quality", canary, first, second, night)


def _damaged(night: CanaryNight, canary: CanaryPair, apart: OpenWorkspace, run: str) -> ComparedNumber | None:
    honest = night.runs[canary.pair.before[0].id]
    sides = (
        side_where(
            night.baseline, NumberSource(night.opened.database), {"run": honest, "metric": list(canary.metrics)}
        ),
        side_where("canary", NumberSource(apart.database), {"run": run, "metric": list(canary.metrics)}),
    )
    return _target(canary.metrics, compared_sides(*sides)[0]) if sides[0].rows and sides[1].rows else None


# ---------------------------------------------------------------- both


def _held(
    kind: str, canary: CanaryPair, first: ComparedNumber, again: ComparedNumber | None, night: CanaryNight
) -> NightCanary:
    values = value_of(first), value_of(again) if again else None
    if values[0] is None or values[1] is None:
        return _told(kind, canary, f"worse at first ({_said(first, night)}), and not measured again")
    good = is_confirmed(values[0], values[1], margin=margin_of(first, night.gate))
    said = f"{_said(first, night)}, again {_said(again, night) if again else ''}"
    return _told(kind, canary, said if good else f"worse at first, and not again: {said}", found=good)


def _told(kind: str, canary: CanaryPair, said: str, *, found: bool = False) -> NightCanary:
    return NightCanary(
        kind="speed" if kind == "speed" else "quality", name=canary.pair.name, size=canary.size, found=found, said=said
    )


def _said(one: ComparedNumber, night: CanaryNight) -> str:
    (number,) = night_numbers([NightFound(one, CANARY)], night.gate)
    return said_of(number)
