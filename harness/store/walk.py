"""A walk over a results folder: every run and session that is not in the database yet, in the order of their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.errors import Busy, ConfigError, HarnessError, Problem
from harness.core.outcome import Outcome
from harness.store import arrays, files
from harness.store.mark import NO_MARK, RunMark
from harness.store.session import SessionRecord

_BATCH = 200
"""Outcomes in one transaction of a walk: others who write wait a quarter of a second, and a kill costs no more than these."""


@dataclass(frozen=True)
class Ingested:
    """What a walk over the results folder found."""

    new: int
    """Runs that were not in the database before."""
    known: int
    """Runs that were."""
    sessions: int
    unfinished: tuple[str, ...]
    """Run folders without an outcome: running, or interrupted."""
    problems: tuple[Problem, ...]
    """Files that could not be read; everything else was."""
    there: tuple[str, ...] = ()
    """Runs that were known and whose folders are here."""
    marks: int = 0
    """Runs of which a person said something else since."""

    def __str__(self) -> str:
        counts = f"{self.new} runs are new, {self.known} were known, {self.sessions} sessions"
        unfinished = f", {len(self.unfinished)} without an outcome" if self.unfinished else ""
        marks = f", {self.marks} marks changed" if self.marks else ""
        return counts + unfinished + marks + (f", {len(self.problems)} files cannot be read" if self.problems else "")


OutcomeBatch = Sequence[tuple[Outcome, Sequence[arrays.StoredArray]]]


@dataclass
class _Seen:
    known: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def walk(
    results: Path, known: set[str], ingest: Callable[[OutcomeBatch], int], place: Callable[[SessionRecord], None]
) -> Ingested:
    """Hand over what is new: outcomes in batches, then all sessions. A file that cannot be read becomes a problem.

    known: names of the runs that are there. ingest: returns how many of a batch were new. Raises: Busy as they do.
    """
    seen, new, sessions = _Seen(), 0, 0
    batch: list[tuple[Outcome, Sequence[arrays.StoredArray]]] = []
    for one in _outcomes(results, known, seen):
        batch.append(one)
        if len(batch) >= _BATCH:
            new += ingest(batch)
            batch = []
    new += ingest(batch)
    for path in _sorted(results / files.SESSIONS, "*.json"):
        try:
            place(files.read_session(path))
            sessions += 1
        except Busy:
            raise
        except HarnessError as error:
            seen.problems += problems_of(error, path)
    return Ingested(new, len(seen.known), sessions, tuple(seen.unfinished), tuple(seen.problems), tuple(seen.known))


def _outcomes(results: Path, known: set[str], seen: _Seen) -> Iterator[tuple[Outcome, Sequence[arrays.StoredArray]]]:
    for folder in _sorted(results / files.RUNS, "*/"):
        path = folder / files.OUTCOME
        if folder.name.startswith("."):  # an import is writing there
            continue
        if folder.name in known:
            seen.known.append(folder.name)
        elif not path.exists():
            seen.unfinished.append(folder.name)
        else:
            try:
                outcome = files.read_outcome(path)
                stored = arrays.stored_arrays(outcome, folder)
                files.read_mark(folder)
            except HarnessError as error:
                seen.problems += problems_of(error, path)
            else:
                yield outcome, stored


def _sorted(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern), key=lambda path: path.name) if folder.is_dir() else []


def changed_marks(there: Sequence[str], known: Mapping[str, RunMark], runs: Path) -> tuple[list[str], list[Problem]]:
    """Name the runs whose folders say something else than the database was told, and what cannot be read."""
    changed, problems = [], list[Problem]()
    for run in there:
        try:
            if files.read_mark(runs / run).says != known.get(run, NO_MARK).says:
                changed.append(run)
        except HarnessError as error:
            problems += problems_of(error, runs / run / files.MARK)
    return changed, problems


def problems_of(error: HarnessError, path: Path) -> list[Problem]:
    """Say what is wrong with a file that could not be taken in."""
    return error.problems if isinstance(error, ConfigError) else [Problem(str(error), path)]
