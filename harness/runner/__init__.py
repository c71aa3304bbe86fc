"""The runner: plan x store x executor. `execute` yields what became of each job."""

from __future__ import annotations

from harness.runner.desk import Desk, Event
from harness.runner.loop import execute

__all__ = ["Desk", "Event", "execute"]
