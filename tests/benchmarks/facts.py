"""What a benchmark prints beside its numbers: the command, the machine, the verdict."""

from __future__ import annotations

from datetime import UTC, datetime

PACKAGES = ("onnxruntime", "onnxruntime-genai", "torch", "transformers", "lm-eval")


def headline(command: str) -> None:
    """Print command, date, machine, load and versions."""
    from harness.host import environment, load_average

    here = environment("benchmark")
    versions = ", ".join(f"{name} {here.packages[name]}" for name in PACKAGES if name in here.packages)
    print(f"$ {command}")
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {here.cpu} ({here.cores} cores), {here.system}, Python {here.python}, {versions}"
    )
    print(f"load average at the start: {load_average()}", flush=True)


def result(holds: bool) -> int:
    """Print whether what is promised holds; return the exit code."""
    print("holds" if holds else "DOES NOT HOLD")
    return 0 if holds else 1
