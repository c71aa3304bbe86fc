"""Which rounds of nights before were declared void since, as the database was told."""

from __future__ import annotations

from collections.abc import Sequence

from harness.night.record import NightRecord
from harness.store.database import Database


def void_rounds(nights: Sequence[NightRecord], database: Database) -> dict[str, str]:
    """Return the sessions of rounds, first and measured again, of which no run counts, and why the first does not."""
    why = {run: mark.void for run, mark in database.marked.all().items() if mark.void}
    sessions = {night.sessions.get(part, "") for night in nights for part in ("main", "again")} - {""} if why else set()
    runs = {session: database.marked.runs_of(session) for session in sessions}
    return {session: why[some[0]] for session, some in runs.items() if some and why.keys() >= set(some)}
