"""Files that both environments read alike, and that somebody changed, are held against what they gave in a night before."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.commands import machine, night_main
from harness.commands import night as command
from harness.commands.night_before import BaselineNow, baseline_now, changed_numbers, scored, scores_after
from harness.commands.night_rounds import NightReading
from harness.comparing.gate import Gate, Margin
from harness.core.outcome import Environment
from harness.night.alarms import with_open
from harness.night.judging import night_numbers
from harness.night.record import BaselineScore, NightRecord, NightSide, exit_code
from harness.plan.expand import Plan
from harness.store.database import Database
from tests.fake_machine import Bench, Said, Say
from tests.unit.commands.night_bench import candidate, last_night, night, night_bench
from tests.unit.night.numbers import FOUND, number
from tests.unit.night.numbers import night as record
from tests.unit.runner.test_choosing import job

pytestmark = pytest.mark.alone
"""Rounds of both sides are held against each other: what runs beside them is noise."""

GATE = Gate({"perplexity": Margin(0.05, relative=True)})
OLD = BaselineScore(work="w", name="toy int4 fake", run="r1", night="20261128-aaaaaa")


def kept(*numbers: Any, **found: tuple[str, str]) -> list[tuple[str, str]]:
    after = scores_after(record(*numbers, count=2), BaselineNow("old", (OLD,)), found)
    return [(one.work, one.run) for one in after]


@pytest.mark.parametrize(("word", "more", "run"), [
    ("worse", {}, "r1"), ("same", {}, "r1"), ("cannot tell", {}, "r1"), ("better", {}, "r2"), ("worse", {"cause": "a link"}, "r2"),
])  # fmt: skip
def test_later_nights_are_held_against_the_first_until_it_is_better_or_acknowledged(
    word: str, more: dict[str, Any], run: str
) -> None:
    one = number(word, series="before w perplexity", against=OLD.night, **more)
    assert kept(one, w=("toy int4 fake", "r2")) == [("w", run)]


def test_a_run_that_gives_no_number_any_more_makes_way_once_nothing_is_open() -> None:
    gone = number("missing", series="before w perplexity", against=OLD.night)
    found = {"w": ("toy int4 fake", "r2")}
    assert kept(gone, **found) == [("w", "r2")]
    assert kept(gone, number("cannot tell", series="before w kl_divergence", against=OLD.night), **found) == [
        ("w", "r1")
    ]
    worse = with_open(record(number("worse", series="before w perplexity", against=OLD.night)), None)
    tonight = with_open(record(gone, count=2), worse)
    assert (len(tonight.open), exit_code(tonight)) == (1, 3)
    assert scores_after(tonight, BaselineNow("old", (OLD,)), found) == (OLD,), "another would close the alarm"


@pytest.mark.slow
@pytest.mark.usefixtures("found")
def test_what_the_run_of_before_gives_no_number_of_is_missing_and_what_failed_is_no_score(
    bench: Bench, say: Say
) -> None:
    quality_bench(bench)
    for noise in (0.1, 0.1, 1.5):
        folder(bench, noise)
        bench.run()
    first, last = bench.frame({"probe": "perplexity"}, ["started", "run"]).sort_values("started")["run"]
    mine = [job("x", "quality", "int4", environment="old"), job("y", "quality", "int8", environment="old")]
    plan, found = Plan("s", tuple(mine)), {"w": ("toy int4 fake", last)}

    def told(**more: Any) -> list[tuple[str, str, str]]:
        now = BaselineNow("old", (BaselineScore(work="w", name="toy", run=more.pop("run", first), night="n1"),), **more)
        with Database.open(bench.results / "bench.db") as database:
            opened: Any = SimpleNamespace(database=database)
            assert list(scored(plan, "old", {"x": last, "y": "failed"}, opened).values()) == [("tiny int4 fake", last)]
            numbers = night_numbers(changed_numbers(now, found, opened, NightReading({}, {})), GATE)
        return [(one.series, one.word, one.why) for one in numbers if one.against == "n1"]

    assert [word for _, word, _ in told()] == ["worse"]
    assert told(run=last) == []
    assert [word for _, word, _ in told(run=last, open=frozenset({"w"}))] == ["same"]
    assert say(bench, "mark", first, "--void", "a wrong text").code == 0
    for run in (first, "gone"):
        ((series, word, why),) = told(run=run)
        assert (series, word) == ("before w perplexity", "missing")
        assert why.startswith(f"run {run} of night n1 gives no number to hold it against: ")


def test_what_a_night_did_not_score_stays_and_what_is_new_is_kept() -> None:
    assert kept(x=("toy fp32 fake", "r3")) == [("w", "r1"), ("x", "r3")]
    assert kept(w=("toy int4 fake", "r2")) == [("w", "r1")], "of the same bytes nothing is to be told"


PLAN = Plan("s", (job("x", "quality", "int4", environment="released"),))


def held(now: NightRecord, before: NightRecord, identity: str) -> list[tuple[str, str]]:
    """Name what a night holds its baseline against, where packages of such an identity decide its numbers."""
    return [(one.run, one.identity) for one in baseline_now(now, [before], PLAN, {"x": identity}).before]


def test_a_score_of_other_packages_is_held_against_nothing_and_other_packages_beside_them_change_nothing() -> None:
    fresh = baseline_now(record(), [], PLAN, {"x": "one"})
    (work,) = fresh.identity
    assert fresh == BaselineNow("released", identity={work: "one"})
    narrowed = OLD.model_copy(update={"run": "r2", "identity": "of a part"})
    scores = (OLD.model_copy(update={"work": work, "identity": "one"}), narrowed)
    before = record(scores=scores)
    whole = [("r1", "one"), ("r2", "of a part")]
    updated = record(count=2, baseline=NightSide(name="released", identity="another certifi"))
    assert held(record(count=2), before, "one") == held(updated, before, "one") == whole
    assert held(record(count=2), before, "two") == whole[1:]
    after = scores_after(record(count=2), baseline_now(record(), [before], PLAN, {"x": "two"}), {work: ("toy", "r3")})
    assert [(one.run, one.identity) for one in after] == [("r2", "of a part"), ("r3", "two")]
    worse = with_open(record(number("worse", series="before w perplexity"), scores=scores), None)
    assert baseline_now(record(count=2), [worse], PLAN, {"x": "one"}).open == {"w"}


def test_a_score_of_a_record_that_did_not_keep_its_packages_counts_while_all_packages_are_the_same() -> None:
    (work,) = baseline_now(record(), [], PLAN, {"x": "one"}).identity
    before = record(scores=(OLD.model_copy(update={"work": work}), OLD))
    assert held(record(count=2), before, "one") == [("r1", "one"), ("r1", "")]
    updated = record(count=2, baseline=NightSide(name="released", identity="another certifi"))
    assert held(updated, before, "one") == []


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_nights_go_on_when_a_package_is_updated_that_decides_nothing(
    bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    night_bench(bench)
    installed: dict[str, str] = {}
    real = machine._environments

    def environments(*given: Any) -> dict[str, Environment]:
        found = real(*given)
        return {name: one.model_copy(update={"packages": {**one.packages, **installed}}) for name, one in found.items()}

    monkeypatch.setattr(machine, "_environments", environments)
    monkeypatch.setattr(command, "run_canaries", lambda *given: list(FOUND))
    ran: list[Any] = []
    run_rounds = night_main.run_rounds
    monkeypatch.setattr(
        night_main, "run_rounds", lambda *given: ran[0] if ran else (ran.append(run_rounds(*given)), *ran)[1]
    )
    seen = []
    for package in ("", "certifi", "numpy"):
        installed |= {package: "0.1"} if package else {}
        said = night(say, bench)
        last = last_night(bench)
        (timed,) = (one for one in last.numbers if one.metric == "decode_tps")
        (score,) = last.scores
        assert said.code == 0, said.out
        seen.append((timed.nights, score.night == last.night, last.baseline.identity))
    assert [one[:2] for one in seen] == [(1, True), (2, False), (1, True)]
    assert len({one[2] for one in seen}) == 3


def folder(bench: Bench, noise: float) -> Path:
    """Write an artifact that was made elsewhere, and let the sweep measure its quality in both environments."""
    made = bench.configs.parent / "made"
    made.mkdir(exist_ok=True)
    (made / "noise.txt").write_text(f"{noise!r}\n", "utf-8")
    return made


def quality_bench(bench: Bench) -> Bench:
    made = folder(bench, 0.1)
    night_bench(bench, model="mine", method=["int4"], probes={"perplexity": {"window": 64, "stride": 32, "text": str(bench.text)}})  # fmt: skip
    toy = {"folder": str(bench.configs.parent / "model")}
    bench._write("models.yaml", {"toy": toy, "mine": {"ready": {"path": str(made), "method": "int4", "of": "toy"}}})
    return bench


@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.usefixtures("found")
def test_a_damaged_folder_is_called_until_it_is_mended(bench: Bench, say: Say) -> None:
    quality_bench(bench)
    issue = bench.configs.parent / "issue.md"

    def tonight() -> Said:
        return night(say, bench, "--issue", str(issue))

    assert tonight().code == 0
    first = last_night(bench)
    assert [one.night for one in first.scores] == [first.night]
    folder(bench, 1.5)
    for _ in range(2):
        assert tonight().code == 1, issue.read_text("utf-8")
        (alarm,) = last_night(bench).alarms
        assert (alarm.metric, alarm.against, alarm.confirmed) == ("perplexity", first.night, True)
        assert alarm.name == f"Perplexity, toy int4 fake, old itself against night {first.night} (its files changed)"
        assert "<!-- state: open -->" in issue.read_text("utf-8")
        assert "old itself against night" in issue.read_text("utf-8")
        assert [one.name for one in last_night(bench).open] == [alarm.name]
        assert last_night(bench).scores == first.scores
    folder(bench, 0.1)
    assert tonight().code == 0
    assert [one.name for one in last_night(bench).closed] == [alarm.name]
    assert "<!-- state: closed -->" in issue.read_text("utf-8")


@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.usefixtures("found")
def test_a_change_that_is_acknowledged_is_the_new_measure(bench: Bench, say: Say) -> None:
    quality_bench(bench)
    candidate(bench)
    assert night(say, bench).code == 0
    folder(bench, 1.5)
    (bench.configs / "acknowledged.yaml").write_text(
        "- {metric: perplexity, cause: a link, since: 2020-01-01}\n", "utf-8"
    )
    assert night(say, bench).code == 0
    moved = last_night(bench)
    assert [one.night for one in moved.scores] == [moved.night]
    assert night(say, bench).code == 0
    assert not [one for one in last_night(bench).numbers if one.against]
