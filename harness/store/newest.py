"""Which runs the view `latest` shows: of every series the newest good run of each environment and origin.

The newest is what the database saw last (`counts_from`), whatever a clock said. It is marked at the run when outcomes are taken in:
to find it among 100,000 runs takes longer than all the rest of a question.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update

from harness.core.spec import Status
from harness.store import models as m
from harness.store.row import chunks, table

_RUN, _PLACE = table(m.RunRow), table(m.EnvironmentRow)
_GROUP = (_RUN.c.series, _RUN.c.origin, _PLACE.c.name)
_AGE = (_RUN.c.counts_from, _RUN.c.name)


def advance(connection: Connection, runs: Sequence[int]) -> None:
    """Let new good runs take the place of those that stood for their series until now."""
    for some in chunks(runs):
        came = _rows(connection, _RUN.c.id.in_(some))
        stood = _rows(connection, _RUN.c.newest, _RUN.c.series.in_({row.series for row in came}))
        best: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        for id_, *about in (*stood, *came):
            group, age = tuple(about[: len(_GROUP)]), tuple(about[len(_GROUP) :])
            best[group] = max(best.get(group, (age, id_)), (age, id_))
        now, before = {id_ for _, id_ in best.values()}, {row.id for row in stood}
        _mark(connection, before - now, newest=False)
        _mark(connection, now - before, newest=True)


def settle(connection: Connection, series: Collection[str] | None = None) -> None:
    """Mark anew what stands for these series, or for all, as an upgrade, a bulk load and a deletion need."""
    within = [] if series is None else [_RUN.c.series.in_(series)]
    age = func.row_number().over(partition_by=_GROUP, order_by=[column.desc() for column in _AGE])
    good = select(_RUN.c.id, age.label("age")).join(_PLACE, _PLACE.c.id == _RUN.c.environment_id)
    ranked = good.where(_RUN.c.status == Status.OK.value, *within).subquery("ranked")
    connection.execute(update(_RUN).where(_RUN.c.newest, *within).values(newest=False))
    newest = select(ranked.c.id).where(ranked.c.age == 1)
    connection.execute(update(_RUN).where(_RUN.c.id.in_(newest)).values(newest=True))


def _rows(connection: Connection, *conditions: Any) -> Sequence[Any]:
    query = select(_RUN.c.id, *_GROUP, *_AGE).join(_PLACE, _PLACE.c.id == _RUN.c.environment_id)
    return connection.execute(query.where(*conditions)).all()


def _mark(connection: Connection, runs: Collection[int], *, newest: bool) -> None:
    if runs:
        connection.execute(update(_RUN).where(_RUN.c.id.in_(runs)).values(newest=newest))
