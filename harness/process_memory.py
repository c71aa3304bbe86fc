"""Memory of a process: high-water marks of the system's, and a sampler of what its GPUs hold for it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from harness.nvml import ask, gpu_uuids, open_nvml


def peak_rss_bytes() -> int:
    """Return the highest resident set of this process since it began, as the system kept it; exact to about 1 MB."""
    try:
        for line in Path("/proc/self/status").read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):  # unlike ru_maxrss, not inherited from the parent
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import psutil

    now = psutil.Process().memory_info()
    if hasattr(now, "peak_wset"):
        return int(now.peak_wset)
    import resource

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # macOS counts in bytes


def rss_bytes() -> int:
    """Return the resident set of this process now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def reset_peak_rss() -> bool:
    """Let the highest resident set begin anew from what is held now; False where the system cannot (all but Linux).

    Source: Linux, proc(5): writing 5 to /proc/PID/clear_refs resets VmHWM.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    except OSError:
        return False
    return peak_rss_bytes() <= rss_bytes() + (4 << 20)


@dataclass(frozen=True)
class GpuMemory:
    """What a sampler saw, in bytes; None where it saw nothing."""

    process: int | None = None
    """Highest sum over GPUs that NVML counted for the process."""
    device: int | None = None
    """Highest sum over the GPUs that the work uses, whoever holds it."""
    device_before: int | None = None
    """The same sum at the first sample."""
    samples: int = 0
    partial: bool = False
    """Whether the machine has further GPUs, which the device's sums leave out."""


FIRST_SAMPLE_SECONDS = 60.0
"""Within which a driver must have answered once; else the memory of its GPUs stays unknown."""


@dataclass
class MemorySampler:
    """Polls NVML for one process, from another one, so that the measured one is not disturbed.

    It ends when it is stopped or when this process does. Where there is no GPU it does nothing.
    """

    pid: int = field(default_factory=os.getpid)
    interval_seconds: float = 0.02
    gpus: tuple[int, ...] | None = None
    """Places of the GPUs that the work uses among those that it may see; None: nobody knows, and all count."""
    command: tuple[str, ...] = (sys.executable, "-m", "harness.process_memory")
    child: subprocess.Popen[str] | None = None
    found: GpuMemory = GpuMemory()

    def start(self) -> MemorySampler:
        """Begin to sample; returns once the first sample is taken."""
        self.child = subprocess.Popen(
            [*self.command, str(self.pid), str(self.interval_seconds), ",".join(map(str, self.gpus or ()))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        assert self.child.stdout is not None
        begun = threading.Thread(target=self.child.stdout.readline, daemon=True)
        begun.start()
        begun.join(timeout=FIRST_SAMPLE_SECONDS)
        if begun.is_alive():  # a driver that does not answer: memory stays unknown, and the measurement goes on
            self.child.kill()
        return self

    def stop(self) -> GpuMemory:
        """End sampling and return what was seen; a second call returns the same."""
        if self.child is None:
            return self.found
        child, self.child = self.child, None
        try:
            answer, _ = child.communicate(timeout=10)
            self.found = GpuMemory(**json.loads(answer))
        except (subprocess.TimeoutExpired, ValueError):
            child.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=10)
        return self.found


def sample(nvml: Any, pid: int, before: GpuMemory, used: Sequence[object] | None = None) -> GpuMemory:
    """Take one sample and fold it into what was seen before. used: handles of the GPUs whose whole memory counts; None: all of them."""
    every = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    memory = [ask(nvml.nvmlDeviceGetMemoryInfo, handle) for handle in (every if used is None else used)]
    whole = [int(one.used) for one in memory if one is not None]
    running = [one for handle in every for one in ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle) or ()]
    mine = [int(one.usedGpuMemory) for one in running if one.pid == pid and one.usedGpuMemory is not None]
    device = sum(whole) if whole else None
    return GpuMemory(
        process=_highest(before.process, sum(mine) if mine else None),
        device=_highest(before.device, device),
        device_before=before.device_before if before.samples else device,
        samples=before.samples + 1,
        partial=used is not None and len(used) < len(every),
    )


def free_gpu_bytes(places: Sequence[int]) -> int | None:
    """Return the bytes that are free on the fullest of the GPUs at these places among those that CUDA shows; None where nobody can say."""
    nvml = open_nvml()
    used = () if nvml is None else _used(nvml, places, os.environ)
    memory = [ask(nvml.nvmlDeviceGetMemoryInfo, handle) for handle in used] if nvml is not None else []
    return min((int(one.free) for one in memory if one is not None), default=None)


def _used(nvml: Any, places: Sequence[int], variables: Mapping[str, str]) -> tuple[object, ...]:
    """Find GPUs by their places among those that CUDA_VISIBLE_DEVICES lets a program see; an entry that names none ends that list. No places: all GPUs.

    Numbers are taken in NVML's order, that of the bus, which is CUDA's where GPUs are alike or CUDA_DEVICE_ORDER is PCI_BUS_ID; elsewhere all GPUs count.
    Source: NVIDIA, CUDA C++ Programming Guide, environment variables.
    """
    every = tuple(nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount()))
    said = variables.get("CUDA_VISIBLE_DEVICES")
    unlike = len({str(ask(nvml.nvmlDeviceGetName, handle)) for handle in every}) > 1
    if not places or (unlike and variables.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID"):
        return every
    words = [] if said is None else said.split(",")
    named = takewhile(lambda handle: handle is not None, (_named(nvml, every, word.strip()) for word in words))
    seen = every if said is None else tuple(named)
    return tuple(seen[place] for place in places if place < len(seen))


def _named(nvml: Any, every: Sequence[object], word: str) -> object | None:
    """Find the GPU that an entry names: by number, by the beginning of its UUID, or an instance of one by its whole UUID."""
    if word.isdecimal():
        return every[int(word)] if int(word) < len(every) else None
    if word.startswith("MIG-"):
        found: object = ask(nvml.nvmlDeviceGetHandleByUUID, word)
        return found
    uuids = gpu_uuids(nvml)
    return next((handle for handle, uuid in zip(every, uuids, strict=False) if word and uuid.startswith(word)), None)


def _highest(first: int | None, second: int | None) -> int | None:
    seen = [value for value in (first, second) if value is not None]
    return max(seen) if seen else None


def _watch(pid: int, interval_seconds: float, gpus: Sequence[int]) -> GpuMemory:
    """Sample until standard input ends."""
    over = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    nvml = open_nvml()
    used = () if nvml is None else _used(nvml, gpus, os.environ)
    seen = GpuMemory() if nvml is None else sample(nvml, pid, GpuMemory(), used)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not over.wait(interval_seconds):
        if nvml is not None:
            seen = sample(nvml, pid, seen, used)
    return seen


if __name__ == "__main__":
    places = tuple(int(place) for place in sys.argv[3].split(",") if place)
    memory = _watch(int(sys.argv[1]), float(sys.argv[2]), places)
    sys.stdout.write(json.dumps(memory.__dict__))
