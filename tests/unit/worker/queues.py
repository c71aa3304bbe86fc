"""Queue folders with batches that hang, and waiting for what a worker does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from harness.worker import queue_layout as batches
from tests.fake_machine import Bench


def hanging(queue: Path, bench: Bench, name: str, limit: float | None) -> None:
    """Put a batch into a queue whose first job hangs, with this limit, and whose second does not."""
    bench.methods({"stuck": {"recipes": {"fake": {"fail": "hang"}}}, "fp32": {"recipes": {"fake": {}}}})
    bench.sweep(
        method=["stuck", "fp32"],
        timeout=1,
        probes={"perplexity": {"window": 64, "stride": 32, "tokens": 64, "text": str(bench.text)}},
    )
    bench.run()
    lines = []
    for place, ran in enumerate(
        sorted(bench.results.glob("runs/*-b-*"), key=lambda path: "hang" not in (path / "job.json").read_text("utf-8"))
    ):
        job = json.loads((ran / "job.json").read_text("utf-8"))
        job |= {
            "run": f"r{place}",
            "out": str(queue / "out" / f"b-{place}"),
            "timeout_seconds": limit if place == 0 else 60,
        }
        job["inputs"][0]["path"] = str(bench.configs.parent / "model")
        folder = queue / "runs" / f"r{place}"
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(json.dumps(job), "utf-8")
        lines.append(json.dumps(f"runs/r{place}"))
    (queue / batches.WAITING / name).write_text("\n".join(lines), "utf-8")


def until(true: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)
