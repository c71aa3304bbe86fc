"""The rounds of a night over all pairs: first a few blocks of each, then more of what is undecided, until the budget is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console

from harness.commands.night_before import BaselineNow
from harness.commands.night_rounds import NightReading, RoundsAsked, found_of, numbers_of, run_rounds
from harness.comparing.comparison import ComparedNumber
from harness.comparing.gate import Gate
from harness.night.judging import NightFound, judged_numbers, night_numbers
from harness.night.record import NightNumber, NightWord
from harness.numbers.blocks import LOOKS
from harness.plan.expand import Plan
from harness.runner.live import LivePair
from harness.runner.night import NightPairs, NightStop
from harness.runner.opened import OpenWorkspace


@dataclass(frozen=True)
class MainNight:
    """What rounds of a night stand on."""

    plan: Plan
    sides: tuple[str, str]
    pairs: NightPairs
    opened: OpenWorkspace
    gate: Gate
    reading: NightReading
    console: Console
    name: str
    seed: int
    """Both of the night."""
    baseline: BaselineNow
    spent: Callable[[], Callable[[float], None]] = lambda: lambda seconds: None
    """Gives what is told how many seconds rounds took from then on."""

    @property
    def live(self) -> str:
        """Say which two sides rounds compare, and in which night: a session that another night left open is not continued."""
        return f"{' and '.join(f'environment {side}' for side in self.sides)} in night {self.name}"


@dataclass(frozen=True)
class MainFound:
    """What rounds of a night gave: their session, all numbers of the night judged together, and those of speed as they were compared."""

    session: str
    numbers: list[NightNumber]
    timed: list[NightFound]

    @property
    def is_whole(self) -> bool:
        """Whether every pair has rounds of this night."""
        return not any(one.pair and one.word in {"missing", "not reached"} for one in self.numbers)


def main_numbers(
    night: MainNight, order: Sequence[LivePair], scored: Sequence[NightFound], most: int, budget: float
) -> MainFound:
    """Run the rounds. scored: numbers of builds and quality, which belong to the same family."""
    suspects = set[str]()
    look = _Look(night, {pair.name: pair for pair in order}, [one.number for one in scored], suspects)
    asked = RoundsAsked(order, night.live, most, budget, night.seed, suspects, night.spent())
    stop: NightStop | None = None
    session = ""
    if order:
        session, stop = run_rounds(night.plan, asked, night.opened, night.console, look.decided)
    found, told = list(scored), _unable(night)
    for pair in order:
        assert stop is not None
        if pair.name in stop.broken:
            told.append(without(pair.name, "missing", stop.broken[pair.name]))
        elif stop.blocks(pair.name) < LOOKS[0]:
            told.append(without(pair.name, "not reached", f"the budget of {budget:.0f} s was used before"))
        else:
            measured = numbers_of(pair, session, night.opened, night.reading)
            found += found_of(pair.name, measured, night.opened, night.reading)
            if not measured:
                told.append(without(pair.name, "missing", "its rounds are not in the database"))
    numbers = [
        one.model_copy(update={"blocks": stop.blocks(one.pair) if stop else 0})
        for one in night_numbers(found, night.gate)
    ]
    return MainFound(session, [*numbers, *told], [one for one in found if one.pair])


def _unable(night: MainNight) -> list[NightNumber]:
    return [without(name, "missing", why) for name, why in night.pairs.lacking.items()]


def without(name: str, word: NightWord, why: str) -> NightNumber:
    """Put on record what has no verdict."""
    return NightNumber(series="", name=name, pair=name, metric="", word=word, why=why)


@dataclass
class _Look:
    """What is known of all pairs while rounds run."""

    night: MainNight
    pairs: dict[str, LivePair]
    scored: list[ComparedNumber]
    suspects: set[str]
    """Pairs that must be measured again."""

    def __post_init__(self) -> None:
        self.known: dict[str, list[ComparedNumber]] = {}

    def decided(self, session: str, pair: str, blocks: int) -> str:  # noqa: ARG002 - what the database has is what counts
        """Say why a pair needs no more blocks; empty where it does."""
        night = self.night
        self.known[pair] = numbers_of(self.pairs[pair], session, night.opened, night.reading)
        mine = self.known[pair]
        if any(one.disturbed for one in mine):
            return ""
        others = [*self.scored, *(one for name, some in self.known.items() if name != pair for one in some)]
        unknown = sum(name not in self.known for name in self.pairs) * max(1, len(mine))
        words = [judged.word for judged in judged_numbers(mine, others, night.gate, unknown)]
        (self.suspects.add if "worse" in words else self.suspects.discard)(pair)
        return "every number has its verdict" if words and "cannot tell" not in words else ""
