"""A number over sessions: from the database and published files together, and why there is none."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import timedelta
from pathlib import Path

import pytest

from harness.commands.history import read_history, write_svg
from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from harness.core.outcome import Outcome
from harness.core.spec import Labels
from harness.store.database import Database
from tests.fake_machine import Bench
from tests.unit.published.files import written
from tests.unit.store.outcomes import BEGIN, failed, measured, measurement
from tests.unit.store.test_marking import VOID, mark, rounds, taken


def night(number: int, value: float) -> Outcome:
    """Make the outcome of a night, in a session of its own."""
    outcome = measured(number, [measurement(value=value)], started=BEGIN + timedelta(days=number))
    return outcome.model_copy(update={"job": outcome.job.model_copy(update={"session": f"night-{number}"})})


def ingested(bench: Bench, *outcomes: Outcome) -> Workspace:
    bench.results.mkdir(exist_ok=True)
    with Database.open(bench.results / "bench.db") as database:
        for outcome in outcomes:
            database.ingest(outcome, None)
    return bench.workspace


def test_published_nights_stand_before_those_of_the_database_and_count_once(bench: Bench) -> None:
    workspace = ingested(bench, night(2, 90.0), night(3, 95.0))
    written(workspace.published, [night(1, 100.0), night(2, 90.0)])
    (found,) = read_history("decode_tps", {}, workspace)
    assert [(point.session, point.value) for point in found.points] == [
        ("night-1", 100.0),
        ("night-2", 90.0),
        ("night-3", 95.0),
    ]


def test_published_nights_are_enough(bench: Bench) -> None:
    bench.results.mkdir()
    written(bench.workspace.published, [night(1, 100.0)])
    (found,) = read_history("decode_tps", {"method": ["int4_rtn"]}, bench.workspace)
    assert [point.value for point in found.points] == [100.0]
    with pytest.raises(HarnessError, match=r"no results of decode_tps fit method=int9; there is .*int4_rtn"):
        read_history("decode_tps", {"method": ["int9"]}, bench.workspace)


def test_where_nothing_was_measured_one_is_told_to_measure(bench: Bench) -> None:
    for workspace in (bench.workspace, ingested(bench, failed(1))):
        with pytest.raises(HarnessError, match="there is no history yet; measure first, as with `harness bench`"):
            read_history("decode_tps", {}, workspace)


def test_a_metric_that_nobody_measured_is_refused_with_the_nearest(bench: Bench) -> None:
    workspace = ingested(bench, night(1, 100.0))
    with pytest.raises(HarnessError, match=r"unknown metric 'decode_tp'.* did you mean 'decode_tps'"):
        read_history("decode_tp", {}, workspace)
    with pytest.raises(HarnessError, match="no results of decode_tps fit method=int9; there is"):
        read_history("decode_tps", {"method": ["int9"]}, workspace)


def test_a_drawing_has_a_circle_for_each_night(bench: Bench, tmp_path: Path) -> None:
    found = read_history("decode_tps", {}, ingested(bench, night(1, 100.0), night(2, 90.0)))
    write_svg("decode_tps", found, tmp_path / "speed.SVG")
    root = ET.fromstring((tmp_path / "speed.SVG").read_text("utf-8"))
    assert len(root.findall(".//{http://www.w3.org/2000/svg}circle")) == 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("speed.png", "written as SVG; call the file NAME.svg"),
        ("nowhere/speed.svg", "there is no folder .*; make it first"),
    ],
)
def test_a_drawing_is_refused_where_it_cannot_be_written(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(HarnessError, match=told):
        write_svg("decode_tps", [], tmp_path / name)
    assert not list(tmp_path.iterdir())


def called(number: int, method: str, metric: str, batch: int) -> Outcome:
    labels = Labels(sweep="s", block="b", model="tiny", method=method, recipe="r")
    return measured(number, [measurement(metric, 1.0)], labels=labels, workload={"batch": batch})


@pytest.mark.parametrize(("chosen", "said"), [
    ({"method": ["fp32"]}, "no results of decode_tps fit method=fp32; there is method int4, int8; sweep s"),
    ({"method": ["int8"], "batch": [1]}, "no results of decode_tps fit method=int8 and batch=1 together; there is method int4, int8; batch 1, 8; sweep s"),
    ({"method": ["int8"], "batch": [2]}, "no results of decode_tps fit method=int8 and batch=2; there is"),
])  # fmt: skip
def test_what_is_refused_is_not_said_to_be_there(bench: Bench, chosen: dict[str, list], said: str) -> None:
    """Method fp32 has results, and none of this metric; int8 has some, and none at this batch."""
    results = [
        called(1, "fp32", "perplexity", 4),
        called(2, "int4", "decode_tps", 1),
        called(3, "int8", "decode_tps", 8),
    ]
    workspace = ingested(bench, *results)
    with pytest.raises(HarnessError) as told:
        read_history("decode_tps", chosen, workspace)
    assert str(told.value).startswith(said)


def test_a_published_copy_of_a_void_run_counts_no_more_and_that_is_told(bench: Bench) -> None:
    """A person declares rounds void after they were published: nothing of them comes back from the copy."""
    some, others = rounds(100.0, 102.0, 50.0), rounds(98.0, 99.0, 97.0, session="s2")
    bench.results.mkdir()
    written(bench.workspace.published, [*some, *others])
    with taken(bench.results, *some, *others) as database:
        mark(database, bench.results, some[-1].job.run, VOID)
        (found,) = read_history("decode_tps", {}, bench.workspace)
        assert [point.rounds for point in found.points] == [2, 3]
        assert 100 < found.points[0].value < 102
        run = some[-1].job.run
        assert f"left out of what is published, since they are void: {run} (the fan stood still)" in found.told
        for one in some:
            mark(database, bench.results, one.job.run, VOID)
        (found,) = read_history("decode_tps", {}, bench.workspace)
        assert [point.session for point in found.points] == ["s2"]
        for one in others:
            mark(database, bench.results, one.job.run, VOID)
        with pytest.raises(HarnessError, match=r"all 6 runs that fit are void, as .*--clear` lets it count again"):
            read_history("decode_tps", {}, bench.workspace)
