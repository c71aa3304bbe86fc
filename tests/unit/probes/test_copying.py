"""Copies in a device's memory: on this host for real, on a GPU through recorded answers of torch."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.probes import copying
from harness.probes.copying import COPIES, Copied, _on_cuda, copied, size_of


@pytest.mark.slow
def test_this_host_copies_in_a_process_of_its_own() -> None:
    found = copied("cpu")
    assert len(found.seconds) == COPIES
    assert found.bytes >= 64 << 20
    assert "threads" in found.by
    assert 1e8 < max(found.bandwidths) < 1e13


def test_a_copy_counts_what_it_reads_and_what_it_writes() -> None:
    assert Copied(3 * 10**9, (1.0, 2.0), "x").bandwidths == [6e9, 3e9]


class Recorded:
    """What torch answered on a GPU: free memory, and milliseconds between two events of each copy."""

    def __init__(self, free: int, milliseconds: list[float]) -> None:
        self.uint8, self.__version__, self.copies = "uint8", "2.11.0", 0
        self.sizes: list[int] = []
        self.cuda = SimpleNamespace(
            mem_get_info=lambda: (free, 150 << 30),
            Event=lambda *, enable_timing: self.event(milliseconds),
            synchronize=lambda: None,
            get_device_name=lambda: "NVIDIA H200",
        )

    def event(self, milliseconds: list[float]) -> Any:
        return SimpleNamespace(record=lambda: None, elapsed_time=lambda end: milliseconds[self.copies - 1])

    def ones(self, size: int, *, dtype: str, device: str) -> Any:
        assert (dtype, device) == ("uint8", "cuda")
        self.sizes.append(size)
        return object()

    def zeros_like(self, source: Any) -> Any:
        def copy_(_: Any) -> None:
            self.copies += 1

        return SimpleNamespace(copy_=copy_)


def test_a_gpu_times_copies_by_its_own_events_and_the_first_is_not_counted() -> None:
    torch = Recorded(140 << 30, [900.0, *[0.5] * 9, 0.49])
    found = _on_cuda(torch)
    assert torch.sizes == [1 << 30]
    assert found.seconds == (*[0.0005] * 9, 0.00049)
    assert max(found.bandwidths) == pytest.approx(2 * (1 << 30) / 0.00049)
    assert found.by == "torch 2.11.0, NVIDIA H200"


def test_a_full_device_has_no_room_for_copies_that_caches_do_not_hold() -> None:
    assert size_of(1 << 30, 4 << 30) == 512 << 20
    with pytest.raises(HarnessError, match="200 MiB are free, too few for copies that caches do not hold"):
        size_of(1 << 30, 200 << 20)


SAID = '{"bytes": 1000, "seconds": [0.5], "by": "x"}'


def printed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = subprocess.CompletedProcess([], 0, stdout=text, stderr="")
    monkeypatch.setattr(copying.subprocess, "run", lambda *given, **named: ran)


def test_what_a_library_prints_before_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    printed(f"a library says hello\n\n{SAID}\n", monkeypatch)
    assert copied("cpu") == Copied(1000, (0.5,), "x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{SAID}\nbye",
        "{}",
        "[]",
        "7",
        SAID.replace("0.5", ""),
        SAID.replace("0.5", "0.0"),
        SAID.replace("1000", "0"),
    ],
)
def test_a_process_that_prints_no_times_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    printed(text, monkeypatch)
    with pytest.raises(HarnessError, match="the process that copies printed no times: '"):
        copied("cpu")


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (1, "Traceback\nModuleNotFoundError: No module named 'torch'\n", "No module named 'torch'"),
        (9, "", "it ended with 9"),
    ],
)
def test_a_process_that_fails_is_told_by_its_last_words(
    code: int, said: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = subprocess.CompletedProcess([], code, stdout="", stderr=said)
    monkeypatch.setattr(copying.subprocess, "run", lambda *given, **named: ran)
    with pytest.raises(HarnessError, match=told):
        copied("cuda")
