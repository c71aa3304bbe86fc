from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import host, nvml, process_memory


class NotSupported(Exception):
    pass


@dataclass
class Memory:
    total: int
    used: int


@dataclass
class Process:
    pid: int
    usedGpuMemory: int | None


class Recorded:
    """Answers that NVML gave on a machine with two T4s (bytes or str as older and newer bindings give them)."""

    NVML_CLOCK_GRAPHICS, NVML_CLOCK_MEM = 0, 2
    used = (600_000_000, 3_000_000)
    processes: tuple[Process, ...] = (Process(17, 500_000_000), Process(18, 90_000_000))

    def nvmlSystemGetDriverVersion(self) -> bytes:
        return b"550.54.15"

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:
        return 12040

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> str:
        return "Tesla T4"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Memory:
        return Memory(16_106_127_360, self.used[handle])

    def nvmlDeviceGetCudaComputeCapability(self, handle: int) -> tuple[int, int]:
        return (7, 5)

    def nvmlDeviceGetPersistenceMode(self, handle: int) -> int:
        raise NotSupported

    def nvmlDeviceGetClockInfo(self, handle: int, kind: int) -> int:
        return {0: 585, 2: 5000}[kind]

    def nvmlDeviceGetMaxClockInfo(self, handle: int, kind: int) -> int:
        return {0: 1590, 2: 5001}[kind]

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> tuple[Process, ...]:
        return self.processes if handle == 0 else ()


def test_gpus_are_described_and_what_a_driver_does_not_tell_is_left_out() -> None:
    gpu, other = nvml.gpus(Recorded())
    assert gpu == other
    assert (gpu.name, gpu.driver, gpu.compute, gpu.memory_bytes) == ("Tesla T4", "550.54.15", "7.5", 16_106_127_360)
    assert gpu.clocks_mhz == {"graphics": 585, "memory": 5000, "graphics-max": 1590, "memory-max": 5001}
    assert gpu.persistence is None
    assert nvml._cuda(Recorded()) == "12.4"


def test_without_a_driver_there_are_no_gpus_and_no_error() -> None:
    assert nvml.gpus(None) == ()
    assert nvml._cuda(None) is None


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


def test_an_environment_names_packages_machine_and_harness() -> None:
    found = host.environment("cpu")
    assert found.name == "cpu"
    assert found.packages["numpy"].split(".")[0].isdigit()
    assert found.cores >= 1
    assert found.memory_bytes > 1 << 28
    assert len(found.machine_id) == 12
    assert found.machine_id == host.machine_id()
    assert host.facts(found).packages == found.packages
    assert found.harness[0].isdigit()


def test_a_package_from_a_repository_is_known_by_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "a_fork-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a_fork\nVersion: 1.0\n")
    (info / "direct_url.json").write_text('{"url": "x", "vcs_info": {"vcs": "git", "commit_id": "0123456789abcdef"}}')
    monkeypatch.syspath_prepend(str(tmp_path))
    assert host.packages()["a-fork"] == "1.0@0123456789ab"


def test_the_high_water_mark_of_memory_never_falls() -> None:
    before = process_memory.peak_rss_bytes()
    block = bytearray(64 << 20)
    block[:: 1 << 12] = b"x" * len(block[:: 1 << 12])
    high = process_memory.peak_rss_bytes()
    del block
    slack = 4 << 20  # the kernel adds its per-processor counters up only now and then
    assert high >= before - slack
    assert process_memory.peak_rss_bytes() >= high - slack > 10 << 20


def test_package_identity_keeps_the_build_and_leaves_out_what_is_absent() -> None:
    from harness.core.seam import Facts
    from harness.plan.keys import package_identity

    there = Facts({"torch": "2.13.0+cpu", "bitsandbytes": "0.45.0@abc"}, "Linux")
    assert package_identity(["torch", "BitsAndBytes", "nothing"], there) == {
        "bitsandbytes": "0.45.0@abc",
        "torch": "2.13.0+cpu",
    }
