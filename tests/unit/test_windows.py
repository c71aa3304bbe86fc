"""What Windows is without, simulated here: nothing of this project ever ran there."""

from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil
import pytest

from harness import environment_state, environments, programs
from harness.core import processes
from harness.engines import ort_genai_opening
from harness.environment_state import PACKAGE

ABSENT = frozenset({"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix"})
"""Modules of Python that Windows does not have."""
POSIX_ONLY = frozenset(
    {"killpg", "getpgid", "setsid", "fork", "uname", "getuid", "geteuid", "getloadavg", "sched_getaffinity"}
)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_no_module_needs_for_its_import_what_windows_does_not_have() -> None:
    for path in modules():
        text = path.read_text("utf-8")
        for node in (
            ast.parse(text).body if any(f"import {name}" in text or f"from {name}" in text for name in ABSENT) else ()
        ):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & ABSENT, path


def test_functions_that_windows_does_not_have_are_asked_for_first() -> None:
    for path in modules():
        text = path.read_text("utf-8")
        if not any(name in text for name in POSIX_ONLY):
            continue
        used = {
            node.attr for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in POSIX_ONLY
        }  # fmt: skip
        asked = {name for name in POSIX_ONLY if f'hasattr(os, "{name}")' in text or f"hasattr(os, '{name}')" in text}
        if {"killpg", "getpgid"} & used:  # one of the two stands for both
            asked |= {"getpgid"} if "killpg" in asked else set()
        assert used <= asked, path


def test_an_environment_has_its_interpreter_where_windows_puts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_state, "os", SimpleNamespace(name="nt"))
    assert environment_state.python_in(Path("venv")) == Path("venv", "Scripts", "python.exe")


@pytest.mark.parametrize(("raised", "held"), [(None, True), (errno.EACCES, False), (errno.EDEADLK, False)])
def test_a_lock_is_that_of_windows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, raised: int | None, held: bool
) -> None:
    asked: list[tuple[int, int]] = []

    def locking(descriptor: int, mode: int, count: int) -> None:
        asked.append((mode, count))
        if raised is not None:
            raise OSError(raised, "held by another process")

    fake: Any = ModuleType("msvcrt")
    fake.locking, fake.LK_NBLCK = locking, 2
    monkeypatch.setitem(sys.modules, "msvcrt", fake)
    monkeypatch.setattr(environments, "os", SimpleNamespace(name="nt"))
    with open(tmp_path / "lock", "a+", encoding="utf-8") as file:
        assert environments._is_locked(file) is held
    assert asked == [(2, 1)]


def test_a_command_line_keeps_the_backslashes_of_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "os", SimpleNamespace(name="nt"))
    assert programs.words(r'python C:\tools\bench.py --model "C:\my models\a" --out {out}\r.json') == [
        "python", r"C:\tools\bench.py", "--model", r"C:\my models\a", "--out", r"{out}\r.json",
    ]  # fmt: skip


def test_a_worker_has_a_group_of_its_own_as_windows_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "os", SimpleNamespace(name="nt"))
    assert list(processes.own_group()) == ["creationflags"]


def test_a_cancelled_worker_takes_what_it_started_with_it_without_process_groups(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "child"
    code = f"""
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path({str(told)!r}).write_text(str(child.pid))
time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    while not told.exists() or not told.read_text("utf-8"):
        time.sleep(0.02)
    child = psutil.Process(int(told.read_text("utf-8")))
    monkeypatch.delattr(os, "killpg")
    assert process.stdout is not None
    process.stdout.close()
    processes.kill(process)
    assert process.returncode is not None
    gone, alive = psutil.wait_procs([child], timeout=10)
    assert gone or [one.status() for one in alive] == [psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(("provider", "there", "registered"), [
    ("NvTensorRtRtx", True, [("NvTensorRTRTXExecutionProvider", "the library")]), ("NvTensorRtRtx", False, []), ("cuda", True, []),
])  # fmt: skip
def test_the_plug_in_of_tensorrt_rtx_is_registered_where_it_is_installed_and_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, provider: str, there: bool, registered: list[tuple[str, str]]
) -> None:
    """The names are those that version 0.5.0 of the plug-in gives, and both runtimes take them; loading it needs a driver."""
    told: list[tuple[str, str]] = []
    runtime = SimpleNamespace(register_execution_provider_library=lambda *given: told.append(given))
    if there:
        (tmp_path / "onnxruntime_ep_nv_tensorrt_rtx.py").write_text(
            'def get_ep_name(): return "NvTensorRTRTXExecutionProvider"\ndef get_library_path(): return "the library"\n',
            "utf-8",
        )
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "onnxruntime_ep_nv_tensorrt_rtx", raising=False)
    ort_genai_opening._register_plug_in(runtime, provider)
    assert told == registered
    sys.modules.pop("onnxruntime_ep_nv_tensorrt_rtx", None)
