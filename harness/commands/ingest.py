"""Take run folders into the database, and say which of them it no longer agrees with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.commands.mark import gone_told
from harness.commands.publish import take_published
from harness.commands.workspace import Workspace
from harness.store.against_files import altered
from harness.store.database import Database


def ingest(workspace: Workspace, published: Path | None, say: Callable[[str], None]) -> tuple[str, ...]:
    """Take in every run folder's outcome, and a folder of published results where one is named; returns what was wrong."""
    with Database.open(workspace.database, workspace.results) as database:
        before = sorted(database.run_names())
        taken = database.ingest_folder(workspace.results)
        gone = database.marked.forget_gone(workspace.results)
        problems = tuple(map(str, (*taken.problems, *altered(database, workspace.results, before))))
        if published is not None:
            say(take_published(database, published))
    say(f"{taken}")
    if gone:
        say(gone_told(gone))
    return problems
