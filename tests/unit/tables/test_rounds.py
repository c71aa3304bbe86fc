"""Tables of rounds: means and intervals between processes, ratios by the rounds of both, and the same as SQL says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.commands.explain import explanation
from harness.commands.plain import plain, plain_of
from harness.commands.workspace import read_workspace
from harness.core.errors import HarnessError
from harness.core.outcome import Outcome, Protocol
from harness.core.spec import Note
from harness.environments import ROOT
from harness.explain.text import as_text
from harness.numbers.rounds import summary
from harness.numbers.sample_statistics import over_processes
from harness.published.publish import publish
from harness.published.sources import NumberSource, from_published
from harness.store.database import Database
from harness.tables.markdown import to_markdown
from tests.unit.store.outcomes import environment
from tests.unit.tables.sittings import FP32, INT4, SPEED, row_of, sitting


def test_a_cell_is_the_mean_over_the_processes_with_the_interval_between_them(shown: Any) -> None:
    made = shown(SPEED, *sitting(FP32), *sitting(INT4, "int4_rtn"))
    mean = 5 / sum(1 / rate for rate in FP32)
    half = mean * (math.exp(stats.t.ppf(0.975, 4) * stats.sem(np.log(FP32))) - 1)
    assert row_of(made)[1] == f"{mean:.1f} ± {half:.1f}"
    times = 5 / sum(1 / rate for rate in INT4) / mean
    ends = stats.ttest_ind(np.log(INT4), np.log(FP32), equal_var=False).confidence_interval()
    width = math.exp((ends.high - ends.low) / 2)
    text = row_of(made, 1)[2]
    assert text.startswith(f"{times:.3f}x [{times / width:.2f}")
    assert float(text.split(", ")[1].rstrip("x]")) == pytest.approx(times * width, abs=0.003)
    assert any("mean over 5 processes" in line and "Student's 95%" in line for line in made.caption)
    assert any(line.startswith("Smallest difference") and "decode " in line for line in made.caption)


PACES = (1.0, 1.5, 0.9, 1.1, 1.3)
"""Seconds of the fixed computation in each round, in ms."""


def paced(outcomes: list[Outcome], paces: Sequence[float] = PACES, jitter: float = 0.01) -> list[Outcome]:
    """Let rounds run at the machine's pace: rates as much lower, and what they are at 1 ms known but for a little."""
    found = []
    for turn, (outcome, slower) in enumerate(zip(outcomes, paces, strict=True)):
        item = outcome.measurements[0]
        at_1ms = {item.metric: item.value * (1 + jitter * (turn % 2))}
        protocol = outcome.protocol.model_copy(update={"facts": {"pace": {"median": slower / 1000, "at_1ms": at_1ms}}})
        rates = (item.model_copy(update={"value": item.value / slower, "samples": ()}),)
        found.append(outcome.model_copy(update={"measurements": rates, "protocol": protocol}))
    return found


@pytest.mark.parametrize("paces", [PACES[::-1], (1.9, 2.4, 1.5, 1.3, 1.1)], ids=["as slow on the whole", "slower"])
def test_a_ratio_of_rounds_is_at_one_pace_where_the_machine_changed_its_own(
    shown: Any, paces: tuple[float, ...]
) -> None:
    made = shown(SPEED, *paced(sitting((100.0,) * 5)), *paced(sitting((200.0,) * 5, "int4_rtn"), paces))
    decode, times = made.sections[0].rows[1][1:3]
    assert float(decode.trace.high / decode.trace.low) > 1.5, "a number by itself is that of the seconds that passed"
    assert float(times.text.split("x")[0]) == pytest.approx(2.0, abs=0.02)
    assert times.trace.at_1ms
    assert times.text.endswith(" ‡")
    assert float(times.trace.high / times.trace.low) < 1.03
    value, baseline = (side.value for side in times.trace.sides)
    assert float(value / baseline) == pytest.approx(float(times.trace.result))
    assert any("at one pace" in line for line in made.caption)
    unpaced = shown(SPEED, *sitting((100.0,) * 5, session="s-2"), *sitting((200.0,) * 5, "int4_rtn", session="s-2"))
    assert not any("at one pace" in line for line in unpaced.caption)


def test_interpreters_of_two_environments_have_no_pace_in_common(shown: Any) -> None:
    spec = SPEED.replace("[method]", "[method, environment]").replace(
        "{method: fp32}", "{method: fp32, environment: cpu}"
    )
    other = paced(sitting((200.0,) * 5, "int4_rtn", place=environment("later")))
    made = shown(spec, *paced(sitting((100.0,) * 5)), *other)
    assert not any(cell.trace and cell.trace.at_1ms for row in made.sections[0].rows for cell in row)


def test_a_cell_says_what_sql_says(shown: Any, database: Database) -> None:
    made = shown(SPEED, *sitting(FP32), *sitting(INT4, "int4_rtn"), *sitting((90.0,), session="s-0"))
    query = (
        "SELECT p.method, s.value, s.low, s.high FROM summary s JOIN run r ON r.sitting = s.sitting JOIN job j ON j.id = r.job_id "
        "JOIN placement p ON p.job_key = j.key WHERE r.session = 's-1' AND r.round = 0"
    )
    with database._reading() as connection:
        rows = {row.method: row for row in connection.exec_driver_sql(query)}
    assert len(rows) == 2
    for place, method in enumerate(("fp32", "int4_rtn")):
        trace = made.sections[0].rows[place][1].trace
        said = rows[method]
        assert [float(trace.result), float(trace.low), float(trace.high)] == [said.value, said.low, said.high]


@pytest.mark.parametrize("count", [1, 2])
def test_below_three_processes_nothing_is_said_of_uncertainty(shown: Any, count: int) -> None:
    old = {"low": 99.0, "high": 101.0, "interval": "student-t 95%, log scale"}
    rounds = [
        one.model_copy(update={"measurements": (one.measurements[0].model_copy(update=old),)})
        for one in sitting(FP32[:count])
    ]
    made = shown(SPEED, *rounds, *sitting(INT4[:count], "int4_rtn"))
    text = to_markdown(made).markdown
    assert "±" not in text
    assert "[" not in text.split("\n\n")[0].replace("[method]", "")
    assert "no interval below 3 processes" in text
    assert (f"{count} processes" if count > 1 else "1 process ") in text


def test_a_wide_interval_is_never_behind_plus_minus(shown: Any) -> None:
    made = shown(SPEED, *sitting((100.0, 140.0, 70.0)))
    assert row_of(made)[1].startswith("95.5 [")
    tight = shown(SPEED, *sitting((100.0, 101.0, 99.0), session="s-2"))
    assert row_of(tight)[1] == "100.0 ± 2.5"


def test_a_percentile_is_the_mean_of_the_processes_and_has_no_interval(shown: Any) -> None:
    spec = "t: {where: {sweep: any}, rows: [method], uncertainty: pm, cells: {p50: {metric: decode_tps, stat: p50}, max: {metric: decode_tps, stat: max}, min: {metric: decode_tps, stat: min}}}"
    rounds = [
        one.model_copy(update={"measurements": (one.measurements[0].model_copy(update={"samples": samples, "n": 3}),)})
        for one, samples in zip(sitting(FP32[:3]), [(1.0, 2.0, 9.0), (1.5, 4.0, 5.0), (3.0, 3.0, 3.0)], strict=True)
    ]
    assert row_of(shown(spec, *rounds))[1:] == ["3.00", "9.00", "1.00"]
    assert over_processes("p99", [1.0, 3.0]) == 2.0


def test_a_table_that_tells_rounds_apart_shows_single_processes(shown: Any) -> None:
    spec = (
        "t: {where: {sweep: any}, rows: [method, round], cells: {A: {metric: decode_tps, format: 1, uncertainty: pm}}}"
    )
    made = shown(spec, *sitting(FP32[:3]))
    assert [row_of(made, place) for place in range(3)] == [
        ["fp32", "0", "100.0"],
        ["fp32", "1", "104.0"],
        ["fp32", "2", "98.0"],
    ]


def test_loss_and_inverse_ratio_turn_the_ends_with_them(shown: Any) -> None:
    spec = SPEED.replace("as: ratio, format: 3x", "as: loss_percent, format: 2") + (
        "    Inverse: {metric: decode_tps, as: inverse_ratio, format: 3x, uncertainty: interval}\n"
        "    More: {metric: decode_tps, as: difference, format: 1, uncertainty: interval}\n"
    )
    made = shown(spec, *sitting(FP32), *sitting(INT4, "int4_rtn"))
    traces = [cell.trace for cell in made.sections[0].rows[1][2:]]
    for trace in traces:
        assert trace.low < trace.result < trace.high
    ends = stats.ttest_ind(INT4, FP32, equal_var=False).confidence_interval()
    assert float(traces[2].high - traces[2].low) == pytest.approx(ends.high - ends.low, rel=1e-3)
    ratio = stats.ttest_ind(np.log(FP32), np.log(INT4), equal_var=False).confidence_interval()
    width = float(traces[1].high / traces[1].low)
    assert width == pytest.approx(math.exp(ratio.high - ratio.low), rel=1e-3)


def test_a_cell_over_rounds_explains_each_process_interval_and_mark(database: Database, tmp_path: Path) -> None:
    slow = [
        one.model_copy(update={"notes": (Note(code="unstable", text="steps varied"),)}) for one in sitting(FP32[:1])
    ]
    database.ingest_all([*slow, *sitting(FP32)[1:], *sitting(INT4, "int4_rtn")])
    found = explanation(["demo-generation", "m / fp32", "Decode (tok/s)"], read_workspace(ROOT), tmp_path)
    assert found.arithmetic is not None
    assert found.arithmetic.agrees
    assert found.arithmetic.terms[0].rounds == 5
    over = found.inputs[0].over_rounds
    assert over is not None
    assert [one.value for one in over.processes] == list(FP32)
    assert (over.value, over.low, over.high) == pytest.approx(summary(FP32, "tok/s"))
    assert over.marks == ("unstable: steps varied",)
    text = as_text(found)
    for said in (
        "over 5 processes",
        "round 2: 104 tok/s",
        "student-t 95% between processes",
        "mark: unstable: steps varied",
    ):
        assert said in text


def test_generated_tables_of_one_probe_have_names_of_their_own(database: Database, tmp_path: Path) -> None:
    other = sitting(INT4, "int8_b", protocol=Protocol(name="another"))
    database.ingest_all([*sitting(FP32), *other])
    names = [table.spec.name for table in plain_of("demo", NumberSource(database), tmp_path)]
    assert names == ["demo-generation", "demo-generation-2"]
    assert plain("demo", NumberSource(database), replace(read_workspace(ROOT), results=tmp_path))[-1].endswith(
        "tables: demo-generation, demo-generation-2."
    )
    with pytest.raises(HarnessError, match="unknown table 'demo-generatio'; did you mean 'demo-generation'"):
        explanation(["demo-generatio", "1", "1"], read_workspace(ROOT), tmp_path)


def test_published_rounds_have_the_summary_that_the_database_had(database: Database, tmp_path: Path) -> None:
    noted = [one.model_copy(update={"notes": (Note(code="unstable", text="varied"),)}) for one in sitting(FP32[:1])]
    outcomes = [*noted, *sitting(FP32)[1:], *sitting(INT4, "int4_rtn")]
    database.ingest_all(outcomes)
    (tmp_path / "published").mkdir()
    text = publish(database, [one.job.run for one in outcomes])
    (tmp_path / "published" / "demo.yaml").write_text(text, "utf-8")
    columns = ["run", "sitting", "summary_value", "summary_low", "summary_high", "rounds", "round_values", "marks"]
    with from_published(tmp_path / "published") as published:
        assert published.select({}, columns) == database.select({}, columns)
