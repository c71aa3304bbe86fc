"""The one command: choose the sweep for this machine, run it, write and print its tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from rich.console import Console

from harness.commands.disk import disk_needs, refuse_what_cannot_fit
from harness.commands.doctor import gpu_answers, gpu_verdict
from harness.commands.estimates import chosen, estimate, summary, verdicts, with_commits
from harness.commands.fresh import refresh
from harness.commands.machine import (
    CheckedSweep,
    Planned,
    checked_sweep,
    described,
    environments_of,
    interpreters,
    open_workspace,
    plan_checked,
)
from harness.commands.progress import Show
from harness.commands.workspace import Workspace, lock_of
from harness.core.clock import Spans
from harness.core.errors import HarnessError
from harness.core.privacy import is_offline
from harness.environments import is_for, setup
from harness.host import facts
from harness.plan.gguf import absent_ggufs, fetch_ggufs
from harness.plan.hub import absent_models, fetch_models, offline
from harness.published.sources import NumberSource
from harness.runner.choosing import EVERYTHING, JobChoice
from harness.runner.loop import execute
from harness.runner.opened import OpenWorkspace
from harness.runner.overhead import merged, share
from harness.store.files import SESSIONS, read_session
from harness.tables.rows import rows_of
from harness.tables.session_notes import COLUMNS, marked


@dataclass(frozen=True)
class SweepChoice:
    """A sweep and the reason for it. checked: as it was read to choose it, where it was."""

    sweep: str
    why: str
    checked: CheckedSweep | None = None


def choose(asked: str, workspace: Workspace) -> SweepChoice:
    """Choose the sweep: the one asked for, else `gpu` where an NVIDIA GPU can run it, else `quickstart`.

    Raises: ConfigError where a GPU is here and the catalogues or the sweep `gpu` cannot be read.
    """
    if asked:
        return SweepChoice(asked, "asked for with SWEEP")
    if not any((folder / "sweeps" / "gpu.yaml").exists() for folder in workspace.configs) or not gpu_answers():
        return SweepChoice("quickstart", "no NVIDIA GPU found")
    checked = checked_sweep("gpu", workspace)
    verdict = gpu_verdict(absent_models(checked.sweep, checked.catalogue))
    if verdict.able:
        return SweepChoice("gpu", verdict.why, checked)
    return SweepChoice(
        "quickstart", f"there is a GPU, but sweep gpu cannot run: {verdict.why}; set SWEEP=gpu to run it anyway"
    )


def prepare(
    checked: CheckedSweep, say: Callable[[str], None], *, make: bool = False, lacking: list[str] | None = None
) -> float:
    """Get what a sweep needs and this machine can have: models of the hub and of GGUF files; with `make`, environments too.

    Says what it installs and fetches; adds to `lacking` which environments that follow a wheel could not be made. Returns the
    seconds that installing and fetching took, which are no part of a run. Raises: SystemExit where an environment cannot be made.
    """
    workspace, sweep, catalogue = checked.workspace, checked.sweep, checked.catalogue
    names = environments_of(sweep)
    following = {one: catalogue.environments[one] for one in names if one in catalogue.environments}
    begun = time.monotonic()
    try:
        refresh(following, workspace, say)
    except HarnessError as error:
        say(str(error))
        if lacking is not None:
            lacking.append(str(error))
    try:
        pythons = interpreters(catalogue, names, workspace.root)
    except HarnessError:
        return 0.0
    wanted = {
        one: lock
        for one in names
        if one not in pythons
        and (entry := catalogue.environments.get(one)) is not None
        and is_for(entry.system)
        and entry.lock
        and (lock := lock_of(one, workspace, entry.lock))
    }
    if is_offline():
        wanted = {}
    for one, lock in (wanted if make else {}).items():
        say(f"sweep {sweep.name} needs environment {one}, which is not installed yet")
        setup(one, root=workspace.root, lock=lock)
    installing = time.monotonic() - begun
    absent = [] if offline() else absent_models(sweep, catalogue)
    ggufs = absent_ggufs(sweep, catalogue)
    if not absent and not ggufs:
        return installing
    pythons = interpreters(catalogue, names, workspace.root)
    here = {one: facts(found) for one, found in described(pythons).items()}
    readable = absent_models(sweep, catalogue, here) if absent else []
    return installing + fetch_models(readable, say) + fetch_ggufs(ggufs, pythons, here, say)


def run_sweep(
    name: str,
    console: Console,
    workspace: Workspace,
    choice: JobChoice = EVERYTHING,
    begun: float | None = None,
    after: Callable[[Planned], None] | None = None,
    *,
    make: bool = False,
    checked: CheckedSweep | None = None,
) -> int:
    """Plan and run a sweep; print what became of each job and the harness's own share. Returns the exit code.

    Models of the hub that this machine could read and has not are fetched first; with `make`, environments are made, too.
    `begun` is the monotonic moment at which our own code began to work: what passed since counts as planning. `after`
    writes the tables, where there was something to run. checked: the sweep, where it was read before.
    """
    entered = time.monotonic()
    begun = entered if begun is None else begun
    spans = Spans()
    spans.add("plan", entered - begun)
    with spans.span("import"):
        _import_libraries()
    lacking: list[str] = []
    with ExitStack() as stack:
        with spans.span("plan"):
            checked = with_commits(checked or checked_sweep(name, workspace), lambda line: _say(console, line))
            getting = prepare(checked, lambda line: _say(console, line), make=make, lacking=lacking)
        begun += getting
        spans.add("plan", -getting)
        with spans.span("plan"):
            planned = plan_checked(checked)
            opened = open_workspace(planned, stack)
            planned, about = chosen(planned, opened, choice)
            decided = verdicts(planned, opened, choice.kinds)
            refuse_what_cannot_fit(disk_needs(planned, decided, workspace.results), workspace.results)
            estimates = estimate(planned, opened.database.history())
        _say(console, f"sweep {planned.sweep.name}: {summary(planned, estimates, decided)}")
        for line in about:
            _say(console, line)
        with Show(console, estimates, [job for job in planned.plan.jobs if decided[job.id][0] == "run"]) as show:
            seconds: Mapping[str, float] = {}
            session = ""
            for event in execute(planned.plan, opened, choice.kinds):
                show.event(event)
                seconds = event.spans or seconds
                session = event.text if event.what == "finished" else ""
        idle = _idle(planned)
        if after is not None and not idle:
            with spans.span("report"):
                after(planned)
        _say(console, f"jobs: {show.counts}")
        if show.verified.all:
            _say(console, str(show.verified))
        with spans.span("report"):
            marks = _marked(opened, session)
        for line in marks:
            _say(console, line)
        wall = share(time.monotonic() - begun, merged([spans.seconds, seconds]))
        _say(console, str(wall))
        if idle:
            _say(console, idle)
    if show.counts.failed:
        return 1
    if idle and any(job.refused for job in planned.plan.jobs):
        return 2
    return 1 if lacking else 0  # a night without the version that it is about has not gone well


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _marked(opened: OpenWorkspace, session: str) -> list[str]:
    """Say what marks the numbers that answer a session, known ones included."""
    path = opened.results / SESSIONS / f"{session}.json"
    runs = [job.run for job in read_session(path).jobs if job.run] if session and path.exists() else []
    if not runs:
        return []
    return marked(rows_of(opened.database.select({"run": runs}, COLUMNS)), NumberSource(opened.database).samples)


def _idle(planned: Planned) -> str:
    """Say so where this machine can run nothing of a sweep; empty where it can run something."""
    here = [job for job in planned.plan.jobs if not job.other_gpu]
    if not here:
        machines = ", ".join(sorted({job.other_gpu for job in planned.plan.jobs if job.other_gpu}))
        return f"sweep {planned.sweep.name} has no job for this machine; its jobs are for {machines}"
    asked = [job for job in here if job.kind in {"quality", "speed"}]  # builds and references are made for these alone
    reasons = list(dict.fromkeys(job.refused for job in asked or here))
    if not all(reasons):
        return ""
    more = f" (and {len(reasons) - 1} more reasons, see harness plan)" if len(reasons) > 1 else ""
    return f"this machine cannot run any job of sweep {planned.sweep.name}: {reasons[0]}{more}"


def _import_libraries() -> None:
    """Import what the runner stands on at once, so that its time does not pass for our own."""
    import jinja2  # noqa: F401
    import sqlalchemy  # noqa: F401
