"""Say of runs that they do not count, or what their readers must know: a small file in each run's folder, which the database follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from harness.core.spelling import unknown
from harness.store import files
from harness.store.database import Database
from harness.store.location import called, is_there
from harness.store.mark import NO_MARK, RunMark


@dataclass(frozen=True)
class MarkAsked:
    """What a command says of runs: only what is given changes. clear: first all that was said is taken back."""

    void: str | None = None
    note: str | None = None
    clear: bool = False
    keep: bool = False


def mark_runs(words: Sequence[str], workspace: Workspace, asked: MarkAsked, say: Callable[[str], None]) -> None:
    """Mark runs, and all runs that a session made, in their folders and in the database; says what became of each word.

    A command that was killed has marked some runs, each in full; the same command again marks the rest.
    Raises: HarnessError for a name that is neither run nor session, for a run that is not over, and for a text that is no line.
    """
    if not is_there(workspace.database):
        raise HarnessError(
            f"there is no database {called(workspace.database)} yet; `harness ingest` makes it of the run folders"
        )
    said = _said(asked)
    with Database.open(workspace.database, workspace.results) as database:
        named = {word: _runs_of(word, database, workspace) for word in words}
        for word, runs in named.items():
            changed = sum([_mark(run, said, asked, workspace, database) for run in runs])
            what = f"session {word}: {changed} of {len(runs)} runs" if runs != [word] else f"run {word}"
            say(
                f"{what} {_told(asked)}"
                if changed
                else f"{what} was marked so already"
                if runs == [word]
                else f"{what} changed"
            )


def gone_told(gone: Sequence[str]) -> str:
    """Say in one line which runs left the database, since their folders are gone."""
    more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
    return f"{len(gone)} runs left the database, since their folders are gone: {', '.join(gone[:_NAMED])}{more}"


def _said(asked: MarkAsked) -> RunMark:
    if asked.void is None and asked.note is None and not asked.clear and not asked.keep:
        raise HarnessError("say what to mark: --void REASON, --note TEXT, --keep, or --clear")
    try:
        return RunMark(void=asked.void, note=asked.note, keep=asked.keep, marked=datetime.now(UTC))
    except ValidationError as error:
        name = error.errors()[0]["loc"][0]
        raise HarnessError(
            f"--{name} takes one line of 1 to 500 characters that neither begins nor ends with a blank"
        ) from None


def _told(asked: MarkAsked) -> str:
    said = [f"void: {asked.void}"] if asked.void else []
    said += [f"noted: {asked.note}"] if asked.note else []
    said += ["kept by `harness clean`"] if asked.keep else []
    return "; ".join(said) or "cleared"


def _mark(run: str, said: RunMark, asked: MarkAsked, workspace: Workspace, database: Database) -> bool:
    """Write the mark of one run; tells whether it says anything else now."""
    folder = workspace.results / files.RUNS / run
    before = NO_MARK if asked.clear else files.read_mark(folder)
    now = said.model_copy(
        update={"void": said.void or before.void, "note": said.note or before.note, "keep": said.keep or before.keep}
    )
    there = files.read_mark(folder)
    changed = (now.says, now.keep) != (there.says, there.keep)
    if changed:
        files.write_mark(folder, now)
    if database.marked.of(run).says != now.says:
        database.marked.remark(folder)
    return changed


def _runs_of(word: str, database: Database, workspace: Workspace) -> list[str]:
    """Name the runs that a word means: itself, or those that a session made and whose folders are here."""
    folder = workspace.results / files.RUNS / word
    if (folder / files.OUTCOME).is_file():
        if word not in database.run_names():
            raise HarnessError(f"run {word} is not in the database yet; `harness ingest` takes it in, then mark it")
        return [word]
    if folder.is_dir() and word:
        raise HarnessError(
            f"run {word} has no outcome: it is still running, or was interrupted; there is nothing to mark"
        )
    runs = database.marked.runs_of(word)
    here = [run for run in runs if (workspace.results / files.RUNS / run / files.OUTCOME).is_file()]
    if runs and not here:
        raise HarnessError(
            f"the folders of the {len(runs)} runs of session {word} are not here, and marks are kept in them; mark them where they are"
        )
    if not here:
        known = [*database.run_names(), *_sessions(workspace)]
        if word in database.run_names():
            raise HarnessError(
                f"the folder of run {word} is not here, and marks are kept in it; a published run leaves with its entry in the published file"
            )
        said = unknown("run or session", word, known) if len(known) < _LISTED else f"unknown run or session '{word}'"
        raise HarnessError(f"{said}; `harness explain` names the runs of a cell, and results/sessions the sessions")
    return here


_NAMED = 3
"""Runs that a line names; it counts the others."""
_LISTED = 20
"""Names up to which a refusal lists them."""


def _sessions(workspace: Workspace) -> Iterator[str]:
    yield from (path.stem for path in sorted((workspace.results / files.SESSIONS).glob("*.json")))
