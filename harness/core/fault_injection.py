"""How fakes fail when they are asked to, so that what stands around a job can be tested."""

from __future__ import annotations

import os
import signal
import time

from harness.core.errors import HarnessError


def inject_fault(how: str) -> None:
    """Fail in the way asked for: `error`, `memory` (a MemoryError), `hunger` (the interpreter's own), `hang`, `kill` (death by signal 9), or
    `ask` (a question on standard input, as a library asks whether it may run a model's code); else go on."""
    if how == "error":
        raise HarnessError("failed because it was asked to")
    if how == "memory":
        raise MemoryError("no memory because it was asked to have none")
    if how == "hunger":
        bytearray(1 << 62)  # more than any machine has
    if how == "ask":
        input("may I? ")
    if how == "hang":
        time.sleep(3600)
    if how == "kill":
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
