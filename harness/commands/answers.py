"""Which runs answer a sweep: those of its last finished session, and of later ones that ran some of its jobs again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from harness.core.errors import ConfigError, HarnessError
from harness.store import files
from harness.store.database import Database
from harness.store.session import SessionRecord
from harness.store.where import ConditionValue, shown, values_told

JobName = tuple[str, str]
"""Key and environment of a job."""


def finished_sessions(sweep: str, results: Path) -> list[SessionRecord]:
    """Read a sweep's finished sessions, the latest last, whatever the clocks said."""
    found = []
    for path in (results / files.SESSIONS).glob("*.json"):
        with suppress(ConfigError):  # `ingest` tells of a file that cannot be read
            found.append(files.read_session(path))
    finished = [one for one in found if one.sweep == sweep and one.finished is not None]
    return sorted(finished, key=lambda one: one.age)


def answers(sweep: str, results: Path) -> list[str] | None:
    """Name the runs that answer a sweep, in the order of its jobs; None where no session of it was finished.

    Whatever a later session ran of some chosen jobs takes the place of all that stood for these: rounds of two sessions have
    no common mean. A session of which nothing counts any more is as if it had not been.
    """
    found: dict[JobName, list[str]] | None = None
    for session in finished_sessions(sweep, results):
        mine = _by_job(session, results)
        if not any(mine.values()):
            continue
        if found is None or not session.chosen:
            found = {}
        found |= {job: runs for job, runs in mine.items() if runs or job not in found}
    return None if found is None else [run for runs in found.values() for run in runs]


def _by_job(session: SessionRecord, results: Path) -> dict[JobName, list[str]]:
    found: dict[JobName, list[str]] = {}
    for job in session.jobs:
        if job.labels and all(label.sweep != session.sweep for label in job.labels):
            continue  # of a night, in an environment that the sweep does not name
        runs = found.setdefault((job.key, job.environment), [])
        if job.run and not _is_void(results / files.RUNS / job.run):
            runs.append(job.run)
    return found


def _is_void(folder: Path) -> bool:
    with suppress(ConfigError):
        return files.read_mark(folder).void is not None
    return False


_TOLD = ("sweep", "model", "method", "probe", "engine", "environment")
"""What a refusal lists beside what was asked for."""


def refuse_nothing(
    databases: Sequence[Database],
    chosen: Mapping[str, Sequence[ConditionValue]],
    among: Mapping[str, Sequence[str]] | None = None,
    what: str = "results",
) -> NoReturn:
    """Raise HarnessError since nothing fits what was chosen, with the values that there are. among: of these results alone, which what calls; none: of all."""
    named = list(dict.fromkeys([*chosen, *_TOLD]))
    rows = [row for one in databases for row in one.select(among or {}, named).rows]
    columns = list(zip(*set(rows), strict=True)) if rows else [()] * len(named)
    there = dict(zip(named, ({one for one in values if one not in {None, ""}} for values in columns), strict=True))
    asked = " and ".join(f"{name}={','.join(map(shown, values))}" for name, values in chosen.items())
    known = all({*map(shown, values)} & {*map(shown, there[name])} for name, values in chosen.items())
    together = " together" if known and len(chosen) > 1 else ""
    raise HarnessError(f"no {what} fit {asked}{together}; there is {values_told(there)}")
