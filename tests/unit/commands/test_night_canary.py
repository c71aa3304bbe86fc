"""Canaries are run as all else is and apart from it; one that is not found makes the night end with 2."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from harness.commands import night_canary
from harness.commands.night_rounds import NightReading, RoundsAsked
from harness.comparing.comparison import ComparedNumber
from harness.comparing.evidence import student
from harness.comparing.gate import Gate, Margin
from harness.comparing.verdict import ChangeEstimate
from harness.core.metric import METRICS
from harness.night import canary, injected
from harness.night.canary import CanaryPair
from harness.night.record import NightCanary
from harness.plan.expand import Plan
from harness.runner.night import NightStop
from harness.runner.opened import OpenWorkspace
from tests.fake_machine import Bench, Say
from tests.unit.commands.night_bench import DISTURBED, GENERATION, changed_python, last_night, night, night_bench
from tests.unit.night.test_canary import pair
from tests.unit.runner.test_choosing import job

pytestmark = [pytest.mark.alone, pytest.mark.timeout(280)]
GATE = Gate({"speed": Margin(0.05, relative=True)})


def test_canaries_stay_out_of_a_database_that_others_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared.db"
    monkeypatch.setenv("HARNESS_DB", str(shared))
    database: Any = SimpleNamespace(known_artifacts=dict)
    unused: Any = None
    opened = OpenWorkspace(tmp_path, database, unused, {}, unused)
    folder = night_canary.canary_folder(tmp_path, "n", anew=True)
    assert night_canary.run_canaries(asked_of(opened), (), folder, 2) == []
    assert not shared.exists()
    assert [path.name for path in folder.glob("*.db")] == ["bench.db"]


@pytest.mark.parametrize("more", [{"refused": "no GPU"}, {"other_gpu": "of another"}, {"environment": "new"}])
def test_what_this_machine_measures_nothing_of_owes_no_canary(tmp_path: Path, more: dict[str, Any]) -> None:
    database: Any = SimpleNamespace(known_artifacts=dict)
    unused: Any = None
    opened = OpenWorkspace(tmp_path, database, unused, {}, unused)
    jobs = [job(kind, kind, "int4", **{"environment": "old", **more}) for kind in ("speed", "quality")]
    night = asked_of(opened, plan=Plan("s", tuple(jobs)))
    assert night_canary.run_canaries(night, (), night_canary.canary_folder(tmp_path, "n", anew=True), 2) == []


def asked_of(opened: Any = None, **more: Any) -> night_canary.CanaryNight:
    known = {"plan": Plan("s", ()), "baseline": "old", "opened": opened, "runs": {}, "gate": GATE, "seed": 1, "reading": NightReading({}, {}), "family": 20}  # fmt: skip
    return night_canary.CanaryNight(**{**known, "console": Console(), "budget": 40.0, **more})


def compared(change: float = -0.08, error: float = 0.002, *, left: str = "", left_out: int = 0) -> ComparedNumber:
    metric = METRICS["decode_tps"]
    if left:
        return ComparedNumber("", metric, "higher", (1.0, 1.0), why=left, disturbed=True)
    made = ChangeEstimate(
        change, student(change, error, 20), "rounds", log=True, error=error, degrees=20, left_out=left_out
    )
    return ComparedNumber("", metric, "higher", (1.0, 1.0), made)


class Rounds:
    """Stands for rounds: each call takes so many seconds, and gives the next number."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *numbers: ComparedNumber, blocks: int = 3, step: Callable[[], None] = lambda: None,
        clock: Callable[[], float] | None = None, over: bool = False,
    ) -> None:  # fmt: skip
        self.step, self.clock = step, clock
        self.asked: list[RoundsAsked] = []
        self.spent: list[float] = []
        self.blocks, self.over = blocks, over
        monkeypatch.setattr(night_canary, "run_rounds", self.run)
        monkeypatch.setattr(night_canary, "numbers_of", lambda pair, session, *more: [numbers[int(session)]])

    def run(self, plan: Plan, asked: RoundsAsked, *more: Any) -> tuple[str, Any]:
        self.asked.append(asked)
        if self.clock is not None:
            return self.timed(asked, self.clock)
        asked.spent(7.0)
        return str(len(self.asked) - 1), SimpleNamespace(
            used=7.0, over=self.over, broken={}, blocks=lambda name: self.blocks
        )

    def timed(self, asked: RoundsAsked, clock: Callable[[], float]) -> tuple[str, NightStop]:
        (block,) = asked.pairs
        jobs = [replace(block.before[0], id=f"j{place}") for place in range(3)]
        stop = NightStop({one.id: (block.name, place) for place, one in enumerate(jobs)}, lambda *_: "", clock, 99.0)
        for one in jobs:
            stop.began(one)
            stop.landed(one)
        self.step()
        asked.spent(stop.used)
        return str(len(self.asked) - 1), stop

    def canary(self) -> NightCanary:
        some = CanaryPair(pair("a"), ("decode_tps",), "7.5 % of its speed")
        night = asked_of(spent=self.spent.append)
        asked = RoundsAsked((), "live", 8, night.budget, 1, spent=night.spent)
        opened: Any = None
        return night_canary._speed(night, [some.pair], some, opened, asked)


def test_a_canary_and_its_second_measurement_share_one_part_of_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = Rounds(monkeypatch, compared(), compared(-0.07))
    assert rounds.canary().found
    assert [one.budget for one in rounds.asked] == [40.0, 33.0]
    assert [one.reserved for one in rounds.asked] == [{"a"}, set()], "time to measure again is kept"
    assert rounds.spent == [7.0, 14.0]


def test_seconds_of_a_second_measurement_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the first rounds goes on while the second ones run."""
    now, told = [100.0], list[float]()
    rounds = Rounds(
        monkeypatch, compared(), compared(-0.07), step=lambda: now.__setitem__(0, now[0] + 20.0), clock=lambda: now[0]
    )
    rounds.spent = told
    assert rounds.canary().found
    assert told == [20.0, 40.0]
    assert [one.budget for one in rounds.asked] == [40.0, 20.0]


@pytest.mark.parametrize("numbers", [
    (compared(left="1 whole blocks of rounds, and 5 that other processes disturbed"),),
    (compared(-0.01, 0.03, left_out=2),),
    (compared(), compared(left="0 whole blocks of rounds, and 2 that other processes disturbed")),
])  # fmt: skip
def test_a_machine_that_others_disturb_is_no_broken_gate_and_no_proof_of_it(
    monkeypatch: pytest.MonkeyPatch, numbers: Any
) -> None:
    found = Rounds(monkeypatch, *numbers).canary()
    assert (found.found, found.skipped, found.is_missed) == (False, True, False)
    assert "other process" in found.said


def test_a_quiet_machine_on_which_it_is_not_seen_is_a_broken_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    for numbers, blocks in (((compared(-0.01, 0.03),), 3), ((compared(), compared(0.01)), 3), ((compared(),), 1)):
        assert Rounds(monkeypatch, *numbers, blocks=blocks).canary().is_missed


def test_a_canary_whose_time_was_over_before_it_was_seen_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    more = "; the 40 s that it may take, 40% of the budget, leave no time for more than 3 blocks, twice; give the night more time with --budget"
    for over, end in ((True, more), (False, "%]")):
        found = Rounds(monkeypatch, compared(-0.01, 0.03), over=over).canary()
        assert found.is_missed
        assert found.said.endswith(end), found.said
    assert more not in Rounds(monkeypatch, compared(-0.01, 0.03, left_out=2), over=True).canary().said, "it is skipped"


def test_a_baseline_without_a_number_of_quality_proves_nothing() -> None:
    located: Any = None
    found = night_canary._quality(asked_of(), [], random.Random(1), located, located)
    assert (found.skipped, found.said) == (True, "the baseline has no number of quality to put it on")


@pytest.mark.slow
def test_a_night_on_a_machine_that_others_disturb_exits_3_and_is_told(bench: Bench, say: Say) -> None:
    night_bench(bench, probes={"generation": GENERATION})
    bench._write("environments.yaml", {
        name: {"python": str(changed_python(bench.configs.parent / name, DISTURBED))} for name in ("old", "new")
    })  # fmt: skip
    words = ["night", "s", "--baseline", "old", "--candidate", "new", "--budget", "25s", "--where", "metric=decode_tps"]
    said = say(bench, *words, "--configs", str(bench.configs))
    record = last_night(bench)
    assert said.code == record.exit_code == 3, said.out
    assert [(one.found, one.skipped) for one in record.canaries] == [(False, True)]
    assert "skipped, another process used the machine" in said.out


@pytest.mark.slow
def test_a_sweep_whose_engines_can_carry_none_has_its_canaries_in_numbers(
    bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    night_bench(bench)
    monkeypatch.setattr(canary, "SLOWED", {})
    for module in (canary, injected, night_canary):
        monkeypatch.setattr(module, "SCORED", ())
    said = night(say, bench)
    record = last_night(bench)
    assert said.code == record.exit_code == 0, said.out
    assert [(one.kind, one.injected, one.found) for one in record.canaries] == [
        ("speed", "numbers", True),
        ("quality", "numbers", True),
    ]
    assert said.out.count("numbers only: the injection was made to the numbers, not in an engine") == 2
    assert list((bench.results / "nights" / "canary" / "runs").glob("*")) == [], "nothing ran for them"


@pytest.mark.slow
def test_a_gate_that_cannot_bite_ends_with_2(bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    night_bench(bench)
    monkeypatch.setattr(night_canary, "SHARE", 1e-6)  # one block, which tells nothing
    issue = bench.configs.parent / "issue.md"
    said = night(say, bench, "--issue", str(issue), budget="60s")
    record = last_night(bench)
    assert said.code == record.exit_code == 2
    assert [(one.kind, one.found) for one in record.canaries] == [("speed", False), ("quality", True)]
    assert "the gate cannot bite" in said.out, record.canaries
    over = "the 6e-05 s that it may take, 0% of the budget, leave no time for more than 1 of 2 blocks, twice; give the night more time with --budget"
    assert record.canaries[0].said == over
    assert f"NOT FOUND, {over}" in said.out
    assert issue.read_text("utf-8").splitlines()[1] == "<!-- state: open -->"
