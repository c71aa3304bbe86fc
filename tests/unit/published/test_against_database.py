"""Published runs are held against the database that measured them, values and samples alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from harness.commands.publish import take_published
from harness.core.outcome import Outcome
from harness.core.spec import Input
from harness.published.against_database import departed
from harness.published.publish import publish
from harness.published.reading import read_published
from harness.store.database import Database
from harness.worker.record import array_ref
from tests.unit.published.files import Raw, raw_of, rewritten
from tests.unit.store.outcomes import measured, measurement

RIGHT = (np.arange(400) % 5 > 0).astype(np.uint8)
STEPS = np.linspace(0.001, 0.002, 400).reshape(20, 20)


def arrayed() -> Outcome:
    """A run whose path, packages and samples are not published as they are."""
    items = [
        measurement("lm_eval.acc", 0.8, unit="fraction", n=400, items="i", array=array_ref("right", RIGHT)),
        measurement("per_token_latency", 0.0015, unit="s", n=400, array=array_ref("steps", STEPS)),
        measurement("ttft", 1.0, unit="s", n=9, samples=tuple(map(float, range(9)))),
    ]
    found = measured(1, items, inputs=(Input(role="artifact", id="b-1", path="/data/b-1"),))
    place = found.environment.model_copy(update={"packages": {"torch": "2.8.0", "our-secret-tool": "1.0"}})
    return found.model_copy(update={"environment": place})


def published(folder: Path) -> tuple[Database, Path]:
    run = folder / "runs" / arrayed().job.run
    run.mkdir(parents=True)
    np.savez(run / "arrays.npz", right=RIGHT, steps=STEPS)
    database = Database.open(folder / "bench.db")
    database.ingest(arrayed(), run)
    (folder / "p").mkdir()
    path = folder / "p" / "a.yaml"
    path.write_text(publish(database, [arrayed().job.run]), "utf-8")
    return database, path


def test_what_was_published_is_what_the_database_holds(tmp_path: Path) -> None:
    database, path = published(tmp_path)
    assert list(departed(read_published(path.parent), database)) == []
    database.close()


def test_whoever_gives_an_edited_run_a_new_hash_is_told_by_the_database(tmp_path: Path) -> None:
    database, path = published(tmp_path)

    def faster(run: Raw) -> None:
        run["measurements"][1]["statistics"]["p99"] /= 2
        run["outcome"]["provider"] = "cuda"

    rewritten(path, faster)
    (said,) = departed(read_published(path.parent), database)
    assert (
        "run-000001 is not what the database holds of it (provider, samples of per_token_latency); restore the file"
        in said
    )
    assert "`harness publish`" in said
    database.close()


def test_other_items_under_a_right_hash_are_told_by_the_database(tmp_path: Path) -> None:
    database, path = published(tmp_path)
    raw = raw_of(path)
    with Database.open(tmp_path / "other.db") as other:
        run = tmp_path / "elsewhere"
        run.mkdir()
        np.savez(run / "arrays.npz", right=1 - RIGHT)
        item = measurement("lm_eval.acc", 0.8, unit="fraction", n=400, items="i", array=array_ref("right", 1 - RIGHT))
        other.ingest(measured(1, [item]), run)
        (tmp_path / "q").mkdir()
        (tmp_path / "q" / "a.yaml").write_text(publish(other, ["run-000001"]), "utf-8")
    raw["items"] = raw_of(tmp_path / "q" / "a.yaml")["items"]
    path.write_text(yaml.safe_dump(raw), "utf-8")
    rewritten(path, lambda _run: None)
    (said,) = departed(read_published(path.parent), database)
    assert "(samples of lm_eval.acc)" in said
    database.close()


def test_what_a_database_took_from_the_file_alone_is_no_departure(tmp_path: Path) -> None:
    _, path = published(tmp_path)
    with Database.open(tmp_path / "other.db") as other:
        take_published(other, path.parent)
        assert list(departed(read_published(path.parent), other)) == []


def test_a_run_that_the_database_does_not_know_is_no_departure(tmp_path: Path) -> None:
    _, path = published(tmp_path)
    with Database.open(tmp_path / "empty.db") as empty:
        assert list(departed(read_published(path.parent), empty)) == []
