"""How often `harness compare` calls quality apart where it is not, on what real methods scored.

    python -m tests.benchmarks.compare_quality [--draws 500]

Two methods of the published quickstart read the same documents and questions. In each draw a coin decides for every document, or question, which of
the two gets which score: then there is no difference, and all else is as real scores are. Levels are those at which verdicts are given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from harness.comparing.evidence import of_items
from harness.comparing.sides import side_of, source_of
from harness.numbers import documents
from harness.numbers.pairing import Items
from harness.published.sources import NumberSource
from tests.benchmarks.facts import headline, result
from tests.conftest import ROOT

SEED = 20261129
METHODS = ("int8", "int4_rtn", "int4_k_quant_mixed", "int4_awq_reference")
METRICS = ("perplexity", "kl_divergence", "top1_agreement", "lm_eval.acc", "choice_logprob")
LEVELS = (0.05, 0.01, 0.001)
MOST = {0.05: 0.07, 0.01: 0.02, 0.001: 0.005}
"""Share of draws that may be called apart at a level, over all pairs of methods."""


def items(source: NumberSource, method: str, metric: str) -> Items:
    """Return a method's items of a metric."""
    row = next(
        row for row in side_of(method, source, {"metric": metric, "sweep": "quickstart"}).rows if not row.text("slice")
    )
    return source.items(str(row.get("measurement_id")))


def swapped(one: Items, other: Items, metric: str, draws: int, seed: str) -> Iterator[tuple[Items, Items]]:
    """Deal the scores of each document or question to both sides by a coin."""
    draw = np.random.default_rng([SEED, *seed.encode()])
    by_document = metric in documents.STATISTICS
    sides = [np.asarray(side.documents if by_document else side.samples, dtype=float) for side in (one, other)]
    for _ in range(draws):
        coin = draw.random(len(sides[0])) < 0.5
        heads = coin[:, None] if by_document else coin
        dealt = np.where(heads, sides[0], sides[1]), np.where(heads, sides[1], sides[0])
        if by_document:
            yield Items(documents=dealt[0]), Items(documents=dealt[1])
        else:
            yield Items(dealt[0], strata=one.strata), Items(dealt[1], strata=other.strata)


def value_of(side: Items, metric: str) -> float:
    """Return the metric's value."""
    return documents.value_of(side.documents, metric) if side.documents is not None else float(np.mean(side.samples))


def apart(sides: tuple[Items, Items], metric: str) -> list[bool]:
    """Say at each level whether the two are called apart."""
    found = of_items(metric, sides, (value_of(sides[0], metric), value_of(sides[1], metric)))
    if found.p is not None:
        return [found.p <= level for level in LEVELS]
    return [not low <= 0 <= high for low, high in map(found.bounds, LEVELS)]


def main() -> None:
    """Draw, judge and count."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=500)
    draws = parser.parse_args().draws
    headline(f"python -m tests.benchmarks.compare_quality --draws {draws}")
    source, good = source_of(ROOT / "results" / "published" / "quickstart.yaml"), []
    for metric in METRICS:
        found = [
            apart(sides, metric)
            for one, other in combinations(METHODS, 2)
            for sides in swapped(
                items(source, one, metric), items(source, other, metric), metric, draws, f"{one} {other} {metric}"
            )
        ]
        shares = dict(zip(LEVELS, np.mean(found, axis=0), strict=True))
        told = ", ".join(f"{share:.2%} at {level:.1%}" for level, share in shares.items())
        print(f"{metric}, {len(found)} draws over 6 pairs of methods: called apart {told}")
        good.append(all(share <= MOST[level] for level, share in shares.items()))
    sys.exit(result(all(good)))


if __name__ == "__main__":
    main()
