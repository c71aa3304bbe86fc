"""Two sides of a sweep as a plan of rounds that are compared while they run: ABBA or BAAB, block after block. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from harness.core.errors import HarnessError
from harness.core.identity import canonical, digest
from harness.core.spec import MeasureSpec
from harness.numbers.blocks import LOOKS
from harness.plan.expand import Plan, PlannedJob
from harness.runner.choosing import JobChoice, choose
from harness.store.where import ConditionValue

LiveKind = Literal["method", "environment"]
MOST = LOOKS[-1]
"""Blocks beyond which nobody looks."""
_NEVER = -1.0
"""Precision that no rounds reach: what a block lacks makes it useless."""
SharedWork = tuple[str, ...]
"""What both sides do in one process: all but what is compared."""


def side_kind(plan: Plan, sides: tuple[str, str]) -> LiveKind:
    """Say what two words name in a sweep: methods, else environments. Raises: HarnessError for what is neither."""
    speed = [job for job in plan.jobs if job.kind == "speed"]
    there: dict[LiveKind, set[str]] = {
        "method": {label.method for job in speed for label in job.labels},
        "environment": {job.environment for job in speed},
    }
    for kind, names in there.items():
        if set(sides) <= names:
            return kind
    known = "; ".join(f"{kind}s {', '.join(sorted(names))}" for kind, names in there.items() if names)
    lacking = [side for side in sides if not any(side in names for names in there.values())] or list(sides)
    raise HarnessError(
        f"sweep {plan.sweep} does not measure the speed of two methods or two environments {' and '.join(lacking)}; "
        + (f"it has {known}" if known else "it measures no speed; add a probe as `generation`")
    )


def live_plan(
    plan: Plan, sides: tuple[str, str], kind: LiveKind, only: Mapping[str, Sequence[ConditionValue]], draw: str
) -> Plan:
    """Narrow a sweep's plan to two sides, with as many blocks of rounds as anybody may look at. draw: as in `block_rounds`.

    Raises: HarnessError where nothing fits, a side lacks what the other has, has it twice, or cannot run here.
    """
    found = choose(plan, JobChoice({**only, kind: list(sides)}, kinds=frozenset({"speed"})))
    chosen = [job for job in found.jobs if job.kind == "speed" and job.round == 0 and not job.other_gpu]
    if not chosen:
        raise HarnessError(f"nothing of what was asked for can run on this machine; see `harness plan {plan.sweep}`")
    for job in chosen:
        if job.refused:
            raise HarnessError(f"{kind} {_called(job, sides, kind)} cannot run here: {job.refused}")
    pairs = _pairs(chosen, sides, kind)
    rounds = tuple(round_ for block in range(MOST) for pair in pairs for round_ in block_rounds(pair, block, draw))
    ids = frozenset(job.id for job in rounds)
    rest = tuple(job for job in found.jobs if job.kind != "speed")
    return replace(found, jobs=(*rest, *rounds), chosen=ids, live=" and ".join(f"{kind} {side}" for side in sides))


@dataclass(frozen=True)
class LivePair:
    """What one process of each side measures."""

    name: str
    before: tuple[PlannedJob, ...]
    after: tuple[PlannedJob, ...]


def _pairs(jobs: Sequence[PlannedJob], sides: tuple[str, str], kind: LiveKind) -> list[LivePair]:
    groups: dict[SharedWork, dict[str, dict[str, list[PlannedJob]]]] = {}
    for job in jobs:
        side = _called(job, sides, kind)
        groups.setdefault(shared_work(job, kind), {}).setdefault(side, {}).setdefault(job.group, []).append(job)
    found = []
    for work, there in groups.items():
        name = " ".join(part for part in work[:3] if part)
        for side in sides:
            if len(there.get(side, {})) != 1:
                many = "is not measured" if side not in there else "is measured in several ways"
                raise HarnessError(f"{kind} {side} {many} with {name}; narrow both sides with --only")
        before, after = (tuple(next(iter(there[side].values()))) for side in sides)
        if sorted(map(work_of, before)) != sorted(map(work_of, after)):
            raise HarnessError(f"{' and '.join(sides)} do other work with {name}; narrow both sides with --only")
        found.append(LivePair(canonical(list(work)), before, after))
    return found


def _called(job: PlannedJob, sides: tuple[str, str], kind: LiveKind) -> str:
    """Name the side of a job. Raises: HarnessError where it is both, as two names of one method."""
    if kind == "environment":
        return job.environment
    found = {label.method for label in job.labels} & set(sides)
    if len(found) > 1:
        raise HarnessError(f"{' and '.join(sides)} are the same thing in this sweep: one artifact and one job")
    return next(iter(found))


def shared_work(job: PlannedJob, kind: LiveKind) -> SharedWork:
    """Name what one process of each side has in common."""
    assert isinstance(job.spec, MeasureSpec)
    label = job.labels[0]
    other = label.method if kind == "environment" else job.environment
    alone = work_of(job) if _is_alone(job) else ""
    return label.model, other, job.spec.engine, canonical(job.spec.engine_options), label.block, alone


def _is_alone(job: PlannedJob) -> bool:
    """Say whether a job has a process to itself, and shares none of its round."""
    return job.group == job.id


def work_of(job: PlannedJob) -> str:
    """Say what a job measures."""
    assert isinstance(job.spec, MeasureSpec)
    return f"{job.spec.probe} {canonical(job.spec.workload)}"


def block_rounds(pair: LivePair, block: int, draw: str, most: int = MOST) -> Iterator[PlannedJob]:
    """Give the rounds of one block: the second runs backwards; which side begins is drawn by a hash, so that a plan can be continued.

    draw: another one in each comparison, or what the first process of a block is slower by would look like a difference of the sides, the same every time.
    most: blocks that there can be.
    """
    sides = (pair.before, pair.after)
    if int(digest([pair.name, block, draw])[:8], 16) % 2:
        sides = sides[::-1]
    for number, order in ((2 * block, sides), (2 * block + 1, sides[::-1])):
        for jobs in order:
            yield from (_round(job, number, most) for job in jobs)


def _round(job: PlannedJob, number: int, most: int) -> PlannedJob:
    name = f"{job.id}#{number}" if number else job.id
    group = name if _is_alone(job) else f"{job.group.removesuffix('#0')}#{number}"
    return replace(job, id=name, round=number, group=group, own_process=True, precision=_NEVER, rounds=2 * most)


@dataclass
class LiveStop:
    """Decides between blocks whether a live comparison goes on: by what is known, by its budget, and by what broke."""

    plan: Plan
    decided: Callable[[int], str]
    """Says of so many whole blocks why they are enough; empty where they are not."""
    clock: Callable[[], float]
    budget: float
    """Seconds of rounds of this command."""
    why: str = ""
    """Why it ended; empty where it did not, or ran to its last block."""
    broken: str = ""
    """What became of a round that gave no number."""
    begun: float | None = None
    _places: dict[str, int] = field(default_factory=dict)
    _looked: set[int] = field(default_factory=set)
    _ran: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rounds = [job for job in self.plan.jobs if job.kind == "speed"]
        self.size = len(rounds) // MOST
        self._places = {job.id: place for place, job in enumerate(rounds)}

    def began(self) -> None:
        """Note that a round began: the budget counts from the first."""
        self.begun = self.clock() if self.begun is None else self.begun

    def __call__(self, job: PlannedJob) -> str:
        """Say why a round is not needed; empty where it is."""
        if self.broken:
            return self.broken
        place = self._places[job.id]
        if not self.why and place and place % self.size == 0:
            self.why = self._at(place // self.size)
        return self.why

    def _at(self, block: int) -> str:
        if block not in self._looked:
            self._looked.add(block)
            if why := self.decided(block):
                return why
        now = self.clock()
        if self.begun is None:
            return ""
        self._ran.setdefault(block, now)
        took = now - self._ran.get(block - 1, self.begun)
        return f"the budget of {self.budget:g} s is used" if now - self.begun + took > self.budget else ""
