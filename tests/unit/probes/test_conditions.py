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


@pytest.mark.alone
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


# ---------------------------------------------------------------- borders


@pytest.mark.parametrize(("cpus", "most"), [(1, 0.11), (2, 0.22), (3, 0.23), (8, 0.28), (80, 1.0), (100, 1.2)])
def test_a_tenth_of_a_small_machine_and_a_hundredth_of_a_large_one_may_be_others(cpus: int, most: float) -> None:
    assert limit(cpus) == pytest.approx(most)
    assert not conditions.notes({"foreign_cpus": limit(cpus), "cpus": cpus})
    assert conditions.notes({"foreign_cpus": limit(cpus) + 1e-6, "cpus": cpus})


def test_bits_of_a_driver_are_nvmls() -> None:
    """nvml.h: nvmlClocksEventReason..., each a bit of its own."""
    assert [name for _, name in sorted(conditions.REASONS.items())] == [
        "idle", "application clocks", "power cap", "hardware slowdown", "sync boost", "software thermal slowdown", "hardware thermal slowdown",
        "power brake", "display clocks",
    ]  # fmt: skip
    assert sorted(conditions.REASONS) == [1 << bit for bit in range(9)]


@pytest.mark.parametrize(("rows", "highest"), [
    ([(0, 0, 0), (0.5, 0, 0.5), (1.0, 0, 0.5), (1.5, 0, 0.5), (2.0, 0, 0.5)], 0.5), ([(0, 0, 0), (0.5, 0, 0.5), (1.5, 0, 0.5)], 0.3333),
    ([(0, 0, 0), (1.0, 0, 0.2), (2.0, 0, 1.2), (3.0, 0, 1.2)], 1.0), ([(0, 0, 0), (0.4, 0, 0.4)], 1.0), ([(0, 5, 5), (1, 7, 6.5)], 0.0),
    ([(10, 0, 0), (12, 0, 1.0), (12.9, 0, 1.9)], 0.6552),
])  # fmt: skip
def test_the_busiest_stretch_lasts_a_second_at_least(rows: list[tuple[float, float, float]], highest: float) -> None:
    found = foreign_cpus(marks(*rows))
    assert found is not None
    assert found[1] == highest
    whole = (rows[-1][2] - rows[0][2] - rows[-1][1] + rows[0][1]) / (rows[-1][0] - rows[0][0])
    assert found[0] == pytest.approx(max(0.0, whole), abs=5e-5)


def test_processors_are_added_up_over_kinds_of_work_and_only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {
        "user": 1.0,
        "system": 2.0,
        "nice": 4.0,
        "irq": 8.0,
        "softirq": 16.0,
        "steal": 32.0,
        "idle": 64.0,
        "iowait": 128.0,
        "guest": 256.0,
    }
    each = [SimpleNamespace(**kinds), SimpleNamespace(user=0.5, system=0.25, idle=9.0)]
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: each if percpu else None)
    assert conditions.busy_seconds((0, 1)) == 63.75
    assert conditions.busy_seconds((1,)) == 0.75
    assert conditions.busy_seconds((0, 2)) is None
    each.clear()
    assert conditions.busy_seconds((0,)) is None


@pytest.mark.parametrize("error", [OSError, NotImplementedError])
def test_where_nobody_counts_processors_nothing_is_busy(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(percpu: bool) -> None:
        raise error

    monkeypatch.setattr(psutil, "cpu_times", refuse)
    assert conditions.busy_seconds((0,)) is None


def test_children_count_with_what_they_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def child(**times: float) -> Any:
        return SimpleNamespace(cpu_times=lambda: SimpleNamespace(**times))

    def gone() -> None:
        raise psutil.NoSuchProcess(1)

    known = [
        child(user=1.0, system=2.0, children_user=4.0, children_system=8.0),
        SimpleNamespace(cpu_times=gone),
        child(user=16.0, system=32.0),
    ]
    monkeypatch.setattr(
        psutil, "Process", lambda: SimpleNamespace(children=lambda recursive: known if recursive else [])
    )
    monkeypatch.setattr(
        conditions.os, "times", lambda: SimpleNamespace(children_user=64.0, children_system=128.0, user=999.0)
    )
    assert conditions.children_seconds() == 255.0


def test_processors_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(cpu_affinity=lambda: [3, 5]))
    assert conditions.usable_cpus() == (3, 5)
    monkeypatch.setattr(psutil, "Process", SimpleNamespace)
    for count, cpus in ((2, (0, 1)), (None, (0,))):
        monkeypatch.setattr(psutil, "cpu_count", lambda count=count: count)
        assert conditions.usable_cpus() == cpus


def test_several_moments_of_a_gpu_become_one() -> None:
    one: Any = {
        "clocks_mhz": {"graphics": 9, "memory": 5},
        "held_back_by": ["power cap"],
        "celsius": None,
        "foreign_processes": None,
    }
    other: Any = {
        "clocks_mhz": {"graphics": 7},
        "held_back_by": ["idle", "power cap"],
        "celsius": 60,
        "foreign_processes": 2,
    }
    third: Any = {**other, "celsius": 50, "foreign_processes": 1}
    assert conditions.merged([{"gpu0": one}, {"gpu0": other}, {}, {"gpu0": third}]) == {
        "gpu0": {
            "clocks_mhz": {"graphics": 7, "memory": 5},
            "held_back_by": ["idle", "power cap"],
            "celsius": 60,
            "foreign_processes": 2,
        }
    }
    assert conditions.merged([{"gpu0": one}])["gpu0"] == one
    assert conditions.gpu_state(None, 7) == {}


def test_processes_of_others_count_where_the_driver_shows_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver((7, 8, 9))
    driver.nvmlDeviceGetComputeRunningProcesses = lambda handle: [  # type: ignore[method-assign]
        SimpleNamespace(pid=7, usedGpuMemory=1), SimpleNamespace(pid=8, usedGpuMemory=None), SimpleNamespace(pid=9, usedGpuMemory=0),
    ]  # fmt: skip
    assert conditions.gpu_state(driver, 7)["gpu0"]["foreign_processes"] == 1


@pytest.mark.parametrize(("on_gpu", "paced"), [(True, []), (False, [0.25, 0.25])])
def test_a_mark_asks_for_the_pace_only_without_a_gpu_and_for_gpus_only_with_one(
    monkeypatch: pytest.MonkeyPatch, on_gpu: bool, paced: list[float]
) -> None:
    monkeypatch.setattr(conditions.pace, "timed", lambda: 0.25)
    monkeypatch.setattr(conditions, "open_nvml", lambda: Driver((7,)))
    watch = Watch(on_gpu=on_gpu, cpus=(0,))
    watch.mark(state=True)
    watch.mark()
    assert watch.paces() == paced
    assert (len(watch.gpus), len(watch.children), len(watch.marks)) == (int(on_gpu), 1, 2)
    assert ("gpus" in watch.facts()) is on_gpu


def test_facts_leave_out_the_seconds_of_children_between_the_first_and_the_last_state() -> None:
    watch = Watch(cpus=(0, 1), marks=marks((0, 0, 0), (2, 0, 3)), children=[5.0, 5.5, 7.0])
    found = watch.facts()
    assert (found["foreign_cpus"], found["foreign_cpus_highest"], found["cpus"]) == (0.5, 1.5, 2)
    assert "foreign_cpus" not in Watch(cpus=(0,)).facts()
