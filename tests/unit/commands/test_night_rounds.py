"""A night that is cut off is continued by the same command; a database that others hold loses nothing."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from harness.commands import night_main, night_reports, night_rounds
from harness.comparing.comparison import ComparedNumber
from harness.core.metric import METRICS
from harness.night.files import NIGHTS, write_night
from harness.plan.expand import Plan
from harness.probes.generation import PROBE
from harness.runner.night import NightStop
from tests.fake_machine import Bench, Say
from tests.unit.commands.night_bench import last_night, night, night_bench
from tests.unit.runner.test_choosing import job

pytestmark = [pytest.mark.alone, pytest.mark.timeout(280), pytest.mark.usefixtures("found")]


def test_a_family_is_of_numbers_that_the_night_may_judge() -> None:
    jobs = [job("s", "speed", "int4"), job("q", "quality", "int4"), job("r", "speed", "int4", refused="no GPU"),
            job("g", "quality", "int8", other_gpu="of another"),
            job("n", "speed", "int4", environment="new"), job("s#1", "speed", "int4", round=1)]  # fmt: skip
    plan = Plan("s", tuple(jobs))
    assert night_rounds.family_of(plan, "cpu", {"metric": ["decode_tps"]}) == 2, "decoding and perplexity"
    assert night_rounds.family_of(plan, "cpu", {}) == 1 + sum(METRICS[name].better != "none" for name in PROBE.yields)


class Cut(NightStop):
    """Is interrupted after so many rounds."""

    left = 5

    def landed(self, job: Any, broken: str = "") -> None:
        super().landed(job, broken)
        Cut.left -= 1
        if Cut.left == 0:
            raise KeyboardInterrupt


OLD = "environment old is not refreshed"


def interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_night_that_is_cut_off_in_the_middle_or_while_it_reports_is_continued_by_the_same_command(
    bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    night_bench(bench)
    monkeypatch.setattr(night_rounds, "NightStop", Cut)
    cut = night(say, bench)
    assert cut.code == 130
    half = last_night(bench)
    write_night(bench.results / NIGHTS, half.model_copy(update={"told": (*half.told, OLD)}))
    assert (half.finished, half.exit_code) == (None, None)
    assert half.used > 0
    rounds = set(bench.frame({"kind": "speed"}, ["run"])["run"])
    assert len(rounds) == 5
    budgets: list[float] = []
    real = night_main.run_rounds

    def watched(plan: Any, asked: night_rounds.RoundsAsked, *more: Any) -> Any:
        budgets.append(asked.budget)
        return real(plan, asked, *more)

    monkeypatch.setattr(night_main, "run_rounds", watched)
    issue = bench.configs.parent / "issue.md"
    with monkeypatch.context() as patched:
        patched.setattr(night_reports, "write_reports", interrupted)
        assert night(say, bench, "--issue", str(issue)).code == 130
    assert last_night(bench).finished is None, "nobody has heard of it"
    said = night(say, bench, "--issue", str(issue))
    whole = last_night(bench)
    assert whole.finished is not None
    assert "state: closed" in issue.read_text("utf-8")
    assert budgets == [pytest.approx(half.budget - half.used)], "only what was left"
    assert whole.used > half.used
    assert said.code == whole.exit_code == 0, said.out
    assert (whole.night, whole.number, whole.seed) == (half.night, half.number, half.seed)
    assert f"continuing night {half.night}, which was cut off" in said.err
    assert whole.told[0] == OLD, "what was told before it was cut off"
    assert len(set(whole.told)) == len(whole.told)
    assert rounds < set(bench.frame({"kind": "speed"}, ["run"])["run"]), "what ran counts"
    assert bench.frame({"kind": "speed"}, ["session"])["session"].nunique() == 1


def test_a_night_that_was_cut_off_when_its_budget_was_used_measures_no_more(
    bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    night_bench(bench)
    monkeypatch.setattr(Cut, "left", 5)
    monkeypatch.setattr(night_rounds, "NightStop", Cut)
    assert night(say, bench).code == 130
    half = last_night(bench)
    write_night(bench.results / NIGHTS, half.model_copy(update={"used": half.budget + 1}))
    said = night(say, bench)
    assert "0 of its 600 s of rounds are left" in said.err
    assert bench.frame({"kind": "speed"}, ["run"])["run"].nunique() == 5
    (timed,) = [one for one in last_night(bench).numbers if one.word == "not reached"]
    assert said.code == 3
    assert timed.pair in said.out


def test_a_busy_database_is_told_and_no_number_is_made_up(
    bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.store import opening

    monkeypatch.setattr(opening, "_BUSY_SECONDS", 0.2)
    night_bench(bench, probes={"generation": {"batch": 1, "prompt": 8, "output": 8, "warmup": 1, "repetitions": 2}})
    bench.run()
    began, real = [False], NightStop.began

    def hold(self: NightStop, job: Any) -> None:
        if not began[0]:
            began[0] = True
            holder.execute("BEGIN IMMEDIATE")
        real(self, job)

    holder = sqlite3.connect(bench.results / "bench.db", isolation_level=None, timeout=5)
    monkeypatch.setattr(NightStop, "began", hold)
    said = night(say, bench, budget="4s")
    holder.execute("ROLLBACK")
    holder.close()
    assert began[0]
    assert said.code in {2, 3}, said.out
    assert "database" in said.err + said.out


def test_a_new_metric_version_another_gpu_and_another_baseline_begin_a_series(monkeypatch: pytest.MonkeyPatch) -> None:
    one = ComparedNumber("", METRICS["decode_tps"], "higher", (1.0, 1.0), measurement="m")
    row: dict[str, object] = {
        "job_key": "k",
        "gpu": "A",
        "machine": "b",
        "metric": "decode_tps",
        "slice": None,
        "metric_version": 1.0,
        "batch": 8.0,
    }
    opened: Any = None

    def series(identity: str = "i", **changed: object) -> str:
        monkeypatch.setattr(night_rounds, "rows_of_all", lambda *given: {"m": row | changed})
        (found,) = night_rounds.found_of("pair", [one], opened, night_rounds.NightReading({}, {"k": identity}))
        assert found.covers["batch"] == "8"
        assert found.number.name == "pair"
        return found.series

    names = {
        series(),
        series("other"),
        series(gpu="B"),
        series(metric_version=2.0),
        series(job_key="l"),
        series(machine="c"),
    }
    assert len(names) == 6
    assert series() == series(environment="new") == series(slice="")
