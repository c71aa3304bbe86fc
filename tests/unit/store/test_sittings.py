"""Summaries over rounds are rows of the database: right, incremental, rebuilt, and what a table shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pandas.testing import assert_frame_equal

from harness.core.outcome import Measurement, Outcome, Protocol
from harness.core.spec import Note
from harness.numbers import rounds
from harness.store import sittings
from harness.store.database import Database
from tests.unit.store.outcomes import BEGIN, H200, environment, measured, measurement, write_run

RATES = (100.0, 104.0, 98.0, 101.0, 99.0)


def round_of(
    number: int, turn: int, rate: float, session: str = "s-1", items: Sequence[Measurement] = (), **rest: Any
) -> Outcome:
    """A round of one job; its latency is the inverse of its rate."""
    both = (
        measurement(value=rate, n=1),
        measurement("per_token_latency", 1 / rate, unit="s", n=1),
        measurement("perplexity", 3.0, unit="", n=9, low=2.9, high=3.1, interval="student-t 95%"),
    )
    outcome = measured(number, tuple(items) or both, **rest)
    job = outcome.job.model_copy(update={"round": turn, "session": session, "order": number})
    return outcome.model_copy(update={"job": job})


def taken(database: Database, *outcomes: Outcome) -> Any:
    for outcome in outcomes:
        database.ingest(outcome, None)
    return database.frame({"metric": "decode_tps"})


def test_the_rounds_of_a_session_have_one_summary(database: Database) -> None:
    frame = taken(database, *(round_of(number, number, rate) for number, rate in enumerate(RATES)))
    value, low, high = rounds.summary(RATES, "tok/s")
    for name, wanted in (("summary_value", value), ("summary_low", low), ("summary_high", high), ("rounds", 5)):
        assert set(frame[name]) == {wanted}
    assert frame["value"].tolist() == list(RATES)
    assert frame["sitting"].nunique() == 1
    assert json.loads(frame["round_values"][0]) == [[turn, turn, rate] for turn, rate in enumerate(RATES)]
    latency = database.frame({"metric": "per_token_latency"})
    assert latency["summary_value"][0] == pytest.approx(1 / value)
    quality = database.frame({"metric": "perplexity"})
    assert quality["rounds"].isna().all()
    assert quality["low"].tolist() == [2.9] * 5


def test_rounds_keep_what_they_are_at_one_pace_of_the_machine(database: Database, results: Path) -> None:
    outcomes = []
    for number, rate in enumerate(RATES):
        outcome = round_of(number, number, rate)
        assert outcome.protocol is not None
        facts = {"pace": {"at_1ms": {"decode_tps": 2 * rate}}} if number else {}
        outcomes.append(outcome.model_copy(update={"protocol": outcome.protocol.model_copy(update={"facts": facts})}))
    frame = taken(database, *outcomes)
    wanted = [[turn, turn, rate, *([2 * rate] if turn else [])] for turn, rate in enumerate(RATES)]
    assert json.loads(frame["round_values"][0]) == wanted
    latency = json.loads(database.frame({"metric": "per_token_latency"})["round_values"][0])
    assert {len(one) for one in latency} == {3}


def test_a_round_that_arrives_brings_the_summary_up_to_date(database: Database) -> None:
    for number, rate in enumerate(RATES):
        frame = taken(database, round_of(number, number, rate))
        value, low, _ = rounds.summary(RATES[: number + 1], "tok/s")
        assert set(frame["summary_value"]) == {value}
        assert frame["summary_low"].isna().all() if low is None else set(frame["summary_low"]) == {low}
        assert set(frame["rounds"]) == {number + 1}
    assert not database.ingest(round_of(0, 0, RATES[0]), None)
    assert_frame_equal(database.frame({"metric": "decode_tps"}), frame)


def test_a_rebuilt_database_has_the_same_summaries_whatever_the_order(database: Database, results: Path) -> None:
    outcomes = [round_of(number, number % 3, 100.0 + number, f"s-{number // 3}") for number in range(6)]
    for outcome in reversed(outcomes):
        database.ingest(outcome, write_run(results, outcome))
    with Database.open(results.parent / "second.db", results=results) as second:
        second.ingest_folder(results)
        assert_frame_equal(second.frame(), database.frame(), check_exact=True)
        assert second.frame({"metric": "decode_tps"})["rounds"].tolist() == [3.0] * 6
        with second._writing() as connection:
            connection.exec_driver_sql("UPDATE run SET sitting = NULL, notes = NULL")
            connection.exec_driver_sql("DELETE FROM summary")
            assert sittings.fill(connection, notes=True) == 6
        assert_frame_equal(second.frame(), database.frame(), check_exact=True)


def test_a_clock_that_was_set_back_between_rounds_splits_no_session(database: Database) -> None:
    moments = [BEGIN, BEGIN - timedelta(days=400), BEGIN + timedelta(seconds=5)]
    outcomes = [round_of(number, number, 100.0 + number, started=at) for number, at in enumerate(moments)]
    frame = taken(database, *outcomes)
    assert set(frame["rounds"]) == {3}
    assert frame["sitting"].nunique() == 1
    assert json.loads(frame["round_values"][0]) == [[0, 0, 100.0], [1, 1, 101.0], [2, 2, 102.0]]


@pytest.mark.parametrize(
    "other",
    [
        {"session": "s-2"},
        {"workload": {"batch": 8, "prompt": 128}},
        {"place": environment(onnxruntime="9")},
        {"place": environment("cuda")},
        {"provider": "cuda"},
        {"protocol": Protocol(name="genai-e2e", version=3)},
    ],
    ids=str,
)
def test_what_was_not_measured_alike_is_in_no_common_mean(database: Database, other: dict[str, Any]) -> None:
    session = other.pop("session", "s-1")
    frame = taken(database, round_of(1, 0, 100.0), round_of(2, 1, 50.0, session, **other))
    assert frame["rounds"].tolist() == [1.0, 1.0]
    assert frame["summary_value"].tolist() == [100.0, 50.0]


def test_clocks_of_the_moment_and_the_harness_commit_are_no_other_place(database: Database) -> None:
    slow = H200.model_copy(update={"clocks_mhz": {"sm": 345}})
    places = [environment("cuda", (H200,)), environment("cuda", (slow,)).model_copy(update={"harness": "0.2.0+def"})]
    frame = taken(database, *(round_of(number, number, 100.0, place=place) for number, place in enumerate(places)))
    assert set(frame["rounds"]) == {2}


def test_runs_of_no_session_and_imported_ones_have_no_rounds_in_common(database: Database) -> None:
    alone = [round_of(number, number, 100.0 + number, session="") for number in (1, 2)]
    assert taken(database, *alone)["rounds"].tolist() == [1.0, 1.0]
    imported = round_of(3, 0, 70.0, "s-9", origin="imported")
    frame = taken(database, imported)
    assert frame["rounds"].isna().tolist() == [False, False, True]


def test_an_old_interval_of_repetitions_is_no_uncertainty_in_the_frame(database: Database) -> None:
    old = measurement(low=99.0, high=101.0, interval="student-t 95%, log scale")
    outcome = round_of(1, 0, 100.0, items=(old,))
    frame = taken(database, outcome)
    assert frame[["low", "high", "interval"]].isna().all(axis=None)
    assert database.outcome(outcome.job.run) == outcome


def test_one_metric_twice_in_a_run_is_no_second_round(database: Database) -> None:
    twice = (measurement(value=1.0, n=1), measurement(value=2.0, n=1))
    assert set(taken(database, round_of(1, 0, 1.0, items=twice))["rounds"]) == {1}


# ---------------------------------------------------------------- marks

UNSTABLE = Note(code="unstable", text="steps varied by 30 %")


def marks(frame: Any) -> list[list[str]]:
    return [[note["code"] for note in json.loads(text)] if isinstance(text, str) else [] for text in frame["marks"]]


def test_a_note_of_any_round_marks_the_number_of_all(database: Database) -> None:
    told = round_of(2, 1, 99.0, notes=(UNSTABLE, Note(code="gpu-process-unseen", text="NVML")))
    frame = taken(database, round_of(1, 0, 100.0), told)
    assert marks(frame) == [["unstable"], ["unstable"]]
    assert json.loads(frame["notes"][1])[1] == {"code": "gpu-process-unseen", "text": "NVML"}


def greedy(number: int, output: str, **rest: Any) -> Outcome:
    protocol = Protocol(name="genai-e2e", version=2, facts={"output_sha256": output})
    return round_of(number, number, 100.0, protocol=protocol, **rest)


def test_rounds_of_greedy_work_that_generate_other_tokens_are_marked(database: Database) -> None:
    assert marks(taken(database, greedy(0, "a"), greedy(1, "a"))) == [[], []]
    frame = taken(database, greedy(2, "b"))
    assert marks(frame) == [["output-differs"]] * 3
    assert "2 different outputs in 3 rounds" in frame["marks"][0]


def check(number: int, *notes: Note, engine_options: dict[str, Any] | None = None, batch: int = 1) -> Outcome:
    items = (measurement("perplexity", 1.0, unit="", n=1),)
    outcome = measured(number, items, kind="quality", notes=notes, workload={"batch": batch})
    options = {"provider": "cpu"} if engine_options is None else engine_options
    spec = outcome.job.spec.model_copy(update={"probe": "output_check", "engine_options": options})
    return outcome.model_copy(
        update={"job": outcome.job.model_copy(update={"spec": spec, "key": f"check{options}{batch}"})}
    )


def test_a_check_of_the_output_marks_the_speed_of_the_same_artifact_engine_and_options(database: Database) -> None:
    wrong = Note(code="output-differs", text="12 % of the tokens lie below the maximum")
    database.ingest(check(10, wrong, engine_options={"provider": "cuda"}), None)
    assert marks(taken(database, round_of(0, 0, 100.0))) == [[]]
    database.ingest(check(11, wrong), None)
    assert marks(database.frame({"metric": "decode_tps"})) == [["output-differs"]]
    assert marks(taken(database, round_of(1, 1, 101.0))) == [["output-differs"]] * 2
    database.ingest(check(12, batch=8), None)  # another workload is another check
    assert marks(database.frame({"metric": "decode_tps"})) == [["output-differs"]] * 2
    database.ingest(check(13), None)  # checked anew, and all is well
    assert marks(database.frame({"metric": "decode_tps"})) == [[], []]
