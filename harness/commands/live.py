"""Two methods or environments of a sweep side by side, until it is decided which is worse, or the budget is used."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from rich.console import Console

from harness.commands.bench import prepare
from harness.commands.disk import disk_needs, refuse_what_cannot_fit
from harness.commands.estimates import verdicts, with_commits
from harness.commands.machine import checked_sweep, open_workspace, plan_checked
from harness.commands.progress import Show
from harness.commands.workspace import Workspace
from harness.comparing.comparison import JudgedSides, judged_together
from harness.comparing.gate import read_gate
from harness.comparing.measured import compared_sides
from harness.comparing.sides import side_of
from harness.core.errors import HarnessError
from harness.numbers.blocks import LOOKS
from harness.published.sources import NumberSource
from harness.runner.live import LiveStop, live_plan, side_kind
from harness.runner.loop import execute
from harness.runner.opened import Event, OpenWorkspace
from harness.runner.session import drawn
from harness.store.where import ConditionValue, parse_where

_BUDGET = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h)\s*")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class LiveAsked:
    """What a live comparison is asked for."""

    sweep: str
    budget: float
    """Seconds of rounds; what is built and scored before does not count."""
    only: Mapping[str, Sequence[ConditionValue]] = field(default_factory=dict)
    where: Sequence[str] = ()
    """Which numbers are judged."""
    disturbed: bool = False
    """Count rounds that other processes disturbed, too."""


def budget_of(text: str) -> float:
    """Read a budget as seconds: `90s`, `20m`, `1.5h`. Raises: HarnessError for anything else."""
    found = _BUDGET.fullmatch(text)
    if found is None or not 0 < float(found[1]) < 1e9:
        raise HarnessError(f"a budget is a time above 0, as 90s, 20m or 1.5h; it is {text!r}")
    return float(found[1]) * _SECONDS[found[2]]


def compare_live(sides: tuple[str, str], asked: LiveAsked, console: Console, workspace: Workspace) -> JudgedSides:
    """Run two sides in blocks of rounds and judge them; the same call continues what was interrupted.

    Raises: HarnessError for sides that the sweep does not have, or that cannot run; ConfigError for files with mistakes.
    """
    if sides[0] == sides[1]:
        raise HarnessError(f"both sides are {sides[0]}; name two")
    conditions = parse_where(asked.where)

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    checked = with_commits(checked_sweep(asked.sweep, workspace), say)
    prepare(checked, say)
    with ExitStack() as stack:
        planned = plan_checked(checked)
        kind = side_kind(planned.plan, sides)
        draw = partial(live_plan, planned.plan, sides, kind, asked.only)
        plan, name = drawn(workspace.results, planned.plan.sweep, draw, datetime.now(UTC))
        opened = open_workspace(planned, stack)
        narrowed = replace(planned, plan=plan)
        refuse_what_cannot_fit(disk_needs(narrowed, verdicts(narrowed, opened), workspace.results), workspace.results)
        names = (f"{kind}={sides[0]}", f"{kind}={sides[1]}")
        live = _Live(opened, workspace, names, conditions, disturbed=asked.disturbed)
        stop = LiveStop(plan, live.decided, time.monotonic, asked.budget)
        with Show(console, {}, plan.jobs) as show:
            for event in execute(plan, opened, stop=stop, name=name):
                live.hear(event, stop)
                if event.what not in {"enough", "skipped"}:
                    show.event(event)
        if stop.broken:
            raise HarnessError(f"the live comparison ended without a verdict: {stop.broken}")
        return live.judged((f"stopped: {stop.why or f'all {LOOKS[-1]} blocks ran'}", f"session {live.session}"))


@dataclass
class _Live:
    """A live comparison while it goes on."""

    opened: OpenWorkspace
    workspace: Workspace
    names: tuple[str, str]
    where: Mapping[str, object]
    disturbed: bool
    session: str = ""

    def hear(self, event: Event, stop: LiveStop) -> None:
        """Note the session, the first round and a round that gave no number. Raises: HarnessError where no round can run."""
        if event.what == "session":
            self.session = event.text.splitlines()[0]
        job = event.job
        if job is None or job.kind != "speed":
            return
        if event.what in {"blocked", "refused"}:
            raise HarnessError(f"{job.labels[0].method} in {job.environment} cannot be measured: {event.text}")
        if event.what == "begin":
            stop.began()
        if event.what == "done" and event.status != "ok":
            stop.broken = f"round {job.round + 1} of {job.labels[0].method} in {job.environment} came to {event.status}: {event.text}"

    def decided(self, blocks: int) -> str:
        """Say why so many blocks are enough; empty where they are not."""
        if blocks < LOOKS[0]:
            return ""
        result = self.judged()
        if "worse" in result.words:
            return "worse is shown"
        if result.words and "cannot tell" not in result.words and not result.missing:
            return "every number has its verdict"
        return ""

    def judged(self, notes: Sequence[str] = ()) -> JudgedSides:
        """Judge what this session has measured so far."""
        source = NumberSource(self.opened.database)
        where = {**self.where, "session": self.session, "kind": "speed"}
        one, other = (side_of(name, source, where) for name in self.names)
        found, told = compared_sides(one, other, disturbed=self.disturbed)
        gate = read_gate(self.workspace.named)
        return judged_together((one.called, other.called), found, gate, (*told, *notes))
