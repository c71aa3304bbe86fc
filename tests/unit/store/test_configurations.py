"""Which runs are one configuration and one series, and what a bulk load gives."""

from __future__ import annotations

from harness.store import configurations, newest
from harness.store.database import Database
from tests.unit.store.outcomes import (
    H200,
    built,
    environment,
    failed,
    measured,
    measurement,
)


def test_runs_that_differ_in_time_alone_are_one_configuration(database: Database) -> None:
    later = measured(2, place=environment(transformers="9"))
    database.ingest_all([measured(1), later, measured(3, provider="gpu"), failed(4)])
    with database._reading() as connection:
        found = connection.exec_driver_sql("SELECT name, configuration_id FROM run ORDER BY name").all()
    assert [row[1] == found[0][1] for row in found] == [True, True, False, False]


def test_a_series_is_job_gpu_model_and_machine(database: Database) -> None:
    gpu = environment("cuda", (H200,))
    newer = environment("cuda", (H200.model_copy(update={"driver": "580.2"}),))
    alike = [
        newer.model_copy(update=change) for change in ({}, {"system": "Linux-7"}, {"python": "3.12"}, {"name": "next"})
    ]
    others = [
        newer.model_copy(update={"machine_id": "cafe"}),
        environment("cuda", (H200.model_copy(update={"name": "NVIDIA B200"}),)),
    ]
    database.ingest_all([measured(number, place=place) for number, place in enumerate([gpu, *alike, *others])])
    database.ingest(measured(7, workload={"batch": 2}, place=gpu), None)
    series = database.frame({}, ["series"])["series"].tolist()
    assert [one == series[0] for one in series] == [True] * 5 + [False] * 3
    assert len(set(series)) == 4


def test_a_bulk_load_gets_what_ingest_gives(database: Database) -> None:
    database.ingest_all([measured(1), measured(2, [measurement("ttft"), measurement()]), failed(3), built(4)])
    query = "SELECT name, configuration_id, series, newest FROM run ORDER BY name"
    with database._writing() as connection:
        before = connection.exec_driver_sql(query).all()
        assert [row.newest for row in before] == [0, 1, 0, 1]
        connection.exec_driver_sql("UPDATE run SET configuration_id = NULL, series = NULL, newest = 0")
        assert configurations.fill(connection) == 4
        newest.settle(connection)
        assert connection.exec_driver_sql(query).all() == before
