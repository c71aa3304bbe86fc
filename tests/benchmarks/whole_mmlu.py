"""Processor seconds of MMLU on the reference model: this checkout against one of 0.1.0, process by process in turns.

    git worktree add ../old 32256c6
    python -m tests.benchmarks.whole_mmlu --old ../old --questions ../shared/data/mmlu --every 1

Both answer all questions of every `every`-th subject, subject by subject in turns, on the same fp32 export with one thread. With 1 it is the
whole set: an hour of one processor for 0.1.0. Whole subjects and not some questions of each, since what questions share is their subject's
beginning. Promised are at most a quarter of 0.1.0's seconds and log-likelihoods within 1e-4.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
SHARE = 0.25
CLOSE = 1e-4


@dataclass(frozen=True)
class Evaluated:
    """One process's evaluation."""

    seconds: float
    tokens: int
    logs: NDArray[np.float64]
    """Log-likelihoods of choices [questions, 4]."""


def alone(source: Path, out: Path, subject: str) -> Path:
    """Make a question folder of one subject."""
    for split in ("dev", "test"):
        (out / split).mkdir(parents=True)
        name = f"{subject}_{split}.csv"
        shutil.copyfile(source / split / name, out / split / name)
    return out


def evaluated(checkout: Path, artifact: Path, questions: Path, out: Path) -> Evaluated:
    """Evaluate in a process of its own, with the code of a checkout."""
    import numpy as np

    environment = {**os.environ, "PYTHONPATH": str(checkout), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    words = [
        sys.executable,
        "-P",
        str(ROOT / "tests/benchmarks/mmlu_process.py"),
        str(artifact),
        str(questions),
        str(out),
    ]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=out.parent)
    if ran.returncode:
        sys.exit(ran.stderr[-3000:])
    said: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    if Path(said["from"]) != checkout.resolve():
        sys.exit(f"the process took {said['from']}, not {checkout}")
    return Evaluated(said["seconds"], said["tokens"], np.load(out))


def main() -> None:
    """Export, evaluate in turns, print seconds and the verdict."""
    import numpy as np

    from harness import questions, reference
    from tests.benchmarks.accuracy import export
    from tests.benchmarks.facts import headline, result

    parser = argparse.ArgumentParser()
    parser.add_argument("--old", type=Path, required=True)
    parser.add_argument("--questions", type=Path, default=reference.questions_folder())
    parser.add_argument("--every", type=int, default=1)
    asked = parser.parse_args()
    called = commit_of(asked.old)
    headline(f"python -m tests.benchmarks.whole_mmlu --old {called} --every {asked.every}")
    names = questions.subjects(asked.questions)
    found: dict[str, list[Evaluated]] = {"old": [], "new": []}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        with contextlib.redirect_stdout(sys.stderr):
            artifact = export(reference.model_folder(), place / "fp32", "fp32")
        for turn, subject in enumerate(names[:: asked.every]):
            folder = alone(asked.questions, place / subject, subject)
            for which in ("old", "new") if turn % 2 == 0 else ("new", "old"):
                checkout = asked.old.resolve() if which == "old" else ROOT
                found[which].append(evaluated(checkout, artifact, folder, place / f"{which}-{turn}.npy"))
            print(f"{subject}: {_line(called, found['old'][-1], found['new'][-1])}", flush=True)
    old, new = (_together(found[which]) for which in ("old", "new"))
    print(f"{len(found['old'])} of {len(names)} subjects, {_line(called, old, new)} (at most {SHARE})")
    furthest = float(np.abs(old.logs - new.logs).max())
    other = int((old.logs.argmax(axis=1) != new.logs.argmax(axis=1)).sum())
    print(f"log-likelihoods within {furthest:.1e} nat, {other} of {len(old.logs)} choices differ")
    sys.exit(result(new.seconds <= SHARE * old.seconds and furthest <= CLOSE and not other))


def commit_of(checkout: Path) -> str:
    """Name a checkout by its commit; one that is no checkout by its folder's name."""
    words = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    return ran.stdout.strip() or checkout.resolve().name


def _line(called: str, old: Evaluated, new: Evaluated) -> str:
    return (f"{len(old.logs):,} questions, {old.tokens:,} prompt tokens: {called} {old.seconds:.1f} s of processor, here {new.seconds:.1f} s: "
            f"{new.seconds / old.seconds:.3f} of it")  # fmt: skip


def _together(parts: list[Evaluated]) -> Evaluated:
    import numpy as np

    return Evaluated(
        sum(one.seconds for one in parts), sum(one.tokens for one in parts), np.concatenate([one.logs for one in parts])
    )


if __name__ == "__main__":
    main()
