"""The part of the database's door for what persons say of runs, and for runs whose folders are gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from harness.core.errors import Busy, HarnessError
from harness.core.outcome import Outcome
from harness.store import arrays, files, marking, samples
from harness.store.ingest import SaidOfRuns
from harness.store.mark import RunMark
from harness.store.walk import Ingested, changed_marks, problems_of

Door = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class MarkedRuns:
    """What persons said of runs. reading, writing: connections in a transaction."""

    reading: Door
    writing: Door
    outcome: Callable[[str], Outcome]

    def all(self) -> dict[str, RunMark]:
        """Return what was said, by run."""
        with self.reading() as connection:
            return marking.marks(connection)

    def of(self, run: str) -> RunMark:
        """Return what the database was told of a run; an empty mark where nothing was said."""
        with self.reading() as connection:
            return marking.mark(connection, run)

    def noted(self, run: str) -> Outcome:
        """Return a run's outcome with the note that a person left among its notes. Raises: HarnessError for an unknown run."""
        outcome = self.outcome(run)
        added = [note for note in self.of(run).notes if note not in outcome.notes]
        return outcome.model_copy(update={"notes": (*outcome.notes, *added)}) if added else outcome

    def left_out(self, run: str) -> list[marking.LeftOut]:
        """Return what does not count of a run's job and place, in its session or since."""
        with self.reading() as connection:
            return marking.left_out(connection, run)

    def runs_of(self, session: str) -> list[str]:
        """Name the runs that a session made, those that do not count too."""
        with self.reading() as connection:
            return marking.runs_of(connection, session)

    def remark(self, folder: Path) -> None:
        """Write a run anew as its folder's mark says. Raises: HarnessError where its outcome cannot be read."""
        outcome = files.read_outcome(folder / files.OUTCOME)
        stored = arrays.stored_arrays(outcome, folder)
        with self.writing() as connection:
            # Read inside the transaction: of two commands that mark a run the later one's mark stays.
            if all(one.data is None for one in stored):  # taken out of the folder by `clean`: the few are here
                stored = samples.stored(connection, folder.name) or stored
            marking.remark(connection, outcome, stored, kept([folder.name], folder.parent))

    def take(self, taken: Ingested, runs: Path) -> Ingested:
        """Take in, after a walk, the marks that were given or taken back since, and which folders are here."""
        with self.reading() as connection:
            known, homeless = marking.marks(connection), marking.homeless(connection)
        changed, problems = changed_marks(taken.there, known, runs)
        for run in changed:
            try:
                self.remark(runs / run)
            except Busy:
                raise
            except HarnessError as error:
                problems += problems_of(error, runs / run / files.OUTCOME)
        found, home = homeless & set(taken.there), files.runs_id(runs) if taken.there else None
        if found and home:
            with self.writing() as connection:
                marking.found_in(connection, home, found)
        return replace(taken, marks=len(changed), problems=(*taken.problems, *problems))

    def forget_gone(self, results: Path) -> list[str]:
        """Delete the runs whose folders were in a results folder and are gone; returns their names.

        Where the folder of all run folders is gone, no run is: its disk may not be there.
        """
        runs = results / files.RUNS
        home = files.runs_id(runs)
        if home is None:
            return []
        there = {path.name for path in runs.iterdir()}
        with self.writing() as connection:
            return marking.forget_gone(connection, home, there)


def kept(names: Sequence[str], runs: Path | None) -> SaidOfRuns:
    """Read what is said of runs beside their outcomes; nothing of those without a folder. Raises: ConfigError."""
    if runs is None:
        return SaidOfRuns()
    return SaidOfRuns({name: files.read_mark(runs / name) for name in names}, files.runs_id(runs))
