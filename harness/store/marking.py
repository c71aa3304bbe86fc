"""Runs that a person marks, and runs that leave the database: what hung on them is worked out again without them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, or_, select

from harness.core.outcome import Outcome
from harness.store import ingest, newest, sittings
from harness.store import models as m
from harness.store.arrays import StoredArray
from harness.store.mark import NO_MARK, NOTED, VOID, RunMark
from harness.store.row import chunks, table


@dataclass(frozen=True)
class LeftOut:
    """A run that a person does not let count."""

    run: str
    round: int
    reason: str


_RUN, _PLACE = table(m.RunRow), table(m.EnvironmentRow)


def marks(connection: Connection) -> dict[str, RunMark]:
    """Return what the database was told of the runs that a person marked, by run."""
    query = select(_RUN.c.name, _RUN.c.status, _RUN.c.reason, _RUN.c.notes)
    marked = or_(_RUN.c.status == VOID, _RUN.c.notes.contains(f'"{NOTED}"'))
    found = {row.name: mark_of(row.status, row.reason, row.notes) for row in connection.execute(query.where(marked))}
    return {name: mark for name, mark in found.items() if any(mark.says)}


def mark(connection: Connection, run: str) -> RunMark:
    """Return what the database was told of a run; an empty mark of one that nobody marked, or that is not here."""
    query = select(_RUN.c.status, _RUN.c.reason, _RUN.c.notes).where(_RUN.c.name == run)
    found = connection.execute(query).first()
    return mark_of(*found) if found else NO_MARK


def mark_of(status: str, reason: str | None, notes: str | None) -> RunMark:
    """Read the mark of a run's row."""
    said = next((note.text for note in sittings.notes_of(notes) if note.code == NOTED), None)
    return RunMark(void=reason if status == VOID else None, note=said)


def remark(connection: Connection, outcome: Outcome, arrays: Sequence[StoredArray], kept: ingest.SaidOfRuns) -> None:
    """Write a run anew as its mark has changed, and what hangs on it: summaries, and what stands for its series."""
    run = connection.execute(select(_RUN.c.id).where(_RUN.c.name == outcome.job.run)).scalar_one()
    with _settled(connection, [run]):
        ingest.rewrite_outcome(connection, outcome, arrays, kept, run)


def forget(connection: Connection, runs: Collection[int]) -> int:
    """Delete runs by their ids, all their rows; returns how many there were."""
    for some in chunks(sorted(runs)):
        with _settled(connection, some):
            for kind in ingest.OF_A_RUN:
                connection.execute(table(kind).delete().where(table(kind).c.run_id.in_(some)))
            connection.execute(_RUN.delete().where(_RUN.c.id.in_(some)))
    return len(runs)


def forget_reported(connection: Connection, sessions: set[str], keep: set[str]) -> int:
    """Delete reported runs of these sessions but for those to keep."""
    query = select(_RUN.c.id, _RUN.c.name).where(_RUN.c.origin == "reported", _RUN.c.session.in_(sessions))
    return forget(connection, [row.id for row in connection.execute(query) if row.name not in keep])


def forget_gone(connection: Connection, results: str, there: Collection[str]) -> list[str]:
    """Delete the runs whose folders were in a results folder and are not there any more; returns their names."""
    query = select(_RUN.c.id, _RUN.c.name).where(_RUN.c.results == results)
    gone = {row.id: row.name for row in connection.execute(query) if row.name not in there}
    forget(connection, gone)
    return sorted(gone.values())


def found_in(connection: Connection, results: str, runs: Collection[str]) -> None:
    """Write down which results folder holds the folders of these runs, where that is not known."""
    for some in chunks(sorted(runs)):
        lacking = _RUN.c.name.in_(some) & _RUN.c.results.is_(None)
        connection.execute(_RUN.update().where(lacking).values(results=results))


def homeless(connection: Connection) -> set[str]:
    """Name the runs of which no results folder is known."""
    return set(connection.execute(select(_RUN.c.name).where(_RUN.c.results.is_(None))).scalars())


def runs_of(connection: Connection, session: str) -> list[str]:
    """Name the runs that a session made, those that do not count too."""
    return sorted(connection.execute(select(_RUN.c.name).where(_RUN.c.session == session)).scalars())


def left_out(connection: Connection, run: str) -> list[LeftOut]:
    """Return what does not count beside a run: of its job and place, in its session or since.

    These are the runs that a table would have counted in, or shown in its place.
    """
    about = select(_RUN.c.job_id, _PLACE.c.name, _RUN.c.session, _RUN.c.counts_from)
    found = connection.execute(about.join(_PLACE).where(_RUN.c.name == run)).first()
    if found is None:
        return []
    query = select(_RUN.c.name.label("run"), _RUN.c.round, _RUN.c.reason).join(_PLACE)
    same: list[ColumnElement[bool]] = [
        _RUN.c.job_id == found.job_id,
        _PLACE.c.name == found.name,
        _RUN.c.status == VOID,
    ]
    beside = or_(_RUN.c.session == found.session, _RUN.c.counts_from > found.counts_from)
    rows = connection.execute(query.where(*same, beside).order_by(_RUN.c.counts_from, _RUN.c.name))
    return [LeftOut(*row) for row in rows]


@contextmanager
def _settled(connection: Connection, runs: Sequence[int]) -> Iterator[None]:
    """Work out anew, once something became of runs, the summaries that they were a part of or spoke of, and what is newest."""
    before = sittings.touched(connection, runs)
    query = select(_RUN.c.series).where(_RUN.c.id.in_(runs))
    series = {one for one in connection.execute(query).scalars() if one}
    yield
    sittings.summarize(connection, sorted(before))
    newest.settle(connection, series)
