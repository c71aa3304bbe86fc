"""A night's canaries: run apart from all other results, compared and judged as all numbers are."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rich.console import Console

from harness.commands.night_quality import RunByJob, run_quality
from harness.commands.night_rounds import NightReading, RoundsAsked, numbers_of, run_rounds
from harness.comparing.comparison import ComparedNumber
from harness.comparing.gate import Gate
from harness.comparing.measured import compared_sides
from harness.comparing.sides import side_where
from harness.core.files import remove, write_whole
from harness.core.metric import METRICS
from harness.core.spec import Input, MeasureSpec
from harness.night.canary import (
    SCORED,
    CanaryPair,
    ScoredJob,
    can_be_slowed,
    is_measured,
    loss_of,
    quality_canary,
    size_of,
    speed_canary,
)
from harness.night.files import CANARY
from harness.night.injected import better_of, loss_in_numbers, worse_number, would_be_found
from harness.night.judging import NightFound, judged_numbers, margin_of, night_numbers, value_of, why_of
from harness.night.record import NightCanary, said_of
from harness.numbers.blocks import LOOKS
from harness.numbers.nights import is_confirmed
from harness.plan.expand import Plan, PlannedJob
from harness.published.sources import NumberSource
from harness.runner.live import LivePair
from harness.runner.opened import OpenWorkspace
from harness.store.database import Database
from harness.store.location import USUAL

CanaryKind = Literal["speed", "quality"]
SHARE = 0.4
"""Of the budget that the rounds of a canary may take, with those in which it is measured again."""


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
    budget: float
    """Seconds that rounds of canaries may take."""
    spent: Callable[[float], None] = lambda seconds: None
    """Told how many of them are gone."""


def canary_budget(budget: float, left: float) -> float:
    """Return the seconds that rounds of canaries may take of a night's budget, of which so many are left."""
    return min(SHARE * budget, left)


def canary_folder(nights: Path, night: str, *, anew: bool) -> Path:
    """Name the folder of the canaries' runs; what another night left in it goes, and all that is in it where it is to be anew."""
    folder = nights / CANARY
    owner = folder / "night"
    if folder.exists() and (anew or not owner.is_file() or owner.read_text("utf-8") != night):
        remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(owner, night)
    return folder


def run_canaries(night: CanaryNight, pairs: Sequence[LivePair], folder: Path, most: int) -> list[NightCanary]:
    """Put a slowdown on one series and a loss of quality on another, and say whether they were found.

    A slowdown that no engine of the sweep can carry is put into tonight's numbers once there are any (`speed_in_numbers`).
    """
    draw = random.Random(night.seed)
    located = _locating(night.plan, night.opened)
    found = []
    with ExitStack() as stack:
        # Never the database that HARNESS_DB names: it is everybody's.
        database = stack.enter_context(Database.open(folder / USUAL, folder))
        apart = replace(night.opened, results=folder, database=database, untaken=[], behind=[])
        if any(job.kind == "speed" and is_measured(job, night.baseline) for job in night.plan.jobs):
            there = [pair for pair in pairs if all(_is_here(job, located) for job in pair.before)]
            asked = RoundsAsked((), "the baseline and its canary", most, night.budget, night.seed, spent=night.spent)
            found.append(_speed(night, there, speed_canary(there, night.gate, draw, located), apart, asked))
        scored = [job for job in night.plan.jobs if job.kind == "quality" and is_measured(job, night.baseline)]
        if scored:
            here = [job for job in scored if _is_here(job, located)]
            found.append(_quality(night, _scored(here, night), draw, located, apart))
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


def _scored(jobs: Sequence[PlannedJob], night: CanaryNight) -> list[ScoredJob]:
    """List the numbers that jobs of quality have."""
    source = NumberSource(night.opened.database)
    by_run = {run: job for job in jobs if isinstance(job.spec, MeasureSpec) and (run := night.runs.get(job.id))}
    columns = ["run", "metric", "slice", "value", "better", "measurement_id"]
    found = []
    for run, name, part, value, better, measurement in source.select(
        {"run": sorted(by_run), "status": "ok"}, columns
    ).rows:
        if name and value is not None and not part:
            items = functools.partial(source.items, str(measurement))
            found.append(ScoredJob(by_run[run], name, better_of(str(better), name), float(value), items))
    return found


# ---------------------------------------------------------------- speed


def _speed(
    night: CanaryNight, pairs: Sequence[LivePair], canary: CanaryPair | str, apart: OpenWorkspace, asked: RoundsAsked
) -> NightCanary:
    if isinstance(canary, str):
        awaits = not any(map(can_be_slowed, pairs)) and night.gate.margin(METRICS["decode_tps"]) is not None
        return NightCanary(kind="speed", found=False, injected="numbers" if awaits else "engine", said=canary)
    plan = Plan(night.plan.sweep, ())
    reading = replace(night.reading, where={})

    def target(session: str) -> ComparedNumber | None:
        return _target(canary.metrics, numbers_of(canary.pair, session, apart, reading))

    def decided(session: str, pair: str, blocks: int) -> str:  # noqa: ARG001 - there is one pair
        word = _word(one, night) if (one := target(session)) and one.estimate else "cannot tell"
        return "" if word == "cannot tell" else f"{word} is shown"

    asked = replace(asked, pairs=(canary.pair,), reserved={canary.pair.name})
    session, stop = run_rounds(plan, asked, apart, night.console, decided)
    first, blocks = target(session), stop.blocks(canary.pair.name)
    if stop.broken:
        return _told("speed", canary, f"its rounds gave no number: {next(iter(stop.broken.values()))}")
    done = f"{blocks} of {LOOKS[0]}" if blocks < LOOKS[0] else str(blocks)
    over = f"the {asked.budget:.3g} s that it may take, {SHARE:.0%} of the budget, leave no time for more than {done} blocks, twice; give the night more time with --budget"
    if blocks < LOOKS[0] and not (first and first.disturbed):
        return _told("speed", canary, over)
    if first is None or first.estimate is None or _word(first, night) != "worse":
        missed = _not_found("speed", canary, first, night)
        said = f"{missed.said}; {over}" if stop.over and not missed.skipped else missed.said
        return missed.model_copy(update={"said": said})
    first_used = stop.used  # a clock that goes on
    more = replace(
        asked, live=f"{asked.live}, again", most=max(blocks, LOOKS[0]), budget=asked.budget - first_used, reserved=set(),
        spent=lambda seconds: asked.spent(first_used + seconds),
    )  # fmt: skip
    session, _ = run_rounds(
        plan, more, apart, night.console, lambda session, pair, done: "as many as before" if done >= blocks else ""
    )
    return _held("speed", canary, first, target(session), night)


def _target(metrics: Sequence[str], numbers: Sequence[ComparedNumber]) -> ComparedNumber | None:
    """Choose the number by which a canary is told."""
    there = {one.metric.name: one for one in reversed(numbers)}
    return next((there[name] for name in metrics if name in there), None)


# ---------------------------------------------------------------- quality


def _quality(
    night: CanaryNight,
    scored: Sequence[ScoredJob],
    draw: random.Random,
    located: Callable[[Input], Input],
    apart: OpenWorkspace,
) -> NightCanary:
    if not scored:
        return NightCanary(
            kind="quality", found=False, skipped=True, said="the baseline has no number of quality to put it on"
        )
    canary = quality_canary(
        scored, night.gate, draw, located, lambda one, lost: would_be_found(one, lost, night.gate, draw, night.family)
    )
    if isinstance(canary, str):
        return _in_numbers(night, scored, draw, canary)
    worse = canary.pair.after[0]
    plan = Plan(night.plan.sweep, (worse,))
    numbers = []
    for again in ((), (worse.id,)):
        runs = run_quality(plan, apart, night.console, again)
        if worse.id not in runs:
            return _told("quality", canary, "it could not be measured")
        numbers.append(_damaged(night, canary, apart, runs[worse.id]))
        one = numbers[-1]
        if one is None or one.estimate is None or _word(one, night) != "worse":
            return _not_found("quality", canary, one, night)
    first, second = numbers
    assert first is not None
    return _held("quality", canary, first, second, night)


def _in_numbers(night: CanaryNight, scored: Sequence[ScoredJob], draw: random.Random, why: str) -> NightCanary:
    """Put a loss into what the baseline's numbers are made of; why: no engine of the sweep can carry one."""
    one = loss_in_numbers(scored, night.gate, draw, night.family)
    if one is None:
        others = [each for each in scored if each.metric not in SCORED and loss_of(each, night.gate) > 0]
        more = (
            f"; nor could it be found in {len(others)} other numbers, as {others[0].name} {others[0].metric}: they have too few items"
            if others
            else ""
        )
        return NightCanary(kind="quality", found=False, said=f"{why}{more}")
    lost = loss_of(one, night.gate)
    first, again = (worse_number(one, lost, draw) for _ in range(2))
    canary = CanaryPair(LivePair(one.name, (), ()), (one.metric,), size_of(one, lost))
    if _word(first, night) != "worse":
        return _not_found("quality", canary, first, night).model_copy(update={"injected": "numbers"})
    return _held("quality", canary, first, again, night).model_copy(update={"injected": "numbers"})


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
    kind: CanaryKind, canary: CanaryPair, first: ComparedNumber, again: ComparedNumber | None, night: CanaryNight
) -> NightCanary:
    if again is not None and again.disturbed:
        return _not_found(kind, canary, again, night)
    values = value_of(first), value_of(again) if again else None
    if values[0] is None or values[1] is None:
        return _told(kind, canary, f"worse at first ({_said(first, night)}), and not measured again")
    good = is_confirmed(values[0], values[1], margin=margin_of(first, night.gate))
    said = f"{_said(first, night)}, again {_said(again, night) if again else ''}"
    return _told(kind, canary, said if good else f"worse at first, and not again: {said}", found=good)


def _word(one: ComparedNumber, night: CanaryNight) -> str:
    """Judge a canary as one of the night's numbers."""
    return judged_numbers([one], (), night.gate, night.family)[0].word


def _not_found(kind: CanaryKind, canary: CanaryPair, one: ComparedNumber | None, night: CanaryNight) -> NightCanary:
    """Say why it is not called worse; where others disturbed its rounds, nothing was learnt of the gate."""
    if one is None:
        return _told(kind, canary, "it has no number")
    if one.estimate is None:
        covers = {"gpu": "a GPU"} if canary.pair.before and canary.pair.before[0].provider not in {"", "cpu"} else {}
        return _told(kind, canary, why_of(one, covers), skipped=one.disturbed)
    if one.estimate.left_out:
        left = f"other processes disturbed {one.estimate.left_out} of its blocks, and the others do not show it"
        return _told(kind, canary, f"{left}: {_said(one, night)}", skipped=True)
    return _told(kind, canary, f"it is not called worse: {_said(one, night)}")


def _told(
    kind: CanaryKind, canary: CanaryPair, said: str, *, found: bool = False, skipped: bool = False
) -> NightCanary:
    return NightCanary(kind=kind, name=canary.pair.name, size=canary.size, found=found, skipped=skipped, said=said)


def _said(one: ComparedNumber, night: CanaryNight) -> str:
    (number,) = night_numbers([NightFound(one, CANARY)], night.gate)
    return said_of(number)
