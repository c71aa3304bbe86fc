"""High-water marks of memory, and the sampler beside a process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import nvml, process_memory
from tests.unit.test_nvml import Process, Recorded


def test_a_sampler_keeps_the_highest_and_counts_one_process_alone() -> None:
    nvml: Any = Recorded()
    seen = process_memory.sample(nvml, 17, process_memory.GpuMemory())
    assert seen == process_memory.GpuMemory(
        process=500_000_000, device=603_000_000, device_before=603_000_000, samples=1
    )
    nvml.used, nvml.processes = (100, 100), (Process(17, 5),)
    later = process_memory.sample(nvml, 17, seen)
    assert later == process_memory.GpuMemory(
        process=500_000_000, device=603_000_000, device_before=603_000_000, samples=2
    )


@pytest.mark.parametrize("processes", [(), (Process(17, None),), (Process(99, 5),)])
def test_a_process_that_nvml_does_not_count_has_no_memory_rather_than_none_used(processes: Any) -> None:
    nvml: Any = Recorded()
    nvml.processes = processes
    assert process_memory.sample(nvml, 17, process_memory.GpuMemory()).process is None


def test_the_sampler_runs_beside_this_process_and_ends_when_told() -> None:
    sampler = process_memory.MemorySampler().start()
    child = sampler.child
    assert child is not None
    assert child.pid != os.getpid()
    found = sampler.stop()
    assert child.poll() == 0
    assert sampler.stop() == found
    if nvml.open_nvml() is None:
        assert found == process_memory.GpuMemory()


def test_a_sampler_that_dies_costs_its_numbers_alone(tmp_path: Path) -> None:
    script = tmp_path / "dies.py"
    script.write_text("print('ready')", encoding="utf-8")
    sampler = process_memory.MemorySampler(command=(sys.executable, str(script))).start()
    assert sampler.stop() == process_memory.GpuMemory()


def test_the_high_water_mark_of_memory_never_falls() -> None:
    before = process_memory.peak_rss_bytes()
    block = bytearray(64 << 20)
    block[:: 1 << 12] = b"x" * len(block[:: 1 << 12])
    high = process_memory.peak_rss_bytes()
    del block
    slack = 4 << 20  # the kernel adds its per-processor counters up only now and then
    assert high >= before - slack
    assert process_memory.peak_rss_bytes() >= high - slack > 10 << 20
