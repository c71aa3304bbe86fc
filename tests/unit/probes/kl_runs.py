"""References that are written, and candidates that are held against them, without a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.core.seam import Context
from harness.probes import kl_reference
from harness.probes.kl_divergence import Workload, measure
from tests.unit.probes.hidden_scores import HiddenScores

TEXT = "Some words of a text. " + "".join(map(chr, np.random.default_rng(2).integers(32, 127, 3600)))
GIVEN: dict[str, Any] = {"window": 64, "stride": 32}


def stored(session: Any, tmp_path: Path, text: str, name: str = "reference", **more: Any) -> Path:
    """Write a reference; more: of its workload, and `context`."""
    out = tmp_path / name
    out.mkdir()
    context = Context(folder=tmp_path, out=out, artifact_id="one", **more.pop("context", {}))
    kl_reference.measure(session, kl_reference.Workload(text=text, **GIVEN, **more), context)
    return out


def compared(session: Any, folder: Path, tmp_path: Path, text: str, **more: Any) -> Any:
    """Hold a candidate against a stored reference."""
    context = Context(folder=tmp_path, reference=folder, **more.pop("context", {}))
    return measure(session, Workload(text=text, **GIVEN, **more), context)


def values(found: Any) -> dict[str, float]:
    """Give what was measured by metric and slice."""
    return {f"{one.metric} {one.slice}".strip(): one.value for one in found.values}


def calm(session: HiddenScores) -> HiddenScores:
    """Let a model be so unsure that float16 costs it almost nothing."""
    session.head *= np.float32(0.1)
    return session
