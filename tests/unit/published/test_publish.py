"""What `harness publish` writes: measured runs alone, numbers in the place of arrays, and what pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.commands.publish import publish_runs
from harness.core.errors import HarnessError
from harness.core.outcome import Citation, Outcome
from harness.core.spec import Input
from harness.published.publish import PublishableRun, publish, text_of
from harness.published.reading import read_published
from harness.store.database import Database
from harness.worker.record import array_ref
from tests.unit.published.files import raw_of, three, written
from tests.unit.store.outcomes import environment, measured, measurement, session, write_run, write_session


def imported(number: int, **rest: object) -> Outcome:
    citation = Citation(title="vLLM serving benchmark", file="vllm.json", sha256="0" * 64)
    return measured(number, origin="imported", citation=citation, **rest)  # type: ignore[arg-type]


def test_imported_runs_are_not_published(tmp_path: Path) -> None:
    with Database.open(tmp_path / "bench.db") as database:
        for outcome in (measured(1), *(imported(number) for number in range(2, 9))):
            database.ingest(outcome, None)
        with pytest.raises(HarnessError) as refused:
            publish(database, [f"run-{number:06d}" for number in range(1, 9)])
        assert publish(database, ["run-000001"])
    said = str(refused.value)
    assert "run-000002 (imported from vllm.json)" in said
    assert "run-000001" not in said
    assert "and 2 more" in said
    assert "`harness import`" in said
    assert "`reported:`" in said


def test_a_sweep_that_imported_runs_share_is_published_without_them_and_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = measured(1), imported(2, workload={"batch": 2})
    for outcome in (ours, theirs):
        write_run(tmp_path, outcome)
    record = session(ours, labels=ours.job.labels)
    write_session(tmp_path, record.model_copy(update={"finished": record.started}))
    with Database.open(tmp_path / "bench.db") as database:
        database.ingest_folder(tmp_path)
    to = tmp_path / "published" / "it.yaml"
    assert publish_runs(["quickstart"], tmp_path, to) == 1
    assert "left out of 'quickstart', since only measured runs are published: run-000002\n" in capsys.readouterr().err
    assert [outcome.job.run for outcome in read_published(to.parent).outcomes] == ["run-000001"]
    with pytest.raises(HarnessError, match=r"run-000002 \(imported from vllm\.json\)"):
        publish_runs(["run-000002"], tmp_path, to)


def test_an_environment_stands_once_and_two_of_one_name_are_numbered(tmp_path: Path) -> None:
    places = [environment(), environment(torch="2.8.0"), environment(), environment(torch="2.9.0")]
    raw = raw_of(written(tmp_path / "p", [measured(number, place=place) for number, place in enumerate(places)]))
    assert [run["run"]["environment"] for run in raw["runs"]] == ["cpu", "cpu-2", "cpu", "cpu-3"]
    assert {name: place["name"] for name, place in raw["environments"].items()} == dict.fromkeys(
        ("cpu", "cpu-2", "cpu-3"), "cpu"
    )
    assert [outcome.environment for outcome in read_published(tmp_path / "p").outcomes] == places


def test_a_run_is_a_few_lines_and_its_parts_are_in_one(tmp_path: Path) -> None:
    parts = [measurement(name, slice=part) for part in ("subject:a", "subject:b") for name in ("lm_eval.acc", "x")]
    path = written(tmp_path / "p", [measured(1, [measurement(), measurement("ttft"), *parts])])
    lines = path.read_text("utf-8").splitlines()
    run = lines[lines.index("runs:") + 1 :]
    assert [line.split(":")[0].strip("- ") for line in run[:4]] == ["run", "job", "outcome", "measurements"]
    assert len(run) == 4 + 3 + 1
    assert run[6].count("part:") == 4


def test_few_samples_are_published_one_by_one_and_of_more_their_statistics(tmp_path: Path) -> None:
    few, more = tuple(map(float, range(8))), tuple(map(float, range(9)))
    outcome = measured(1, [measurement(samples=few, n=8), measurement("ttft", samples=more, n=9)])
    with Database.open(tmp_path / "bench.db") as database:
        database.ingest(outcome, None)
        text = publish(database, [outcome.job.run])
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.yaml").write_text(text, "utf-8")
    found = read_published(tmp_path / "p")
    one, other = found.outcomes[0].measurements
    assert (one.samples, other.samples) == (few, ())
    assert list(found.statistics) == ["run-000001#1"]
    assert found.statistics["run-000001#1"] == {
        "mean": 4.0, "p50": 4.0, "p90": pytest.approx(7.2), "p95": pytest.approx(7.6), "p99": pytest.approx(7.92),
        "min": 0.0, "max": 8.0, "stdev": pytest.approx(np.std(more, ddof=1)),
    }  # fmt: skip
    assert found.items == {}


@pytest.mark.parametrize("gone", [True, False])
def test_samples_that_are_gone_are_told_and_nothing_is_published_without_them(tmp_path: Path, *, gone: bool) -> None:
    steps = np.random.default_rng(0).random((400, 400))
    outcome = measured(1, [measurement("per_token_latency", unit="s", n=steps.size, array=array_ref("steps", steps))])
    folder = tmp_path / "runs" / outcome.job.run
    folder.mkdir(parents=True)
    np.savez(folder / "arrays.npz", steps=steps)
    with Database.open(tmp_path / "bench.db") as database:
        database.ingest(outcome, folder)
        if gone:
            (folder / "arrays.npz").unlink()
            with pytest.raises(HarnessError, match=r"arrays\.npz"):
                publish(database, [outcome.job.run])
        else:
            assert "statistics" in publish(database, [outcome.job.run])


def test_inputs_that_a_run_found_otherwise_stand_beside_those_it_was_given(tmp_path: Path) -> None:
    found = (Input(role="artifact", id="b-0123456789ab", path="", content="f" * 64),)
    outcomes = [measured(1), measured(2, inputs=found), measured(3, inputs=measured(1).job.inputs)]
    read = read_published(written(tmp_path / "p", outcomes).parent).outcomes
    assert read == tuple(outcomes)
    assert [one.inputs for one in read] == [(), found, measured(1).job.inputs]


def test_texts_of_every_kind_come_back_as_they_are(tmp_path: Path) -> None:
    texts = ["12:30", "a\nb\r\nc", "é😀\u2028", "- a: [b]", "on", "2026-01-01", "1e5", "", "x #y", "'\"", "\x07"]
    workload = {"texts": texts, **{text or "empty": number / 3e7 for number, text in enumerate(texts)}}
    outcome = measured(1, workload=workload)
    assert read_published(written(tmp_path / "p", [outcome]).parent).outcomes == (outcome,)


def test_equal_runs_give_equal_bytes_in_any_order(tmp_path: Path) -> None:
    with Database.open(tmp_path / "bench.db") as database:
        for outcome in three():
            database.ingest(outcome, None)
        runs = [outcome.job.run for outcome in three()]
        assert publish(database, runs) == publish(database, [*runs[::-1], *runs])


def test_no_runs_are_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text_of([]), "utf-8")
    assert read_published(tmp_path).outcomes == ()


def test_a_run_keeps_the_places_that_ask_for_it(tmp_path: Path) -> None:
    labels = (measured(1).job.labels, measured(1).job.labels.model_copy(update={"block": "b"}))
    (tmp_path / "a.yaml").write_text(text_of([PublishableRun(measured(1), labels)]), "utf-8")
    (only,) = read_published(tmp_path).sessions[0].jobs
    assert only.labels == labels
