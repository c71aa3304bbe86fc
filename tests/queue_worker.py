"""A worker of a queue folder for tests: quicker to take others for dead, and with a clock of its own.

python -m tests.queue_worker QUEUE [--exit-when-idle] [--still SECONDS] [--clock SECONDS]
"""

from __future__ import annotations

import argparse
import datetime as dt
import functools
import sys
import time
from pathlib import Path

BEAT_SECONDS = 0.2


def shift_clock(seconds: float) -> None:
    """Let all that this process imports from now on, and what it does, see a clock that differs."""
    real, real_time = dt.datetime, time.time

    class Shifted(real):  # type: ignore[misc, valid-type]
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return real.now(tz) + dt.timedelta(seconds=seconds)

    dt.datetime = Shifted  # type: ignore[misc]
    time.time = lambda: real_time() + seconds


def main() -> None:
    """Serve until told to end, or until idle."""
    parser = argparse.ArgumentParser()
    parser.add_argument("queue", type=Path)
    parser.add_argument("--exit-when-idle", action="store_true")
    parser.add_argument("--still", type=float, default=3.0)
    parser.add_argument("--clock", type=float, default=0.0)
    asked = parser.parse_args()
    if asked.clock:
        shift_clock(asked.clock)
    from harness.worker import queue_folder, queue_process, queue_watch

    queue_watch.STILL_SECONDS = asked.still
    queue_folder.IDLE_SECONDS = queue_process.LOOK_SECONDS = 0.2
    queue_folder.beating = functools.partial(queue_folder.beating, seconds=BEAT_SECONDS)  # type: ignore[attr-defined]
    if asked.clock:
        code = f"from tests.queue_worker import shift_clock; shift_clock({asked.clock!r}); "
        code += "from harness.worker.__main__ import main; main()"
        queue_process.WORKER = queue_folder.WORKER = (sys.executable, "-c", code)  # type: ignore[assignment, attr-defined]
    served = queue_folder.serve_queue(asked.queue, "here", exit_when_idle=asked.exit_when_idle)
    print(served.said, flush=True)
    sys.exit(served.code)


if __name__ == "__main__":
    main()
