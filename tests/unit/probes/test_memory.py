"""Memory beside the clock: whose counter was read, and high-water marks of each workload."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness import process_memory
from harness.core.seam import Context
from harness.core.sessions import GenerationWorkload
from harness.probes import generation, high_water, memory
from tests.unit.probes.clockwork import Clockwork


def test_memory_is_read_under_the_source_that_counted_it() -> None:
    trace = Clockwork(peak_torch_bytes=300).generate(GenerationWorkload(1, ((2,),), 3, 0, 1), lambda share: None)
    seen = process_memory.GpuMemory(process=100, device=200, device_before=50, samples=9)
    found = {(reading.metric, reading.source): reading.value for reading in high_water.gpu_values(trace, seen)}
    assert found[("peak_gpu_bytes", "nvml-process")] == 100
    assert found[("peak_gpu_bytes", "device")] == 200
    assert found[("peak_torch_bytes", "torch")] == 300


def test_a_process_that_nvml_does_not_show_is_noted_not_guessed() -> None:
    trace = Clockwork().generate(GenerationWorkload(1, ((2,),), 3, 0, 1), lambda share: None)
    seen = process_memory.GpuMemory(process=None, device=200, samples=3)
    assert "nvml-process" not in {reading.source for reading in high_water.gpu_values(trace, seen)}
    assert [note.code for note in high_water.gpu_notes(seen)] == ["gpu-process-unseen"]
    assert high_water.gpu_notes(None) == ()


def test_nothing_polls_while_the_clock_runs() -> None:
    class Sampler:
        stopped_at: float | None = None

        def stop(self) -> None:
            self.stopped_at = self.stopped_at or shares[-1]

    shares: list[float] = []
    sampler = Sampler()
    work = GenerationWorkload(1, ((2,),), 3, warmups=2, repetitions=3)
    around = generation.Around(Context(folder=Path()), work, sampler, high_water.MainMemory({}))  # type: ignore[arg-type]
    for number in range(6):
        shares.append(number / 5)
        around.tell(number / 5)
    assert sampler.stopped_at == 0.4
    assert len(around.watch.marks) == 1 + 3, "after the last warm-up and after each repetition"


def test_the_memory_probe_runs_the_work_once_and_reads_the_high_water_marks() -> None:
    session = Clockwork()
    findings = memory.PROBE.measure(session, memory.MemoryOptions(batch=2, prompt=9, output=4), Context(folder=Path()))
    assert session.work is not None
    assert (session.work.batch, len(session.work.prompt_ids[0]), session.work.output) == (2, 9, 4)
    assert (session.work.warmups, session.work.repetitions) == (0, 1)
    assert [(reading.metric, reading.source) for reading in findings.values] == [("peak_rss_bytes", "rss")]
    assert findings.protocol.name == "memory-generation"
    assert memory.PROBE.own_process


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="this system cannot reset a high-water mark")
def test_each_workload_of_a_process_has_its_own_high_water_mark_of_main_memory() -> None:
    shared: dict[str, Any] = {high_water.BEFORE_OPENING: process_memory.rss_bytes()}
    peaks = []
    for megabytes in (200, 1):
        marks = high_water.MainMemory(shared)
        marks.opened()
        block = np.ones(megabytes << 20, dtype=np.uint8)
        del block
        found = {reading.metric: reading.value for reading in marks.values()}
        assert marks.facts["peak_rss_over"] == "opening and this workload"
        peaks.append(found["peak_rss_bytes"])
        assert found["peak_rss_increment_bytes"] == pytest.approx(max(0, peaks[-1] - shared[high_water.BEFORE_OPENING]))
    first = shared["peak_rss_of_opening"]
    assert peaks[0] >= process_memory.rss_bytes() + (150 << 20) or peaks[0] == first
    assert peaks[1] <= max(first, process_memory.rss_bytes() + (20 << 20))


@pytest.mark.parametrize(("session", "gpus"), [
    (SimpleNamespace(provider="cuda"), (0,)), (SimpleNamespace(provider="cuda", place=1), (1,)), (SimpleNamespace(provider="dml"), None),
])  # fmt: skip
def test_the_gpu_that_a_session_runs_on_is_watched_and_no_other(
    session: Any, gpus: tuple[int, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(high_water.nvml, "open_nvml", object)
    monkeypatch.setattr(process_memory.MemorySampler, "start", lambda self: self)
    sampler = high_water.start_sampler(session)
    assert sampler is not None
    assert sampler.gpus == gpus
