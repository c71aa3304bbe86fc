"""Seconds to read and plan a sweep of 10,000 speed jobs with the project's own catalogues and adapters.

python -m tests.benchmarks.plan_jobs
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

LIMIT = 0.5
SWEEP = {
    "model": ["reference", "random-57m"],
    "method": ["fp32", "int8"],
    "engine": {"ort-genai": {"provider": "cpu"}},
    "environment": "cpu",
    "probes": {"generation": {"batch": list(range(1, 26)), "prompt": list(range(1, 101))}},
}


def planned_in(sweep: Mapping[str, Any] | None = None) -> tuple[int, float]:
    """Read and plan a sweep with adapters and models already seen; return its jobs and the processor seconds."""
    from harness.commands.box import plan_sweep
    from harness.commands.workspace import read_workspace
    from harness.environments import ROOT

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "many.yaml"
        path.write_text(yaml.safe_dump(dict(sweep or SWEEP)), "utf-8")
        begun = time.process_time()
        plan = plan_sweep(str(path), read_workspace(ROOT)).plan
        return len(plan.jobs), time.process_time() - begun


def main() -> None:
    """Plan it four times; the first one, which does not count, includes importing adapters and hashing the model."""
    from tests.benchmarks.facts import headline, result

    headline("python -m tests.benchmarks.plan_jobs")
    jobs, first = planned_in()
    used = min(planned_in()[1] for _ in range(3))
    print(f"{jobs:,} jobs: {used:.2f} s of processor, {first:.2f} s the first time")
    sys.exit(result(used <= LIMIT))


if __name__ == "__main__":
    main()
