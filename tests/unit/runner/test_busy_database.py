"""A database that another process holds or writes while a sweep runs."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from harness.core.errors import HarnessError
from harness.runner.loop import execute
from tests.fake_machine import Bench


@pytest.mark.parametrize("kept", [True, False], ids=["to the end", "for a while"])
def test_a_database_that_another_process_writes_ends_no_sweep_and_loses_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    from harness.store import opening
    from harness.store.database import Database

    monkeypatch.setattr(opening, "_BUSY_SECONDS", 0.2)
    bench.sweep(method=["fp32", "int8"])
    events = []
    with bench.opened() as (planned, opened):
        holder = sqlite3.connect(bench.results / "bench.db", isolation_level=None, timeout=5)
        for event in execute(planned.plan, opened):
            events.append(event)
            if event.what == "session":
                holder.execute("BEGIN IMMEDIATE")
            if event.what == "done" and event.done == 4 and not kept:
                holder.execute("ROLLBACK")
    told = [event.text for event in events if event.what == "waiting" and "not in the database" in event.text]
    assert {event.status for event in events if event.what == "done"} == {"ok"}
    assert len(told) == kept
    if kept:
        assert told[0].startswith("6 outcomes are on disk and not in the database")
        holder.execute("ROLLBACK")
        with Database.open(bench.results / "bench.db") as database:
            database.ingest_folder(bench.results)
    holder.close()
    rows = bench.frame({}, ["run"])
    assert rows["run"].nunique() == len(list(bench.results.glob("runs/*/outcome.json"))) == 6


def test_a_database_that_is_held_as_a_sweep_begins_does_not_end_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.store import opening

    monkeypatch.setattr(opening, "_BUSY_SECONDS", 0.2)
    bench.sweep(method=["fp32"])
    bench.run()
    bench.sweep(method=["fp32", "int8"])
    events = []
    with bench.opened() as (planned, opened), held(bench) as holder:
        for event in execute(planned.plan, opened):
            events.append(event)
            if event.what == "done" and event.done == event.total:
                holder.execute("ROLLBACK")
    assert "the sweep goes on" in events[0].text
    assert {event.status for event in events if event.what == "done"} == {"ok"}
    rows = bench.frame({}, ["run"])
    assert set(rows["run"]) == {path.parent.name for path in bench.results.glob("runs/*/outcome.json")}
    with closing(sqlite3.connect(bench.results / "bench.db")) as database:
        assert database.execute("SELECT count(*) FROM session").fetchone() == (2,)


def test_what_an_earlier_command_measured_is_waited_for_and_not_measured_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.store import opening

    monkeypatch.setattr(opening, "_BUSY_SECONDS", 0.2)
    bench.sweep(method=["fp32"])
    bench.run()
    (done,) = bench.results.glob("runs/*-q-*")
    left = bench.results / "runs" / "20990101T000000-q-left"
    shutil.copytree(done, left)
    outcome = json.loads((left / "outcome.json").read_text("utf-8"))
    outcome["job"]["run"] = left.name
    (left / "outcome.json").write_text(json.dumps(outcome), "utf-8")
    with (
        bench.opened() as (planned, opened),
        held(bench),
        pytest.raises(HarnessError, match="another process has been using"),
    ):
        list(execute(planned.plan, opened))


@contextmanager
def held(bench: Bench) -> Iterator[sqlite3.Connection]:
    """Hold a database as a browser does that is about to write."""
    with closing(sqlite3.connect(bench.results / "bench.db", isolation_level=None, timeout=5)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield holder
