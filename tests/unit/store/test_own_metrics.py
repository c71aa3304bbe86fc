"""`harness doctor` tells own metrics that results of older versions count otherwise, or whose direction they do not say."""

from __future__ import annotations

from pathlib import Path

from harness.commands.doctor import _database
from harness.commands.workspace import Workspace, read_workspace
from harness.store.database import Database
from harness.store.own_metrics import own_counted, told_apart
from tests.unit.store.old_database import make_old, upgraded
from tests.unit.store.outcomes import measured, measurement


def noted(workspace: Workspace) -> list[str]:
    return [line.text for line in _database(workspace) if "own." in line.text]


def place(tmp_path: Path, *ways: tuple[str, str | None]) -> Path:
    with Database.open(tmp_path / "bench.db") as database:
        outcomes = [measured(number) for number in range(len(ways))]
        database.ingest_all(
            one.model_copy(update={"measurements": (measurement("own.energy", 5.0, unit=unit, better=better),)})
            for one, (unit, better) in zip(outcomes, ways, strict=True)
        )
    return tmp_path / "bench.db"


def test_what_is_counted_alike_is_not_told(tmp_path: Path) -> None:
    assert told_apart(own_counted(place(tmp_path, ("J", "lower"), ("J", "lower")))) == []


def test_units_and_directions_that_differ_are_told_with_a_run_of_each(tmp_path: Path) -> None:
    first, second, third = told_apart(own_counted(place(tmp_path, ("J", "lower"), ("", None), ("J", "higher"))))
    assert first.startswith("own.energy is without a unit (run ")
    assert " and in 'J' (run " in first
    assert "better is higher (run " in second
    assert (
        "does not say which way is better, as results of older versions; declare own.energy under `metrics:`" in third
    )


def test_doctor_tells_it_of_an_older_database_and_leaves_that_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "harness.yaml").write_text("version: 1\n", "utf-8")
    workspace = read_workspace(tmp_path)
    path = make_old(workspace.results, "0001")
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "UPDATE quantity SET metric = 'own.energy', unit = '' WHERE id = (SELECT min(quantity_id) FROM measurement)"
        )
        connection.commit()
    before = path.read_bytes()
    (said,) = noted(workspace)
    assert said.startswith("database: own.energy: run ")
    assert path.read_bytes() == before
    upgraded(path, "head")
    assert noted(workspace) == [said]


def test_where_there_is_no_database_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert own_counted(tmp_path / "bench.db") == []
