"""What comes out of a job: what was raised becomes a status with its reason, what is printed goes to a log."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

from harness.core.errors import HarnessError, Unsupported, is_out_of_memory
from harness.core.files import disk_trouble
from harness.core.sizes import size_text
from harness.core.spec import Job, MeasureSpec, Status
from harness.probes import VERIFY
from harness.process_memory import peak_rss_bytes

_ASKED = (
    r"[Tt]ried to allocate ([\d.]+ [KMGT]i?B)", r"requested buffer of size (\d+)", r"[Uu]nable to allocate ([\d.]+ [KMGT]i?B)",
    r"you tried to allocate (\d+) bytes",
)  # fmt: skip
"""How torch, ONNX Runtime and numpy say what they asked for."""
_NO_SPACE = "No space left on device"
_FULL_DISK = "the disk is full: {}; free some space and run the same command again"


def status_of(error: BaseException) -> tuple[Status, str]:
    """Name what became of a job from what it raised; `oom` needs evidence."""
    text = str(error).strip() or type(error).__name__
    if is_out_of_memory(error):
        return Status.OOM, f"out of memory: {text[:1700]}; {_held(text)}"
    if isinstance(error, Unsupported):
        return Status.UNSUPPORTED, _first(text)
    if isinstance(error, HarnessError):
        return Status.FAILED, _FULL_DISK.format(text) if _NO_SPACE in text else _first(text)
    if isinstance(error, OSError) and (trouble := disk_trouble(error)):
        return Status.FAILED, trouble
    if _NO_SPACE in text:
        return Status.FAILED, _FULL_DISK.format(text)[:2000]
    return Status.FAILED, f"{type(error).__name__}: {text}"[:2000]


def _held(text: str) -> str:
    """Say how much an allocation that failed asked for, where its message tells, and how much the process had held at most."""
    found = next((match for pattern in _ASKED if (match := re.search(pattern, text))), None)
    asked = (
        f"{size_text(float(found[1]))} were"
        if found and found[1].isdecimal()
        else f"{found[1]} were"
        if found
        else "how much was"
    )
    peaks = [f"{size_text(peak_rss_bytes())} of main memory"]
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        peaks.append(f"{size_text(torch.cuda.max_memory_allocated())} on the GPU by torch")
    ending = "" if found else " is not told"
    return f"{asked} asked for{ending}, and the process had held {' and '.join(peaks)} at most"


def may_follow(job: Job, status: Status) -> bool:
    """Tell whether other jobs may follow one in its process: not a failed one that needs a clean process, or that should have allowed them."""
    allows = isinstance(job.spec, MeasureSpec) and job.spec.probe == VERIFY
    return status is Status.OK or not (job.own_process or allows)


def _first(text: str) -> str:
    """Cut a reason to one line; the log has the whole."""
    line, *more = text.splitlines()
    return f"{line.rstrip(' ;:')[:1900]}; the rest is in log.txt" if more else line[:2000]


def print_traceback() -> None:
    """Print the error at hand to the log, as far as the disk takes it."""
    import traceback

    with suppress(OSError):  # the log may lie on the disk whose being full is the error
        traceback.print_exc()


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Send standard output and error, of Python and of native code alike, to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    log = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - what a full disk does not take is lost with the file's end
    kept = [os.dup(1), os.dup(2)]
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    try:
        with redirect_stdout(log), redirect_stderr(log):
            yield
    finally:
        for number, descriptor in zip((1, 2), kept, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        with suppress(OSError):
            log.close()
