"""High-water marks of memory, and the sampler beside a process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import nvml, process_memory
from tests.unit.test_nvml import NotSupported, Process, Recorded


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


class Four(Recorded):
    """A machine with four GPUs that others use, too."""

    used: Any = (9_000, 1_000, 2_000, 4_000)
    processes: Any = ()

    def nvmlDeviceGetCount(self) -> int:
        return 4

    def nvmlDeviceGetUUID(self, handle: int) -> bytes:
        return f"GPU-{handle}{handle}af".encode()

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> int:
        if uuid != "MIG-1":
            raise NotSupported
        return 1


@pytest.mark.parametrize(("places", "visible", "found"), [
    ((), None, (0, 1, 2, 3)), ((), "1", (0, 1, 2, 3)), ((0,), None, (0,)), ((0, 1), None, (0, 1)), ((0, 1), "3,1,0", (3, 1)),
    ((1,), "2, 3", (3,)), ((0, 1), "GPU-22,GPU-33af", (2, 3)), ((0,), "MIG-1", (1,)), ((0,), "MIG-2", ()), ((0, 1), "2,7,1", (2,)), ((0,), "", ()),
])  # fmt: skip
def test_work_uses_the_gpus_at_its_places_among_those_that_it_may_see(
    places: tuple[int, ...], visible: str | None, found: tuple[int, ...]
) -> None:
    variables = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert process_memory._used(Four(), places, variables) == found


def test_memory_of_gpus_that_the_work_does_not_use_is_not_its_own() -> None:
    told: Any = Four()
    seen = process_memory.sample(told, 17, process_memory.GpuMemory(), (3, 1))
    told.used = (90_000, 6_000, 2_000, 5_000)
    seen = process_memory.sample(told, 17, seen, (3, 1))
    assert (seen.device_before, seen.device) == (5_000, 11_000)
    assert process_memory.sample(told, 17, process_memory.GpuMemory(), ()).device is None


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
