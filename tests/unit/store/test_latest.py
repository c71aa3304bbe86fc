"""Tables must not notice that the database leaves out what they cannot use."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from harness.core.errors import ConfigError
from harness.core.identity import digest
from harness.core.outcome import Measurement, Outcome, Protocol
from harness.core.spec import BuildSpec, Job, Labels, MeasureSpec, Status
from harness.published.sources import NumberSource, rows_for, rows_for_all
from harness.store import frame
from harness.store.database import Database
from harness.store.latest import LatestQuery
from harness.tables.columns import COLUMNS, DIMENSIONS, LABELS
from harness.tables.formats import NumberFormat
from harness.tables.result import Table
from harness.tables.rows import rows_of
from harness.tables.spec import CellSpec, Pivot, RowKey, TableSpec
from harness.tables.table import build
from tests.unit.store.outcomes import BEGIN, H200, environment, measured, measurement

PLACES = (
    environment(),
    environment(harness="2"),
    environment("cuda", (H200,)),
    environment("cuda", (H200.model_copy(update={"driver": "580.1"}),)),
)
METRICS = ("decode_tps", "ttft", "lm_eval.acc", "perplexity", "peak_gpu_bytes")
PARTS = ("", "", "subject:law", "subject:art")


@dataclass(frozen=True)
class Asked:
    """A job: what a sweep asks for."""

    probe: str
    workload: tuple[tuple[str, Any], ...]
    labels: Labels


def _asked(draw: random.Random) -> Asked:
    probe = draw.choice(["generation", "lm_eval", "made_up", "build"])
    workload = {"batch": draw.choice([1, 8])} if probe == "generation" else {"task": draw.choice(["mmlu", "gsm"])}
    labels = Labels(
        sweep=draw.choice(["a", "a", "b"]),
        block=draw.choice(["x", "y"]),
        model=draw.choice(["m", "n"]),
        method=draw.choice(["fp32", "int8", "int4"]),
        recipe="r",
    )
    return Asked(probe, tuple(workload.items()), labels)


def _outcome(draw: random.Random, number: int, asked: Asked, session: str, turn: int) -> Outcome:
    labels = asked.labels if draw.random() < 0.9 else asked.labels.model_copy(update={"block": "z"})
    place = draw.choice(PLACES) if draw.random() < 0.2 else PLACES[0]
    usual = draw if draw.random() < 0.1 else random.Random(str(asked))
    artifact = digest([labels.model, labels.method])[:12]
    build = asked.probe == "build"
    spec: Any = (
        BuildSpec(quantizer="q", version=1, options={}, model=digest(artifact))
        if build
        else MeasureSpec(
            probe=asked.probe, version=1, workload=dict(asked.workload) | {"seed": artifact}, engine="ort-genai",
            engine_version=1, engine_options={"provider": "cpu"}, artifact=artifact,
        )
    )  # fmt: skip
    job = Job(
        run=f"r{draw.randrange(1000):03d}-{number}", kind="build" if build else "speed",
        key=digest(spec.model_dump(mode="json")), spec=spec, environment=place.name, labels=labels,
        artifact=artifact if build else "", session=session, round=turn, order=number,
    )  # fmt: skip
    status = draw.choices([Status.OK, Status.OOM, Status.UNSUPPORTED], [8, 1, 1])[0]
    return Outcome(
        job=job, status=status, reason=None if status is Status.OK else "no", seconds=1.0, environment=place,
        origin="reported" if draw.random() < 0.05 else "measured",
        started=BEGIN + timedelta(seconds=number // draw.choice([1, 2, 3])), provider=draw.choices(["cpu", "gpu"], [14, 1])[0],
        protocol=None if build else Protocol(name="p", version=draw.choices([1, 2], [9, 1])[0], dtype=draw.choices(["f16", "f32"], [19, 1])[0]),
        measurements=tuple(_measurements(draw, usual, build)) if status is Status.OK else (),
    )  # fmt: skip


def _measurements(draw: random.Random, usual: random.Random, build: bool) -> Iterator[Measurement]:
    if build:
        yield measurement("artifact_bytes", float(draw.randrange(1, 99)), unit="B", n=1)
        return
    for name in METRICS:
        for part in dict.fromkeys(usual.choices(PARTS, k=usual.randrange(4))):
            value = float(draw.randrange(1, 99))
            source = usual.choice(["device", "nvml-process"]) if name == "peak_gpu_bytes" else None
            yield measurement(name, value, unit="", n=1, slice=part, source=source)
    if usual.random() < 0.1:
        yield measurement("decode_tps", 2.0, unit="", n=1, comparison="ratio", baseline={"method": "fp32"})


def _filled(database: Database, seed: int) -> None:
    """Several sessions, some at the same time, of one changing list of jobs with rounds."""
    draw = random.Random(seed)
    jobs = [_asked(draw) for _ in range(draw.randrange(2, 12))]
    number, outcomes = 0, []
    for night in range(draw.randrange(1, 6)):
        for turn in range(draw.choice([1, 1, 3])):
            for asked in jobs:
                number += 1
                session = f"s{night}" if draw.random() < 0.9 else f"s{max(0, night - 1)}"
                if draw.random() < 0.9:
                    outcomes.append(_outcome(draw, number, asked, session, turn))
        jobs[draw.randrange(len(jobs))] = _asked(draw)
    database.ingest_all(outcomes)


def _cell(draw: random.Random, pivot: str | None) -> CellSpec:
    name = draw.choice([*METRICS, "artifact_bytes"])
    compares = draw.random() < 0.4
    base = draw.choice([("method", "fp32"), ("environment", "cpu"), ("model", "m"), ("block", "x")])
    if pivot is not None and compares and draw.random() < 0.5:
        base = (pivot, {"method": "fp32", "environment": "cpu"}.get(pivot, ""))
    where: dict[str, tuple[str, ...]] = {"source": ("device",)} if name == "peak_gpu_bytes" else {}
    if draw.random() < 0.1:
        where["block"] = ("x",)
    return CellSpec(
        header=f"{name} {draw.random()}", metric=name, comparison="ratio" if compares else "value", format=NumberFormat(2),
        slice=draw.choices(["", "subject:law"], [4, 1])[0], baseline=dict([base]) if compares else {}, where=where,
    )  # fmt: skip


def _spec(draw: random.Random) -> TableSpec:
    rows = list(dict.fromkeys(draw.sample(["model", "method", "model", "method", "batch", "probe", "task", "environment", "driver", "block", "slice", "session",
                        "round", "provider", "origin", "protocol_version", "dtype", "status", "engine"], k=draw.randrange(1, 5))))  # fmt: skip
    pivot = draw.choice([None, None, "method", "environment", "slice", "gpu", "round"])
    pivot = None if pivot in rows else pivot
    labels = {"method": ("fp32", "int8"), "slice": ("", "subject:art")}.get(pivot or "", ())
    where: dict[str, tuple[str, ...]] = {"sweep": ("a",)} if draw.random() < 0.8 else {}
    choices = {"block": ("x",), "origin": ("measured",), "probe": ("generation", "lm_eval"), "environment": ("cuda",),
               "provider": ("cpu",), "batch": ("8",), "status": ("ok",), "session": ("s1",), "slice": ("subject:law",), "method": ("fp32", "int4"),
               "dtype": ("f16",), "protocol_version": ("1",)}  # fmt: skip
    where |= {name: choices[name] for name in draw.sample(list(choices), k=draw.choice([0, 0, 1, 2]))}
    attribute = (
        CellSpec("Engine", attribute=RowKey(draw.choice(["engine.title", "dtype.name"]), ""))
        if draw.random() < 0.2
        else None
    )
    mixed = draw.random() < 0.8
    return TableSpec(
        name="t", rows=tuple(RowKey(name, name) for name in rows), show=tuple(RowKey(name, name) for name in rows),
        cells=(*(_cell(draw, pivot) for _ in range(draw.randrange(1, 4))), *((attribute,) if attribute else ())),
        where=where, pivot=Pivot(pivot, tuple((one, one) for one in labels) if draw.random() < 0.7 else ()) if pivot else None,
        each=tuple(draw.sample(["gpu", "sweep", "kind"], k=draw.randrange(2))) if draw.random() < 0.2 else (),
        may_mix=frozenset(frame.CONSTANT) if mixed else frozenset({"environment"}) if draw.random() < 0.5 else frozenset(),
        drop_empty=draw.choice(["", "columns", "rows", "both"]), pick=draw.choice(["latest", "latest", "median_of_runs"]),
        missing={"oom": "OOM"} if draw.random() < 0.5 else {}, path="t.yaml", line=1,
    )  # fmt: skip


def _built(spec: TableSpec, found: Any) -> Table | str:
    try:
        return build(spec, found)
    except ConfigError as error:
        return str(error)


def _whole(spec: TableSpec, source: NumberSource) -> Any:
    free = {name for cell in spec.cells for name in (*cell.baseline, *cell.where)}
    where = {name: list(values) for name, values in spec.where.items() if name in LABELS and name not in free}
    return rows_of(source.select(where, [name for name in COLUMNS if name in frame.COLUMNS]))


@pytest.mark.parametrize("seed", range(10))
def test_a_table_is_the_same_from_what_it_needs_and_from_everything(seed: int) -> None:
    draw = random.Random(1_000 + seed)
    with Database.open("sqlite://") as database:
        _filled(database, seed)
        source = NumberSource(database)
        for _ in range(15):
            spec = _spec(draw)
            whole, needed = _whole(spec, source), rows_for(spec, source)
            assert len(needed) <= len(whole)
            assert _built(spec, needed) == _built(spec, whole), spec


@pytest.mark.parametrize("seed", range(4))
def test_tables_are_the_same_from_one_question_for_all_of_them(seed: int) -> None:
    draw = random.Random(2_000 + seed)
    specs = [replace(_spec(draw), name=f"t{number}") for number in range(12)]
    with Database.open("sqlite://") as database:
        _filled(database, seed)
        source = NumberSource(database)
        answers = rows_for_all(specs, source)
        for spec in specs:
            assert _built(spec, answers[spec.name]) == _built(spec, rows_for(spec, source)), spec


def test_many_tables_ask_the_database_as_often_as_one(database: Database) -> None:
    database.ingest(measured(1), None)
    statements: list[str] = []
    event.listen(database._engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    spec = TableSpec("one", rows=(RowKey("method", "M"),), cells=(CellSpec("T", metric="decode_tps"),))
    rows_for(spec, NumberSource(database))
    once = len(statements)
    rows_for_all([replace(spec, name=str(number)) for number in range(20)], NumberSource(database))
    assert len(statements) == 2 * once


def test_every_dimension_is_constant_in_a_series_or_known_not_to_be() -> None:
    assert set(DIMENSIONS) - frame.CONSTANT == {"session", "run", "round"}


def test_history_does_not_reach_a_table(database: Database) -> None:
    for number in range(30):
        outcome = measured(
            number, [measurement(value=float(number)), measurement("ttft", 1.0)], place=PLACES[number % 2]
        )
        job = outcome.job.model_copy(update={"session": f"s-{number}"})
        database.ingest(outcome.model_copy(update={"job": job}), None)
    need = LatestQuery(frozenset({"decode_tps"}), frozenset({""}))
    assert database.latest({"sweep": ["quickstart"]}, ["value"], need).column("value") == [29.0]
    everything = LatestQuery(frozenset({"decode_tps"}), history=True)
    assert len(database.latest({"sweep": ["quickstart"]}, ["value"], everything)) == 30


def test_a_part_stands_for_what_was_measured_in_other_parts_only(database: Database) -> None:
    database.ingest(measured(1, [measurement(slice="a"), measurement(slice="b")]), None)
    database.ingest(measured(2, [measurement(slice="a"), measurement()], workload={"batch": 2}), None)
    found = database.latest({}, ["batch", "slice"], LatestQuery(frozenset({"decode_tps"}), frozenset({""})))
    assert [one for one in found.column("batch") if one is not None] == [1.0, 2.0, 2.0][: len(found)]
    assert {"", "a"} == set(found.column("slice"))
