"""Fakes fail in the way they are asked to, and in no other."""

from __future__ import annotations

import builtins
import os
import signal
from typing import Any

import pytest

from harness.core import fault_injection
from harness.core.errors import HarnessError
from harness.core.fault_injection import inject_fault


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would have been asked, waited for or killed."""
    found: list[tuple[Any, ...]] = []
    monkeypatch.setattr(builtins, "input", lambda text: found.append(("input", text)))
    monkeypatch.setattr(fault_injection.time, "sleep", lambda seconds: found.append(("sleep", seconds)))
    monkeypatch.setattr(fault_injection.os, "kill", lambda pid, number: found.append(("kill", pid, number)))
    return found


@pytest.mark.parametrize(("how", "call"), [
    ("", None), ("something else", None), ("ask", ("input", "may I? ")), ("hang", ("sleep", 3600)), ("kill", ("kill", os.getpid(), signal.SIGKILL)),
])  # fmt: skip
def test_it_asks_hangs_or_dies(called: list[tuple[Any, ...]], how: str, call: tuple[Any, ...] | None) -> None:
    inject_fault(how)
    assert called == ([] if call is None else [call])


@pytest.mark.parametrize(("how", "kind", "says"), [
    ("error", HarnessError, "failed because it was asked to"), ("memory", MemoryError, "asked to have none"), ("hunger", MemoryError, "^$"),
])  # fmt: skip
def test_it_raises(called: list[tuple[Any, ...]], how: str, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        inject_fault(how)
    assert called == []
