"""What is built anew: one history through upgrades, with what changed there; what is not on record is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.comparing.pairs import pairs_of
from harness.comparing.sides import side_of
from harness.core.identity import digest
from harness.core.outcome import Environment, Gpu, Outcome
from harness.core.spec import Input
from harness.plan.keys import artifact_id, spec_key
from harness.plots.asked import lineage_of
from harness.plots.series import HistorySeries, history_of
from harness.plots.text import to_text
from harness.published.sources import NumberSource
from harness.store import files
from harness.store.database import Database
from harness.store.mark import RunMark
from tests.fake_machine import Bench
from tests.unit.commands.night_bench import changed_python
from tests.unit.plots.test_asked import build
from tests.unit.store.outcomes import BEGIN, built, environment, measured, measurement, write_run

LACKING = "what built it is not on record, so that a history begins anew with each build; publish or ingest the build"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(tmp_path / "bench.db") as opened:
        yield opened


def take(
    database: Database,
    number: int,
    value: float,
    maker: Environment,
    session: str = "",
    options: str = "int4",
    named: str = "",
    method: str = "int4_rtn",
) -> None:
    """Take in a night: an artifact is built in an environment, and measured in another, always the same. named: its id, if not by packages."""
    spec = build(options={"precision": options})
    artifact = named or artifact_id(spec_key(spec), maker.packages)
    made = built(1000 + number, environment=maker, started=BEGIN + timedelta(days=number))
    job = made.job.model_copy(
        update={"key": spec_key(spec), "artifact": artifact, "spec": spec, "environment": maker.name}
    )
    assert made.artifact is not None
    sealed = made.artifact.model_copy(update={"id": artifact})
    database.ingest(made.model_copy(update={"job": job, "artifact": sealed}), None)
    outcome = measured(number, [measurement(value=value)], started=BEGIN + timedelta(days=number, seconds=1))
    asks = outcome.job.spec.model_copy(update={"artifact": artifact})
    job = outcome.job.model_copy(
        update={
            "key": spec_key(asks),
            "spec": asks,
            "session": session or f"night-{number:02d}",
            "labels": outcome.job.labels.model_copy(update={"method": method}),
        }
    )
    database.ingest(outcome.model_copy(update={"job": job}), None)


def part_of(database: Database, builds: Sequence[str]) -> Database:
    """Open a source that has all that was measured and these builds alone."""
    found = Database.open("sqlite://")
    runs = [str(run) for (run,) in database.select({"metric": "decode_tps"}, ["run"]).rows]
    found.ingest_all([database.outcome(run) for run in (*runs, *builds)])
    return found


def test_an_upgrade_where_it_is_built_stands_at_the_step_of_one_series(database: Database) -> None:
    for number in range(12):
        packages = (
            {"aaa": "1", "onnxruntime-genai": "0.15"} if number < 6 else {"aaa": "2", "onnxruntime-genai": "0.18"}
        )
        take(database, number, (100.0 if number < 6 else 90.0) + number % 3, environment("builder", **packages))
    (found,) = history_of("decode_tps", {}, [database])
    (change,) = found.changes
    assert (len(found.points), change.session) == (12, "night-06")
    assert change.changed == ("made with onnxruntime-genai 0.15 to 0.18", "made with aaa 1 to 2")
    assert "changed there: made with onnxruntime-genai 0.15 to 0.18" in to_text([found])


def test_what_was_built_again_under_its_id_with_another_package_is_named_at_the_step(database: Database) -> None:
    for number in range(12):
        packages = {"numpy": "2.3" if number < 6 else "2.4", "torch": "2.9"}
        take(
            database,
            number,
            (100.0 if number < 6 else 90.0) + number % 3,
            environment("builder", **packages),
            named="b-1",
        )
    (found,) = history_of("decode_tps", {}, [database])
    assert step(found) == ("night-06", ("made with numpy 2.3 to 2.4",))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"gpus": (Gpu(name="H200", driver="570"),)}, ("made with GPU L4 to H200",)),
        ({"gpus": (Gpu(name="L4", driver="580"),)}, ("made with driver 570 to 580",)),
        ({"gpus": ()}, ("made with GPU L4 to none", "made with driver 570 to none")),
        ({"python": "3.12.1"}, ("made with python 3.11.7 to 3.12.1",)),
        ({"system": "Linux-6.8"}, ("made with system Linux-6.1 to Linux-6.8",)),
        ({"harness": "0.2.0"}, ("made with harness 0.1.0+abc to 0.2.0",)),
        ({"cpu": "Another CPU", "cores": 4}, ("made with CPU Example CPU to Another CPU", "made with cores 2 to 4")),
        ({"threads": {"OMP_NUM_THREADS": "1"}}, ("made with OMP_NUM_THREADS none to 1",)),
    ],
)
def test_where_it_was_built_otherwise_is_named_at_the_step(
    database: Database, changed: dict[str, Any], told: tuple[str, ...]
) -> None:
    place = environment("builder", gpus=(Gpu(name="L4", driver="570"),), torch="2.9").model_copy(update={"cuda": None})
    for number in range(12):
        maker = place if number < 6 else place.model_copy(update=changed)
        name = "b-1" if number < 6 else "b-2"
        take(database, number, (100.0 if number < 6 else 90.0) + number % 3, maker, named=name)
    (found,) = history_of("decode_tps", {}, [database])
    assert step(found) == ("night-06", told)


def test_a_wheel_of_every_night_is_one_series(database: Database) -> None:
    for number in range(8):
        take(
            database, number, 100.0 + number % 3, environment("builder", **{"onnxruntime-genai": f"0.19@{number:012d}"})
        )
    (found,) = history_of("decode_tps", {}, [database])
    assert (len(found.points), found.changes) == (8, ())


def test_recipes_with_other_options_are_two_series_with_names_of_their_own(database: Database) -> None:
    for number in range(6):
        take(database, number, 100.0, environment("builder"), options=("int4", "int8")[number % 2])
    found = history_of("decode_tps", {}, [database])
    assert [len(one.points) for one in found] == [3, 3]
    assert [one.name.rpartition(", ")[2] for one in found] == ["precision int4", "precision int8"]


def test_what_was_built_anew_in_a_session_counts_once_and_two_builders_beside_each_other_are_two_series(
    database: Database,
) -> None:
    take(database, 1, 100.0, environment("old", torch="2.8"), "night")
    take(database, 2, 90.0, environment("old", torch="2.9"), "night")
    (found,) = history_of("decode_tps", {}, [database])
    assert [point.value for point in found.points] == [90.0]
    assert "night measured 2 builds; the last counts" in found.told
    take(database, 3, 80.0, environment("new", torch="2.9.1"), "night")
    told = history_of("decode_tps", {}, [database])
    assert {one.name.rpartition(", ")[2]: one.points[-1].value for one in told} == {
        "made in old": 90.0,
        "made in new": 80.0,
    }


def test_what_is_void_is_told_once_of_what_two_environments_made(database: Database, tmp_path: Path) -> None:
    for number, place in enumerate(("old", "new", "new")):
        take(database, number, 100.0, environment(place, torch=place), "night" if number < 2 else "later")
    files.write_mark(write_run(tmp_path, database.outcome("run-000002")), RunMark(void="the fan stood still"))
    with Database.open("sqlite://") as marked:
        marked.ingest_folder(tmp_path)
        found = history_of("decode_tps", {}, [database, marked])
    assert [len(one.points) for one in found] == [1, 1]
    assert [line for one in found for line in one.told if "void" in line] == [
        "left out of what is published, since they are void: run-000002 (the fan stood still)"
    ]


def test_of_what_one_source_alone_knows_the_builds_the_series_is_one(database: Database) -> None:
    with Database.open("sqlite://") as published:
        for number, genai in enumerate(("0.15", "0.18")):
            take(database, number, 100.0, environment("builder", **{"onnxruntime-genai": genai}))
        runs = database.select({"metric": "decode_tps"}, ["run"]).rows
        published.ingest_all([database.outcome(str(run)) for (run,) in runs])
        (one,) = history_of("decode_tps", {}, [database, published])
        assert len(one.points) == 2
        apart = history_of("decode_tps", {}, [published])
    assert [len(found.points) for found in apart] == [1, 1]
    assert len({found.name for found in apart}) == 2
    assert [LACKING in found.told for found in apart] == [True, False]
    assert LACKING not in one.told


@pytest.mark.parametrize(
    ("builds", "points"),
    [
        ([], [1, 1, 1]),
        (["run-001001"], [1, 1, 1]),
        (["run-001000", "run-001001"], [2, 1]),
        (["run-001000", "run-001001", "run-001002"], [3]),
    ],
)
def test_a_build_that_is_not_on_record_is_told_once_where_it_splits_a_history(
    database: Database, builds: list[str], points: list[int]
) -> None:
    for number, genai in enumerate(("0.15", "0.18", "0.19")):
        take(database, number, 100.0, environment("builder", **{"onnxruntime-genai": genai}))
        take(database, 10 + number, 100.0, environment("builder"), options="int8", method="int8_rtn")
    with part_of(database, builds) as source:
        found = history_of("decode_tps", {}, [source])
    int4 = [one for one in found if "int4_rtn" in one.name]
    assert sorted((len(one.points) for one in int4), reverse=True) == points
    assert sum(LACKING in one.told for one in int4) == (len(points) > 1)
    assert [LACKING in one.told for one in found if "int8_rtn" in one.name] == [False]


def test_of_a_folder_with_another_content_no_build_is_missed(database: Database) -> None:
    for number in range(4):
        outcome = measured(number, started=BEGIN + timedelta(days=number))
        content = digest(f"folder {number % 2}")
        asks = outcome.job.spec.model_copy(update={"artifact": content})
        read = (Input(role="artifact", id=content, path="", content=content),)
        job = outcome.job.model_copy(
            update={"key": spec_key(asks), "spec": asks, "inputs": read, "session": f"{number}"}
        )
        database.ingest(outcome.model_copy(update={"job": job}), None)
    found = history_of("decode_tps", {}, [database])
    assert [len(one.points) for one in found] == [2, 2]
    assert not any(LACKING in one.told for one in found)


# ---------------------------------------------------------------- a real bench


def install(folder: Path, version: str, commit: str) -> None:
    """Let an environment have a package from a repository at a commit: what such a one builds is told apart by it."""
    place = folder / "builder-1.dist-info"
    place.mkdir(exist_ok=True)
    (place / "METADATA").write_text(f"Name: builder\nVersion: {version}\n", "utf-8")
    origin = {"url": "https://example.org/builder", "vcs_info": {"vcs": "git", "commit_id": commit * 40}}
    (place / "direct_url.json").write_text(json.dumps(origin), "utf-8")


def nights(first: Outcome, second: Outcome) -> Iterator[Outcome]:
    """Measure each of two nights eight times more, the second with numbers that are a tenth worse."""
    for number in range(16):
        of = first if number < 8 else second
        (value,) = (one for one in of.measurements if one.metric == "perplexity")
        number_of = value.model_copy(
            update={"value": (100.0 if number < 8 else 110.0) + number % 3, "array": None, "samples": ()}
        )
        job = of.job.model_copy(update={"run": f"night-{number}", "session": f"s-{number}", "not_before": None})
        moment = BEGIN + timedelta(days=number)
        yield of.model_copy(update={"job": job, "started": moment, "measurements": (number_of,)})


def test_an_upgrade_of_a_real_environment_is_a_step_and_another_option_a_series(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "python"
    bench._write("environments.yaml", {"here": {"python": str(changed_python(folder, ""))}})
    probes = {"perplexity": {"window": 64, "stride": 32, "tokens": 128, "text": str(bench.text)}}
    bench.sweep(method=["int8"], probes=probes)
    for version, commit in (("1.0", "a"), ("2.0", "b")):
        install(folder, version, commit)
        bench.run()
    bench.methods({"int8": {"recipes": {"fake": {"noise": 0.02, "bytes": 500}}}})
    bench.run()
    with Database.open(bench.results / "bench.db") as database:
        assert len(set(database.select({"metric": "perplexity"}, ["job_key"]).rows)) == 3
        found = {one.name: one for one in history_of("perplexity", {}, [database])}
        assert {name: len(one.points) for name, one in found.items()} == {
            "toy, int8, noise 0.01": 2,
            "toy, int8, noise 0.02": 1,
        }
        before, after = (point for one in found.values() for point in one.points[:2] if len(one.points) == 2)
        source = NumberSource(database)
        together = pairs_of(*(side_of(f"session={point.session}", source, {}) for point in (before, after)))
        assert all(row is not None for pair in together.pairs for row in pair.rows)
        made = [database.outcome(run) for run in database.artifact_runs().values()]
        many = [*made, *nights(database.outcome(before.run), database.outcome(after.run))]
    with Database.open("sqlite://") as again:
        again.ingest_all(many)
        (one,) = history_of("perplexity", {}, [again])
    assert step(one) == ("s-8", ("builder 1.0@aaaaaaaaaaaa to 2.0@bbbbbbbbbbbb",))


def step(one: HistorySeries) -> tuple[str, tuple[str, ...]]:
    (change,) = one.changes
    return change.session, change.changed


def test_who_built_is_known_from_the_database(database: Database) -> None:
    take(database, 1, 100.0, environment("builder"))
    ((key,),) = set(database.select({"metric": "decode_tps"}, ["job_key"]).rows)
    known = lineage_of([database], [str(key)])
    assert [maker.environment for maker in known.behind(str(key), "", "").values()] == ["builder"]
    assert known.asked(str(key)) != key
