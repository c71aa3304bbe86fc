"""What the database saw last is the latest, whatever the clocks said; who reads a number is told of a clock that stood back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from harness.commands.answers import finished_sessions
from harness.core.marks import marking
from harness.core.outcome import Outcome
from harness.runner.records import counted_from
from tests.fake_machine import Bench

FUTURE = "2150-01-01T00:00:00Z"


def _dated(bench: Bench, moment: str) -> None:
    """Let everything that ran so far have run at a moment, as with a clock that was wrong."""
    for path in (bench.results / "runs").glob("*/outcome.json"):
        outcome = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps(outcome | {"started": moment}), "utf-8")
    for path in (bench.results / "sessions").glob("*.json"):
        session = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps(session | {"started": moment, "finished": moment}), "utf-8")
    _rebuilt(bench)


def _rebuilt(bench: Bench) -> None:
    for path in bench.results.glob("bench.db*"):
        path.unlink()
    with bench.opened() as (_, opened):
        opened.database.ingest_folder(bench.results)


def _latest(bench: Bench) -> str:
    """Session of the decode rate that a table shows."""
    rows = bench.frame({"metric": "decode_tps"}, ["session", "counts_from", "run"])
    return str(rows.sort_values(["counts_from", "run"])["session"].iloc[-1])


def _outcomes(bench: Bench, session: str) -> list[Outcome]:
    found = [
        Outcome.model_validate_json(path.read_text("utf-8")) for path in (bench.results / "runs").glob("*/outcome.json")
    ]
    return [outcome for outcome in found if outcome.job.session == session]


def _session(bench: Bench) -> str:
    """Run the sweep and name its session."""
    return next(event.text for event in bench.run() if event.what == "session").splitlines()[0]


def test_a_run_of_2150_does_not_stay_the_latest(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    first = _session(bench)
    _dated(bench, FUTURE)
    second, *told = next(event.text for event in bench.run() if event.what == "session").splitlines()
    assert "before the newest run that was known, of 2150-01-01" in told[0]
    assert _latest(bench) == second != first
    assert finished_sessions("s", bench.results)[-1].session == second
    outcomes = _outcomes(bench, second)
    assert {outcome.started.year for outcome in outcomes} == {datetime.now(UTC).year}, (
        "the record says what the clock said"
    )
    notes = {note.text for outcome in outcomes for note in outcome.notes if note.code == "clock"}
    assert len(notes) == 1
    assert "before the newest run that was known, of 2150-01-01 00:00 UTC: it counts as later than that" in notes.pop()
    third = _session(bench)
    assert _latest(bench) == third
    _rebuilt(bench)
    assert _latest(bench) == third


def test_a_clock_that_is_right_says_nothing(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    bench.run()
    session = _session(bench)
    for outcome in _outcomes(bench, session):
        assert outcome.job.not_before is None
        assert "clock" not in {note.code for note in outcome.notes}


@pytest.mark.parametrize(("behind", "told"), [(timedelta(seconds=20), 0), (timedelta(hours=2), 1)])
def test_clocks_that_differ_a_little_order_without_a_word(behind: timedelta, told: int) -> None:
    newest = datetime(2026, 11, 28, 12, tzinfo=UTC)
    moment, notes = counted_from(newest, newest - behind)
    assert moment is not None
    assert timedelta(0) < moment - newest < timedelta(milliseconds=1)
    assert len(notes) == told
    assert counted_from(newest, newest + behind) == (None, ())
    assert counted_from(None, newest) == (None, ())


def test_a_table_marks_what_a_clock_that_stood_back_measured(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    bench.run()
    _dated(bench, FUTURE)
    session = _session(bench)
    speed = [outcome for outcome in _outcomes(bench, session) if outcome.job.kind == "speed"]
    assert [note.code for outcome in speed for note in marking(outcome.notes)].count("clock") == 1
