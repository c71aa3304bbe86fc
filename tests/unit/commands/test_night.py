"""`harness night` as a person meets it; rounds are of an engine that computes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from harness.commands import night as command
from harness.commands.fresh import refresh
from harness.commands.machine import CheckedSweep, known_names
from harness.commands.workspace import Workspace
from harness.night.files import NIGHTS, read_nights, write_night
from harness.night.record import NightNumber, NightRecord
from harness.plan.sweep import Sweep
from harness.store.files import read_session
from tests.fake_machine import Bench, Say
from tests.unit.commands.night_bench import last_night, night, night_bench
from tests.unit.commands.wheels import wheel
from tests.unit.night.numbers import FOUND, number
from tests.unit.night.test_causes import slower

pytestmark = [pytest.mark.alone, pytest.mark.timeout(280)]


def test_a_night_of_the_same_twice_exits_0_and_finds_its_canaries(
    bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    night_bench(bench)
    real, left = command.main_numbers, list[float]()
    monkeypatch.setattr(command, "main_numbers", lambda *given: (left.append(given[-1]), real(*given))[1])
    files = [bench.configs.parent / name for name in ("issue.md", "junit.xml", "summary.md")]
    files[2].write_text("before\n", "utf-8")
    said = night(say, bench, "--issue", str(files[0]), "--junit", str(files[1]), "--summary", str(files[2]))
    (record,) = read_nights(bench.results / NIGHTS).records
    assert said.code == record.exit_code == 0, said.out
    assert left[0] < record.budget, "canaries took of the budget"
    assert record.used > record.budget - left[0]
    assert [(one.kind, one.found) for one in record.canaries] == [("speed", True), ("quality", True)]
    assert {one.word for one in record.numbers} == {"same"}
    assert files[0].read_text("utf-8").splitlines()[1] == "<!-- state: closed -->"
    assert ET.parse(files[1]).getroot()[0].get("errors") == "0"
    assert files[2].read_text("utf-8") == f"before\n{said.out.rstrip(chr(10))}\n"
    sessions = [read_session(path) for path in bench.results.glob("sessions/*.json")]
    assert len(sessions) == 2
    assert all(one.chosen for one in sessions), "none of them is the sweep's newest whole session"
    runs = bench.frame({}, ["engine", "run"])
    assert "canary" not in set(runs["engine"]), "its runs are in no database of others"
    assert not [one for one in bench.results.glob("runs/*/outcome.json") if '"canary"' in one.read_text("utf-8")]


def test_reports_name_no_folder_of_the_machine_and_other_nights_of_the_folder_stay_apart(
    bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    night_bench(bench)
    (bench.configs / "acknowledged.yaml").write_text("- {metric: ttft, cause: a link, since: 2999-01-01}\n", "utf-8")
    lacking = number("missing", series="m", why=f"{bench.results}/artifacts/b-1 is gone")
    found = [(number("worse"), lacking), (number(), number("same", series="m"))]
    monkeypatch.setattr(
        command._Night, "all", lambda self, sides: self.record.model_copy(update={"numbers": found.pop(0)})
    )
    first = night(say, bench)
    record = last_night(bench)
    assert (first.code, record.exit_code, len(record.open)) == (1, 1, 1), first.err
    assert str(bench.configs.parent) not in first.out
    assert "artifacts/b-1 is gone" in first.out
    assert "acknowledged.yaml:1: it counts from 2999-01-01 on" in first.out
    for path in (bench.results / NIGHTS).glob("*.json"):
        assert str(bench.configs.parent) not in path.read_text("utf-8")
    other = record.model_copy(update={"night": "20261128-bbbbbb", "number": 2, "sweep": "other", "open": ()})
    write_night(bench.results / NIGHTS, other)
    assert night(say, bench).code == 0
    assert [one.name for one in last_night(bench).closed] == [record.open[0].name], (
        "of the same sweep, not of the last night"
    )


def measuring(monkeypatch: pytest.MonkeyPatch, *found: NightNumber) -> None:
    """Let nights measure these numbers, one a night."""
    left = list(found)

    def measured(self: Any, sides: object) -> NightRecord:
        more = {"numbers": (left.pop(0),), "sessions": {"main": "s1"}, "canaries": FOUND}
        record: NightRecord = self.record.model_copy(update=more)
        return record

    monkeypatch.setattr(command._Night, "all", measured)


def test_an_acknowledged_change_hides_no_larger_one(bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    night_bench(bench)
    entry = "- {metric: decode_tps, cause: a link, since: 2020-01-01}\n"
    (bench.configs / "acknowledged.yaml").write_text(entry, "utf-8")
    measuring(monkeypatch, slower(-0.06), slower(-0.065), slower(-0.6))
    assert [night(say, bench).code for _ in range(3)] == [0, 0, 1]
    assert [one.name for one in last_night(bench).open] == [last_night(bench).numbers[0].name]


def test_an_alarm_that_rests_on_void_rounds_is_closed_and_told(
    bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    night_bench(bench)
    measuring(monkeypatch, number("worse"), number("cannot tell"), number("cannot tell"))
    assert night(say, bench).code == 1
    monkeypatch.setattr(command, "void_rounds", lambda nights, database: {"s1": "fan"})
    said = night(say, bench)
    assert said.code == 0, said.err
    assert "do not count, they are void: fan" in said.out
    assert "the rounds that showed it are void" in said.out
    assert night(say, bench).code == 0
    assert last_night(bench).closed == ()


def test_what_no_side_can_run_is_told() -> None:
    refused = {"tiny int4 ort-genai": "old cannot run it here: it needs a GPU"}
    assert command.neither(refused) == [
        "tiny int4 ort-genai: neither side can run it here (old cannot run it here: it needs a GPU)"
    ]


def test_a_version_that_could_not_be_had_is_on_the_record(nights: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (nights.root / "dist").mkdir()
    path = wheel(nights.root / "dist")
    text = "base: {on: cpu, wheel: dist/*.whl, refresh: each-run}\n"
    (nights.root / "configs" / "environments.yaml").write_text(text, "utf-8")
    asked: list[str] = []

    def prepare(checked: CheckedSweep, say: Callable[[str], None], *, make: bool, lacking: list[str]) -> float:
        assert make
        for _ in range(2):
            refresh({"base": checked.catalogue.environments["base"]}, checked.workspace, say)
            path.unlink(missing_ok=True)
        lacking.append("environment other cannot be made")
        return 0.0

    monkeypatch.setattr(command, "prepare", prepare)
    checked = CheckedSweep(nights, Sweep("s", Path("s.yaml"), ()), known_names(nights))
    told = command._prepared(checked, asked.append)
    assert len(told) == 2
    assert told[0].startswith("environment base is not refreshed (there is no wheel dist/*.whl); base-")
    assert told[1] == "environment other cannot be made"
    assert len(asked) == 2, "what went well is said, and is not on the record"
