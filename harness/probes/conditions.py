"""What else the machine did while a workload was timed: processors that others used, and the state of its GPUs.

All of it is read between repetitions, never while a timer runs.
"""

from __future__ import annotations

import itertools
import os
import time
from dataclasses import dataclass, field
from typing import Any, TypedDict

from harness import host
from harness.core.spec import Note
from harness.nvml import ask, clocks_mhz, open_nvml
from harness.probes import pace

WINDOW_SECONDS = 1.0
"""Shortest stretch over which the use by others is told: systems count processor time in steps of up to 16 ms."""
REASONS = {
    0x1: "idle",
    0x2: "application clocks",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
    0x100: "display clocks",
}
"""Why a GPU does not run at its highest clock: bits of nvmlDeviceGetCurrentClocksEventReasons (NVML's nvml.h)."""
THROTTLED = frozenset({"hardware slowdown", "software thermal slowdown", "hardware thermal slowdown", "power brake"})
"""Reasons that make a result unstable; at its power cap a GPU runs steadily."""


def limit(cpus: int) -> float:
    """Return how many processors others may use, of `cpus`, before a result counts as disturbed.

    A tenth of a small machine; of a large one 0.2 and a hundredth, which services use: one busy core is beyond it up to
    80 processors.
    """
    return min(0.1 * cpus, 0.2) + 0.01 * cpus


@dataclass(frozen=True)
class Mark:
    """One moment: monotonic seconds, processor seconds of this process and of all, the latter None where nobody counts."""

    wall: float
    own: float
    busy: float | None
    left: float | None = None
    """Processor seconds of this process when it had taken the mark: what that cost is no repetition's."""
    pace: float | None = None
    """Seconds of a fixed computation at this moment."""


class GpuState(TypedDict):
    """What a driver says of one GPU."""

    clocks_mhz: dict[str, int]
    held_back_by: list[str]
    celsius: int | None
    foreign_processes: int | None


class Conditions(TypedDict, total=False):
    """What was found around a workload, as the protocol of a run keeps it."""

    load_average_before: tuple[float, ...] | None
    load_average_after: tuple[float, ...] | None
    foreign_cpus: float
    foreign_cpus_highest: float
    cpus: int
    gpus: dict[str, GpuState]


@dataclass
class Watch:
    """Takes marks around repetitions. `on_gpu`: asks the driver for the state of the GPUs, and does not let them wait for a pace."""

    on_gpu: bool = False
    cpus: tuple[int, ...] = ()
    marks: list[Mark] = field(default_factory=list)
    gpus: list[dict[str, GpuState]] = field(default_factory=list)
    load_before: tuple[float, ...] | None = field(default_factory=host.load_average)
    children: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cpus = self.cpus or usable_cpus()

    def mark(self, *, state: bool = False) -> None:
        """Note this moment; with `state` also what the GPUs and our own children do."""
        wall, own, busy = time.perf_counter(), time.process_time(), busy_seconds(self.cpus)
        if state:
            self.children.append(children_seconds())
            if self.on_gpu:
                self.gpus.append(gpu_state(open_nvml(), os.getpid()))
        paced = None if self.on_gpu else pace.timed()
        self.marks.append(Mark(wall, own, busy, time.process_time(), paced))

    def cpu_seconds(self) -> list[float]:
        """Return processor seconds of this process between neighbouring marks."""
        pairs = itertools.pairwise(self.marks)
        return [after.own - (before.own if before.left is None else before.left) for before, after in pairs]

    def paces(self) -> list[float]:
        """Return the machine's pace at each mark, seconds of a fixed computation; empty on a GPU."""
        return [one.pace for one in self.marks if one.pace is not None]

    def facts(self) -> Conditions:
        """Say what was found, for the protocol."""
        found: Conditions = {"load_average_before": self.load_before, "load_average_after": host.load_average()}
        shares = foreign_cpus(self.marks, self.children[-1] - self.children[0] if self.children else 0.0)
        if shares is not None:
            found |= {"foreign_cpus": shares[0], "foreign_cpus_highest": shares[1], "cpus": len(self.cpus)}
        if self.gpus:
            found["gpus"] = merged(self.gpus)
        return found


def foreign_cpus(marks: list[Mark], children: float = 0.0) -> tuple[float, float] | None:
    """Return how many processors others used, over all marks and in the stretch of at least a second where it was most.

    `children`: processor seconds of our own children meanwhile. None where nobody counts or there is no time between marks.
    """
    counted = [(one.wall, one.busy - one.own) for one in marks if one.busy is not None]
    if len(counted) < 2 or len(counted) < len(marks) or counted[-1][0] <= counted[0][0]:
        return None
    whole = (counted[-1][1] - counted[0][1] - children) / (counted[-1][0] - counted[0][0])
    highest, start = whole, 0
    for end in range(1, len(counted)):
        while counted[end][0] - counted[start + 1][0] >= WINDOW_SECONDS:
            start += 1
        seconds = counted[end][0] - counted[start][0]
        if seconds >= WINDOW_SECONDS:
            highest = max(highest, (counted[end][1] - counted[start][1]) / seconds)
    return round(max(0.0, whole), 4), round(max(0.0, highest), 4)


def usable_cpus() -> tuple[int, ...]:
    """List the processors that this process may run on."""
    import psutil

    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):
        return tuple(process.cpu_affinity())
    return tuple(range(psutil.cpu_count() or 1))


def busy_seconds(cpus: tuple[int, ...]) -> float | None:
    """Add up the seconds that processors worked for anybody, what a hypervisor took from them included."""
    import psutil

    try:
        each = psutil.cpu_times(percpu=True)
    except (OSError, NotImplementedError):
        return None
    if not each or max(cpus) >= len(each):
        return None
    names = ("user", "system", "nice", "irq", "softirq", "steal")  # Windows counts its interrupts within `system`
    return sum(float(getattr(each[cpu], name, 0.0)) for cpu in cpus for name in names)


def children_seconds() -> float:
    """Add up the processor seconds of what this process started: children that live, and those it has waited for."""
    import psutil

    ended = os.times()
    total = ended.children_user + ended.children_system
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        total += (
            times.user + times.system + getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        )
    return float(total)


# ---------------------------------------------------------------- GPUs


def gpu_state(nvml: Any | None, pid: int) -> dict[str, GpuState]:
    """Ask the driver for clocks, what holds them back, temperature, and processes of others beside ours, by GPU."""
    found: dict[str, GpuState] = {}
    if nvml is None:
        return found
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        found[f"gpu{index}"] = {
            "clocks_mhz": clocks_mhz(nvml, handle),
            "held_back_by": _reasons(nvml, handle),
            "celsius": ask(nvml.nvmlDeviceGetTemperature, handle, 0),
            "foreign_processes": _foreign(nvml, handle, pid),
        }
    return found


def _reasons(nvml: Any, handle: Any) -> list[str]:
    names = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
    question = next((getattr(nvml, name) for name in names if hasattr(nvml, name)), None)
    bits = ask(question, handle) if question else None
    return [name for bit, name in REASONS.items() if bits is not None and int(bits) & bit]


def _foreign(nvml: Any, handle: Any, pid: int) -> int | None:
    """Count the others that compute on a GPU; None where the driver does not show us ourselves, as in a container."""
    running = ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle)
    if running is None or all(one.pid != pid for one in running):
        return None
    return sum(1 for one in running if one.pid != pid and one.usedGpuMemory is not None)


def merged(states: list[dict[str, GpuState]]) -> dict[str, GpuState]:
    """Fold what was seen at several moments into one: lowest clocks, all reasons, highest temperature, most processes."""
    found: dict[str, GpuState] = {}
    for name in states[0]:
        seen = [state[name] for state in states if name in state]
        clocks = [one["clocks_mhz"] for one in seen]
        others = [one["foreign_processes"] for one in seen if one["foreign_processes"] is not None]
        heat = [one["celsius"] for one in seen if one["celsius"] is not None]
        found[name] = {
            "clocks_mhz": {kind: min(one[kind] for one in clocks if kind in one) for kind in clocks[0]},
            "held_back_by": sorted({reason for one in seen for reason in one["held_back_by"]}),
            "celsius": max(heat) if heat else None,
            "foreign_processes": max(others) if others else None,
        }
    return found


# ---------------------------------------------------------------- what a reader must know


def notes(facts: Conditions) -> tuple[Note, ...]:
    """Say where others used the machine beyond what it bears, and where a GPU was slowed down."""
    found: list[Note] = []
    if facts.get("foreign_cpus", 0.0) > limit(facts.get("cpus", 1)):
        text = (
            f"other processes used {facts['foreign_cpus']:.2f} of {facts['cpus']} processors while it was timed "
            f"(undisturbed: up to {limit(facts['cpus']):.2f})"
        )
        found.append(Note(code="disturbed", text=text))
    for name, state in facts.get("gpus", {}).items():
        if state["foreign_processes"]:
            text = f"{state['foreign_processes']} other process(es) computed on {name} while it was timed"
            found.append(Note(code="disturbed", text=text))
        if slowed := THROTTLED & set(state["held_back_by"]):
            found.append(Note(code="unstable", text=f"{name} was slowed down: {', '.join(sorted(slowed))}"))
    return tuple(found)
