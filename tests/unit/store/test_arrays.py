"""Arrays of a run: small ones in the database, large ones in the run folder, held to their hash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.store.database import Database
from tests.unit.store.outcomes import (
    measured,
    measurement,
    with_array,
    write_run,
)


def test_a_small_array_stays_in_the_database(database: Database, results: Path) -> None:
    array = np.arange(12, dtype="int64").reshape(3, 4)
    folder = write_run(
        results, outcome := with_array(1, "choices", array), choices=array, extra=np.array([True, False])
    )
    database.ingest(outcome, folder)
    (folder / "arrays.npz").unlink()
    assert np.array_equal(database.samples("run-000001#0"), array)
    assert database.samples("run-000001#0").dtype == np.int64
    assert database.array("run-000001", "extra").tolist() == [True, False]
    assert database.outcome("run-000001") == outcome
    assert database.array_shapes("run-000001") == {"choices": (3, 4), "extra": (2,)}


def test_a_large_array_is_read_from_its_run_folder_and_held_to_its_hash(database: Database, results: Path) -> None:
    array = np.random.default_rng(0).random(30_000)
    folder = write_run(results, outcome := with_array(1, "nll", array), nll=array)
    database.ingest(outcome, folder)
    assert np.array_equal(database.samples("run-000001#0"), array)
    np.savez_compressed(folder / "arrays.npz", nll=array + 1)
    with pytest.raises(HarnessError, match="not what was recorded"):
        database.samples("run-000001#0")
    (folder / "arrays.npz").unlink()
    with pytest.raises(HarnessError, match=r"arrays\.npz cannot be read"):
        database.samples("run-000001#0")


@pytest.mark.parametrize("damage", ["gone", "other", "cut", "renamed"])
def test_arrays_that_are_not_what_the_outcome_says_are_refused(damage: str, database: Database, results: Path) -> None:
    array = np.random.default_rng(0).random(100)
    folder = write_run(results, outcome := with_array(1, "nll", array), nll=array)
    file = folder / "arrays.npz"
    match damage:
        case "gone":
            file.unlink()
        case "cut":
            file.write_bytes(file.read_bytes()[:100])
        case "other":
            np.savez_compressed(file, nll=array[:-1])
        case _:
            np.savez_compressed(file, other=array)
    with pytest.raises(HarnessError, match=r"arrays\.npz"):
        database.ingest(outcome, folder)
    assert database.count() == 0
    assert len(database.ingest_folder(results).problems) == 1


def test_samples_that_are_not_there_are_missed_by_name(database: Database) -> None:
    array = np.zeros(3)
    database.ingest(with_array(1, "nll", array), None)
    database.ingest(measured(2, (measurement(),)), None)
    with pytest.raises(HarnessError, match=r"arrays\.npz cannot be read"):
        database.samples("run-000001#0")
    with pytest.raises(HarnessError, match="keeps no samples"):
        database.samples("run-000002#0")
    with pytest.raises(HarnessError, match="no measurement 'run-000002#7'"):
        database.samples("run-000002#7")
    with pytest.raises(HarnessError, match="RUN#PLACE"):
        database.samples("run-000002")
