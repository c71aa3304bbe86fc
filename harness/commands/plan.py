"""Print a plan: jobs, verdicts with reasons, time by history, disk against what is free."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from rich.console import Console

from harness.commands.disk import Verdicts, disk_needs, refuse_what_cannot_fit
from harness.commands.estimates import chosen, estimate, summary, verdicts, with_commits
from harness.commands.first_run import MARK, Estimate, estimate_first_run, first_run_told
from harness.commands.machine import Planned, checked_sweep, open_for_reading, plan_checked
from harness.commands.workspace import Workspace, outer_of, own_tables
from harness.core.options import Options
from harness.core.spec import BuildSpec, MeasureSpec
from harness.plan.expand import PlannedJob
from harness.plan.titles import titles
from harness.probes.command import CommandWorkload
from harness.runner.choosing import EVERYTHING, JobChoice


def show_plan(
    name: str,
    console: Console,
    workspace: Workspace,
    choice: JobChoice = EVERYTHING,
    *,
    why: bool,
    as_json: bool,
    expand: bool,
) -> None:
    """Print a sweep's plan on this machine, without running anything; of a workspace's files models.lock alone may be written."""
    told: list[str] = []
    planned = plan_checked(with_commits(checked_sweep(name, workspace), told.append))
    with ExitStack() as stack:
        opened = open_for_reading(planned, stack)
        planned, about = chosen(planned, opened, choice)
        decided = verdicts(planned, opened, choice.kinds)
        estimates = estimate(planned, opened.database.history())
    reckoned = {
        name: one
        for name, one in estimate_first_run(planned).items()
        if name not in estimates and decided[name][0] != "known"
    }
    disk = disk_needs(planned, decided, workspace.results)
    if as_json:
        rows = _rows(planned, decided, estimates, reckoned)
        _write(
            console,
            json.dumps({"sweep": planned.sweep.name, "jobs": rows, "disk": [asdict(one) for one in disk]}, indent=1),
        )
        refuse_what_cannot_fit(disk, workspace.results)
        return
    if expand:
        names = titles(planned.plan.jobs)
        lines = [f"{job.id} {names[job.id]}: {_whole(job, planned).model_dump_json()}" for job in planned.plan.jobs]
    else:
        lines = list(_table(planned, decided, estimates, reckoned, why=why))
    _write(console, *lines)
    told += [*_own(planned), *_foretold(planned), *_asked(planned), *_programs(planned)]
    _write(
        console,
        summary(planned, estimates, decided),
        *about,
        *(one.text for one in disk),
        *first_run_told(planned, reckoned),
        *told,
    )
    refuse_what_cannot_fit(disk, workspace.results)


def _foretold(planned: Planned) -> list[str]:
    """Say what a person might not expect of builds, known before anything is built."""
    jobs = [(job.labels[0], text) for job in planned.plan.jobs for text in job.foretold if not job.refused]
    return list(dict.fromkeys(f"{labels.method} of {labels.model}: {text}" for labels, text in jobs))


def _own(planned: Planned) -> list[str]:
    """Say what of this plan the workspace says in place of the harness, and where it lies in another workspace."""
    labels = [label for job in planned.plan.jobs for label in job.labels]
    used = {f"{what} {getattr(label, what)}" for label in labels for what in ("model", "method")}
    used |= {f"environment {job.environment}" for job in planned.plan.jobs}
    found = [name for name in planned.catalogue.overrides if name in used]
    found += [f"table {name}" for name in own_tables(planned.sweep.tables, planned.workspace)]
    found += _own_files(planned)
    told = [f"the workspace's own, in place of the shipped: {', '.join(found)}"] if found else []
    outer = outer_of(planned.workspace.root)
    return told + ([f"this workspace lies inside of another, {outer}; this one is used"] if outer else [])


def _own_files(planned: Planned) -> list[str]:
    """Name the sweep and the lock files that lie in the workspace in the place of shipped ones."""
    shipped, *own = planned.workspace.configs
    places = sorted({job.environment for job in planned.plan.jobs})
    files = {
        "sweep": ("sweeps", f"{planned.sweep.path.stem}.yaml"),
        **{f"lock {name}": ("locks", f"{name}.txt") for name in places},
    }
    return [
        f"sweep {planned.sweep.name}" if what == "sweep" else what
        for what, parts in files.items()
        if shipped.joinpath(*parts).is_file() and any(folder.joinpath(*parts).is_file() for folder in own)
    ]


def _asked(planned: Planned) -> list[str]:
    """Say which programs that somebody else's catalogue names this plan has started: it asked them what they hold."""
    if not planned.workspace.lent:
        return []
    entries, local = planned.catalogue.environments, planned.catalogue.local.python
    said = {name: local.get(name) or (entries[name].python if name in entries else None) for name in planned.pythons}
    named = {name: python for name, python in said.items() if python}
    return [f"started to ask what it holds: {python} (environment {name})" for name, python in sorted(named.items())]


def _programs(planned: Planned) -> list[str]:
    """Say which task files bring Python of their own, which lm-eval runs when it loads them."""
    asked = [job.asked[0] for job in planned.plan.jobs if job.asked]
    commands = dict.fromkeys(one.run for one in asked if isinstance(one, CommandWorkload))
    files = dict.fromkeys(path for one in asked if (path := getattr(one, "yaml", None)) is not None)
    tasks = [path for path in files if path.is_file() and b"!function" in path.read_bytes()]
    return [
        *(f"runs a program to measure: {run}" for run in commands),
        *(f"runs Python that a task file names: {path}" for path in tasks),
    ]


def _whole(job: PlannedJob, planned: Planned) -> BuildSpec | MeasureSpec:
    """Write out the defaults of a job's options, which its spec leaves out because they change no key."""
    adapters = planned.catalogue.adapters
    if isinstance(job.spec, BuildSpec):
        return job.spec.model_copy(
            update={"options": _options(adapters.quantizer(job.spec.quantizer).options, job.spec.options)}
        )
    return job.spec.model_copy(
        update={
            "workload": _options(adapters.probe(job.spec.probe).workload, job.spec.workload),
            "engine_options": _options(adapters.engine(job.spec.engine).options, job.spec.engine_options),
        }
    )


def _options(known: type[Options], said: Mapping[str, Any]) -> dict[str, Any]:
    return known.model_validate(said).model_dump(mode="json")


def _write(console: Console, *lines: str) -> None:
    """Write lines as they are: nothing is folded, whatever the width of the terminal."""
    console.file.write("".join(f"{line}\n" for line in lines))


def _rows(
    planned: Planned, decided: Verdicts, estimates: Mapping[str, float], reckoned: Mapping[str, Estimate]
) -> list[dict[str, Any]]:
    names = titles(planned.plan.jobs)
    return [
        {
            "id": job.id,
            "kind": job.kind,
            "key": job.key,
            "title": names[job.id],
            "environment": job.environment,
            "needs": list(job.needs),
            "verdict": decided[job.id][0],
            "why": decided[job.id][1],
            "seconds": estimates.get(job.id),
            "seconds_by_arithmetic": reckoned[job.id].seconds if job.id in reckoned else None,
            "bytes": job.bytes,
            "labels": [labels.model_dump() for labels in job.labels],
            "spec": job.spec.model_dump(mode="json"),
        }
        for job in planned.plan.jobs
    ]


def _table(
    planned: Planned, decided: Verdicts, estimates: Mapping[str, float], reckoned: Mapping[str, Estimate], *, why: bool
) -> Iterator[str]:
    """Lay the jobs out in columns; seconds by arithmetic have a mark before them."""
    names = titles(planned.plan.jobs)
    rows = [("job", "what", "environment", "s", "verdict")]
    for job in planned.plan.jobs:
        verdict, reason = decided[job.id]
        said = "unsupported" if verdict == "refused" else verdict
        shown = f"{said}: {reason}" if why or verdict in {"refused", "blocked", "unverified", "other_gpu"} else said
        seconds = f"{estimates[job.id]:.1f}" if job.id in estimates else ""
        seconds = f"{MARK}{reckoned[job.id].seconds:.0f}" if job.id in reckoned else seconds
        rows.append((job.id, names[job.id], job.environment, seconds, shown))
    widths = [max(len(row[place]) for row in rows) for place in range(5)]
    for row in rows:
        texts = [text.rjust(width) if place == 3 else text.ljust(width)
                 for place, (text, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        yield "  ".join(texts).rstrip()
