"""Measured runs into published text, by the name of a run or of a sweep."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.commands.answers import answers
from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.published.publish import publish
from harness.published.reading import read_published
from harness.store import files
from harness.store.database import Database
from harness.store.location import DatabasePlace, database_of
from harness.tables.declared import is_reported


def publish_runs(
    words: Sequence[str], results: Path, to: Path, *, unverified: bool = False, place: DatabasePlace | None = None
) -> int:
    """Write runs as published text; a sweep's name stands for all runs that answered its last finished session.

    place: the database; that of the results folder where None. Returns the number of runs. Raises: HarnessError for a name that is neither a run nor a sweep with a finished session,
    for runs that were not measured here, and without `unverified` for runs with a float artifact behind them that was not
    held against its model.
    """
    if to.exists() and is_reported(to):
        raise HarnessError(f"{to.name} holds numbers that others reported; give another file with --to")
    with Database.open(place or database_of(results), results) as database:
        sweeps = [word for word in words if not _is_run(word, results)]
        runs = _counting([run for word in words for run in _runs_of(word, results)], set(words), database)
        if not unverified:
            _refuse_unverified(runs, database)
        runs += _builds_of(runs, database)
        text = publish(database, list(dict.fromkeys(runs)), sweeps if len(sweeps) == len(words) else ())
        for word in words:
            _tell_imported(word, set(runs), database)
    to.parent.mkdir(parents=True, exist_ok=True)
    write_whole(to, text)
    return len(set(runs))


def _counting(runs: Sequence[str], named: set[str], database: Database) -> list[str]:
    """Leave out runs that do not count, saying so. Raises: HarnessError where one of them was named, or none is left."""
    void = {run: mark.void for run, mark in database.marked.all().items() if mark.void and run in runs}
    if asked := sorted(named & set(void)):
        raise HarnessError(
            f"run {asked[0]} is void: {void[asked[0]]}; leave it out, or let it count again with `harness mark {asked[0]} --clear`"
        )
    kept = [run for run in runs if run not in void]
    if void and not kept:
        raise HarnessError(
            f"all {len(void)} runs are void, as {min(void)}: {void[min(void)]}; there is nothing to publish"
        )
    if void:
        more = f" and {len(void) - 3} more" if len(void) > 3 else ""
        sys.stderr.write(f"left out, since they are void: {', '.join(sorted(void)[:3])}{more}\n")
    return kept


def _refuse_unverified(runs: Sequence[str], database: Database) -> None:
    """Raise HarnessError where a run rests on what was not verified."""
    notes = {run: note.text for run in runs for note in database.outcome(run).notes if note.code == "unverified"}
    if notes:
        run, why = next(iter(notes.items()))
        raise HarnessError(
            f"{len(notes)} of {len(set(runs))} runs are unverified, as {run}: {why}; verify them, or publish them anyway with "
            "--unverified"
        )


def _tell_imported(sweep: str, runs: set[str], database: Database) -> None:
    """Say on standard error which imported runs bear a sweep's name and are not among what is written."""
    listed = database.select({"sweep": sweep, "origin": "imported"}, ["run"])
    found = sorted({run for (run,) in listed.rows} - runs)
    if found:
        sys.stderr.write(f"left out of '{sweep}', since only measured runs are published: {', '.join(found)}\n")


def take_published(database: Database, folder: Path) -> str:
    """Take published results, others' reported ones too, into a database, where they are rows as any others. Says how many.

    A number that a file no longer says is forgotten: such a file is the whole of what is known.
    Raises: ConfigError for a file that is not as it must be.
    """
    published = read_published(folder)
    new = sum(database.ingest(outcome, None) for outcome in published.outcomes)
    for session in published.sessions:
        database.place(session)
    told = [outcome.job.run for outcome in published.outcomes]
    gone = database.forget_reported([session.session for session in published.sessions], told)
    return f"{new} published runs are new" + (f", {gone} that the files no longer say are forgotten" if gone else "")


def _runs_of(word: str, results: Path) -> list[str]:
    if _is_run(word, results):
        return [word]
    runs = answers(word, results)
    if runs is None:
        raise HarnessError(
            f"'{word}' is neither a run in {results / files.RUNS} nor a sweep with a finished session; only measured runs can be published"
        )
    return runs


def _is_run(word: str, results: Path) -> bool:
    return (results / files.RUNS / word).is_dir()


def _builds_of(runs: Sequence[str], database: Database) -> list[str]:
    """Name the runs that sealed what these runs measured: sizes and build times belong to the numbers."""
    makers = database.artifact_runs()
    read = [item.id for run in runs for item in database.outcome(run).inputs if item.role != "model"]
    return [makers[identity] for identity in read if identity in makers]
