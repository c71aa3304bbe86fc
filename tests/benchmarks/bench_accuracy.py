"""All that is promised of accuracy, benchmark by benchmark, each with its own record and verdict: what `make bench-accuracy` runs.

    python -m tests.benchmarks.bench_accuracy [--questions FOLDER] [--text FILE] [--old CHECKOUT] [--smollm2]

What needs something of others that is not given is named and left out: whole MMLU a checkout of 0.1.0 (`git worktree add ../old 32256c6`),
NVIDIA's procedure the text of WikiText-2. `--smollm2` takes hours.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.whole_mmlu import ROOT


@dataclass(frozen=True)
class Part:
    """A benchmark with its words; lacks: what it needs and was not given."""

    name: str
    words: tuple[str, ...] = ()
    lacks: str = ""


def parts(questions: Path | None, text: Path | None, old: Path | None, *, smollm2: bool = False) -> list[Part]:
    """Name the benchmarks in order."""
    of = ("--questions", str(questions)) if questions else ()
    return [
        Part("accuracy", (*of, "--peers", *(("--smollm2",) if smollm2 else ()))),
        Part("whole_mmlu", ("--old", str(old), *of) if old else (), "" if old else "--old, a checkout of 0.1.0"),
        Part("head_rows"),
        Part("kl_hidden"),
        Part("nvidia_kl", ("--text", str(text)) if text else (), "" if text else "--text, that of WikiText-2"),
    ]


def verdict(all_parts: Sequence[Part], run: Callable[[Part], int]) -> int:
    """Run what can be run; print which hold, and what was left out. Returns 1 where one does not hold."""
    said: dict[str, list[str]] = {}
    for part in all_parts:
        if part.lacks:
            print(f"\n{part.name} needs {part.lacks}: left out", flush=True)
        said.setdefault("left out" if part.lacks else "do not hold" if run(part) else "hold", []).append(part.name)
    print("\n" + "; ".join(f"{how}: {', '.join(names)}" for how, names in sorted(said.items())))
    return int("do not hold" in said)


def main() -> None:
    """Run all, each in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--text", type=Path, default=_wikitext())
    parser.add_argument("--old", type=Path)
    parser.add_argument("--smollm2", action="store_true")
    asked = parser.parse_args()

    def run(part: Part) -> int:
        print(flush=True)
        return subprocess.run([sys.executable, "-m", f"tests.benchmarks.{part.name}", *part.words], cwd=ROOT, check=False).returncode  # fmt: skip

    sys.exit(verdict(parts(asked.questions, asked.text, asked.old, smollm2=asked.smollm2), run))


def _wikitext() -> Path | None:
    path = Path(os.environ.get("HARNESS_TEST_DATA", "../shared/data")) / "wikitext-2" / "wiki.test.raw"
    return path.resolve() if path.is_file() else None


if __name__ == "__main__":
    main()
