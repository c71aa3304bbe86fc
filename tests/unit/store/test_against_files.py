"""Files and database are held against one another, byte by byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.store.against_files import audit
from harness.store.database import Database
from tests.fake_machine import Bench, Say
from tests.unit.published.files import rewritten


@pytest.fixture
def ran(bench: Bench) -> Bench:
    bench.sweep(method=["fp32"])
    bench.run()
    return bench


def wrong(bench: Bench) -> dict[str, str]:
    with Database.open(bench.results / "bench.db") as database:
        return {one.what.split()[0]: one.trouble for one in audit(database, bench.results) if one.trouble}


def of(bench: Bench, kind: str) -> Path:
    (folder,) = bench.results.glob(f"runs/*-{kind}-*")
    return folder


def test_what_belongs_together_agrees(ran: Bench) -> None:
    assert wrong(ran) == {}
    with Database.open(ran.results / "bench.db") as database:
        assert [one.what.split()[0] for one in audit(database, ran.results)] == ["run", "run", "run", "artifact"]


def test_runs_without_a_number_are_no_trouble(bench: Bench) -> None:
    text = {"window": 64, "stride": 32, "tokens": 256, "text": str(bench.text)}
    probes = {"kl_divergence": {**text, "form": "stored", "reference": {"method": "fp32"}}}
    bench.sweep(method=["fp32", "int8"], probes=probes)
    bench.run()
    assert list(bench.results.glob("runs/*-r-*"))
    assert wrong(bench) == {}


def test_a_number_that_was_changed_in_a_file_is_found(ran: Bench) -> None:
    path = of(ran, "q") / "outcome.json"
    outcome = json.loads(path.read_text("utf-8"))
    outcome["measurements"][0]["value"] *= 1.001
    path.write_text(json.dumps(outcome), "utf-8")
    assert "outcome.json is not what the database took in (measurements)" in wrong(ran)["run"]


def test_an_array_that_was_changed_is_found(ran: Bench) -> None:
    path = of(ran, "q") / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-40] + bytes(40))
    assert "cannot be read" in wrong(ran)["run"]


def test_an_artifact_that_was_changed_is_found_whatever_its_stamp_says(ran: Bench) -> None:
    (folder,) = [path for path in (ran.results / "artifacts").iterdir() if path.is_dir()]
    file = folder / "noise.txt"
    kept = file.stat()
    file.write_text(file.read_text("utf-8").replace("0", "1", 1), "utf-8")
    import os

    os.utime(file, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert "is not what was sealed" in wrong(ran)["artifact"]


def test_an_outcome_that_the_database_lacks_is_named_with_the_remedy(ran: Bench) -> None:
    for path in ran.results.glob("bench.db*"):
        path.unlink()
    assert wrong(ran)["run"] == "its outcome is not in the database; `harness ingest` takes it in"


def test_ingest_says_which_outcomes_were_changed_since_it_took_them_in(ran: Bench, say: Say) -> None:
    assert say(ran, "ingest").code == 0
    path = of(ran, "q") / "outcome.json"
    outcome = json.loads(path.read_text("utf-8"))
    outcome["measurements"][0]["value"] *= 1.001
    path.write_text(json.dumps(outcome), "utf-8")
    said = say(ran, "ingest")
    assert said.code == 2
    assert said.err.startswith(f"{path}: outcome.json is not what the database took in (measurements)")
    path.write_text("{", "utf-8")
    assert "Traceback" not in say(ran, "ingest").err


def test_an_array_that_no_measurement_refers_to_is_held_against_the_database_too(ran: Bench) -> None:
    folder = of(ran, "q")
    with np.load(folder / "arrays.npz") as kept:
        found = {name: kept[name] for name in kept.files}
    outcome = json.loads((folder / "outcome.json").read_text("utf-8"))
    referred = {item["array"]["name"] for item in outcome["measurements"] if item["array"]}
    name = min(set(found) - referred)
    np.savez(folder / "arrays.npz", **{**found, name: found[name] + 1})
    assert wrong(ran) == {"run": f"arrays.npz is not what the database took in ({name}); restore it from a copy"}


def test_a_published_run_that_is_not_what_the_database_holds_is_found(ran: Bench, say: Say) -> None:
    assert say(ran, "publish", "s", "--to", str(ran.results / "published" / "s.yaml")).code == 0
    (file,) = (ran.results / "published").glob("*.yaml")
    assert "published/s.yaml" not in say(ran, "doctor", "--files").out
    rewritten(file, lambda run: run["outcome"].update(seconds=4711.0))
    said = say(ran, "doctor", "--files")
    assert "is not what the database holds of it (seconds)" in said.out + said.err


def test_published_items_and_statistics_of_other_samples_are_found(ran: Bench, say: Say) -> None:
    to = ran.results / "published" / "s.yaml"
    assert say(ran, "publish", "s", "--to", str(to)).code == 0

    def other_statistics(run: dict[str, Any]) -> None:
        for item in run.get("measurements", []):
            if "statistics" in item:
                item["statistics"]["p50"] += 1.0

    rewritten(to, other_statistics)
    said = say(ran, "doctor", "--files")
    assert "is not what the database holds of it (samples of " in said.out + said.err


def test_a_link_inside_an_artifact_is_found(ran: Bench) -> None:
    (artifact,) = [path for path in ran.results.glob("artifacts/b-*") if path.is_dir()]
    (artifact / "more").symlink_to("/etc")
    assert "more in it is a link" in wrong(ran)["artifact"]
