"""An executor for tests that starts no process: it runs a batch's jobs here, one at each look, or lets a test say what became of them."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.core.outcome import Environment
from harness.executors.record import Batch, Executor, Handle
from harness.host import environment
from harness.worker.answer import Answer, answer_of
from harness.worker.answers import Answers
from harness.worker.server import Server

Script = Callable[[Batch], Sequence[Answer]]


@dataclass
class InProcess:
    """Batches in the order in which they came. script: what is answered for a batch in place of running it."""

    script: Script | None = None
    batches: list[Batch] = field(default_factory=list)
    most: int = 0
    """Batches that were in flight at a time."""
    cancelled: list[str] = field(default_factory=list)
    _live: dict[str, Batch] = field(default_factory=dict)

    def executor(self, *, slots: int = 1, here: bool = True) -> Executor:
        """Give it as the runner takes it."""
        return Executor("in-process", self.submit, self.poll, self.cancel, self.describe, slots, here)

    def submit(self, batch: Batch) -> Handle:
        self.batches.append(batch)
        handle = Handle(f"b{len(self.batches)}", tuple(job.folder for job in batch.jobs), time.monotonic())
        self._live[handle.name] = batch
        self.most = max(self.most, len(self._live))
        return handle

    def poll(self, handles: Sequence[Handle], timeout: float) -> list[tuple[Handle, Answer]]:
        """Run the last batch that was handed over, so that batches end in another order than they began."""
        assert timeout > 0
        handle = handles[-1]
        batch = self._live.pop(handle.name)
        return [(handle, answer) for answer in (self.script or self._ran)(batch)]

    def cancel(self, handle: Handle) -> None:
        if self._live.pop(handle.name, None) is not None:
            self.cancelled.append(handle.name)

    @staticmethod
    def describe(name: str) -> Environment | None:
        return environment(name)

    @staticmethod
    def _ran(batch: Batch) -> list[Answer]:
        said = io.StringIO()
        server = Server(Answers(said), batch.environment)
        for job in batch.jobs:
            if not server.serve(job.folder):
                break
        server.close()
        now = time.monotonic()
        found = [answer for line in said.getvalue().splitlines() if (answer := answer_of(line, now))]
        return [*found, Answer("ended", heard=now)]
