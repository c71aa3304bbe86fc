"""Canaries of sweeps whose engines can carry none: the loss is put into measured numbers, and judged as all numbers are. Pure; numpy inside.

They show that margins, rates and noise of tonight let a loss be seen; that a worse engine would reach these numbers they do not show, and it is told.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from harness.comparing import evidence
from harness.comparing.comparison import ComparedNumber
from harness.comparing.gate import Gate
from harness.core.errors import HarnessError
from harness.core.metric import Direction, metric
from harness.night.canary import SCORED, TIMED, TIMES, ScoredJob, drawn_of, loss_of
from harness.night.judging import NightFound, judged_numbers, margin_of, night_numbers, why_of
from harness.night.record import NightCanary, said_of
from harness.numbers import documents, pairing
from harness.numbers.intervals import checked
from harness.numbers.pairing import Items

INTO_DOCUMENTS = ("perplexity", "kl_divergence", "validation_loss")
"""Numbers whose documents can be made worse."""


def speed_in_numbers(
    awaiting: NightCanary, timed: Sequence[NightFound], gate: Gate, seed: int, family: int
) -> NightCanary:
    """Slow one series of tonight's down by what a canary is large, with the noise that its rounds had, and judge it."""
    fitting = [one for one in timed if _can_be_slower(one.number, gate)]
    pairs = sorted({one.pair for one in fitting})
    if not pairs:
        why = next(
            (why_of(one.number, one.covers) for one in timed if one.number.estimate is None), "nothing was measured"
        )
        return awaiting.model_copy(
            update={"skipped": True, "said": f"{awaiting.said}; and no number of tonight could carry it: {why}"}
        )
    name = pairs[random.Random(seed).randrange(len(pairs))]
    there = {one.number.metric.name: one for one in reversed(fitting) if one.pair == name}
    drawn = next((there[wanted] for wanted in TIMED if wanted in there), next(iter(there.values())))
    number = slower(drawn.number, gate)
    found = judged_numbers([number], (), gate, family)[0].word == "worse"
    (told,) = night_numbers([NightFound(number, name)], gate)
    size = f"{TIMES:g} margins of {number.metric.title.lower()}"
    said = said_of(told) if found else f"it is not called worse: {said_of(told)}"
    return awaiting.model_copy(update={"name": name, "size": size, "found": found, "said": said})


def _can_be_slower(one: ComparedNumber, gate: Gate) -> bool:
    is_timed = (
        one.estimate is not None and not one.estimate.exact and one.metric.kind == "speed" and one.better != "none"
    )
    return is_timed and bool(margin_of(one, gate))


def slower(one: ComparedNumber, gate: Gate) -> ComparedNumber:
    """Let a number's change be that of a canary and nothing else; its interval is as wide as it was."""
    known, margin = one.estimate, margin_of(one, gate)
    assert known is not None
    assert margin is not None
    size = TIMES * margin * (-1 if one.better == "higher" else 1)

    def bounds(alpha: float) -> tuple[float, float]:
        low, high = known.bounds(alpha)
        return low - known.value + size, high - known.value + size

    return replace(one, estimate=replace(known, value=size, bounds=bounds, p=None))


# ---------------------------------------------------------------- quality


def loss_in_numbers(jobs: Sequence[ScoredJob], gate: Gate, draw: random.Random, family: int) -> ScoredJob | None:
    """Draw a number of the baseline in whose items a canary would be found; None where there is none."""
    fitting = [one for one in jobs if one.metric not in SCORED and loss_of(one, gate) > 0]
    return drawn_of(fitting, draw, lambda one: would_be_found(one, loss_of(one, gate), gate, draw, family))


def would_be_found(one: ScoredJob, lost: float, gate: Gate, draw: random.Random, family: int) -> bool:
    """Say whether a number so much worse would be called worse, by the items that it is made of."""
    try:
        return judged_numbers([worse_number(one, lost, draw)], (), gate, family)[0].word == "worse"
    except HarnessError:  # too few items, or none are kept
        return False


def worse_number(one: ScoredJob, lost: float, draw: random.Random) -> ComparedNumber:
    """Compare a number with itself made worse. Raises: HarnessError where its items are not kept, or are too few."""
    honest = one.items()
    worse = worse_items(one, honest, lost, draw)
    value = (
        float(checked(worse.samples).mean())
        if worse.documents is None
        else documents.value_of(worse.documents, one.metric)
    )
    estimate = evidence.of_items(one.metric, (honest, worse), (one.value, value))
    return ComparedNumber("", metric(one.metric), one.better, (one.value, value), estimate)


def worse_items(one: ScoredJob, honest: Items, lost: float, draw: random.Random) -> Items:
    """Make items worse by so much on average, and not all alike: of right answers some are wrong, other items lose what is drawn exponentially.

    Raises: HarnessError where there are none that can be.
    """
    import numpy as np

    chance = np.random.default_rng(draw.getrandbits(64))
    sign = -1.0 if one.better == "higher" else 1.0
    if pairing.by_document(one.metric):
        if honest.documents is None or one.metric not in INTO_DOCUMENTS:
            raise HarnessError(f"nothing is kept into which a loss of {one.metric} can be put")
        sums = honest.documents.copy()
        mean = math.log1p(lost / one.value) if one.metric == "perplexity" else sign * lost
        sums[:, 0] += mean * chance.gamma(sums[:, 1])
        return Items(documents=sums, strata=honest.strata)
    samples = checked(honest.samples).copy()
    if ((samples == 0) | (samples == 1)).all():
        right = np.flatnonzero(samples == (1.0 if one.better == "higher" else 0.0))
        some = min(len(right), math.ceil(lost * samples.size - 1e-9))
        wrong = chance.choice(right, some, replace=False)
        samples[wrong] = 1.0 - samples[wrong]
    else:
        samples += sign * lost * chance.exponential(size=samples.size)
    return Items(samples=samples, strata=honest.strata)


def better_of(better: str, name: str) -> Direction:
    """Read which way a number is better, as it is written beside it; else as its metric says."""
    return next((way for way in ("higher", "lower", "none") if way == better), metric(name).better)
