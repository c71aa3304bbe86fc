"""Which run used which artifact when: what `harness clean` decides by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from harness.store import models as m
from harness.store.row import chunks, table


@dataclass(frozen=True)
class RunUse:
    """A run that was measured here, and what it read and made."""

    run: str
    used: datetime
    """When it began, or what it counts from where a clock went back."""
    session: str
    current: bool
    """Whether it, or a round of the same rounds, stands for its series in the newest results."""
    artifact: str | None
    """Id of what it made or measured."""
    contents: frozenset[str]
    """Content hashes of all that it read and made."""


def run_uses(connection: Connection) -> list[RunUse]:
    """Return what every run that was measured here used, in the order in which they count."""
    run = table(m.RunRow)
    current = set(connection.execute(select(run.c.sitting).where(run.c.newest, run.c.sitting.is_not(None))).scalars())
    columns = (
        run.c.id, run.c.name, run.c.started, run.c.counts_from, run.c.session, run.c.newest, run.c.sitting, run.c.artifact,
        run.c.artifact_content,
    )  # fmt: skip
    query = select(*columns).where(run.c.origin == "measured").order_by(run.c.counts_from, run.c.name)
    rows = connection.execute(query).all()
    inputs = _inputs(connection, [row.id for row in rows])
    return [
        RunUse(
            row.name,
            row.counts_from or row.started,
            row.session,
            row.newest or row.sitting in current,
            row.artifact,
            inputs.get(row.id, frozenset()) | ({row.artifact_content} if row.artifact_content else frozenset()),
        )
        for row in rows
    ]


def _inputs(connection: Connection, runs: Sequence[int]) -> dict[int, frozenset[str]]:
    outcome = table(m.OutcomeRow)
    found: dict[int, frozenset[str]] = {}
    for some in chunks(runs):
        for id_, text in connection.execute(select(outcome.c.run_id, outcome.c.json).where(outcome.c.run_id.in_(some))):
            raw = json.loads(text)
            read = raw.get("inputs") or raw["job"].get("inputs", ())
            found[id_] = frozenset(one["content"] for one in read if one.get("content"))
    return found
