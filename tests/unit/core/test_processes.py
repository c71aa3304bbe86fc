"""Processes that end with all that they started."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from harness.core import processes

LAST = "import time; time.sleep(99)"
CHILD = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', '{LAST}'], start_new_session={{own}}); time.sleep(99)"


def started(mark: str = "", *, own: bool) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A process in a group of its own, and what it started, in that group or in another."""
    variables = {**os.environ, processes.STARTED_BY: mark}
    code = CHILD.format(own=own)
    process = subprocess.Popen([sys.executable, "-c", code], text=True, env=variables, **processes.own_group())
    while not (children := psutil.Process(process.pid).children()) or children[0].cmdline()[-1:] != [LAST]:
        time.sleep(0.01)
    return process, children[0]


def is_gone(process: psutil.Process) -> bool:
    for _ in range(200):
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_a_mark_is_made_below_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(processes.STARTED_BY, raising=False)
    alone = processes.new_mark()
    assert len(alone) == 16
    monkeypatch.setenv(processes.STARTED_BY, "above")
    below = processes.new_mark()
    assert below.startswith("above/")
    assert len(below) == len("above/") + 16


@pytest.mark.skipif(sys.platform != "linux", reason="variables of processes are read from /proc")
@pytest.mark.parametrize("own", [True, False])
def test_what_a_process_started_ends_with_it_and_is_named_where_it_left_the_group(own: bool) -> None:
    mark = processes.new_mark()
    process, child = started(f"{mark}/inner", own=own)
    other, others = started("another", own=True)
    try:
        left = processes.kill(process, mark)
        assert len(left) == own
        assert all("python" in name for name in left)
        assert process.poll() == -9
        assert is_gone(child)
        assert not is_gone_soon(others), "what bears another mark is not ours"
    finally:
        processes.kill(other, "another")
    assert is_gone(others)


def is_gone_soon(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_where_there_are_no_groups_children_are_killed_one_by_one() -> None:
    process, child = started(own=True)
    processes._kill_tree(process.pid)
    assert process.wait(timeout=20) == -9
    assert is_gone(child)
    processes._kill_tree(process.pid)  # gone already


def test_without_a_mark_nothing_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_bearing", None)
    assert processes.end_left("") == ()


def test_it_is_looked_for_until_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, killed, slept = [{11: "a", 12: "b"}, {12: "b"}, {}, {13: "never"}], [], []
    monkeypatch.setattr(processes, "_bearing", lambda mark: looks.pop(0).items())
    monkeypatch.setattr(processes.os, "getpgid", lambda pid: 12 if pid == 12 else 1)
    monkeypatch.setattr(processes.os, "kill", lambda pid, number: killed.append(pid))
    monkeypatch.setattr(processes.time, "sleep", slept.append)
    assert processes.end_left("m", 12) == ("a",)
    assert (killed, slept, len(looks)) == ([11, 12, 12], [0.05, 0.05], 1)
    monkeypatch.setattr(processes, "_bearing", lambda mark: {12: "b"}.items())
    slept.clear()
    assert processes.end_left("m", 12) == ()
    assert len(slept) == 20, "what never ends is not waited for without end"


@pytest.mark.parametrize("flag", [None, 512])
def test_on_windows_a_group_is_a_flag(monkeypatch: pytest.MonkeyPatch, flag: int | None) -> None:
    assert processes.own_group() == {"start_new_session": True}
    if flag is not None:
        monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", flag, raising=False)
    with monkeypatch.context() as there:
        there.setattr(os, "name", "nt")
        found = processes.own_group()
    assert found == {"creationflags": flag or 0}
