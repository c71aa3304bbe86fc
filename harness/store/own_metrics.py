"""Metrics of somebody's own whose results do not all say the same: another unit, another direction, or none, as older versions wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, create_engine, inspect, text

from harness.core.metric import OWN
from harness.store import opening
from harness.store.location import DatabasePlace, is_there, url_of

_OWN = "SELECT * FROM quantity WHERE metric LIKE :own ORDER BY metric, unit, id"
"""Older tables lack the columns of direction and comparison."""
_EXAMPLE = "SELECT r.name FROM measurement m JOIN run r ON r.id = m.run_id WHERE m.quantity_id = :id LIMIT 1"


@dataclass(frozen=True)
class OwnCounted:
    """One way in which the numbers of a metric are counted, and a run that has such a number."""

    metric: str
    unit: str
    better: str | None
    """None where a result does not say it."""
    run: str


def own_counted(place: DatabasePlace) -> list[OwnCounted]:
    """List how own metrics are counted, each way once, in a database that is looked at and not upgraded; empty where there is none.

    Raises: HarnessError for a database that cannot be read.
    """
    if not is_there(place):
        return []
    with opening.explained(url_of(place)):
        engine = create_engine(url_of(place))
        try:
            with engine.connect() as connection:
                return _counted(connection)
        finally:
            engine.dispose()


def _counted(connection: Connection) -> list[OwnCounted]:
    look = inspect(connection)
    if not all(map(look.has_table, ("quantity", "measurement", "run"))):
        return []
    found: dict[tuple[str, str, str | None], OwnCounted] = {}
    for row in connection.execute(text(_OWN), {"own": f"{OWN}%"}).mappings():
        metric, unit, way = row["metric"], row["unit"], row.get("better")
        plain = row.get("comparison") is None and (metric, unit, way) not in found
        if plain and (run := connection.execute(text(_EXAMPLE), {"id": row["id"]}).scalar()):
            found[metric, unit, way] = OwnCounted(metric, unit, way, run)
    return list(found.values())


def told_apart(counted: Sequence[OwnCounted]) -> list[str]:
    """Say of each metric whose results are not all counted alike, or do not say which way is better, what follows and what to do."""
    by_metric: dict[str, list[OwnCounted]] = {}
    for one in counted:
        by_metric.setdefault(one.metric, []).append(one)
    return [said for metric, ways in by_metric.items() for said in _said(metric, ways)]


def _said(metric: str, ways: Sequence[OwnCounted]) -> list[str]:
    units = {one.unit: one for one in reversed(ways)}
    told = {one.better: one for one in reversed(ways)}
    silent, found = told.pop(None, None), []
    if len(units) > 1:
        listed = " and ".join(f"{_in(unit)} (run {units[unit].run})" for unit in sorted(units))
        found.append(
            f"{metric} is {listed}: no table shows both in one column; measure again what lacks its unit, or leave it out with `where`"
        )
    if len(told) > 1:
        listed = " and ".join(f"{way} (run {told[way].run})" for way in sorted(filter(None, told)))
        found.append(f"{metric}: better is {listed}; give one of the two another name")
    if silent is not None:
        found.append(
            f"{metric}: run {silent.run} does not say which way is better, as results of older versions; declare {metric} under `metrics:` of a "
            "published file, or with `better` where it is read, and measure again"
        )
    return found


def _in(unit: str) -> str:
    return f"in '{unit}'" if unit else "without a unit"
