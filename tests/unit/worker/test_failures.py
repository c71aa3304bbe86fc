"""What a job that ran out of memory says: what was asked for, and what the process had held."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import pytest

from harness.core.errors import HarnessError
from harness.core.spec import Status
from harness.worker.failures import status_of

PEAK = r"[\d.]+ [MG]B of main memory"


@pytest.mark.parametrize(("error", "asked"), [
    (RuntimeError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 11.90 GiB"), "2.50 GiB were asked for"),
    (RuntimeError("BFCArena: Failed to allocate memory for requested buffer of size 8589934592"), "8.6 GB were asked for"),
    (MemoryError("Unable to allocate 3.50 GiB for an array with shape (1, 2)"), "3.50 GiB were asked for"),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 4000000 bytes. std::bad_alloc"), "4.0 MB were asked for"),
    (MemoryError(), "how much was asked for is not told"),
    (HarnessError("onnxruntime failed: Failed to allocate memory for requested buffer of size 1000"), "1.0 kB were asked for"),
])  # fmt: skip
def test_an_allocation_that_failed_is_told_with_request_and_peak(error: Exception, asked: str) -> None:
    status, reason = status_of(error)
    assert status is Status.OOM
    assert reason.startswith("out of memory: ")
    assert re.search(rf"; {re.escape(asked)}, and the process had held {PEAK} at most$", reason), reason


def test_what_torch_held_on_the_gpu_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(is_initialized=lambda: True, max_memory_allocated=lambda: 11 * 10**9)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    _, reason = status_of(MemoryError("no"))
    assert re.search(rf"had held {PEAK} and 11.0 GB on the GPU by torch at most$", reason)


def test_a_long_message_keeps_its_end_for_them() -> None:
    _, reason = status_of(MemoryError("x" * 5000))
    assert len(reason) < 2000
    assert reason.endswith("at most")


def test_what_is_no_failed_allocation_is_told_as_it_is() -> None:
    assert status_of(HarnessError("no such file")) == (Status.FAILED, "no such file")
    assert status_of(KeyError("x")) == (Status.FAILED, "KeyError: 'x'")
