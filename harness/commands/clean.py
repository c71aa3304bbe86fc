"""Make room in the results folder: say what goes and why the rest stays, and let it go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path

from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from harness.core.files import disk_trouble
from harness.core.sizes import size_of, size_text
from harness.night.files import NIGHTS, alone_tonight, read_nights
from harness.night.record import compared
from harness.published.reading import read_published
from harness.published.records import Published
from harness.runner.cleaning import CleaningPlan, Reliance, ResultFolder, clear, finish, plan_cleaning
from harness.runner.results_lock import alone
from harness.store.database import Database
from harness.store.location import database_of, is_there

_LISTED = 20
"""Folders of a kind that are listed one by one; the rest is counted."""


def clean_results(workspace: Workspace, budget: str, say: Callable[[str], None], *, dry: bool) -> int:
    """Let artifacts and old runs go until they fit into a budget, least recently used first. Returns the exit code: 1 where they do not fit.

    Holds the lock of the results folder. Raises: HarnessError while another command holds it or a night is running, which lets go of it between
    its parts, for a link in the place of a folder, and for published results or sessions that cannot be read: nothing is removed then.
    """
    size = size_of(budget, "--budget", "200GB")
    if not workspace.results.is_dir():
        raise HarnessError(f"there is no results folder {workspace.results} yet, so there is nothing to clean")
    nights = workspace.results / NIGHTS
    with (
        alone_tonight(nights) if nights.is_dir() else nullcontext(),
        alone(workspace.results),
        _opened(workspace, dry=dry) as database,
    ):
        if not dry:
            finish(workspace.results)
            for problem in database.ingest_folder(workspace.results).problems:
                say(f"stays, since it cannot be read: {problem}")
        plan = plan_cleaning(workspace.results, database, _published(workspace), size)
        say(f"artifacts and runs: {size_text(plan.bytes)}; budget {size_text(size)}")
        for line in _going(plan, _titles(database), dry=dry):
            say(line)
        left = plan.left if dry else plan.bytes - sum(_cleared(one, say) for one in plan.going)
    say(f"{'would leave' if dry else 'left'}: {size_text(left)}")
    if left <= size:
        return 0
    rest = {"records of runs": left - sum(plan.kept.values())}
    for why, bytes_ in sorted({**plan.kept, **rest}.items()):
        say(f"stays, {why}: {size_text(bytes_)}")
    say(f"{size_text(left - size)} over the budget")
    return 1


def _opened(workspace: Workspace, *, dry: bool) -> Database:
    place = workspace.database
    if not is_there(place) and dry:
        raise HarnessError(
            "there is no database yet that says what was used when; `harness ingest` makes it of the run folders"
        )
    return Database.open(place or database_of(workspace.results), workspace.results)


def _published(workspace: Workspace) -> Reliance:
    folders = dict.fromkeys((workspace.published, workspace.own_published))
    runs: set[str] = set()
    contents: set[str] = set()
    for folder in folders:
        found = read_published(folder) if folder.is_dir() else Published()
        for outcome in found.outcomes:
            runs.add(outcome.job.run)
            contents |= {one.content for one in outcome.job.inputs if one.content}
            contents |= {outcome.artifact.content} if outcome.artifact else set()
    last = {compared(one): one for one in read_nights(workspace.results / NIGHTS).finished}
    scores = frozenset(one.run for record in last.values() for one in record.scores)
    return Reliance(frozenset(runs), frozenset(contents), scores)


def _cleared(one: ResultFolder, say: Callable[[str], None]) -> int:
    """Let one folder go; returns the bytes that this freed. A folder that cannot go is told, and stays."""
    try:
        clear(one)
    except HarnessError as error:
        say(f"{one.kind} {one.path.name} stays: {error}")
        return 0
    except OSError as error:
        trouble = disk_trouble(error)
        if trouble is None:
            raise
        raise HarnessError(trouble) from error
    return one.bytes


def _titles(database: Database) -> Mapping[str, str]:
    """Return model and method of each artifact's folder's run."""
    makers = {run: identity for identity, run in database.artifact_runs().items()}
    rows = database.select({"kind": ["build", "reference"]}, ["run", "model", "method"]).rows
    return {makers[run][:12]: f"{model}, {method}" for run, model, method in rows if run in makers}


def _going(plan: CleaningPlan, titles: Mapping[str, str], *, dry: bool) -> Iterator[str]:
    verb = "would remove" if dry else "removing"
    for kind in ("artifact", "run"):
        there = [one for one in plan.going if one.kind == kind]
        for one in there[:_LISTED]:
            title = titles.get(_identity(one.path), "")
            what = f"{kind} {one.path.name}{f' ({title})' if title else ''}"
            part = "" if kind == "artifact" else " of arrays and logs"
            yield f"{verb} {size_text(one.bytes)}{part}: {what}, last used {one.used:%Y-%m-%d %H:%M}"
        if len(there) > _LISTED:
            rest = there[_LISTED:]
            yield f"{verb} {size_text(sum(one.bytes for one in rest))} of {len(rest)} more {kind}s"
    if any(one.kind == "artifact" for one in plan.going):
        yield "hash and record of artifacts stay; what a sweep needs of them is built again"


def _identity(path: Path) -> str:
    return path.name.partition("-")[2]
