"""Memory high-water marks of one workload in a process that may serve several: main memory and GPUs, by source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import nvml, process_memory
from harness.core.seam import MetricValue
from harness.core.sessions import OnGpu, Session, Trace
from harness.core.spec import JsonObject, Note

if TYPE_CHECKING:
    from harness.process_memory import GpuMemory, MemorySampler

BEFORE_OPENING = "rss_before_opening"
"""Under this name the worker leaves what it held in memory just before it opened the artifact."""
_OPENING = "peak_rss_of_opening"


class MainMemory:
    """Follows the high-water mark of one workload. `shared` lives as long as the opened artifact."""

    def __init__(self, shared: dict[str, object]) -> None:
        self._shared = shared
        self._reset = False
        self._begun = False

    def opened(self) -> None:
        """Note that the artifact is open and the workload begins: keep the mark of opening, and begin a new one."""
        if self._begun:
            return
        self._begun = True
        self._shared.setdefault(_OPENING, process_memory.peak_rss_bytes())
        self._reset = process_memory.reset_peak_rss()

    def values(self) -> list[MetricValue]:
        """Read the highest resident set, opening the artifact included, and how far it is above the one before opening."""
        opening, before = self._shared.get(_OPENING), self._shared.get(BEFORE_OPENING)
        peak = max(process_memory.peak_rss_bytes(), opening if isinstance(opening, int) else 0)
        found = [count("peak_rss_bytes", peak, "rss")]
        if isinstance(before, int):
            found.append(count("peak_rss_increment_bytes", max(0, peak - before), "rss"))
        return found

    @property
    def facts(self) -> JsonObject:
        """Say over which time the mark is the highest, and what the process held before it opened the artifact."""
        over = "opening and this workload" if self._reset else "the process so far, smaller workloads included"
        return {"peak_rss_over": over, BEFORE_OPENING: self._shared.get(BEFORE_OPENING)}


def count(metric: str, number: int, source: str) -> MetricValue:
    """Make a reading of one count of bytes."""
    import numpy as np

    return MetricValue(
        metric=metric, value=float(number), samples=np.asarray([number], dtype=np.float64), source=source
    )


def gpu_values(trace: Trace, gpu: GpuMemory | None) -> list[MetricValue]:
    """Read memory high-water marks of GPUs, each under the source that counted it."""
    found = []
    if trace.peak_torch_bytes is not None:
        found.append(count("peak_torch_bytes", trace.peak_torch_bytes, "torch"))
    if gpu is not None and gpu.process is not None:
        found.append(count("peak_gpu_bytes", gpu.process, "nvml-process"))
    if gpu is not None and gpu.device is not None:
        found.append(count("peak_gpu_bytes", gpu.device, "device-used" if gpu.partial else "device"))
    return found


def start_sampler(session: Session) -> MemorySampler | None:
    """Begin to watch GPU memory where the session runs on a GPU that a driver shows."""
    if session.provider.startswith("cpu") or nvml.open_nvml() is None:
        return None
    first = (session.place if isinstance(session, OnGpu) else 0,)
    return process_memory.MemorySampler(gpus=first if session.provider in nvml.CUDA_PROVIDERS else None).start()


def gpu_notes(memory: GpuMemory | None) -> tuple[Note, ...]:
    """Say where per-process memory could not be had."""
    if memory is None or memory.process is not None:
        return ()
    text = (
        "NVML did not count this process by itself (as in a container or under WDDM); only device-wide memory is given"
    )
    return (Note(code="gpu-process-unseen", text=text),)
