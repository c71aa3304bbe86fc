"""How fast a device copies within its memory: large copies, timed one by one.

`python -m harness.probes.copying cpu|cuda` prints it as JSON. It is a process of its own, so that its memory and CUDA's context are not those of what is measured.
A copy reads and writes each byte once; the fastest of several is what the memory allows, as in STREAM (McCalpin, 1995).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from harness.core.errors import HarnessError

COPIES = 10
_MOST = {"cpu": 256 << 20, "cuda": 1 << 30}
"""Bytes of a copy, beyond what caches hold."""
_SHARE = 8
"""Part of the free memory that one side of a copy takes at most."""
_LEAST = 64 << 20
_SECONDS = 120.0
"""Longest that the copies may take, with the import of torch before."""


@dataclass(frozen=True)
class Copied:
    """What was timed."""

    bytes: int
    """Of one side of each copy."""
    seconds: tuple[float, ...]
    by: str
    """What copied."""

    @property
    def bandwidths(self) -> list[float]:
        """Bytes read and written in a second, of each copy."""
        return [2 * self.bytes / each for each in self.seconds]


def copied(device: str) -> Copied:
    """Time copies in a process of their own. device: `cpu` or `cuda`. Raises: HarnessError with that process's last words, or where these are no times."""
    command = [sys.executable, "-P", "-m", "harness.probes.copying", device]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"copies on {device} did not end well ({type(error).__name__})") from error
    if ran.returncode:
        raise HarnessError((ran.stderr.strip().splitlines() or [f"it ended with {ran.returncode}"])[-1][:300])
    return read(ran.stdout)


def read(text: str) -> Copied:
    """Read the last line of what the process printed; a library may have printed before. Raises: HarnessError where it has no times."""
    last = (text.strip().splitlines() or [""])[-1]
    refused = f"the process that copies printed no times: {last[:100]!r}"
    try:
        said = json.loads(last)
        found = Copied(int(said["bytes"]), tuple(map(float, said["seconds"])), str(said["by"]))
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(refused) from error
    if not found.seconds or min(found.bytes, *found.seconds) <= 0:
        raise HarnessError(refused)
    return found


def on_host() -> Copied:
    """Copy with as many threads as this process may use processors."""
    import numpy as np
    import psutil

    size = size_of(_MOST["cpu"], psutil.virtual_memory().available)
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    parts = [slice(size * part // threads, size * (part + 1) // threads) for part in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def once() -> float:
            begun = time.perf_counter()
            list(pool.map(lambda part: np.copyto(target[part], source[part]), parts))
            return time.perf_counter() - begun

        return Copied(size, _timed(once), f"numpy {np.__version__}, {threads} threads")


def _on_cuda(torch: Any) -> Copied:
    """Copy on torch's current CUDA device, timed by its own events. torch: the module."""
    size = size_of(_MOST["cuda"], torch.cuda.mem_get_info()[0])
    source = torch.ones(size, dtype=torch.uint8, device="cuda")
    target = torch.zeros_like(source)

    def once() -> float:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        target.copy_(source)
        end.record()
        torch.cuda.synchronize()
        return float(begin.elapsed_time(end)) / 1e3

    return Copied(size, _timed(once), f"torch {torch.__version__}, {torch.cuda.get_device_name()}")


def size_of(most: int, free: int) -> int:
    """Choose the bytes of a copy. Raises: HarnessError where too few are free for one that caches do not hold."""
    size = min(most, free // _SHARE)
    if size < _LEAST:
        raise HarnessError(f"{free >> 20} MiB are free, too few for copies that caches do not hold")
    return size


def _timed(once: Callable[[], float]) -> tuple[float, ...]:
    """Time copies after one that is not counted."""
    return tuple(once() for _ in range(COPIES + 1))[1:]


def main(device: str) -> None:
    """Time copies and print them. Raises: ImportError where torch is not there to copy on a GPU."""
    if device == "cpu":
        found = on_host()
    else:
        import torch

        found = _on_cuda(torch)
    sys.stdout.write(f"\n{json.dumps(asdict(found))}\n")


if __name__ == "__main__":
    main(sys.argv[1])
