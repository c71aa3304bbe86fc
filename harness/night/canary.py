"""The night's canary: jobs of the baseline, drawn by the night's seed, once as they are and once worse by a known size. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.comparing.gate import Gate
from harness.core.identity import canonical
from harness.core.metric import METRICS, Direction, metric
from harness.core.registry import load
from harness.core.spec import Input, JsonObject, MeasureSpec
from harness.engines import CANARY
from harness.engines.canary import SLOWED
from harness.numbers.pairing import Items
from harness.plan.expand import PlannedJob
from harness.plan.keys import spec_key
from harness.probes import PROBES
from harness.runner.live import LivePair

TIMES = 1.5
"""Margins of the gate that a canary is large."""
TIMED = ("decode_tps", "e2e_tps", "per_token_latency")
"""Numbers by which a slowdown is told, the first that there is."""
SCORED = ("perplexity", "kl_divergence")
"""Numbers by which a loss of quality is told that was put into an engine."""


@dataclass(frozen=True)
class CanaryPair:
    """A pair of which the second is worse; size: as people say it."""

    pair: LivePair
    metrics: tuple[str, ...]
    size: str


@dataclass(frozen=True)
class ScoredJob:
    """A job of quality of the baseline, and one of its numbers."""

    job: PlannedJob
    metric: str
    better: Direction
    value: float
    items: Callable[[], Items]
    """What the number is made of. Raises: HarnessError where it is not at hand."""

    @property
    def name(self) -> str:
        """Name it as people do."""
        label = self.job.labels[0]
        return " ".join(part for part in (label.model, label.method, _engine(self.job)) if part)


def is_measured(job: PlannedJob, side: str) -> bool:
    """Say whether this machine measures a job in an environment: nobody refused it, and it is of no other GPU."""
    return job.environment == side and not (job.refused or job.other_gpu or job.verifies)


def can_be_slowed(pair: LivePair) -> bool:
    """Say whether a pair's engine can be made slower from outside; programs of others cannot."""
    return _engine(pair.before[0]) in SLOWED


def speed_canary(
    pairs: Sequence[LivePair], gate: Gate, draw: random.Random, located: Callable[[Input], Input]
) -> CanaryPair | str:
    """Draw a series and slow it down; else say why there is none. located: gives an input its folder."""
    margin = gate.margin(METRICS["decode_tps"])
    if margin is None or not margin.relative:
        return "gate.yaml has no margin of speed in percent; give one, as `speed: 5 %`"
    fitting = [pair for pair in pairs if can_be_slowed(pair)]
    if not fitting:
        return f"no series runs on an engine that can be slowed down ({', '.join(SLOWED)}); add one to the sweep"
    drawn = fitting[draw.randrange(len(fitting))]
    share = 1 / (1 - min(TIMES * margin.size, 0.9)) - 1
    honest = tuple(_honest(job, located) for job in drawn.before)
    slower = tuple(worse_job(job, {"slower": share}) for job in honest)
    size = f"{TIMES * margin.size:.3g} of its speed taken by work between tokens"
    return CanaryPair(LivePair(drawn.name, honest, slower), TIMED, size)


def quality_canary(
    jobs: Sequence[ScoredJob],
    gate: Gate,
    draw: random.Random,
    located: Callable[[Input], Input],
    is_found: Callable[[ScoredJob, float], bool],
) -> CanaryPair | str:
    """Draw a number of the baseline, and damage what its job says; else say why there is none.

    is_found: whether so large a loss would be found in what a number is made of; one that could not be is not drawn.
    """
    fitting = [one for one in jobs if one.metric in SCORED and loss_of(one, gate) > 0]
    if not fitting:
        return f"no series of quality is a {' or '.join(SCORED)} with a margin in gate.yaml that is more than nothing of its value; add one to the sweep, or give the margin as a plain number"
    one = drawn_of(fitting, draw, lambda one: is_found(one, loss_of(one, gate)))
    if one is None:
        return f"a loss of {TIMES:g} margins could be found in none of {len(fitting)} series of {' and '.join(SCORED)}, as {fitting[0].name} {fitting[0].metric}: they have too few documents; score more of the text (`tokens`), or one of more passages"
    lost = loss_of(one, gate)
    more: JsonObject = {"lost": math.log1p(lost / one.value)} if one.metric == "perplexity" else {"moved": lost}
    honest = _honest(one.job, located)
    return CanaryPair(LivePair(one.name, (honest,), (worse_job(honest, more),)), (one.metric,), size_of(one, lost))


def drawn_of(some: Sequence[ScoredJob], draw: random.Random, good: Callable[[ScoredJob], bool]) -> ScoredJob | None:
    """Draw one of those that are good; no more of them are asked than it takes."""
    mixed = sorted(some, key=lambda one: canonical([one.name, one.metric, one.job.id]))
    draw.shuffle(mixed)
    return next(filter(good, mixed), None)


def loss_of(one: ScoredJob, gate: Gate) -> float:
    """Return how large a canary is in the metric's unit; 0 where none can be made, as of a share of a KL divergence of 0."""
    margin = gate.margin(metric(one.metric))
    if margin is None or not math.isfinite(one.value) or (one.metric == "perplexity" and one.value <= 0):
        return 0.0
    return TIMES * (margin.size * abs(one.value) if margin.relative else margin.size)


def size_of(one: ScoredJob, lost: float) -> str:
    """Say how large a loss is."""
    return f"{lost:.3g} {'less' if one.better == 'higher' else 'more'} {metric(one.metric).title.lower()}"


def _engine(job: PlannedJob) -> str:
    return job.spec.engine if isinstance(job.spec, MeasureSpec) else ""


def _honest(job: PlannedJob, located: Callable[[Input], Input]) -> PlannedJob:
    """Let a job stand alone: what it reads is there, and no other job is behind it."""
    return replace(job, inputs=tuple(map(located, job.inputs)), needs=(), check=None)


def worse_job(job: PlannedJob, more: JsonObject) -> PlannedJob:
    """Let a job run on an engine that is worse by a known size."""
    spec = job.spec
    assert isinstance(spec, MeasureSpec)
    options: JsonObject = {"engine": spec.engine, "options": dict(spec.engine_options), **more}
    changed = spec.model_copy(update={"engine": CANARY, "engine_options": options})
    alone = job.group == job.id
    name = f"{job.id}~{CANARY}"
    group = name if alone else f"{job.group.removesuffix('#0')}~{CANARY}#0"
    key = spec_key(changed, load(PROBES, "probe", spec.probe).located)
    return replace(job, id=name, spec=changed, key=key, group=group, asked=None)


def drawn_order(pairs: Sequence[LivePair], seed: int, first: Sequence[str] = ()) -> list[LivePair]:
    """Order a night's pairs: what the night before did not reach, then all others as the seed draws them."""
    mixed = sorted(pairs, key=lambda pair: canonical([pair.name]))
    random.Random(seed).shuffle(mixed)
    return sorted(mixed, key=lambda pair: pair.name not in first)
