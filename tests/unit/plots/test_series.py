"""Histories: a point per session, series that are told apart, changes with what changed there."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.core.outcome import Environment, Gpu, Outcome
from harness.plots.drawing import history_plot
from harness.plots.series import history_of
from harness.plots.svg import Plot, PlotLine, PlotPoint, to_svg
from harness.plots.text import SHOWN, to_text
from harness.store.database import Database
from tests.conftest import ROOT
from tests.fake_machine import Bench, Say
from tests.unit.store.outcomes import BEGIN, environment, measured, measurement


def night(
    number: int, value: float, place: Environment | None = None, days: float | None = None, batch: int = 1, **said: Any
) -> Outcome:
    """Make the outcome of one night. days: what the clock said, where it is not the night's number."""
    moment = BEGIN + timedelta(days=number if days is None else days)
    work = {"batch": batch, "prompt": 128}
    outcome = measured(number, [measurement(value=value, **said)], place=place, started=moment, workload=work)
    known = BEGIN + timedelta(days=number)
    job = outcome.job.model_copy(
        update={"session": f"night-{number:03d}", "not_before": known if days is not None else None}
    )
    return outcome.model_copy(update={"job": job})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(tmp_path / "bench.db") as opened:
        yield opened


def test_a_change_is_found_with_the_packages_that_changed_there(database: Database) -> None:
    for number in range(24):
        old = number < 12
        packages = {"genai": "0.15" if old else "0.16", "numpy": "2.4"}
        database.ingest(night(number, (100.0 if old else 90.0) + number % 3, environment(**packages)), None)
    (found,) = history_of("decode_tps", {}, [database])
    (change,) = found.changes
    assert (len(found.points), change.session, change.way) == (24, "night-012", "worse")
    assert change.changed == ("genai 0.15 to 0.16",)
    text = to_text([found])
    assert "from 2026-02-12 on (night-012): median 101 to 91 tok/s (-9.9%), worse" in text
    assert "changed there: genai 0.15 to 0.16" in text
    assert "| changed: worse" in text.replace("  ", " ")


def test_other_work_is_another_series_and_never_a_step(database: Database) -> None:
    for number in range(16):
        database.ingest(night(number, 100.0 if number % 2 else 5.0, batch=1 + number % 2), None)
    found = history_of("decode_tps", {}, [database])
    assert [(one.name, {point.value for point in one.points}, one.changes) for one in found] == [
        ("tiny, int4_rtn, batch 1", {5.0}, ()),
        ("tiny, int4_rtn, batch 2", {100.0}, ()),
    ]


def test_the_harness_that_changed_at_a_step_is_named(database: Database) -> None:
    for number in range(16):
        place = environment().model_copy(update={"harness": "0.1.0" if number < 8 else "0.2.0"})
        database.ingest(night(number, (100.0 if number < 8 else 80.0) + number % 2, place), None)
    (found,) = history_of("decode_tps", {}, [database])
    assert [change.changed for change in found.changes] == [("harness 0.1.0 to 0.2.0",)]


def test_threads_and_cuda_that_changed_at_a_step_are_named(database: Database) -> None:
    for number in range(16):
        changed: dict[str, Any] = {"cuda": "13.0", "threads": {"OMP_NUM_THREADS": "1"}} if number > 7 else {}
        database.ingest(night(number, 100.0 - number // 8 * 20, environment().model_copy(update=changed)), None)
    (found,) = history_of("decode_tps", {}, [database])
    assert [change.changed for change in found.changes] == [("CUDA none to 13.0", "OMP_NUM_THREADS none to 1")]


def test_sessions_of_rounds_are_one_point_with_the_interval_between_processes(bench: Bench) -> None:
    bench.sweep(method=["fp32"], rounds=3)
    for _ in range(2):
        bench.run()
    with Database.open(bench.results / "bench.db") as opened:
        found = history_of("decode_tps", {}, [opened])
        (mean,) = {
            value
            for (value,) in opened.select(
                {"metric": "decode_tps", "session": found[0].points[0].session}, ["summary_value"]
            ).rows
        }
    (one,) = found
    assert [point.rounds for point in one.points] == [3, 3]
    assert one.points[0].value == mean
    assert one.points[0].low is not None
    assert "2 sessions: a change shows from 8 on" in one.told


def test_an_empty_history_and_unknown_names_are_told(bench: Bench, say: Say) -> None:
    said = say(bench, "history", "decode_tps")
    assert said.code == 2
    assert "no history" in said.err or "no results fit" in said.err
    bench.sweep(method=["fp32"])
    bench.run()
    assert "did you mean 'decode_tps'" in say(bench, "history", "decode_tp").err
    assert "there is" in say(bench, "history", "decode_tps", "--only", "method=int9").err


def test_a_new_definition_of_a_metric_is_a_series_of_its_own_and_no_change(database: Database) -> None:
    for number in range(24):
        database.ingest(night(number, 100.0 if number < 12 else 50.0, metric_version=1 if number < 12 else 2), None)
    found = history_of("decode_tps", {}, [database])
    assert [(one.version, len(one.points), one.changes) for one in found] == [(1, 12, ()), (2, 12, ())]
    assert "definition 2" in found[1].name


def test_a_replaced_gpu_is_a_series_of_its_own_and_a_driver_is_not(database: Database) -> None:
    for number in range(32):
        name, driver = ("L4" if number < 16 else "L40"), ("570" if number < 8 else "580")
        place = environment(gpus=(Gpu(name=name, driver=driver),))
        database.ingest(night(number, 100.0 if number < 8 else 80.0 if number < 16 else 300.0, place), None)
    found = history_of("decode_tps", {}, [database])
    assert [len(one.points) for one in found] == [16, 16]
    assert [len(one.changes) for one in found] == [1, 0]
    assert found[0].changes[0].changed == ("driver 570 to 580",)
    assert "L40" in found[1].name


def test_a_clock_that_goes_back_does_not_change_the_order(database: Database) -> None:
    for number in range(20):
        back = {"days": number - 400} if number >= 10 else {}
        database.ingest(night(number, 100.0 + number, **back), None)
    (found,) = history_of("decode_tps", {}, [database])
    assert [point.value for point in found.points] == [100.0 + number for number in range(20)]


def test_a_constant_series_has_no_change_and_can_be_drawn(database: Database) -> None:
    for number in range(20):
        database.ingest(night(number, 4096.0), None)
    found = history_of("decode_tps", {}, [database])
    assert found[0].changes == ()
    assert "no change point" in to_text(found)
    ET.fromstring(to_svg(history_plot("decode_tps", found)))


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_a_number_that_is_none_is_left_out_and_told(
    database: Database, odd: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outcomes refuse them; a database of another hand may hold one."""
    for number in range(10):
        database.ingest(night(number, 100.0 + number % 2), None)
    select = database.select

    def broken(*words: Any) -> Any:
        found = select(*words)
        places = {found.columns.index(name) for name in ("value", "summary_value")}
        rows = [
            tuple(odd if n == 4 and place in places else value for place, value in enumerate(row))
            for n, row in enumerate(found.rows)
        ]
        return type(found)(found.columns, rows)

    monkeypatch.setattr(database, "select", broken)
    (one,) = history_of("decode_tps", {}, [database])
    assert len(one.points) == 9
    assert any("night-004" in line for line in one.told)


def test_a_run_that_stands_in_two_sources_counts_once(database: Database, tmp_path: Path) -> None:
    with Database.open(tmp_path / "other.db") as other:
        for number in range(3):
            database.ingest(night(number, 100.0), None)
            other.ingest(night(number, 100.0), None)
        (found,) = history_of("decode_tps", {}, [database, other])
    assert len(found.points) == 3


def test_only_the_newest_sessions_are_listed(database: Database) -> None:
    for number in range(SHOWN + 5):
        database.ingest(night(number, 100.0 + number % 2), None)
    assert "5 earlier sessions are not listed" in to_text(history_of("decode_tps", {}, [database]))


def test_the_verb_writes_text_and_a_drawing(bench: Bench, say: Say, tmp_path: Path) -> None:
    bench.sweep(method=["fp32", "int8"])
    bench.run()
    said = say(bench, "history", "perplexity", "--only", "method=int8", "--svg", str(tmp_path / "a.svg"))
    assert said.code == 0, said.err
    assert "perplexity" in said.out
    assert "fp32" not in said.out
    ET.fromstring((tmp_path / "a.svg").read_text("utf-8"))
    assert say(bench, "history", "perplexity", "--svg", str(tmp_path / "a.png")).code == 2
    assert say(bench, "history", "perplexity", "--svg", str(tmp_path / "none" / "a.svg")).code == 2


# ---------------------------------------------------------------- drawings


def test_a_drawing_is_the_same_bytes_well_formed_and_made_for_dark_pages_too() -> None:
    points = tuple(PlotPoint(n, 10.0 + n, (9.0 + n, 11.0 + n), None, f"<{n} & more>") for n in range(30))
    plot = Plot(
        't "q" <x>',
        "session",
        "tok/s",
        (PlotLine("a & b", points), PlotLine("c", points[:1])),
        tuple("abc" * 10),
        ((4.5, "-3%"),),
    )
    text = to_svg(plot)
    assert text == to_svg(plot)
    root = ET.fromstring(text)
    assert len(root.findall(".//{*}circle")) == 31 + 2
    assert "prefers-color-scheme:dark" in text
    for place in root.iter():
        for name in ("x", "y", "cx", "cy", "x1", "y1"):
            assert 0 <= float(place.get(name, 0)) <= 760


def test_an_empty_drawing_says_so_and_a_number_that_is_none_is_refused() -> None:
    assert "no results yet" in to_svg(Plot("t", "x", "y", ()))
    with pytest.raises(ValueError, match="not finite"):
        to_svg(Plot("t", "x", "y", (PlotLine("a", (PlotPoint(0, math.nan),)),)))


def test_nothing_outside_is_named_in_a_drawing() -> None:
    text = (ROOT / "harness" / "plots" / "svg.py").read_text("utf-8")
    assert text.count("http") == 1, "the name space alone"
