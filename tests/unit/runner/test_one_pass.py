"""A sweep runs each candidate once over a text: perplexity takes the pass of the comparison, whichever stands first in the file."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from harness.commands.machine import open_workspace, plan_sweep
from harness.engines.fake import FakeSession
from harness.runner.loop import execute
from tests.fake_machine import Bench
from tests.in_process import InProcess

WINDOWS = {"window": 64, "stride": 32, "tokens": 256}


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Counter[float]:
    """Passes over the first window of a text, by the noise of the artifact."""
    found: Counter[float] = Counter()
    scored = FakeSession.logprobs

    def counted(self: FakeSession, ids: Any, positions: Any) -> Any:
        if len(ids) == WINDOWS["window"] and list(positions) == list(range(WINDOWS["window"] - 1)):
            found[self._noise] += 1
        return scored(self, ids, positions)

    monkeypatch.setattr(FakeSession, "logprobs", counted)
    return found


@pytest.mark.parametrize(
    ("form", "of_baseline", "first", "slots"),
    [
        ("auto", 2, "perplexity", 1),
        ("auto", 2, "kl_divergence", 1),
        ("auto", 2, "perplexity", 4),
        ("live", 3, "perplexity", 1),
    ],
)
def test_perplexity_takes_the_pass_of_the_comparison_for_candidates_and_the_baseline(
    bench: Bench, passes: Counter[float], form: str, of_baseline: int, first: str, slots: int
) -> None:
    """The baseline runs for its stored reference and as a candidate of its own; live beside each candidate, itself among them."""
    work = {**WINDOWS, "text": str(bench.text)}
    probes = {"perplexity": work, "kl_divergence": {**work, "form": form, "reference": {"method": "fp32"}}}
    bench.sweep(method=["int4", "fp32"], probes={name: probes[name] for name in sorted(probes, key=first.__ne__)})
    with ExitStack() as stack:
        planned = plan_sweep("s", bench.workspace)
        executor = InProcess().executor(slots=slots)
        list(execute(planned.plan, replace(open_workspace(planned, stack), executor=executor)))
    assert passes == {0.1: 1, 0.0: of_baseline}
    said: dict[str, list[tuple[str, set[str]]]] = {}
    for path in sorted(bench.results.glob("runs/*/outcome.json")):
        outcome = json.loads(path.read_text("utf-8"))
        assert outcome["status"] == "ok", outcome["reason"]
        notes = {note["code"] for note in outcome["notes"]}
        said.setdefault(outcome["job"]["spec"].get("probe"), []).append((outcome["job"]["labels"]["method"], notes))
    assert ["one-pass" in notes for _, notes in said["perplexity"]] == [True, True]
    assert {method for method, notes in said["kl_divergence"] if "under-floor" in notes} == {"fp32"}
