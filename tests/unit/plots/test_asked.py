"""What a job asks: the same through every upgrade of what builds and runs, another for another recipe, folder or workload."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.comparing.pairs import pairs_of
from harness.comparing.sides import side_of
from harness.core.identity import digest
from harness.core.outcome import Environment, Gpu, Outcome
from harness.core.spec import BuildSpec, MeasureSpec
from harness.plan.keys import artifact_id, spec_key
from harness.plots.asked import Lineage, lineage_of
from harness.plots.series import HistorySeries, history_of
from harness.plots.text import to_text
from harness.probes.perplexity import PROBE
from harness.published.sources import NumberSource
from harness.store import files
from harness.store.cache import Maker
from harness.store.database import Database
from harness.store.mark import RunMark
from tests.fake_machine import Bench
from tests.unit.commands.night_bench import changed_python
from tests.unit.store.outcomes import BEGIN, built, environment, measured, measurement, write_run

OWN = digest("a model's folder")


def measure(artifact: str, **rest: Any) -> MeasureSpec:
    facts = {"probe": "perplexity", "version": 1, "engine": "ort-genai", "engine_version": 1, "artifact": artifact}
    return MeasureSpec(**(facts | rest))


def build(**rest: Any) -> BuildSpec:
    return BuildSpec(
        **({"quantizer": "ort-genai", "version": 1, "options": {"precision": "int4"}, "model": OWN} | rest)
    )


def lineage(*jobs: MeasureSpec | BuildSpec, made: dict[str, BuildSpec | MeasureSpec] | None = None) -> Lineage:
    """Say which jobs there are, and what a job made, by its id."""
    makers = {identity: [Maker(spec_key(spec), "cpu", "0", "m", "")] for identity, spec in (made or {}).items()}
    return Lineage({spec_key(job): job for job in (*jobs, *(made or {}).values())}, makers)


def asked(known: Lineage, spec: MeasureSpec | BuildSpec) -> str:
    return known.asked(spec_key(spec))


def test_versions_in_an_artifact_s_id_are_no_other_question_and_options_are() -> None:
    ids = [artifact_id(spec_key(build()), {"onnxruntime-genai": version}) for version in ("0.15", "0.18")]
    other = build(options={"precision": "int8"})
    last = artifact_id(spec_key(other), {"onnxruntime-genai": "0.18"})
    jobs = [measure(one) for one in (*ids, last)]
    known = lineage(*jobs, made={ids[0]: build(), ids[1]: build(), last: other})
    found = [asked(known, job) for job in jobs]
    assert found[0] == found[1] != found[2]
    assert len({spec_key(job) for job in jobs}) == 3


def test_what_nobody_on_record_made_is_its_own_content() -> None:
    jobs = [measure(OWN), measure(digest("the same folder, changed")), measure("an artifact that no run here built")]
    assert [asked(lineage(*jobs), job) for job in jobs] == [spec_key(job) for job in jobs]
    assert lineage().asked("a key that nobody knows") == "a key that nobody knows"


def test_versions_behind_a_base_a_random_model_and_a_reference_are_no_other_question() -> None:
    def versions(number: str) -> tuple[MeasureSpec, dict[str, BuildSpec | MeasureSpec]]:
        weights, base, whole, reference = (f"{name} {number}" for name in ("weights", "base", "whole", "reference"))
        made: dict[str, BuildSpec | MeasureSpec] = {
            weights: build(quantizer="random-weights", model="configuration and seed"),
            base: build(options={}, model=weights),
            whole: build(model=weights, base=base),
            reference: measure(base, probe="kl_reference"),
        }
        return measure(whole, probe="kl_divergence", reference=reference), made

    (old, before), (new, after) = versions("0.15"), versions("0.18")
    known = lineage(old, new, made=before | after)
    assert spec_key(old) != spec_key(new)
    assert asked(known, old) == asked(known, new)
    assert [*known.behind(spec_key(old), "", "")] == [*known.behind(spec_key(new), "", "")]
    assert len(known.behind(spec_key(old), "", "")) == 4
    assert asked(known, new) != asked(known, measure("whole 0.18", probe="kl_divergence"))


def test_a_text_that_lies_elsewhere_is_the_same_question_and_another_one_is_not() -> None:
    made: dict[str, BuildSpec | MeasureSpec] = {"b-1": build(), "b-2": build()}
    jobs = [
        measure(artifact, workload={"text": place}, contents={"text": text})
        for artifact, place, text in (
            ("b-1", "/here/a.txt", "1"),
            ("b-2", "/there/a.txt", "1"),
            ("b-2", "/there/a.txt", "2"),
        )
    ]
    jobs_by_key = {spec_key(job, PROBE.located): job for job in jobs}
    known = lineage(made=made)
    known = Lineage({**known.jobs, **jobs_by_key}, known.makers)
    found = [known.asked(key) for key in jobs_by_key]
    assert found[0] == found[1] != found[2]


def test_a_record_that_reads_what_it_makes_ends() -> None:
    spec = build(base="b-1")
    known = lineage(measure("b-1"), made={"b-1": spec})
    assert asked(known, spec)
    assert len(known.behind(spec_key(measure("b-1")), "", "")) == 1


def test_of_those_who_made_the_same_the_last_before_a_run_counts_and_behind_it_the_last_before_it() -> None:
    def maker(spec: BuildSpec, name: str, machine: str, day: int) -> Maker:
        return Maker(spec_key(spec), name, name, machine, f"2026-01-{day:02d}T00:00:00+00:00")

    base, whole = build(options={}), build(base="base")
    made = {
        "base": [maker(base, "base 1", "here", 1), maker(base, "base 5", "here", 5)],
        "whole": [
            maker(whole, "whole 3", "here", 3),
            maker(whole, "whole 4", "there", 4),
            maker(whole, "whole 6", "here", 6),
        ],
    }
    job = measure("whole")
    known = Lineage({spec_key(one): one for one in (base, whole, job)}, made)

    def behind(day: int, machine: str = "here") -> list[str]:
        found = known.behind(spec_key(job), f"2026-01-{day:02d}T12:00:00+00:00", machine)
        return [one.environment for one in found.values()]

    assert behind(5) == ["whole 3", "base 1"]
    assert behind(7) == ["whole 6", "base 5"]
    assert behind(7, "there") == ["whole 4", "base 1"]
    assert behind(7, "on a third machine") == ["whole 6", "base 5"]
    assert behind(2) == ["whole 3", "base 1"]


# ---------------------------------------------------------------- series


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
        update={"key": spec_key(asks), "spec": asks, "session": session or f"night-{number:02d}"}
    )
    database.ingest(outcome.model_copy(update={"job": job}), None)


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
