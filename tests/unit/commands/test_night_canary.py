"""Canaries are run as all else is and apart from it; one that is not found makes the night end with 2."""

from __future__ import annotations

import pytest

from harness.commands import night_canary
from tests.fake_machine import Bench, Say
from tests.unit.commands.night_bench import last_night, night, night_bench

pytestmark = [pytest.mark.timeout(280), pytest.mark.slow]


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
