"""Questions to the frame go by indexes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.core.outcome import Outcome
from harness.core.spec import Labels
from harness.store import frame as frames
from harness.store.database import Database
from tests.unit.store.outcomes import H200, environment, measured, measurement

QUESTIONS: list[tuple[dict[str, Any], list[str]]] = [
    ({"sweep": "sweep-3", "metric": ["decode_tps", None]}, ["sweep", "model", "method", "metric", "value"]),
    ({"model": "model-2", "gpu": "NVIDIA H200"}, ["gpu", "method", "batch", "metric", "value"]),
    ({"metric": "ttft", "session": "s-4"}, ["run", "value"]),
    ({"run": "run-000004"}, ["metric", "value"]),
    ({"job_key": "0" * 64}, ["metric", "value"]),
]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("many") / "bench.db"
    with Database.open(path) as database:
        for number in range(120):
            labels = Labels(sweep=f"sweep-{number // 6}", model=f"model-{number // 12}", method=f"m-{number % 7}")
            outcome: Outcome = measured(
                number,
                [measurement("ttft", 1.0), measurement(value=float(number + 1))],
                labels=labels,
                workload={"batch": number},
                place=environment("cuda", (H200,)) if number % 10 == 0 else environment(),
            )
            job = outcome.job.model_copy(update={"session": f"s-{number // 6}"})
            database.ingest(outcome.model_copy(update={"job": job}), None)
    return path


@pytest.mark.parametrize(("where", "columns"), QUESTIONS)
def test_a_question_goes_by_the_indexes(many: Path, where: dict[str, Any], columns: list[str]) -> None:
    with Database.open(many) as database, database._reading() as connection:
        query = frames.statement(where, columns).compile(connection, compile_kwargs={"literal_binds": True})
        plan = [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    steps = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
    assert any("SEARCH measurement USING" in step for step in steps)
    scans = [step for step in steps if re.match(r"SCAN (run|job|placement|measurement)\b", step)]
    assert not scans, "\n".join(plan)
