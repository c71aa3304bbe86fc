"""Differences between two measurements of the same items, by what the items are: documents, answers or questions in strata."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.numbers import documents, proportions, strata
from harness.numbers.intervals import MEAN_INTERVAL, checked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BY_DOCUMENT = "95% of the differences document by document"


@dataclass(frozen=True)
class Items:
    """What is kept of one measurement's items, each absent (None) where it is not at hand."""

    samples: Any = None
    """Values item by item."""
    documents: Floats | None = None
    """Sums and counts by document, as `documents.sums_of` makes them."""
    strata: Sequence[int] | None = None
    """Items of each stratum, in order; None where all are of one."""


@dataclass(frozen=True)
class Paired:
    """A value minus its baseline with the 95 % interval of the difference, and the name of the interval's method."""

    value: float
    low: float
    high: float
    how: str
    error: float | None = None
    """Standard error, where the interval is Student's."""
    degrees: float = math.inf
    """Of freedom of that error."""


def by_document(metric: str) -> bool:
    """Say whether a metric's unit is the document."""
    return metric in documents.STATISTICS


def paired_difference(metric: str, items: Items, baseline: Items, alpha: float = 0.05) -> Paired:
    """Return value minus baseline with its interval, of 95 % where nothing is said; the items of both are the same in the same order.

    Documents: bootstrap-t. Right and wrong answers: the exact distribution of discordant ones. Other questions: Student's t
    on the differences. Questions of several strata are combined as strata, as the value's own interval is.
    Raises: HarnessError where the two do not pair or are too few.
    """
    if by_document(metric):
        if items.documents is None or baseline.documents is None:
            raise HarnessError("documents are not kept for both (version 0.1 kept none); measure again")
        found = documents.paired_difference(items.documents, baseline.documents, metric, _moves(items, baseline), alpha)
        return Paired(*found, BY_DOCUMENT)
    if items.samples is None or baseline.samples is None:
        raise HarnessError("the samples are not at hand")
    one, other = checked(items.samples), checked(baseline.samples)
    if one.shape != other.shape:
        raise HarnessError(f"{one.size} and {other.size} items do not pair")
    counts = _counts(items, baseline, one.size)
    if _answers(one) and _answers(other):
        how = proportions.PAIRED if len(counts) == 1 else strata.STRATIFIED_PAIRED
        return Paired(*strata.stratified_difference(one, other, counts, alpha), how)
    value, low, high = strata.stratified_mean(one - other, counts, alpha)
    if low is None or high is None:
        raise HarnessError(f"{one.size} items are too few, {strata.FEWEST} are needed")
    how = f"{MEAN_INTERVAL} of the differences{', stratified' if len(counts) > 1 else ''}"
    return Paired(value, low, high, how, *strata.mean_error(one - other, counts))


def _counts(items: Items, baseline: Items, size: int) -> list[int]:
    """Return how many questions each stratum has, as either side tells. Raises: HarnessError where the two tell it differently."""
    told = [[int(count) for count in side.strata if count] for side in (items, baseline) if side.strata is not None]
    if len(told) == 2 and told[0] != told[1]:
        raise HarnessError(
            "the two cut their questions into other strata; measure both anew with one version of the probe"
        )
    return told[0] if told else [size]


def _moves(items: Items, baseline: Items) -> Floats | None:
    """Count by document the positions that only one of the two got right; None where the answers are not at hand."""
    import numpy as np

    if items.samples is None or baseline.samples is None or items.documents is None:
        return None
    one, other = (np.asarray(side.samples, dtype=np.float64).ravel() for side in (items, baseline))
    counts = items.documents[:, 1].astype(np.int64)
    if one.shape != other.shape or one.size != counts.sum() or not (_answers(one) and _answers(other)):
        return None
    return np.stack([documents.sums_of(side, counts)[:, 0] for side in (one > other, one < other)], axis=1)


def discordant(items: Items, baseline: Items) -> tuple[int, int] | None:
    """Count the answers that only the first got right, and only the second; None where these are no answers."""
    if items.samples is None or baseline.samples is None or items.documents is not None:
        return None
    one, other = checked(items.samples), checked(baseline.samples)
    if one.shape != other.shape or not (_answers(one) and _answers(other)):
        return None
    return int((one > other).sum()), int((one < other).sum())


def _answers(values: Floats) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def reproduces(metric: str, items: Items, value: float) -> bool:
    """Say whether the items give the value that stands in the record; a pairing of other items would mislead."""
    if by_document(metric):
        found = None if items.documents is None else documents.value_of(items.documents, metric)
    else:
        found = None if items.samples is None else float(checked(items.samples).mean())
    return found is None or math.isclose(found, value, rel_tol=1e-5, abs_tol=1e-9)
