"""The one command: choose the sweep for this machine, run it, write and print its tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from harness.box import CONFIGS, RESULTS, Planned, open_desk, plan_sweep
from harness.core.clock import Spans
from harness.doctor import gpu_verdict
from harness.runner import execute
from harness.runner.decide import decide, remember
from harness.runner.wall import merged, share
from harness.show import Show
from harness.store.known import History


@dataclass(frozen=True)
class Choice:
    """A sweep and the reason for it."""

    sweep: str
    why: str


def choose(asked: str, configs: Path = CONFIGS) -> Choice:
    """Choose the sweep: the one asked for, else `gpu` where an NVIDIA GPU can run it, else `quickstart`."""
    if asked:
        return Choice(asked, "asked for with SWEEP")
    verdict = gpu_verdict(("hub",)) if (configs / "sweeps" / "gpu.yaml").exists() else None
    if verdict is None or not verdict.present:
        return Choice("quickstart", "no NVIDIA GPU answers on this machine")
    if verdict.able:
        return Choice("gpu", verdict.why)
    return Choice(
        "quickstart", f"a GPU is here, but sweep gpu would not run: {verdict.why}; SWEEP=gpu runs it all the same"
    )


def run_sweep(
    name: str,
    console: Console,
    results: Path = RESULTS,
    configs: Path = CONFIGS,
    again: frozenset[str] = frozenset(),
    begun: float | None = None,
    after: Callable[[Planned, ExitStack], None] | None = None,
) -> int:
    """Plan and run a sweep; print what became of each job and the harness's own share. Returns the exit code.

    `begun` is the monotonic moment at which our own code began to work, for the share; `after` writes the tables.
    """
    begun = time.monotonic() if begun is None else begun
    spans = Spans()
    with ExitStack() as stack:
        with spans.span("plan"):
            planned = plan_sweep(name, configs)
            desk = open_desk(planned, results, stack)
            estimates = estimate(planned, desk.database.history())
        console.print(f"sweep {planned.sweep.name}: {summary(planned, estimates)}", highlight=False)
        with Show(console, estimates, planned.plan.jobs) as show:
            seconds: Mapping[str, float] = {}
            for event in execute(planned.plan, desk, again):
                show.event(event)
                seconds = event.spans or seconds
        if after is not None:
            with spans.span("report"):
                after(planned, stack)
        console.print(f"jobs: {show.counts}", highlight=False)
        wall = share(time.monotonic() - begun, merged([spans.seconds, seconds]))
        console.print(str(wall), highlight=False)
    return 1 if show.counts.failed else 0


def summary(planned: Planned, estimates: Mapping[str, float]) -> str:
    """Say how many jobs of which kind a plan has, and how long they took before."""
    kinds: dict[str, int] = {}
    for job in planned.plan.jobs:
        kind = "another box's" if job.elsewhere else "unsupported here" if job.refused else job.kind
        kinds[kind] = kinds.get(kind, 0) + 1
    text = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    if estimates and len(estimates) >= sum(1 for job in planned.plan.jobs if not job.elsewhere and not job.refused):
        text += f"; about {sum(estimates.values()):.0f} s by history if all were run"
    return text


def estimate(planned: Planned, history: History) -> dict[str, float]:
    """Estimate each job's seconds from history, by key; jobs never run before have no estimate."""
    return {job.id: seconds for job in planned.plan.jobs if (seconds := history.seconds(job.key)) is not None}


def verdicts(planned: Planned, results: Path, stack: ExitStack) -> dict[str, tuple[str, str]]:
    """Decide each job as `run` would now, without running anything: plan id to verdict and reason."""
    desk = open_desk(planned, results, stack)
    memory = remember(desk, planned.plan)
    return {job.id: decide(job, memory) for job in planned.plan.jobs}
