"""Several runs of the quickstart on this machine, nothing else running: do the intervals that its tables print agree?

    python -m tests.benchmarks.repeats record --runs 3   # a quarter of an hour
    python -m tests.benchmarks.repeats judge             # from the record: no machine needed

Each run has a results folder of its own, so that everything is made and measured anew. The tables are read as a reader sees
them: cells of the same row and column in two runs agree where their printed intervals meet. `record` appends the cells of
each run to `records/repeats.jsonl`; a folder that `--results` names is recorded instead of being run.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

from tests.benchmarks.facts import headline, result

RECORD = Path(__file__).parent / "records" / "repeats.jsonl"
SWEEP = "quickstart"
SHARE = 0.10
"""Of the pairs of cells, how many may be apart: two 95 % intervals of one thing seldom are, and the machine drifts."""
PRINTED = re.compile(r"([-+]?[\d,]+(?:\.\d+)?)x?(?: ± <?([\d,]+(?:\.\d+)?)| \[([-+][\d.]+|[\d.]+), ([-+]?[\d.]+)\])")
Cells = dict[str, list[float]]
"""Table, row and column to the lowest and the highest value that a cell prints."""


def cells(markdown: str) -> Cells:
    """Read every cell that prints an interval."""
    found: Cells = {}
    headers: list[str] = []
    table = 0
    for line in markdown.splitlines():
        words = [word.strip() for word in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            headers = []
        elif not headers:
            headers, table = words, table + 1
        else:
            row = " ".join(words[: 2 if headers[1] == "Engine" else 1])
            for header, text in zip(headers[1:], words[1:], strict=True):
                if match := PRINTED.search(text):
                    found[f"{table} / {row} / {header}"] = _bounds(*match.groups())
    return found


def _bounds(value: str, half: str | None, low: str | None, high: str | None) -> list[float]:
    middle = float(value.replace(",", ""))
    if half is None:
        return [float(str(low)), float(str(high))]
    width = float(half.replace(",", ""))
    return [middle - width, middle + width]


def printed(results: Path) -> Cells:
    """Read what the tables of a results folder print."""
    words = [sys.executable, "-m", "harness", "report", SWEEP, "--results", str(results)]
    return cells(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def measured(runs: int) -> Iterator[Cells]:
    """Run the quickstart so often, each time from nothing."""
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, "-m", "harness", "run", SWEEP, "--results", folder]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            yield printed(Path(folder))


def record(found: Iterator[Cells]) -> None:
    """Append the cells of each run."""
    for number, run in enumerate(found):
        line = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "cells": run}
        with open(RECORD, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(f"run {number + 1}: {len(run)} cells with an interval", flush=True)


def judge() -> bool:
    """Count the pairs of cells that are apart, by column, over all pairs of runs; says whether few enough are."""
    runs: list[Cells] = [json.loads(line)["cells"] for line in RECORD.read_text("utf-8").splitlines()]
    pairs, apart = Counter[str](), Counter[str]()
    for one, two in combinations(runs, 2):
        for name in sorted(set(one) & set(two)):
            column = name.split(" / ")[-1]
            pairs[column] += 1
            apart[column] += max(one[name][0], two[name][0]) > min(one[name][1], two[name][1])
    for column, count in pairs.items():
        print(f"{column}: {apart[column]} of {count} pairs of printed intervals apart")
    print(f"{len(runs)} runs: {apart.total()} of {pairs.total()} apart (at most {SHARE:.0%} of any column)")
    return len(runs) > 1 and all(apart[column] <= SHARE * count for column, count in pairs.items())


def main() -> None:
    """Record or judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    new = verbs.add_parser("record")
    new.add_argument("--runs", type=int, default=3)
    new.add_argument("--results", type=Path, nargs="*", help="results folders of runs that were made already")
    verbs.add_parser("judge")
    asked = parser.parse_args()
    headline(f"python -m tests.benchmarks.repeats {asked.verb}")
    if asked.verb == "record":
        record(map(printed, asked.results) if asked.results else measured(asked.runs))
    sys.exit(result(judge()))


if __name__ == "__main__":
    main()
