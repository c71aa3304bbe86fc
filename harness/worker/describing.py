"""What environment a worker stands in, as it is told in outcomes."""

from __future__ import annotations

import os
from pathlib import Path

from harness.core.outcome import Environment
from harness.worker import DESCRIBED


def environment_here(name: str) -> Environment:
    """Describe where we stand; the runner has asked this very interpreter before and hands the answer over."""
    described = os.environ.get(DESCRIBED)
    if described:
        return Environment.model_validate_json(Path(described).read_text("utf-8"))
    from harness.host import environment

    return environment(name)
