"""A walk over a results folder: every run and session that is not in the database yet, in the order of their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.errors import Busy, ConfigError, HarnessError, Problem
from harness.core.outcome import Outcome
from harness.store import arrays, files
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

    def __str__(self) -> str:
        counts = f"{self.new} runs are new, {self.known} were known, {self.sessions} sessions"
        unfinished = f", {len(self.unfinished)} without an outcome" if self.unfinished else ""
        return counts + unfinished + (f", {len(self.problems)} files cannot be read" if self.problems else "")


OutcomeBatch = Sequence[tuple[Outcome, Sequence[arrays.StoredArray]]]


@dataclass
class _Seen:
    known: int = 0
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
            seen.problems += _problems(error, path)
    return Ingested(new, seen.known, sessions, tuple(seen.unfinished), tuple(seen.problems))


def _outcomes(results: Path, known: set[str], seen: _Seen) -> Iterator[tuple[Outcome, Sequence[arrays.StoredArray]]]:
    for folder in _sorted(results / files.RUNS, "*/"):
        path = folder / files.OUTCOME
        if folder.name.startswith("."):  # an import is writing there
            continue
        if folder.name in known:
            seen.known += 1
        elif not path.exists():
            seen.unfinished.append(folder.name)
        else:
            try:
                outcome = files.read_outcome(path)
                stored = arrays.stored_arrays(outcome, folder)
            except HarnessError as error:
                seen.problems += _problems(error, path)
            else:
                yield outcome, stored


def _sorted(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern), key=lambda path: path.name) if folder.is_dir() else []


def _problems(error: HarnessError, path: Path) -> list[Problem]:
    return error.problems if isinstance(error, ConfigError) else [Problem(str(error), path)]
