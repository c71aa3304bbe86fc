"""The runner: plan x store x executor. `loop.execute` yields what became of each job."""

from __future__ import annotations
