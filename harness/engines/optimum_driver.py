"""The program that the engine `optimum-benchmark` drives: one measurement, in a process of its own, as a script of its users would do it.

Its own command line does not end well with the inline launcher (the configuration that it writes at last holds a live object by then), and its process
launcher waits busily on one of the processors that are measured; so configuration and report are written here as its command line writes them.
Source: huggingface/optimum-benchmark, cli.py and README, 0.6.0.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(asked: Path, out: Path) -> None:
    """Measure what a file of JSON asks for (`backend`, `scenario`: fields of its configurations); write configuration and report."""
    from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, InlineConfig, PyTorchConfig

    given = json.loads(asked.read_text("utf-8"))
    config = BenchmarkConfig(
        name="harness",
        launcher=InlineConfig(),
        scenario=InferenceConfig(**given["scenario"]),
        backend=PyTorchConfig(**given["backend"]),
    )
    config.save_json(str(out / "benchmark_config.json"))
    Benchmark.launch(config).save_json(str(out / "benchmark_report.json"))


if __name__ == "__main__":  # what watches memory imports this file again
    main(Path(sys.argv[1]), Path(sys.argv[2]))
