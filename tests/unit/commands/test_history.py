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
from harness.store.database import Database
from tests.fake_machine import Bench
from tests.unit.published.files import written
from tests.unit.store.outcomes import BEGIN, failed, measured, measurement


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
    with pytest.raises(HarnessError, match=r"no results fit method=int9; there is .*int4_rtn"):
        read_history("decode_tps", {"method": ["int9"]}, bench.workspace)


def test_where_nothing_was_measured_one_is_told_to_measure(bench: Bench) -> None:
    for workspace in (bench.workspace, ingested(bench, failed(1))):
        with pytest.raises(HarnessError, match="there is no history yet; measure first, as with `harness bench`"):
            read_history("decode_tps", {}, workspace)


def test_a_metric_that_nobody_measured_is_refused_with_the_nearest(bench: Bench) -> None:
    workspace = ingested(bench, night(1, 100.0))
    with pytest.raises(HarnessError, match=r"unknown metric 'decode_tp'.* did you mean 'decode_tps'"):
        read_history("decode_tp", {}, workspace)
    with pytest.raises(HarnessError, match="no results fit method=int9; there is"):
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
