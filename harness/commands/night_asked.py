"""What a night is asked for, and the record that it begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from harness.commands.machine import Planned
from harness.comparing.gate import Gate
from harness.core.identity import digest
from harness.core.outcome import Environment
from harness.night.record import NightRecord, NightSide
from harness.plan.expand import Plan
from harness.plan.keys import OURS
from harness.store.where import ConditionValue, parse_where
from harness.tables.rows import text_of


@dataclass(frozen=True)
class NightAsked:
    """What a night is asked for."""

    sweep: str
    baseline: str
    candidate: str
    """Name of an environment, or a wheel."""
    budget: float
    """Seconds of rounds; what is built and scored before does not count."""
    seed: int | None = None
    only: Mapping[str, Sequence[ConditionValue]] = field(default_factory=dict)
    where: Sequence[str] = ()
    """Which numbers of speed are judged."""
    disturbed: bool = False
    """Count rounds that other processes disturbed, too."""


def fresh_record(asked: NightAsked, planned: Planned, sides: tuple[str, str], gate: Gate) -> NightRecord:
    """Write down what is asked of two environments as they are installed now; the same words, and the same packages, continue a night that was cut off."""
    now = datetime.now(UTC)
    packages = [_packages(planned.environments.get(side)) for side in sides]
    words = [
        "series by deciding packages",
        asked.sweep,
        *sides,
        asked.budget,
        asked.seed,
        asked.disturbed,
        sorted(asked.where),
        planned.plan.digest,
        packages,
    ]
    apart = [
        {name: version for name, version in one.items() if other.get(name) != version}
        for one, other in (packages, packages[::-1])
    ]
    seed = asked.seed if asked.seed is not None else int(f"{now:%Y%m%d}")
    one, other = (
        NightSide(name=side, identity=digest(there)[:12], packages=some)
        for side, there, some in zip(sides, packages, apart, strict=True)
    )
    return NightRecord(
        night="", number=0, started=now, sweep=planned.sweep.name, baseline=one, candidate=other, asked=digest(words), seed=seed,
        only=_part(asked.only), where=_part(parse_where(asked.where)), budget=asked.budget, false_alarms=gate.false_alarms,
    )  # fmt: skip


def _part(conditions: Mapping[str, Sequence[ConditionValue]]) -> dict[str, tuple[str, ...]]:
    """Write conditions as a record keeps them."""
    return {
        name: tuple("" if value is None else text_of(value) for value in values) for name, values in conditions.items()
    }


def _packages(environment: Environment | None) -> dict[str, str]:
    return (
        {} if environment is None else {name: version for name, version in environment.packages.items() if name != OURS}
    )


def identities(plan: Plan, record: NightRecord) -> dict[str, str]:
    """Say, by key of a job, what its series have beside job and machine: names of baseline and candidate, and the packages that decide its numbers.

    These are what engines, probes and quantizers name, of the job in the baseline and of all that it reads. With other versions of other packages a series goes on.
    """
    there = {job.id: job for job in plan.jobs if not job.other_gpu}

    @cache
    def behind(name: str) -> frozenset[tuple[str, str]]:
        job = there[name]
        read = (there[need] for need in job.needs if need in there)
        needs = (one.id for one in read if not (one.verifies or one.tells_truth))
        return frozenset(job.known_by.get("packages", {}).items()).union(*map(behind, needs))

    names = record.baseline.name, record.candidate.name
    jobs = sorted(
        there.values(), key=lambda job: job.environment == names[0]
    )  # of two with one key the baseline's is last
    return {job.key: digest([*names, *map(list, sorted(behind(job.id)))])[:16] for job in jobs}
