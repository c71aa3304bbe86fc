"""How many questions, and processor seconds, it takes to know a loss of accuracy to half a point: paired, and as TensorRT-LLM's tests do.

Paired: both models answer the same questions. Where a share d of them is answered rightly by one alone, and the shares differ by D, the
difference of one question has the variance d - D^2, so that an interval of 95 % with half-width h takes n = (1.96 / h)^2 (d - D^2)
questions. Source: McNemar (1947); Agresti, Categorical Data Analysis (2nd ed.), section 10.1.1. Where no answer differs, d is taken as 3 / n.
The interval of n is that of d (Clopper and Pearson, 1934; 95 %, exact) put into the formula, D as measured.

Unpaired: TensorRT-LLM (tests/integration/defs/accuracy/accuracy_core.py, `compute_theta`) takes sigma = 50 points for a question, and sees
losses from theta = -(z_alpha + z_beta) sqrt(2 sigma^2 / n) on, one-sided, with alpha = 0.05 and beta = 0.2: n = 2 (sigma (z_alpha + z_beta) / theta)^2.
Held to that alpha and beta instead of an interval of 95 %, a pair takes ((z_alpha + z_beta) / 1.96)^2 = 1.61 times the questions printed here.

    python -m tests.benchmarks.accuracy_power --questions ../shared/data/mmlu --subjects 57 --limit 20

measures it on fp32 and int4 exports of the reference model, beginnings shared; `accuracy` prints it for its own questions.

A question costs both models' seconds, either way. Whoever keeps the unpaired rule's reference saves half of that, and whoever keeps the
baseline's answers saves it paired, too.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Right = NDArray[np.bool_]

HALF = 0.5
"""Points to which a difference is to be known."""
SHARE = 1 / 3
"""Of the unpaired rule's seconds: the most that a pair may take."""
SIGMA = 50.0
_Z95 = 1.959963984540054
_Z_ALPHA, _Z_BETA = 1.6448536269514722, 0.8416212335729143
"""Normal quantiles of alpha 0.05 and beta 0.2, one-sided."""


@dataclass(frozen=True)
class Pair:
    """Two models' answers to the same questions."""

    n: int
    only_first: int
    """Questions that only the first model answers rightly."""
    only_second: int

    @property
    def difference(self) -> float:
        """Second less first, in points."""
        return 100 * (self.only_second - self.only_first) / self.n

    @property
    def variance(self) -> float:
        """Of one question's difference, in points squared."""
        differ = max(self.only_first + self.only_second, 3) / self.n
        return 1e4 * (differ - (self.difference / 100) ** 2)

    @property
    def half_width(self) -> float:
        """Half of the difference's interval of 95 %, in points."""
        return _Z95 * math.sqrt(self.variance / self.n)

    def questions(self, half: float = HALF) -> int:
        """Questions after which the interval's half is so many points."""
        return _questions(self.variance, half)

    def questions_between(self, half: float = HALF) -> tuple[int, int]:
        """Interval of 95 % of these questions: how few and how many they may be."""
        from scipy.stats import beta

        differ, apart = self.only_first + self.only_second, self.difference / 100
        low = float(beta.ppf(0.025, differ, self.n - differ + 1)) if differ else 0.0
        high = float(beta.ppf(0.975, differ + 1, self.n - differ)) if differ < self.n else 1.0
        few, many = (_questions(1e4 * (max(share, abs(apart)) - apart**2), half) for share in (low, high))
        return few, many


def _questions(variance: float, half: float) -> int:
    return math.ceil(variance * (_Z95 / half) ** 2)


def pair_of(first: Right, second: Right) -> Pair:
    """Count what two models answered rightly, [questions] each."""
    return Pair(len(first), int((first & ~second).sum()), int((second & ~first).sum()))


def theta(n: int) -> float:
    """Give the least loss, in points, that the unpaired rule sees with so many questions."""
    return (_Z_ALPHA + _Z_BETA) * math.sqrt(2 * SIGMA**2 / n)


def unpaired_questions(least: float = HALF) -> int:
    """Questions after which the unpaired rule sees a loss of so many points."""
    return math.ceil(2 * (SIGMA * (_Z_ALPHA + _Z_BETA) / least) ** 2)


def quality_table(right: dict[str, Right], seconds: dict[str, float]) -> bool:
    """Print accuracies beside what their difference costs; tell whether the pair takes at most a third.

    right: whether each question was answered rightly, [questions], the baseline first; seconds: of processor, for all questions.
    """
    (baseline, first), *others = right.items()
    print(f"\naccuracy, {len(first)} questions, {seconds[baseline]:.1f} s of processor for {baseline}")
    print(f"  {baseline:6} {100 * first.mean():5.1f} %")
    holds = True
    for name, second in others:
        pair, each = pair_of(first, second), (seconds[baseline] + seconds[name]) / len(first)
        few, many = pair.questions_between()
        ours, theirs = pair.questions() * each, unpaired_questions() * each
        print(f"  {name:6} {100 * second.mean():5.1f} %, {pair.difference:+.2f} ± {pair.half_width:.2f} points, {pair.only_first} and {pair.only_second} answers by one alone; "
              f"the unpaired rule sees {theta(pair.n):.2f} points with these questions")  # fmt: skip
        print(f"         to ±{HALF} points: {ours:,.0f} s of processor for the pair ({pair.questions():,} questions, {few:,} to {many:,}), {theirs:,.0f} s unpaired "
              f"({unpaired_questions():,}): {ours / theirs:.2f} of it (at most {SHARE:.2f})")  # fmt: skip
        holds = holds and ours <= SHARE * theirs
    return holds


def main() -> None:
    """Answer questions with both exports, one after the other; print what half a point costs."""
    import numpy as np

    from harness import reference
    from harness.engines.ort_genai import ENGINE
    from tests.benchmarks.accuracy import export, requests_of, timed
    from tests.benchmarks.facts import headline, result

    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=Path, default=reference.questions_folder())
    parser.add_argument("--subjects", type=int, default=57)
    parser.add_argument("--limit", type=int, default=20)
    asked = parser.parse_args()
    headline(
        f"python -m tests.benchmarks.accuracy_power --questions {asked.questions.name} --subjects {asked.subjects} --limit {asked.limit}"
    )
    right: dict[str, Right] = {}
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        for precision in ("fp32", "int4"):
            with contextlib.redirect_stdout(sys.stderr):
                artifact = export(reference.model_folder(), Path(name) / precision, precision)
            with ENGINE.open(artifact, ENGINE.options(threads=1)) as session:
                requests, gold = requests_of(asked.questions, asked.subjects, asked.limit, session.codec.encode)
                session.score(requests[:8])
                scores, seconds[precision] = timed(lambda: session.score(requests))  # noqa: B023 - called at once
            logs = np.asarray([one.logprob for one in scores]).reshape(-1, 4)
            right[precision] = logs.argmax(axis=1) == np.asarray(gold)
    sys.exit(result(quality_table(right, seconds)))


if __name__ == "__main__":
    main()
