"""What a worker says to whoever started it, and the heartbeat of the job that it runs."""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from harness.core.heartbeat import BEAT_SECONDS, beating
from harness.core.processes import STARTED_BY, end_left
from harness.worker import ANSWERS, HEARTBEAT


class Answers:
    """The channel to the runner: one JSON object a line, on the standard output that the process was born with."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last, self._kept = 0.0, 0.0
        self.folder: Path | None = None
        """Run folder that the answers are written to as well."""

    def say(self, **answer: object) -> None:
        """Send one line and keep it; a reader that is gone is no reason to fail, and a full disk fails the job elsewhere."""
        self._send(answer)
        self._keep(answer)

    def progress(self, run: str, share: float, what: str) -> None:
        """Tell how far a job is, at most five times a second; kept as often as the heart beats."""
        now, answer = time.monotonic(), {"progress": round(share, 4), "what": what, "run": run}
        if now - self._last >= 0.2:
            self._last = now
            self._send(answer)
        if now - self._kept >= BEAT_SECONDS:
            self._kept = now
            self._keep(answer)

    def _send(self, answer: Mapping[str, object]) -> None:
        with suppress(OSError):
            self._stream.write(json.dumps(answer) + "\n")
            self._stream.flush()

    def _keep(self, answer: Mapping[str, object]) -> None:
        if self.folder is not None:
            with suppress(OSError), open(self.folder / ANSWERS, "a", encoding="utf-8") as file:
                file.write(json.dumps(answer) + "\n")

    def end_with_reader(self) -> None:
        """Wait until whoever reads our answers is gone, then end at once, with everything that we started: nobody waits for it.

        Linux tells it of the pipe itself; elsewhere an empty line a second finds it out.
        """
        pipe = self._stream.fileno()
        if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
            return
        if sys.platform == "linux":
            watch = select.poll()
            watch.register(pipe, 0)  # an error, which a pipe without a reader is, is told whatever is asked for
            watch.poll()
        else:
            with suppress(OSError):
                while os.write(pipe, b"\n"):
                    time.sleep(1)
        end_left(os.environ.get(STARTED_BY, ""))
        if hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(3)


@contextmanager
def alive(folder: Path, answers: Answers) -> Iterator[None]:
    """Let the heart beat in a run folder while its job runs, and keep there what is answered."""
    with beating(folder / HEARTBEAT, BEAT_SECONDS):
        answers.folder = folder
        try:
            yield
        finally:
            answers.folder = None
