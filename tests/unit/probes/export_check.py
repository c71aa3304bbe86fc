"""The two halves of the check of a float export, as a test calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.core.seam import Context, ProbeResult
from harness.probes import verify, verify_reference
from harness.probes.verify import Workload


def truth_of(model: Any, folder: Path) -> Path:
    folder.mkdir()
    verify_reference.measure(model, verify_reference.Workload(), Context(folder=folder, out=folder))
    return folder


def held(session: Any, truth: Path, workload: Workload | None = None, native: Path | None = None) -> ProbeResult:
    return verify.measure(session, workload or Workload(), Context(folder=truth, reference=truth, native=native))
