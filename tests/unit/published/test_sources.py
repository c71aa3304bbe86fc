from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ConfigError
from harness.core.outcome import Outcome
from harness.core.spec import Input, Labels
from harness.pages.pages import check_pages, render, shown_in, specs_in, with_markers, write_pages
from harness.published.publish import publish
from harness.published.reading import read_published
from harness.published.sources import NumberSource, from_published
from harness.store.database import Database
from harness.tables.markdown import EMPTY
from harness.worker.record import array_ref
from tests.unit.store.outcomes import built, failed, measured, measurement, session

SPECS = """
speed:
  rows: [method]
  baseline: {method: fp32}
  cells:
    Decode: {metric: decode_tps, format: 1, uncertainty: pm}
    p90 (ms): {metric: per_token_latency, stat: p90, unit: ms, format: 2}
    Size: {metric: artifact_bytes, unit: kB, format: 1}
quality:
  where: {block: speed}
  rows: [method]
  baseline: {method: fp32}
  cells:
    Perplexity: {metric: perplexity, format: 3}
    Change: {metric: perplexity, as: difference, paired: true, format: "+4"}
    p99 of samples: {metric: perplexity, stat: p99, format: 3}
    Accuracy: {metric: lm_eval.acc, as: difference, paired: true, unit: "%", format: "+1"}
"""


def labels(method: str) -> Labels:
    return Labels(sweep="demo", block="speed", model="tiny", method=method, recipe="ort-genai")


def with_arrays(
    folder: Path, number: int, method: str, kind: str, found: dict[str, Any], **more: Any
) -> tuple[Outcome, Path]:
    """Write a run's arrays and its outcome: metric to (value, array, unit)."""
    run = folder / "runs" / f"run-{number:06d}"
    run.mkdir(parents=True)
    arrays = {name.replace(".", "_"): array for name, (_, array, _) in found.items()}
    documents = {"perplexity.documents": np.full(100, 200, dtype=np.int32)} if "perplexity" in arrays else {}
    np.savez(run / "arrays.npz", **arrays, **documents)
    measurements = [
        measurement(
            name,
            value,
            unit=unit,
            n=array.size,
            items=f"items of {name}",
            array=array_ref(name.replace(".", "_"), array),
        )
        for name, (value, array, unit) in found.items()
    ]
    outcome = measured(
        number, measurements, kind=kind, labels=labels(method), workload={"number": method, "kind": kind}, **more
    )
    return outcome, run


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    tmp_path = tmp_path_factory.mktemp("filled")
    rng = np.random.default_rng(5)
    shared = rng.gamma(2.0, 1.0, 20_000)
    right = rng.random(400) < 0.8
    with Database.open(tmp_path / "results" / "bench.db") as database:
        for number, (method, noise) in enumerate((("fp32", 0.0), ("int4_rtn", 0.05))):
            nll = (shared + noise * rng.random(shared.size)).astype(np.float32)
            correct = (right ^ (rng.random(400) < noise)).astype(np.uint8)
            steps = rng.gamma(50, 0.0001, (5, 64))
            quality = {
                "perplexity": (float(np.exp(nll.astype(float).mean())), nll, ""),
                "lm_eval.acc": (float(correct.mean()), correct, "fraction"),
            }
            speed = {"per_token_latency": (float(steps.mean()), steps, "s")}
            for place, (kind, found) in enumerate((("quality", quality), ("speed", speed))):
                database.ingest(*with_arrays(tmp_path / "results", 10 * number + place, method, kind, found))
        tps = measurement(samples=(99.5, 100.0, 100.5), low=99.0, high=101.0, interval="as it was")
        for number, method in ((30, "fp32"), (31, "int4_rtn")):
            database.ingest(measured(number, [tps], labels=labels(method), workload={"m": method}), None)
        database.ingest(
            failed(
                40,
                labels=labels("int8"),
                workload={"m": "int8"},
                reason="cannot read /home/someone/secret-folder/model.onnx",
            ),
            None,
        )
        build = built(50)
        placed = build.model_copy(update={"job": build.job.model_copy(update={"labels": labels("int4_rtn")})})
        database.ingest(placed, None)
        database.place(session(placed, labels=Labels(sweep="other", method="int4_rtn")))
        yield database


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    path = tmp_path / "demo.tables.yaml"
    path.write_text(SPECS, encoding="utf-8")
    return path


def published(database: Database, folder: Path) -> Path:
    runs = sorted(set(database.frame({}, ["run"])["run"]))
    folder.mkdir()
    (folder / "demo.yaml").write_text(publish(database, runs), encoding="utf-8", newline="\n")
    return folder


def test_tables_from_published_text_equal_those_from_the_database(
    filled: Database, specs: Path, tmp_path: Path
) -> None:
    from_database = render([specs], NumberSource(filled))
    with from_published(published(filled, tmp_path / "published")) as source:
        from_text = render([specs], source)
    assert [item.markdown for item in from_text] == [item.markdown for item in from_database]
    text = from_database[0].markdown + from_database[1].markdown
    assert "[" in text
    assert "not at hand" not in text
    assert "| int8 | failed" in text or "| int8 | oom" in text


def test_publishing_what_was_published_gives_the_same_bytes(filled: Database, tmp_path: Path) -> None:
    first = (published(filled, tmp_path / "published") / "demo.yaml").read_bytes()
    with from_published(tmp_path / "published") as source:
        found = source.select({}, ["run", "sweep", "method"])
    assert publish(filled, reversed(sorted(set(found.column("run"))))).encode() == first  # noqa: C413
    assert set(found.column("sweep")) == {"demo", "other"}


def test_published_text_names_no_folder_and_is_small(filled: Database, tmp_path: Path) -> None:
    path = published(filled, tmp_path / "published") / "demo.yaml"
    text = path.read_text(encoding="utf-8")
    assert "/home" not in text
    assert "someone" not in text
    assert "model.onnx" in text
    assert len(text) < 32_000


def test_paths_of_inputs_are_emptied(tmp_path: Path) -> None:
    outcome = measured(1, inputs=(Input(role="artifact", id="b-1", path="/data/artifacts/b-1"),))
    with Database.open(tmp_path / "bench.db") as database:
        database.ingest(outcome, None)
        assert "/data" not in publish(database, [outcome.job.run])


def test_a_table_keeps_its_own_runs_where_another_sweep_measured_the_same_jobs_later(
    filled: Database, specs: Path, tmp_path: Path
) -> None:
    folder = published(filled, tmp_path / "published")
    with from_published(folder) as source:
        before = [item.markdown for item in render([specs], source)]
    run = next(
        outcome
        for outcome in read_published(folder).outcomes
        if outcome.measurements
        and outcome.job.kind == "speed"
        and all(item.array is None for item in outcome.measurements)
    )
    later = run.model_copy(
        update={
            "job": run.job.model_copy(update={"run": "later", "labels": Labels(sweep="mine", method="int8")}),
            "started": run.started + timedelta(days=30),
            "environment": run.environment.model_copy(update={"box": "another"}),
        }
    )
    with Database.open("sqlite://") as database:
        database.ingest(later, None)
        database.place(session(later, labels=Labels(sweep="mine", method="int8")))
        (folder / "mine.yaml").write_text(publish(database, ["later"], ["mine"]), encoding="utf-8")
    mine = tmp_path / "mine.tables.yaml"
    mine.write_text(
        f"m: {{rows: [method, machine], cells: {{A: {{metric: {run.measurements[0].metric}}}}}}}", encoding="utf-8"
    )
    with from_published(folder) as source:
        assert [item.markdown for item in render([specs], source)] == before
        assert "| int8 | another |" in render([mine], source)[0].markdown


def test_no_published_files_make_empty_tables(specs: Path, tmp_path: Path) -> None:
    with from_published(tmp_path / "nothing") as source:
        assert {item.markdown for item in render([specs], source)} == {EMPTY}


def test_pages_are_written_and_checked(filled: Database, specs: Path, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("# R\n<!-- table: speed -->\n<!-- end: speed -->\n", encoding="utf-8")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "plain.md").write_text("nothing\n", encoding="utf-8")
    assert with_markers(sorted(tmp_path.rglob("*.md"))) == [page]
    assert shown_in([page]) == ["speed"]
    rendered = render([specs], NumberSource(filled), names=["speed"])
    assert [item.tables for item in check_pages([page], rendered)] == [("speed",)]
    assert [item.path for item in write_pages([page], rendered)] == [page]
    assert check_pages([page], rendered) == []
    page.write_text(page.read_text(encoding="utf-8").replace("100.0", "101.0"), encoding="utf-8")
    assert [item.tables for item in check_pages([page], rendered)] == [("speed",)]


def test_a_table_name_belongs_to_one_file(specs: Path, tmp_path: Path) -> None:
    (tmp_path / "more.tables.yaml").write_text(SPECS, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"more.tables.yaml:2: table 'speed' is also in .*demo.tables.yaml:2"):
        specs_in([tmp_path])


def test_an_unknown_table_names_the_nearest(specs: Path, filled: Database) -> None:
    with pytest.raises(ConfigError, match="unknown table 'sped'; did you mean 'speed'"):
        render([specs], NumberSource(filled), names=["sped"])
