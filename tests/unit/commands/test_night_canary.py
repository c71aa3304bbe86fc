"""Canaries are run as all else is and apart from it; one that is not found makes the night end with 2."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from harness.commands import night_canary
from harness.commands.night_rounds import NightReading
from harness.comparing.gate import Gate
from harness.plan.expand import Plan
from harness.runner.opened import OpenWorkspace
from tests.fake_machine import Bench, Say
from tests.unit.commands.night_bench import last_night, night, night_bench

pytestmark = pytest.mark.timeout(280)


def test_canaries_stay_out_of_a_database_that_others_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared.db"
    monkeypatch.setenv("HARNESS_DB", str(shared))
    database: Any = SimpleNamespace(known_artifacts=dict)
    unused: Any = None
    opened = OpenWorkspace(tmp_path, database, unused, {}, unused)
    nobody = night_canary.CanaryNight(Plan("s", ()), "old", opened, {}, Gate(), 1, NightReading({}, ""), 1, Console())
    folder = night_canary.canary_folder(tmp_path, anew=True)
    assert night_canary.run_canaries(nobody, (), folder, 1.0, 2) == []
    assert not shared.exists()
    assert [path.name for path in folder.glob("*.db")] == ["bench.db"]


@pytest.mark.slow
def test_a_gate_that_cannot_bite_ends_with_2(bench: Bench, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    night_bench(bench)
    monkeypatch.setattr(night_canary, "SHARE", 1e-6)  # one block, which tells nothing
    issue = bench.configs.parent / "issue.md"
    said = night(say, bench, "--issue", str(issue))
    record = last_night(bench)
    assert said.code == record.exit_code == 2
    assert [(one.kind, one.found) for one in record.canaries] == [("speed", False), ("quality", True)]
    assert "the gate cannot bite" in said.out
    assert (
        "NOT FOUND, the 6e-05 s that it may take, 0% of the budget, were over after 1 of 2 blocks; give the night more time with --budget"
        in said.out
    )
    assert issue.read_text("utf-8").splitlines()[1] == "<!-- state: open -->"
