"""Outcomes are taken in: once, whole or not at all, digit for digit."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from harness.core.outcome import Outcome, Scheme
from harness.core.spec import Labels, Status
from harness.numbers.rounds import is_over_rounds
from harness.store import ingest, walk
from harness.store.database import Database
from tests.unit.store.outcomes import (
    H200,
    built,
    environment,
    failed,
    measured,
    measurement,
    session,
    with_array,
    write_run,
    write_session,
)


def test_a_run_is_taken_in_once(database: Database) -> None:
    assert database.ingest(measured(1), None)
    before = database.frame()
    assert not database.ingest(measured(1), None)
    assert_frame_equal(database.frame(), before)
    assert database.count() == 1


def test_a_database_rebuilt_from_folders_gives_the_same_frame(database: Database, results: Path) -> None:
    large = np.random.default_rng(1).random(20_000)
    outcomes: list[tuple[Outcome, dict[str, Any]]] = [
        (measured(9), {}),
        (with_array(8, "nll", large), {"nll": large}),
        (failed(7), {}),
        (built(3), {}),
        (measured(2, place=environment("gpu", (H200, H200))), {}),
    ]
    for outcome, arrays in outcomes:  # by the clock the other way round than by name
        database.ingest(outcome, write_run(results, outcome, **arrays))
    record = session(outcomes[0][0], labels=Labels(sweep="other", model="tiny"))
    database.place(record)
    write_session(results, record)
    with Database.open(results.parent / "second.db", results=results) as second:
        found = second.ingest_folder(results)
        assert (found.new, found.known, found.sessions, found.problems) == (5, 0, 1, ())
        assert_frame_equal(second.frame(), database.frame(), check_exact=True)
        assert second.known_artifacts() == database.known_artifacts()
        for run in ("run-000009", "run-000008"):
            assert np.array_equal(second.samples(f"{run}#0"), database.samples(f"{run}#0"))
        assert second.ingest_folder(results).known == 5


def test_a_corrupt_outcome_is_named_and_the_rest_taken_in(database: Database, results: Path) -> None:
    write_run(results, measured(1))
    for number, text in {2: "{", 3: "{}", 4: '{"schema_version": 99}', 5: "[]"}.items():
        (write_run(results, measured(number)) / "outcome.json").write_text(text, "utf-8")
    (results / "runs" / "run-000006").mkdir()
    (results / "runs" / "run-000001").rename(results / "runs" / "run-000007")
    write_run(results, measured(1))
    found = database.ingest_folder(results)
    assert found.new == 1
    assert found.unfinished == ("run-000006",)
    said = "\n".join(map(str, found.problems))
    for number in (2, 3, 4, 5, 7):
        assert f"run-00000{number}{os.sep}outcome.json: " in said
    assert "schema version 99" in said
    assert "outcome of run 'run-000001'" in said


def test_a_corrupt_session_is_named(database: Database, results: Path) -> None:
    write_session(results, session(measured(1), labels=Labels(sweep="a")))
    (results / "sessions" / "bad.json").write_text('{"session": 1}', "utf-8")
    found = database.ingest_folder(results)
    assert found.sessions == 1
    assert "bad.json" in str(found.problems[0])


def test_an_outcome_comes_back_as_it_was_written(database: Database) -> None:
    items = (measurement(samples=(0.1, 1e-300, -0.0, 2.0)), measurement("ttft", 5e-324, low=0.0, unit="s", samples=()))
    for outcome in (measured(1, items, place=environment("gpu", (H200,))), failed(2), built(3)):
        database.ingest(outcome, None)
        assert database.outcome(outcome.job.run) == outcome


def test_numbers_of_a_run_that_failed_reach_no_frame(database: Database) -> None:
    odd = failed(1, measurements=(measurement(samples=(1.0, 2.0, 3.0)),))
    database.ingest(odd, None)
    frame = database.frame()
    assert len(frame) == 1
    assert frame["metric"].isna().all()
    assert frame["value"].isna().all()
    assert database.outcome("run-000001") == odd


def test_what_fails_half_way_leaves_nothing_behind(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ingest, "label", broken)
    with pytest.raises(KeyboardInterrupt):
        database.ingest(measured(1), None)
    monkeypatch.undo()
    assert database.count() == 0
    assert database.ingest(measured(1), None)


KILLED = """
import os, signal, sys
from pathlib import Path
from harness.store import ingest
from harness.store.database import Database
from tests.unit.store.outcomes import measured
ingest.label = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
Database.open(Path(sys.argv[1])).ingest(measured(1), None)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_process_killed_while_it_writes_leaves_nothing_behind(results: Path) -> None:
    path = results / "bench.db"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == -signal.SIGKILL
    with Database.open(path) as database:
        assert database.count() == 0
        assert database.ingest(measured(1), None)
        assert len(database.frame()) == 1


numbers = st.floats(allow_nan=False, allow_infinity=False)
some = st.none() | st.text(max_size=8)
measurements = st.builds(
    measurement,
    metric=st.sampled_from(["decode_tps", "perplexity", "lm_eval.acc"]),
    value=numbers,
    low=st.none() | numbers,
    high=st.none() | numbers,
    n=st.integers(1, 10**9),
    samples=st.lists(numbers, max_size=8).map(tuple),
    slice=st.sampled_from(["", "subject:ünï 'x'", "task:a#b"]),
    source=some,
    items=some,
    interval=some,
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with Database.open(tmp_path_factory.mktemp("filled") / "bench.db") as opened:
        yield opened


@settings(max_examples=50, deadline=None)
@given(items=st.lists(measurements, min_size=1, max_size=6), seconds=st.floats(0, 1e9), reason=some)
def test_every_number_reaches_the_frame_digit_for_digit(
    filled: Database, items: list[Any], seconds: float, reason: str | None
) -> None:
    outcome = measured(filled.count(), items, seconds=seconds, reason=reason)
    again = Outcome.model_validate_json(outcome.model_dump_json())
    assert again == outcome
    filled.ingest(again, None)
    run = outcome.job.run
    assert filled.outcome(run) == outcome
    frame = filled.frame({"run": run})
    for name in ("value", "low", "high", "n"):
        gone = name in {"low", "high"}
        kept = [None if gone and is_over_rounds(item.metric) else getattr(item, name) for item in items]
        wanted = [math.nan if one is None else float(one) for one in kept]
        np.testing.assert_array_equal(frame[name].to_numpy(), np.array(wanted))
    for name in ("source", "items", "interval", "slice", "metric"):
        kept = [None if pd.isna(cell) else cell for cell in frame[name]]
        gone = name == "interval"
        assert kept == [None if gone and is_over_rounds(item.metric) else getattr(item, name) for item in items]
    assert set(frame["seconds"]) == {seconds}
    for place, item in enumerate(items):
        if item.samples:
            assert filled.samples(f"{run}#{place}").tolist() == list(item.samples)


def test_yesterdays_files_still_load(database: Database, tmp_path: Path) -> None:
    golden = sorted((Path(__file__).parents[2] / "golden" / "outcomes").glob("*.json"))
    assert len(golden) >= 5
    for path in golden:
        raw = json.loads(path.read_text("utf-8"))
        outcome = Outcome.model_validate(raw)
        assert json.loads(outcome.model_dump_json(exclude_unset=True)) == raw, (
            f"{path.name}: a field changed its meaning"
        )
        assert database.ingest(outcome, None)
        assert database.outcome(outcome.job.run) == outcome
    frame = database.frame(columns=["run", "kind", "status", "metric", "value", "model", "method", "batch", "gpu"])
    assert set(frame["kind"]) == {"build", "reference", "quality", "speed"}
    assert set(frame["status"]) == {status.value for status in Status}
    speed = frame[(frame["kind"] == "speed") & (frame["metric"] == "decode_tps")].iloc[0]
    assert speed["value"] == 1234.5678901234567
    assert speed["batch"] == 4.0
    assert speed["gpu"] == "NVIDIA H200"


def test_a_walk_that_is_killed_between_batches_is_taken_up_again(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        write_run(results, measured(number))
    broken = results / "runs" / "run-000001" / "outcome.json"
    whole = broken.read_text("utf-8")
    broken.write_text(whole[:100], "utf-8")
    monkeypatch.setattr(walk, "_BATCH", 2)
    with Database.open(results / "bench.db") as database:
        found = database.ingest_folder(results)
        assert (found.new, len(found.problems)) == (4, 1)
    broken.write_text(whole, "utf-8")
    with Database.open(results / "bench.db") as database:
        found = database.ingest_folder(results)
        assert (found.new, found.known, found.problems) == (1, 4, ())
        assert database.frame()["run"].tolist() == [f"run-{number:06d}" for number in range(5)]


def test_an_outcome_that_is_given_twice_in_one_batch_is_one_run(database: Database) -> None:
    assert database.ingest_all([measured(1), measured(2), measured(1)]) == 2
    assert database.ingest_all([measured(2), measured(3)]) == 1
    assert database.count() == 3


SCHEME = Scheme(text="int4 b32 sym x7; head float32; embedding float32", bits_per_weight=5.25)


@pytest.mark.parametrize("build_first", [True, False])
def test_a_measurement_has_the_scheme_of_its_artifact_whichever_comes_first(
    database: Database, build_first: bool
) -> None:
    made = built(1)
    assert made.artifact is not None
    made = made.model_copy(update={"artifact": made.artifact.model_copy(update={"scheme": SCHEME})})
    other = measured(3)
    other = other.model_copy(
        update={
            "job": other.job.model_copy(update={"inputs": (other.job.inputs[0].model_copy(update={"content": "c"}),)})
        }
    )
    for outcome in (made, measured(2)) if build_first else (measured(2), made):
        assert database.ingest(outcome, None)
    database.ingest(other, None)
    frame = database.frame({}, ["run", "scheme", "bits_per_weight"]).set_index("run")
    assert frame.loc["run-000001"].tolist() == frame.loc["run-000002"].tolist() == [SCHEME.text, 5.25]
    assert frame.loc["run-000003"].isna().all(), "another content is another artifact"
    assert set(database.frame({"bits_per_weight": 5.25}, ["run"])["run"]) == {"run-000001", "run-000002"}
    assert database.outcome("run-000001") == made


def test_a_measurement_that_says_its_own_scheme_keeps_it(database: Database) -> None:
    own = Scheme(text="float32 x28; head float32; embedding float32", bits_per_weight=32.0)
    made = built(1)
    assert made.artifact is not None
    database.ingest(measured(2).model_copy(update={"scheme": own}), None)
    database.ingest(made.model_copy(update={"artifact": made.artifact.model_copy(update={"scheme": SCHEME})}), None)
    frame = database.frame({"kind": "speed"}, ["scheme", "bits_per_weight"])
    assert frame.to_numpy().tolist() == [[own.text, 32.0]]
