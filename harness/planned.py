"""Print a plan: jobs, verdicts with reasons, time by history, disk against what is free."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.bench import estimate, summary, verdicts
from harness.box import CONFIGS, Planned, plan_sweep
from harness.core.errors import HarnessError
from harness.core.spec import BuildSpec
from harness.plan.expand import PlannedJob
from harness.show import title
from harness.store.database import Database


def show_plan(
    name: str, console: Console, results: Path, *, why: bool, as_json: bool, expand: bool, configs: Path = CONFIGS
) -> None:
    """Print a sweep's plan on this box, without running anything."""
    planned = plan_sweep(name, configs)
    with ExitStack() as stack:
        decided = verdicts(planned, results, stack)
    with Database.open(results / "bench.db") as database:
        history = database.history()
        estimates = estimate(planned, history)
    disk = disk_needs(planned, decided, results)
    if as_json:
        rows = {"sweep": planned.sweep.name, "jobs": _rows(planned, decided, estimates), "disk": disk}
        console.out(json.dumps(rows, indent=2), highlight=False)  # colours would cost a minute for 10,000 jobs
        return
    if expand:
        for job in planned.plan.jobs:
            console.print(f"{job.id} {title(job)}: {job.spec.model_dump_json()}", highlight=False, markup=False)
    else:
        console.print(_table(planned, decided, estimates, why=why))
    console.print(summary(planned, estimates), highlight=False)
    for line in disk:
        console.print(line["text"], highlight=False)


def _rows(
    planned: Planned, decided: Mapping[str, tuple[str, str]], estimates: Mapping[str, float]
) -> list[dict[str, Any]]:
    return [
        {
            "id": job.id,
            "kind": job.kind,
            "key": job.key,
            "title": title(job),
            "environment": job.environment,
            "needs": list(job.needs),
            "verdict": decided[job.id][0],
            "why": decided[job.id][1],
            "seconds": estimates.get(job.id),
            "labels": [labels.model_dump() for labels in job.labels],
            "spec": job.spec.model_dump(mode="json"),
        }
        for job in planned.plan.jobs
    ]


def _table(
    planned: Planned, decided: Mapping[str, tuple[str, str]], estimates: Mapping[str, float], *, why: bool
) -> Table:
    table = Table(box=None, pad_edge=False)
    for header in ("job", "what", "environment", "verdict", "s"):
        table.add_column(header, justify="right" if header == "s" else "left", overflow="fold")
    for job in planned.plan.jobs:
        verdict, reason = decided[job.id]
        shown = f"{verdict}: {reason}" if why or verdict in {"refused", "blocked", "elsewhere"} else verdict
        seconds = f"{estimates[job.id]:.1f}" if job.id in estimates else ""
        table.add_row(job.id, title(job), job.environment, shown, seconds)
    return table


def disk_needs(planned: Planned, decided: Mapping[str, tuple[str, str]], results: Path) -> list[dict[str, Any]]:
    """Estimate what the jobs to run will write to the volume of the results folder, and hold it against what is free.

    An artifact is taken to be as large as the model's own folder (an upper bound but for upcasts of it), a stored
    reference as tokens x vocabulary x 4 bytes. Bytes.
    """
    need = sum(_bytes(job, planned) for job in planned.plan.jobs if decided[job.id][0] == "run")
    place = results if results.exists() else Path()
    free = shutil.disk_usage(place).free
    text = f"disk: up to {need / 1e9:.2f} GB on the volume of {results}, {free / 1e9:.0f} GB free"
    if need > free:
        text += "; NOT ENOUGH: free some, or name another folder with --results"
    return [{"volume": str(results), "bytes": need, "free": free, "text": text}]


def _bytes(job: PlannedJob, planned: Planned) -> int:
    if job.kind == "build":
        folders = [
            Path(item.path)
            for other in planned.plan.jobs
            for item in other.inputs
            if item.role == "model" and item.path
        ]
        own = [Path(item.path) for item in job.inputs if item.path] or folders[:1]
        return sum(2 * file.stat().st_size for folder in own[:1] for file in folder.rglob("*") if file.is_file())
    if job.kind == "reference" and not isinstance(job.spec, BuildSpec):
        probe = planned.catalogue.adapters.probe(job.spec.probe)
        tokens = probe.scored_tokens(probe.workload.model_validate(job.spec.workload))
        return 4 * (tokens or 0) * 4096
    return 0


def parse_where(conditions: list[str]) -> dict[str, Any]:
    """Read COLUMN=VALUE conditions; several of one column are alternatives. Raises: HarnessError without a `=`."""
    where: dict[str, list[str]] = {}
    for condition in conditions:
        column, equals, value = condition.partition("=")
        if not equals:
            raise HarnessError(f"--where takes COLUMN=VALUE, not '{condition}'")
        where.setdefault(column, []).append(value)
    return {column: values[0] if len(values) == 1 else values for column, values in where.items()}
