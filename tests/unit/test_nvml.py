"""GPUs as NVML tells them, from recorded answers."""

from __future__ import annotations

from dataclasses import dataclass

from harness import nvml


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
