"""What else a machine did meanwhile: found where it was, and not where it was not; GPUs from recorded answers."""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from harness.probes import conditions
from harness.probes.conditions import Mark, Watch, foreign_cpus, limit


def marks(*rows: tuple[float, float, float]) -> list[Mark]:
    return [Mark(*row) for row in rows]


def test_processors_that_others_used_are_what_is_busy_and_not_our_own() -> None:
    quiet = marks((0, 0, 100), (1, 2, 102), (2, 4, 104.02))
    assert foreign_cpus(quiet) == pytest.approx((0.01, 0.02), abs=1e-3)
    busy = marks((0, 0, 100), (1, 1.3, 102), (2, 2.6, 104))
    assert foreign_cpus(busy) == pytest.approx((0.7, 0.7))
    assert foreign_cpus(busy, children=1.4) == (0.0, 0.7), "what our children used is ours"


def test_a_machine_that_turns_busy_in_the_middle_is_found() -> None:
    rows = [(0.1 * step, 0.1 * step, 0.1 * step + max(0.0, 0.1 * step - 2.5)) for step in range(51)]
    whole, highest = foreign_cpus(marks(*rows)) or (0.0, 0.0)
    assert whole == pytest.approx(0.5, abs=0.01)
    assert highest == pytest.approx(1.0, abs=0.01)
    (note,) = conditions.notes({"foreign_cpus": whole, "cpus": 2})
    assert note.code == "disturbed"
    assert note.text == "other processes used 0.50 of 2 processors while it was timed (undisturbed: up to 0.22)"


@pytest.mark.parametrize("cpus", [1, 2, 4, 8, 16, 64])
def test_one_busy_core_disturbs_and_the_services_of_a_machine_do_not(cpus: int) -> None:
    share = 0.5 if cpus == 1 else 2 / 3 if cpus == 2 else 1.0  # what one process gets beside as many of ours
    assert conditions.notes({"foreign_cpus": share, "cpus": cpus})
    assert not conditions.notes({"foreign_cpus": 0.03 + 0.005 * cpus, "cpus": cpus})
    assert limit(cpus) < share


@pytest.mark.parametrize("given", [
    [], [(0, 0, 5)], [(0, 0, 5), (0, 0, 5)], [(0, 0, None), (1, 1, None)], [(0, 0, 5), (1, 1, None)],
])  # fmt: skip
def test_where_nothing_can_be_told_nothing_is(given: list[Any]) -> None:
    assert foreign_cpus(marks(*given)) is None
    assert conditions.notes({}) == ()


def test_a_process_beside_ours_is_seen_and_one_that_we_started_is_ours() -> None:
    """Real processes: a child of ours spins; it counts as ours, and as foreign where it is not taken for our own."""
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        while sum(psutil.Process(child.pid).cpu_times()[:2]) < 0.1:
            time.sleep(0.01)
        watch = Watch()
        watch.mark(state=True)
        time.sleep(2.0)
        watch.mark(state=True)
    finally:
        child.kill()
        child.wait()
    ours = watch.children[1] - watch.children[0]
    assert ours > 0.1, "the machine may be busy, but not that busy"
    strange, _ = foreign_cpus(watch.marks) or (0.0, 0.0)
    known, _ = foreign_cpus(watch.marks, ours) or (0.0, 0.0)
    assert strange == pytest.approx(known + ours / 2, abs=0.3)
    assert strange > 0.05


def test_what_was_before_is_not_said_to_have_been_after(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = iter([(0.1, 0.1, 0.1), (7.0, 2.0, 1.0)])
    monkeypatch.setattr(conditions.host, "load_average", lambda: next(loads))
    watch = Watch(load_before=conditions.host.load_average())
    watch.mark(state=True)
    facts = watch.facts()
    assert facts["load_average_before"] == (0.1, 0.1, 0.1)
    assert facts["load_average_after"] == (7.0, 2.0, 1.0)


def test_what_taking_a_mark_costs_is_counted_for_no_repetition() -> None:
    watch = Watch(marks=[Mark(0, 1.0, 5, left=1.5), Mark(1, 2.0, 6, left=2.25), Mark(2, 3.0, 7, left=3.0)])
    assert watch.cpu_seconds() == [0.5, 0.75]


def test_marks_out_of_their_order_tell_nothing() -> None:
    assert foreign_cpus(marks((2, 2.0, 104), (0, 0, 100))) is None


class Driver:
    """NVML's answers as an H100 gave them, with what else ran on it."""

    def __init__(self, pids: tuple[int, ...] = (), reasons: int = 0, clock: int = 1980) -> None:
        self._pids, self._reasons, self._clock = pids, reasons, clock

    NVML_CLOCK_GRAPHICS, NVML_CLOCK_MEM = 0, 2

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetClockInfo(self, handle: int, kind: int) -> int:
        return self._clock if kind == 0 else 2619

    def nvmlDeviceGetMaxClockInfo(self, handle: int, kind: int) -> int:
        return 1980 if kind == 0 else 2619

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: int) -> int:
        return self._reasons

    def nvmlDeviceGetTemperature(self, handle: int, kind: int) -> int:
        return 41

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=577 << 20) for pid in self._pids]


def test_a_gpu_that_is_ours_alone_at_full_clocks_needs_no_note() -> None:
    state = conditions.merged([conditions.gpu_state(Driver((7,)), 7), conditions.gpu_state(Driver((7,), 0x1), 7)])
    assert state["gpu0"] == {
        "clocks_mhz": {"graphics": 1980, "memory": 2619, "graphics-max": 1980, "memory-max": 2619},
        "held_back_by": ["idle"],
        "celsius": 41,
        "foreign_processes": 0,
    }
    assert conditions.notes({"gpus": state}) == ()


def test_another_process_on_the_gpu_and_a_gpu_that_was_slowed_down_are_told() -> None:
    states = [conditions.gpu_state(Driver((7, 8), 0x4), 7), conditions.gpu_state(Driver((7,), 0x44, 1200), 7)]
    state = conditions.merged(states)
    assert state["gpu0"]["clocks_mhz"]["graphics"] == 1200
    assert [(note.code, note.text) for note in conditions.notes({"gpus": state})] == [
        ("disturbed", "1 other process(es) computed on gpu0 while it was timed"),
        ("unstable", "gpu0 was slowed down: hardware thermal slowdown"),
    ]


def test_in_a_container_where_the_driver_does_not_show_us_nobody_is_called_foreign() -> None:
    state = conditions.merged([conditions.gpu_state(Driver((4711,)), 7)])
    assert state["gpu0"]["foreign_processes"] is None
    assert conditions.notes({"gpus": state}) == ()
