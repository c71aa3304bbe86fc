"""`results/nights/DATE-ID.json`: what a night was asked, what it measured, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Literal

from pydantic import AwareDatetime, Field

from harness.core.metric import Direction
from harness.core.spec import Finite, Record

FORMAT = 1
NightWord = Literal["worse", "same", "better", "cannot tell", "skipped", "missing", "not reached"]
"""A verdict, or why there is none: other processes disturbed it; one side has no number; the budget ended before."""
VERDICTS: tuple[NightWord, ...] = ("worse", "same", "better", "cannot tell")


class Remeasured(Record):
    """A change that was measured again with fresh rounds."""

    change: Finite
    error: Finite
    degrees: Finite | None = None
    """Of freedom of the error; None: as a normal's."""


class NightNumber(Record):
    """One number of both environments."""

    series: str
    """What it keeps from night to night: job, GPU, machine, metric and its version, the baseline with the packages that decide the number, candidate's name."""
    name: str
    pair: str = ""
    """What rounds it is of; empty for builds and quality."""
    blocks: int = 0
    metric: str
    metric_version: int = 1
    better: Direction = "none"
    covers: dict[str, str] = Field(default_factory=dict)
    """By what a known change can name it: model, method, engine ..."""
    a: Finite | None = None
    b: Finite | None = None
    word: NightWord
    why: str = ""
    """Why there is no verdict."""
    log: bool = False
    """Change and interval are logarithms of B / A; else B - A."""
    change: Finite | None = None
    error: Finite | None = None
    degrees: Finite | None = None
    """Of freedom of the error; None: as a normal's."""
    low: Finite | None = None
    """95 %."""
    high: Finite | None = None
    p: Finite | None = None
    margin: Finite | None = None
    """On the change's scale."""
    exact: bool = False
    """Counted, not drawn."""
    how: str = ""
    again: Remeasured | None = None
    confirmed: bool | None = None
    """Whether it was worse a second time; None where nothing was to be confirmed."""
    since: int | None = None
    """Number of the night since which the history, measured twice in the night that called it, shows a change for the worse."""
    halfway: Finite | None = None
    """Half way of that change, on the change's scale: it is over when the newest nights are back beyond it."""
    nights: int = 1
    """Nights of the series, this one included."""
    recent: tuple[Finite | None, ...] = ()
    """Changes in the last nights before, oldest first; None: not measured."""
    night_sd: Finite | None = None
    nights_needed: int | None = None
    """Nights from which the history alone would show the least change that matters to it, a part of the margin."""
    cause: str = ""
    """Of a known change that covers it."""
    against: str = ""
    """Night against which the baseline itself is held, since files that it reads were changed; empty where two environments are compared."""

    @property
    def is_worse(self) -> bool:
        """Whether it is called worse: twice by this night's rounds, or by the history."""
        return (self.word == "worse" and self.confirmed is True) or self.since is not None

    @property
    def alarms(self) -> bool:
        """Whether somebody should look at it: it is worse and nobody has said that this is known, or it got worse since."""
        return self.since is not None or (self.is_worse and not self.cause)


class BaselineScore(Record):
    """A run of quality in the baseline, against which later nights hold the baseline itself."""

    work: str
    """Hash of what is measured, whatever the files of the artifact."""
    name: str
    run: str
    night: str
    identity: str = ""
    """Hash of the packages that decide it; another one is held against nothing of before."""


class NightCanary(Record):
    """A known change for the worse that must be found."""

    kind: Literal["speed", "quality"]
    name: str = ""
    """The series that it was put on; empty where there was none."""
    size: str = ""
    """As people say it."""
    found: bool
    skipped: bool = False
    """Nothing was learnt of the gate, as where other processes disturbed the rounds: neither found nor missed."""
    injected: Literal["engine", "numbers"] = "engine"
    """Where the loss was put: into an engine that ran, or into measured numbers, where no engine of the sweep can carry one."""
    said: str
    """What was found of it, or why there was none."""

    @property
    def is_missed(self) -> bool:
        """Whether the gate did not find what it should have."""
        return not (self.found or self.skipped)

    @property
    def awaits_numbers(self) -> bool:
        """Whether it is put into numbers that are not measured yet."""
        return self.injected == "numbers" and not (self.name or self.skipped)


class NightSide(Record):
    """An environment of the night."""

    name: str
    identity: str = ""
    """Hash of all its packages."""
    packages: dict[str, str] = Field(default_factory=dict)
    """What differs from the other side's, by name."""


class OpenAlarm(Record):
    """A number that is worse, until a night says otherwise."""

    series: str
    name: str
    said: str
    since: str
    """Night that called it first."""
    pair: str = ""
    metric: str = ""
    covers: dict[str, str] = Field(default_factory=dict)
    only: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """To which part of its sweep the night was narrowed that called it last."""
    changed: int | None = None
    halfway: Finite | None = None
    """Of one that the history called: the night at which it changed, and half way of the change."""
    cause: str = ""
    """Of one that was closed since the change was acknowledged: it is as it was, and known."""


class NightRecord(Record):
    """A night."""

    format: int = FORMAT
    night: str
    number: int
    """Counted in this folder, whatever clocks said."""
    started: AwareDatetime
    finished: AwareDatetime | None = None
    """None while it runs, and for ever where it was cut off."""
    sweep: str
    baseline: NightSide
    candidate: NightSide
    asked: str
    """Hash of the words of the command: the same continue a night that was cut off."""
    only: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """To which part of the sweep, and of its speed, it was narrowed; nothing: all of it. Empty text: absent."""
    seed: int
    budget: float
    used: float = 0.0
    """Seconds of rounds so far, canaries' and those of commands that were cut off among them."""
    sessions: dict[str, str] = Field(default_factory=dict)
    """What is over of it: part of the night to its session."""
    false_alarms: float = 0.01
    numbers: tuple[NightNumber, ...] = ()
    scores: tuple[BaselineScore, ...] = ()
    tables: tuple[str, ...] = ()
    """The sweep's own tables that tell environments apart, over the rounds of this night's verdicts."""
    unchanged: int = 0
    """Jobs of quality that both sides share: nothing that they depend on differs."""
    canaries: tuple[NightCanary, ...] = ()
    unproved: dict[str, str] = Field(default_factory=dict)
    """Kinds of canary that were missed and not found since, each with the night that missed it last: what the gate says of them counts for nothing."""
    open: tuple[OpenAlarm, ...] = ()
    closed: tuple[OpenAlarm, ...] = ()
    """What was open before this night and is no longer."""
    told: tuple[str, ...] = ()
    exit_code: int | None = None

    @property
    def is_missed(self) -> bool:
        """Whether the gate did not find a canary: nothing that it says counts."""
        return any(one.is_missed for one in self.canaries)

    @property
    def is_proved(self) -> bool:
        """Whether every canary was found: without that, silence says nothing."""
        return all(one.found for one in self.canaries)

    @property
    def alarms(self) -> tuple[NightNumber, ...]:
        """What somebody should look at."""
        return tuple(one for one in self.numbers if one.alarms)

    def of(self, *words: NightWord) -> list[NightNumber]:
        """List the numbers to which one of these words applies."""
        return [one for one in self.numbers if one.word in words]


def exit_code(record: NightRecord) -> int:
    """2 where a canary was not found or nothing could run; 1 for an alarm; 3 where something has no verdict, none that closes an alarm of before, or a
    canary was skipped; else 0."""
    if record.is_missed:
        return 2
    if record.alarms:
        return 1
    judged = record.of(*VERDICTS)
    is_whole = record.is_proved and len(judged) == len(record.numbers)
    is_whole = is_whole and not any(judged_of(one, judged) for one in record.open)
    return 0 if is_whole and (judged or record.unchanged) else 3


def judged_of(alarm: OpenAlarm, numbers: Sequence[NightNumber]) -> list[NightNumber]:
    """List the numbers that an alarm is of: those of its series; where that began anew, those of its name."""
    return [one for one in numbers if one.series == alarm.series] or [one for one in numbers if one.name == alarm.name]


def compared(record: NightRecord) -> tuple[str, str, str]:
    """Say what a night compared with what: nights that agree in it share alarms, history and an issue."""
    return record.sweep, record.baseline.name, record.candidate.name


def without_folders(record: NightRecord, folders: Mapping[str, str]) -> NightRecord:
    """Write the folders of a machine as what they are called: a record goes into reports that strangers read."""

    def told(text: str) -> str:
        for folder, name in folders.items():
            if len(PurePath(folder).parts) > 1:  # a home folder of "/" is in every path
                text = re.sub(rf"{re.escape(folder)}[/\\](?=\S)", f"{name}/" if name else "", text)
                text = re.sub(rf"{re.escape(folder)}(?![\w.-])", name or ".", text)
        return text

    numbers = tuple(one.model_copy(update={"why": told(one.why)}) if one.why else one for one in record.numbers)
    canaries = tuple(one.model_copy(update={"said": told(one.said)}) for one in record.canaries)
    texts = {"told": tuple(dict.fromkeys(map(told, record.told))), "tables": tuple(map(told, record.tables))}
    return record.model_copy(update={"numbers": numbers, "canaries": canaries, **texts})


def said_of(one: NightNumber) -> str:
    """Say in words how much worse or better a number is."""
    if one.change is None or one.low is None or one.high is None:
        return one.why
    again = f", again {change_text(one, one.again.change)}" if one.again else ""
    interval = "" if one.exact else f" [{change_text(one, one.low)}, {change_text(one, one.high)}]"
    return f"{change_text(one, one.change)}{interval}{again}"


def change_text(one: NightNumber, value: float) -> str:
    """Write a change on the number's scale: in percent where it is a ratio."""
    from math import expm1

    return f"{expm1(min(value, 700.0)):+.2%}" if one.log else f"{value:+.4g}"
