"""A sweep's speed jobs in two environments as rounds of one night: in order of need, until each is decided or the budget is used. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.core.errors import HarnessError
from harness.core.marks import BY_NIGHT
from harness.numbers.blocks import LOOKS
from harness.plan.expand import Plan, PlannedJob
from harness.runner.choosing import with_needs
from harness.runner.live import LivePair, block_rounds, shared_work, work_of

ROUNDS = 20_000
"""Most rounds that a night plans: its plan and its session's file hold all of them."""
USED = "the budget is used"
Place = tuple[str, int]
"""Name of a pair, and which of its blocks."""


@dataclass(frozen=True)
class NightPairs:
    """What both environments measure, and what only one of them can."""

    pairs: tuple[LivePair, ...]
    lacking: Mapping[str, str]
    """What one side alone can measure, and why the other cannot."""
    refused: Mapping[str, str]
    """What neither can measure here, and why."""


def called(pair: str | PlannedJob) -> str:
    """Name what is compared as people do: model, method, engine, block."""
    if isinstance(pair, str):
        return pair
    label, spec = pair.labels[0], pair.spec
    engine = getattr(spec, "engine", "")
    block = "" if label.block == label.sweep.removesuffix(BY_NIGHT) else label.block
    return " ".join(part for part in (label.model, label.method, engine, block) if part)


def set_apart(plan: Plan, named: Collection[str]) -> Plan:
    """Call what a sweep does not name, nor needs, by another sweep's name: its tables do not ask for that, nor is it published with it.

    named: the sweep's environments.
    """
    own = with_needs(plan, [job.id for job in plan.jobs if job.environment in named])

    def apart(job: PlannedJob) -> PlannedJob:
        labels = (label.model_copy(update={"sweep": f"{label.sweep}{BY_NIGHT}"}) for label in job.labels)
        return job if job.id in own else replace(job, labels=tuple(labels))

    return replace(plan, jobs=tuple(map(apart, plan.jobs)))


def night_pairs(plan: Plan, sides: tuple[str, str]) -> NightPairs:
    """Bring together the speed jobs that two environments have in common."""
    groups: dict[tuple[str, ...], dict[str, dict[str, list[PlannedJob]]]] = {}
    for job in plan.jobs:
        if job.kind == "speed" and job.round == 0 and not job.other_gpu and job.environment in sides:
            there = groups.setdefault(shared_work(job, "environment"), {})
            there.setdefault(job.environment, {}).setdefault(job.group, []).append(job)
    pairs: list[LivePair] = []
    lacking: dict[str, str] = {}
    refused: dict[str, str] = {}
    for there in groups.values():
        name = _free(called(next(iter(next(iter(there.values())).values()))[0]), [*(one.name for one in pairs), *lacking, *refused])  # fmt: skip
        reasons = [_unable(there.get(side, {}), side) for side in sides]
        if all(reasons):
            refused[name] = reasons[0]
        elif any(reasons):
            lacking[name] = reasons[0] or reasons[1]
        else:
            before, after = (tuple(next(iter(there[side].values()))) for side in sides)
            if sorted(map(work_of, before)) == sorted(map(work_of, after)):
                pairs.append(LivePair(name, before, after))
            else:
                lacking[name] = f"{' and '.join(sides)} do other work"
    return NightPairs(tuple(pairs), lacking, refused)


def _free(name: str, taken: Sequence[str]) -> str:
    """Number a name that is taken, as of two engines that differ in options alone."""
    number = sum(one == name or one.startswith(f"{name} (") for one in taken)
    return f"{name} ({number + 1})" if number else name


def _unable(groups: Mapping[str, Sequence[PlannedJob]], side: str) -> str:
    """Say why a side cannot be measured; empty where it can."""
    if len(groups) != 1:
        return f"{side} {'measures it in several ways; narrow it with --only' if groups else 'does not measure it'}"
    (jobs,) = groups.values()
    return next((f"{side} cannot run it here: {job.refused}" for job in jobs if job.refused), "")


def most_blocks(pairs: Sequence[LivePair]) -> int:
    """Return how many blocks each pair may have at most."""
    rounds = 2 * sum(len(pair.before) + len(pair.after) for pair in pairs)
    return max((look for look in LOOKS if look * rounds <= ROUNDS), default=LOOKS[0])


def night_plan(plan: Plan, pairs: Sequence[LivePair], live: str, most: int, seed: int) -> tuple[Plan, dict[str, Place]]:
    """Plan rounds: of every pair the blocks of the first look, then of every pair those up to the next; also say which block each is of.

    What is no speed job stays, since rounds read what it makes. seed: draws, together with what the rounds are of, which side begins a block.
    """
    placed: dict[str, Place] = {}
    rounds: list[PlannedJob] = []
    for begin, end in _levels(most):
        for pair in pairs:
            for block in range(begin, end):
                for job in block_rounds(pair, block, f"{seed} {live}", most):
                    rounds.append(job)
                    placed[job.id] = (pair.name, block)
    rest = tuple(job for job in plan.jobs if job.kind != "speed")
    found = replace(plan, jobs=(*rest, *rounds), chosen=frozenset(placed), live=live)
    return found, placed


def _levels(most: int) -> Iterator[tuple[int, int]]:
    ends = [*(look for look in LOOKS if look < most), most]
    return zip([0, *ends], ends, strict=False)


@dataclass
class NightStop:
    """Decides before each block whether it runs: by what is known of its pair, by what broke, and by the night's budget.

    It may be asked of any round at any time; a block that has begun is never cut.
    """

    places: Mapping[str, Place]
    decided: Callable[[str, int], str]
    """Says of a pair and so many whole blocks why they are enough; empty where they are not."""
    clock: Callable[[], float]
    budget: float
    """Seconds that are left to this command."""
    broken: dict[str, str] = field(default_factory=dict)
    """What became of a pair's round that gave no number."""
    why: dict[str, str] = field(default_factory=dict)
    """Why a pair has no more blocks, as it was said last."""
    reserved: set[str] = field(default_factory=set)
    """Pairs that must be measured again: time for as many blocks as they had is kept."""
    begun: float | None = None
    over: bool = False
    _sizes: Counter[Place] = field(default_factory=Counter)
    _landed: Counter[Place] = field(default_factory=Counter)
    _since: dict[Place, float] = field(default_factory=dict)
    _took: dict[str, float] = field(default_factory=dict)
    _said: dict[tuple[str, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._sizes = Counter(self.places.values())

    def began(self, job: PlannedJob) -> None:
        """Note that a round began: the budget counts from the first."""
        now = self.clock()
        self.begun = now if self.begun is None else self.begun
        self._since.setdefault(self.places[job.id], now)

    def landed(self, job: PlannedJob, broken: str = "") -> None:
        """Note that a round is over, in this command or one that was interrupted. broken: why it gave no number."""
        place = self.places[job.id]
        if broken:
            self.broken.setdefault(place[0], broken)
        self._landed[place] += 1
        if self._landed[place] == self._sizes[place] and place in self._since:
            self._took[place[0]] = self.clock() - self._since[place]

    @property
    def used(self) -> float:
        """Seconds of rounds so far."""
        return 0.0 if self.begun is None else self.clock() - self.begun

    @property
    def reserve(self) -> float:
        """Seconds that measuring again will take."""
        return sum(self.blocks(pair) * self._took.get(pair, 0.0) for pair in self.reserved)

    def blocks(self, pair: str) -> int:
        """Count the whole blocks of a pair."""
        return sum(count == self._sizes[place] for place, count in self._landed.items() if place[0] == pair)

    def __call__(self, job: PlannedJob) -> str:
        """Say why a round is not needed; empty where it is."""
        pair, block = self.places[job.id]
        if pair in self.broken:
            return self.broken[pair]
        if (pair, block) in self._since or self._landed[pair, block]:
            return ""
        said = self._asked(pair, block)
        if said:
            self.why[pair] = said
        else:
            self.why.pop(pair, None)
        return said

    def _asked(self, pair: str, block: int) -> str:
        if self.over:
            return USED
        done = self.blocks(pair)
        level = max((look for look in LOOKS if look <= block), default=0)
        if level and done >= LOOKS[0]:
            if (
                pair,
                level,
            ) not in self._said:  # once at each look: what others are found to be may change what is enough
                self._said[pair, level] = self.decided(pair, done)
            if self._said[pair, level]:
                return self._said[pair, level]
        if self.begun is None:  # what there is of a budget runs one block in any case
            return "" if self.budget > 0 else USED
        wanted = (LOOKS[0] if block == 0 else 1) * (2 if pair in self.reserved else 1)
        usual = self._took.get(pair) or max(self._took.values(), default=0.0)
        self.over = self.used + wanted * usual + self.reserve > self.budget
        return USED if self.over else ""


def refuse_nothing(plan: Plan, sides: tuple[str, str], pairs: NightPairs) -> None:
    """Refuse a night of which nothing can run. Raises: HarnessError with the first reason."""
    measured = [
        job for job in plan.jobs if job.kind in {"quality", "speed"} and job.environment in sides and not job.other_gpu
    ]
    able = {side for side in sides if any(job.environment == side and not job.refused for job in measured)}
    if len(able) < len(sides):
        reasons = dict.fromkeys(job.refused for job in measured if job.refused and job.environment not in able)
        lacking = " and ".join(side for side in sides if side not in able)
        raise HarnessError(
            f"nothing of sweep {plan.sweep} can run in {lacking}: {next(iter(reasons), 'it has no job for this machine')}"
        )
    if not pairs.pairs and not any(job.kind == "quality" for job in measured):
        first = next(iter({**pairs.refused, **pairs.lacking}.values()), "")
        raise HarnessError(f"nothing of sweep {plan.sweep} can be compared: {first}")
