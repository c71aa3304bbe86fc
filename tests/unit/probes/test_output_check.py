"""Three cheats, an early end, and honest engines: what scoring an engine's own output finds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.seam import Context, ProbeResult
from harness.core.sessions import GenerationWorkload, Trace
from harness.engines import fake
from harness.probes.output_check import PROBE, OutputCheckOptions
from tests.fake_machine import Bench


@contextmanager
def faked(tmp_path: Path, **options: Any) -> Iterator[Any]:
    (tmp_path / "noise.txt").write_text("0.01", "utf-8")
    with fake.ENGINE.open(tmp_path, fake.FakeEngineOptions(step_seconds=0.0, **options)) as session:
        yield session


def checked(session: Any, tmp_path: Path, **options: Any) -> ProbeResult:
    return PROBE.measure(session, OutputCheckOptions(**options), Context(folder=tmp_path))


def codes(findings: ProbeResult) -> list[str]:
    return [note.code for note in findings.notes]


def test_an_honest_engine_ranks_all_its_tokens_first(tmp_path: Path) -> None:
    with faked(tmp_path) as session:
        findings = checked(session, tmp_path, batch=2, prompt=300, output=20)
    assert codes(findings) == [], findings.notes
    assert findings.values[0].value == 1.0
    assert findings.values[0].samples.shape == (2, 20)
    assert np.abs(findings.arrays["output_gaps"]).max() == 0


@pytest.mark.parametrize("cheat", ["constant", "shallow", "replay"])
def test_a_cheat_is_found_by_scoring_what_it_returns(tmp_path: Path, cheat: str) -> None:
    with faked(tmp_path, cheat=cheat) as session:
        findings = checked(session, tmp_path, batch=2, prompt=16, output=50)
    assert codes(findings) == ["output-differs"]
    assert findings.protocol.facts["clearly_below"] > 0.01
    assert "when the artifact itself scores them" in findings.notes[0].text


def test_an_early_end_is_no_output(tmp_path: Path) -> None:
    with faked(tmp_path, cheat="early") as session, pytest.raises(HarnessError, match="generated"):
        checked(session, tmp_path, prompt=16, output=50)


def test_a_few_tokens_that_are_nearly_the_likeliest_are_no_difference(tmp_path: Path) -> None:
    """Arithmetic differs a little between reading a text at once and token by token."""

    class Near(fake.FakeSession):
        def generate(self, workload: GenerationWorkload, progress: Callable[[float], None]) -> Trace:
            trace = super().generate(workload, progress)
            assert trace.ids is not None
            trace.ids[..., -1] = 0
            return trace

    (tmp_path / "noise.txt").write_text("0.01", "utf-8")
    session = Near(0.01, fake.FakeEngineOptions(step_seconds=0.0), 0.0)
    assert codes(checked(session, tmp_path, prompt=16, output=200)) == [], "one of 200 is half a percent"
    assert codes(checked(session, tmp_path, prompt=16, output=50)) == ["output-differs"], "one of 50 is two"


def test_an_engine_that_does_not_tell_its_tokens_is_told_so(tmp_path: Path) -> None:
    class Silent(fake.FakeSession):
        def generate(self, workload: GenerationWorkload, progress: Callable[[float], None]) -> Trace:
            trace = super().generate(workload, progress)
            return Trace(trace.prefill, trace.first_token, trace.steps, trace.total)

    with pytest.raises(HarnessError, match="does not tell which tokens"):
        checked(Silent(0.01, fake.FakeEngineOptions(), 0.0), tmp_path, prompt=16, output=5)


def _speed(bench: Bench) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text("utf-8")) for path in (bench.results / "runs").glob("*/outcome.json")]
    return [one for one in found if one["job"]["kind"] == "speed"]


PROBES = {"generation": {"prompt": 8, "output": 8, "warmup": 0, "repetitions": 1}}


def test_every_speed_result_of_a_cheat_is_marked_also_where_the_check_is_known_from_before(bench: Bench) -> None:
    bench.sweep(
        method="fp32",
        rounds=2,
        precision=None,
        probes=PROBES,
        engine={"fake": {"cheat": "constant"}},
        skip=[{"method": "int8"}],
    )
    for command in (1, 2):
        events = bench.run()
        assert len(_speed(bench)) == 2 * command
        marks = [[note["code"] for note in one["notes"]] for one in _speed(bench)]
        assert all("output-differs" in codes for codes in marks), marks
        ran = [
            event.job.spec.probe
            for event in events
            if event.what == "done" and event.job and event.job.kind == "quality"
        ]
        assert ran == (["output_check"] if command == 1 else [])


def test_an_honest_one_is_not_marked_and_other_tokens_than_those_checked_are(bench: Bench) -> None:
    bench.sweep(method="fp32", rounds=1, probes=PROBES, skip=[{"method": "int8"}])
    bench.run()
    (honest,) = _speed(bench)
    assert "output-differs" not in {note["code"] for note in honest["notes"]}
    assert honest["job"]["output"] == honest["protocol"]["facts"]["output_sha256"]


def test_a_check_that_fails_blocks_nothing_and_is_told(bench: Bench) -> None:
    bench.sweep(method="fp32", rounds=1, probes=PROBES, engine={"fake": {"cheat": "early"}}, skip=[{"method": "int8"}])
    events = bench.run()
    became = {event.job.kind: event.status for event in events if event.what == "done" and event.job}
    assert became == {"build": "ok", "quality": "failed", "speed": "failed"}, (
        "the same early end is no measurement either"
    )
    (speed,) = _speed(bench)
    assert "output-unchecked" in {note["code"] for note in speed["notes"]}
