"""Decode throughput of INT4 against fp32 on 57 M random parameters: the sweep speed-57m, its table, and the ratio.

    python -m tests.benchmarks.decode_57m

Rounds are interleaved. INT4 must decode at least twice as fast, and the intervals of the two between processes must not
overlap. Run folders go to a folder that is thrown away; `harness run speed-57m` keeps them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

RATIO = 2.0


def main() -> None:
    """Run, print the table and each method's interval between processes."""
    from rich.console import Console

    from harness.commands.bench import run_sweep
    from harness.commands.report import after_bench
    from harness.commands.workspace import here
    from harness.environments import ROOT
    from harness.store.database import Database
    from tests.benchmarks.facts import headline, result

    headline("python -m tests.benchmarks.decode_57m")
    with tempfile.TemporaryDirectory() as name:
        results = Path(name)
        console = Console(width=200)
        if code := run_sweep("speed-57m", console, here(ROOT, results), after=after_bench(console)):
            sys.exit(code)
        with Database.open(results / "bench.db") as database:
            found = {method: summary(database, method) for method in ("fp32", "int8", "int4_rtn")}
    for method, (mean, low, high) in found.items():
        print(f"{method}: {mean:.1f} tok/s [{low:.1f}, {high:.1f}] between processes")
    ratio = found["int4_rtn"][0] / found["fp32"][0]
    print(f"int4_rtn / fp32 {ratio:.2f}, wanted {RATIO:.0f}")
    sys.exit(result(ratio >= RATIO and found["int4_rtn"][1] > found["fp32"][2]))


def summary(database: Any, method: str) -> tuple[float, float, float]:
    """Mean decode throughput over the rounds with Student's interval between them, as the database keeps it."""
    names = ["summary_value", "summary_low", "summary_high"]
    value, low, high = database.frame({"metric": "decode_tps", "method": method}, names).iloc[-1]
    return float(value), float(low), float(high)


if __name__ == "__main__":
    main()
