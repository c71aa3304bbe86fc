"""What a plan comes to before anything is run: its jobs' verdicts, its time by history, its models' commits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from harness.commands.machine import CheckedSweep, Planned, known_names
from harness.core.spec import BuildSpec
from harness.environments import ROOT, SHIPPED
from harness.plan.entries import Catalogue, Model
from harness.plan.expand import PlannedJob
from harness.plan.hub_commits import lock_models
from harness.plan.sweep import Sweep
from harness.runner.choosing import JobChoice, choose, told
from harness.runner.decide import decide
from harness.runner.job_memory import remember
from harness.runner.opened import OpenWorkspace
from harness.store.cache import History


def _named(sweep: Sweep, catalogue: Catalogue) -> list[Model]:
    """List the models that a sweep names."""
    names = dict.fromkeys(named.name for case in sweep.cases for named in case.models)
    return [catalogue.models[name] for name in names]


def with_commits(checked: CheckedSweep, say: Callable[[str], None]) -> CheckedSweep:
    """Look up the commits of a sweep's hub models once, and keep them in folders of one's own alone; where any is new, with a catalogue that knows it."""
    workspace, catalogue = checked.workspace, checked.catalogue
    if workspace.lent or (workspace.own_configs == SHIPPED / "configs" and workspace.root != ROOT):
        return checked
    models = [model for model in _named(checked.sweep, catalogue) if model.name not in catalogue.local.folders]
    new = lock_models(models, workspace.own_configs, say)
    return replace(checked, catalogue=known_names(workspace)) if new else checked


def summary(planned: Planned, estimates: Mapping[str, float], decided: Mapping[str, tuple[str, str]]) -> str:
    """Say how many jobs of which kind a plan has, how many of them will run, and how long these took before."""
    kinds: dict[str, int] = {}
    for job in planned.plan.jobs:
        refused = "unverified" if job.verifies else "unsupported here"
        kind = "another machine's" if job.other_gpu else refused if job.refused else job.kind
        kinds[kind] = kinds.get(kind, 0) + 1
    text = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    runs = [job.id for job in planned.plan.jobs if decided[job.id][0] == "run"]
    known = [estimates[name] for name in runs if name in estimates]
    text += f"; {len(runs)} to run"
    if known:
        rest = f", and {len(runs) - len(known)} that never ran" if len(known) < len(runs) else ""
        text += f", about {sum(known):.0f} s by history{rest}"
    return text


def estimate(planned: Planned, history: History) -> dict[str, float]:
    """Estimate each job's seconds, by plan id: from its own history, else from that of its like.

    Its like is the same kind, probe (or quantizer) and engine on the same model; jobs without either have no estimate.
    """
    found = {job.id: history.seconds(job.key, _shape(job)) for job in planned.plan.jobs}
    return {name: seconds for name, seconds in found.items() if seconds is not None}


def _shape(job: PlannedJob) -> tuple[str, str, str, str]:
    model = job.labels[0].model
    if isinstance(job.spec, BuildSpec):
        return job.kind, job.spec.quantizer, "", model
    return job.kind, job.spec.probe, job.spec.engine, model


def chosen(planned: Planned, opened: OpenWorkspace, choice: JobChoice) -> tuple[Planned, list[str]]:
    """Narrow a plan to what a command chooses, and say what that means. Raises: HarnessError where it chooses nothing."""
    failed = opened.database.failed_at_last(job.key for job in planned.plan.jobs) if choice.failed else ()
    plan = choose(planned.plan, choice, failed)
    return replace(planned, plan=plan), told(plan, planned.plan)


def verdicts(
    planned: Planned, opened: OpenWorkspace, rerun: frozenset[str] = frozenset()
) -> dict[str, tuple[str, str]]:
    """Decide each job as `run` would now, without running anything: plan id to verdict and reason."""
    memory = remember(opened, planned.plan, rerun=rerun)
    return {job.id: decide(job, memory) for job in planned.plan.jobs}
