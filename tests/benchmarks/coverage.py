"""How often 95 % intervals hold the truth, on documents that real models scored.

`python -m tests.benchmarks.coverage [--draws 1000] [--data ../shared/data]`

A corpus stands for all texts of its kind: its documents are drawn with replacement, the interval of each draw is made from what was drawn,
and the truth is the corpus' own value. The oracle is an interval as wide as 95 % of the drawn values themselves. Scores are computed
once (tests/benchmarks/document_scores.py) and kept in the temporary folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.numbers import documents, strata
from harness.numbers.proportions import paired_difference
from tests.benchmarks.document_scores import FIELDS, cached, corpora
from tests.benchmarks.facts import headline, result

SIZES = (10, 20, 50, 100, 200)
ENOUGH = {50: 0.90, 200: 0.93}
"""Documents to the coverage that is promised from there on."""
WIDEST = 1.5
ORACLE = 2000
"""Draws behind an oracle."""
QUESTIONS = 157
CHOICES = (2, 3, 5, 7, 13, 25, 50)
"""Questions drawn of each stratum."""
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Statistic:
    """What is computed from drawn documents: its value, and its interval without regard to how few they are."""

    name: str
    value: Callable[[Any], float]
    interval: Callable[[Any], tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """What was found for one statistic at one number of documents."""

    corpus: str
    statistic: str
    size: int
    covered: float
    width: float
    """Mean width over the oracle's."""

    @property
    def promised(self) -> float | None:
        """Return the coverage that is promised here; None where no interval is shown."""
        return max((share for size, share in ENOUGH.items() if size <= self.size), default=None)

    @property
    def holds(self) -> bool:
        return self.promised is None or (self.covered >= self.promised and self.width <= WIDEST)


def column(name: str) -> int:
    """Return the place of a column of scores."""
    return FIELDS.index(name)


def sums(table: Any, name: str) -> Any:
    """Return a score's sums and counts, float64 [documents, 2]."""
    return table[:, [column(name), column("counts")]]


def single(title: str, metric: str, name: str) -> Statistic:
    """Describe a metric's own value."""

    def interval(table: Any) -> tuple[float, float]:
        found = documents.interval(sums(table, name), metric)
        assert found.low is not None
        assert found.high is not None
        return found.low, found.high

    return Statistic(title, lambda table: documents.value_of(sums(table, name), metric), interval)


def paired(title: str, metric: str, name: str, other: str) -> Statistic:
    """Describe a difference of two metrics on the same documents."""

    def value(table: Any) -> float:
        return documents.value_of(sums(table, name), metric) - documents.value_of(sums(table, other), metric)

    def interval(table: Any) -> tuple[float, float]:
        return documents.paired_difference(sums(table, name), sums(table, other), metric)[1:]

    return Statistic(title, value, interval)


STATISTICS = (
    single("perplexity", "perplexity", "nll4"),
    single("KL, int8", "kl_divergence", "kl8"),
    single("KL, int4", "kl_divergence", "kl4"),
    single("top-1, int8", "top1_agreement", "top8"),
    single("top-1, int4", "top1_agreement", "top4"),
    paired("Δ perplexity, int4", "perplexity", "nll4", "nll"),
    paired("Δ perplexity, int8", "perplexity", "nll8", "nll"),
    paired("Δ KL, int4 - int8", "kl_divergence", "kl4", "kl8"),
    paired("Δ top-1, int4 - int8", "top1_agreement", "top4", "top8"),
)


def measured(corpus: str, table: Any, statistic: Statistic, size: int, draws: int) -> Line:
    """Draw documents and count the intervals that hold the truth."""
    draw, truth = np.random.default_rng(20261128), statistic.value(table)
    spread = [statistic.value(table[draw.integers(0, len(table), size)]) for _ in range(ORACLE)]
    oracle = float(np.subtract(*np.quantile(spread, (0.975, 0.025))))
    ends = np.array([statistic.interval(table[draw.integers(0, len(table), size)]) for _ in range(draws)])
    inside = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    return Line(corpus, statistic.name, size, float(inside.mean()), float((ends[:, 1] - ends[:, 0]).mean()) / oracle)


def of_corpus(corpus: str, table: Any, draws: int, statistics: Sequence[Statistic] = STATISTICS) -> list[Line]:
    """Measure all statistics of a corpus at each number of documents, all of its own at last."""
    table = table[table[:, column("counts")] > 0]
    sizes = sorted({*SIZES, len(table)})
    lines = [measured(corpus, table, statistic, size, draws) for statistic in statistics for size in sizes]
    effective = table[:, column("counts")].sum() ** 2 / (table[:, column("counts")] ** 2).sum()
    print(
        f"\n{corpus}: {len(table)} documents, {effective:.0f} of equal length would weigh as much; coverage (width over an oracle's)"
    )
    print(f"{'':24}" + "".join(f"{size:>15}" for size in sizes))
    for statistic in statistics:
        own = [line for line in lines if line.statistic == statistic.name]
        print(f"{statistic.name:24}" + "".join(f"{line.covered:9.3f} ({line.width:.2f})" for line in own), flush=True)
    return lines


def of_answers(draws: int) -> list[tuple[int, int, float]]:
    """Draw answers to 157 questions of which few are discordant; returns gained, lost and coverage."""
    draw, found, known = np.random.default_rng(20261128), [], {}
    for discordant in range(6):
        for gained in range((discordant + 1) // 2, discordant + 1):
            lost = discordant - gained
            counts = draw.multinomial(
                QUESTIONS, [gained / QUESTIONS, lost / QUESTIONS, 1 - discordant / QUESTIONS], draws
            )
            for pair in {(int(one), int(other)) for one, other, _ in counts}:
                known.setdefault(pair, paired_difference(*pair, QUESTIONS))
            ends = [known[int(one), int(other)][1:] for one, other, _ in counts]
            truth = (gained - lost) / QUESTIONS
            found.append((gained, lost, float(np.mean([low <= truth <= high for low, high in ends]))))
    return found


def of_choices(draws: int) -> list[Line]:
    """Draw questions within their strata from what the published quickstart answered: log-probabilities of right choices."""
    from harness.published.sources import from_published

    with from_published(ROOT / "results" / "published") as source:
        asked = {"sweep": "quickstart", "metric": "choice_logprob", "slice": ""}
        last = dict(source.select(asked, ["method", "measurement_id"]).rows)
        kept = {method: source.reader().all_items(measurement) for method, measurement in last.items()}
    tables = {method: np.asarray(items.samples, dtype=np.float64) for method, items in kept.items()}
    counts = next(iter(kept.values())).strata or []
    lines = []
    for method, other in (("fp32", None), ("int4_rtn", None), ("int4_rtn", "fp32")):
        whole = tables[method] - (tables[other] if other else 0.0)
        parts, name = np.split(whole, np.cumsum(counts)[:-1]), f"{method}{f' - {other}' if other else ''}"
        lines += [_of_choices(name, parts, each, draws) for each in CHOICES]
    return lines


def _of_choices(name: str, parts: Sequence[Any], each: int, draws: int) -> Line:
    """Draw the same number of questions of each stratum; the truth is the mean over the strata's own means."""
    draw, truth = np.random.default_rng(20261128), float(np.mean([part.mean() for part in parts]))
    drawn = [
        np.concatenate([part[draw.integers(0, part.size, each)] for part in parts]) for _ in range(max(draws, ORACLE))
    ]
    oracle = float(np.subtract(*np.quantile([one.mean() for one in drawn], (0.975, 0.025))))
    ends = np.array([strata.stratified_mean(one, [each] * len(parts))[1:] for one in drawn[:draws]])
    inside = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    size = each * len(parts)
    return Line("questions", name, size, float(inside.mean()), float((ends[:, 1] - ends[:, 0]).mean()) / oracle)


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 where all promises hold."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--draws", type=int, default=1000)
    asked.add_argument("--data", type=Path, default=Path("../shared/data"))
    asked.add_argument("--scores", type=Path, default=Path(tempfile.gettempdir()) / "quant-harness-scores")
    given = asked.parse_args(words)
    headline(f"python -m tests.benchmarks.coverage --draws {given.draws}")
    documents.FEWEST = min(SIZES)  # measured below what is shown, too
    lines = []
    for name, corpus in corpora(given.data).items():
        lines += of_corpus(name, cached(name, corpus, given.scores), given.draws)
    strata.FEWEST, fewest = 0, strata.FEWEST
    choices = of_choices(given.draws)
    print(
        f"\nlog-probability of the right choice, in strata: coverage (width over an oracle's); shown from {fewest} questions on"
    )
    for line in choices:
        print(f"{line.statistic:20}{line.size:6}{line.covered:9.3f} ({line.width:.2f})")
    answers = of_answers(10 * given.draws)
    print(f"\nDifferences of accuracy, {QUESTIONS} questions: gained, lost: coverage")
    print(", ".join(f"{gained} {lost}: {share:.3f}" for gained, lost, share in answers))
    print(f"nothing discordant: {paired_difference(0, 0, QUESTIONS)[1:]}")
    short = [
        f"{line.corpus}, {line.statistic}, {line.size} documents: {line.covered:.3f} ({line.width:.2f})"
        for line in lines
        if not line.holds
    ]
    short += [
        f"{line.statistic}, {line.size} questions: {line.covered:.3f}"
        for line in choices
        if line.size >= fewest and line.covered < (0.93 if line.size >= 200 else 0.90)
    ]
    short += [f"{gained} gained, {lost} lost: {share:.3f}" for gained, lost, share in answers if share < 0.94]
    print("\nfalls short:", *(short or ["nothing"]), sep="\n  ")
    return result(not short)


if __name__ == "__main__":
    sys.exit(main())
