"""How far two rows of logits are apart as distributions: float32 over blocks of the vocabulary that stay in a core's cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Floats = NDArray[np.float64]

BLOCK_VALUES = 1 << 16
"""Values taken at a time, so that a few buffers of them stay in a core's cache."""
_SEGMENT = 1024
"""Values that are added up, or searched for the largest, at a time."""
TOP = 5
"""Likeliest tokens that are compared as a set."""
RELATIVE, ABSOLUTE = 1e-4, 1e-6
"""How far the float32 mean may stand from the float64 one: relative, or nat, whichever is more."""


@dataclass(frozen=True)
class Distances:
    """Per position [n]: KL-divergence and mean |log ratio| (float64, nat), and how the likeliest tokens agree."""

    kl: Floats
    abs_log_ratio: Floats
    agrees: NDArray[np.uint8]
    """Whether both rank the same token first."""
    top5: NDArray[np.uint8]
    """How many of the reference's five likeliest tokens are among the candidate's."""
    confidence: Rows
    """Probability of the reference's likeliest token."""


def distances(reference: Rows, candidate: Rows, *, wide: bool = False) -> Distances:
    """Compare rows of logits, or of log-probabilities, float32 [n, vocabulary]; both are normalised here.

    wide: all sums and exponentials in float64, else segments of the vocabulary in float32 and their sums in float64. What the reference
    rules out (-inf) says nothing. Rows whose float32 result is not finite are computed again in float64.
    """
    import numpy as np

    rows, width = reference.shape
    step = max(1, BLOCK_VALUES // width)
    whole = width if wide else -(-width // _SEGMENT) * _SEGMENT
    buffers = np.zeros((3 if wide else 2, min(step, rows), whole), dtype=np.float64 if wide else np.float32)
    sums, largest = np.empty((4, rows)), np.empty((2, rows, -(-width // _SEGMENT)), dtype=np.float32)
    starts = np.arange(0, width, _SEGMENT)
    for begin in range(0, rows, step):
        part = slice(begin, min(begin + step, rows))
        one, other, held = reference[part], candidate[part], buffers[:, : part.stop - part.start]
        for side, values in enumerate((one, other)):
            np.maximum.reduceat(values, starts, axis=1, out=largest[side, part])
        tops = largest[:, part].max(axis=2)
        if wide:
            _wide_block(sums[:, part], one, other, tops, held)
        else:
            _block(sums[:, part], one, other, tops, held)
    first, second = (_likeliest(values, top) for values, top in zip((reference, candidate), largest, strict=True))
    agrees = (first[:, 0] == second[:, 0]).astype(np.uint8)
    found = Distances(sums[0], sums[1], agrees, _shared(first, second), sums[2].astype(np.float32))
    if not wide:
        _again(found, reference, candidate)
    return found


def _block(sums: Floats, reference: Rows, candidate: Rows, tops: Rows, buffers: Rows) -> None:
    """Fill one block of sums: KL, mean |log ratio|, confidence. buffers: [2, n, whole segments], zero beyond the vocabulary.

    Both rows are shifted by their own largest value first: what is likely is then small, and exact.
    """
    import numpy as np

    weight, gap = buffers
    inside, apart = weight[:, : reference.shape[1]], gap[:, : reference.shape[1]]
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        np.subtract(candidate, tops[1][:, None], out=apart)
        np.exp(apart, out=inside)
        rest = np.log(_summed(weight))
        np.subtract(reference, tops[0][:, None], out=inside)
        np.subtract(inside, apart, out=apart)
        np.exp(inside, out=inside)
        whole = _summed(weight)
        lift = np.log(whole) - rest
        sums[0] = _weighted(weight, gap) / whole - lift
        apart -= lift.astype(np.float32)[:, None]
        sums[1] = _weighted(weight, np.abs(gap, out=gap)) / whole
        sums[2] = 1 / whole


def _wide_block(sums: Floats, reference: Rows, candidate: Rows, tops: Rows, buffers: Floats) -> None:
    import numpy as np

    weight, gap, work = buffers
    with np.errstate(invalid="ignore"):
        np.subtract(candidate, tops[1][:, None], out=gap)
        total = np.exp(gap, out=work).sum(axis=1)
        np.subtract(reference, tops[0][:, None], out=weight)
        np.subtract(weight, gap, out=gap)
        whole = np.exp(weight, out=weight).sum(axis=1)
        gap -= (np.log(whole) - np.log(total))[:, None]
    gap[weight == 0] = 0  # what the reference rules out says nothing, -inf on both sides included
    sums[0] = np.einsum("ij,ij->i", weight, gap) / whole
    sums[1] = np.einsum("ij,ij->i", weight, np.abs(gap, out=gap)) / whole
    sums[2] = 1 / whole


def _summed(values: Rows) -> Floats:
    """Add up rows of whole segments: each in float32, these in float64."""
    import numpy as np

    parts = values.reshape(-1, _SEGMENT) @ np.ones(_SEGMENT, dtype=np.float32)
    sums: Floats = parts.reshape(len(values), -1).sum(axis=1, dtype=np.float64)
    return sums


def _weighted(weight: Rows, values: Rows) -> Floats:
    """Add up products as `_summed` does."""
    import numpy as np

    parts = np.einsum("ij,ij->i", weight.reshape(-1, _SEGMENT), values.reshape(-1, _SEGMENT))
    sums: Floats = parts.reshape(len(values), -1).sum(axis=1, dtype=np.float64)
    return sums


def _likeliest(values: Rows, largest: Rows) -> NDArray[np.intp]:
    """Give the places of the TOP largest values of each row [n, TOP], the first of the largest in front.

    largest: maxima of the row's segments [n, segments]; the places lie in those with the largest ones.
    """
    import numpy as np

    width, count = values.shape[1], largest.shape[1]
    if count <= 2 * TOP:
        within = np.broadcast_to(np.arange(width), values.shape)
        picked = values.copy()
    else:
        segments = np.sort(np.argpartition(largest, -TOP, axis=1)[:, -TOP:], axis=1)
        begins = np.minimum(segments * _SEGMENT, width - _SEGMENT)
        within = (begins[:, :, None] + np.arange(_SEGMENT)).reshape(len(values), -1)
        picked = np.take_along_axis(values, within, axis=1)
        twice = np.arange(_SEGMENT) < (segments * _SEGMENT - begins)[:, :, None]
        picked[twice.reshape(picked.shape)] = -np.inf  # the last segment is short, and reaches into the one before
    best = picked.argmax(axis=1)
    places = np.argpartition(picked, -min(TOP, width), axis=1)[:, -TOP:]
    found = np.take_along_axis(within, places, axis=1)
    first = np.take_along_axis(within, best[:, None], axis=1)
    rest: NDArray[np.intp] = np.where(found == first, found[:, :1], found)
    rest[:, :1] = first
    return rest


def _shared(one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.uint8]:
    import numpy as np

    found: NDArray[np.uint8] = (one[:, :, None] == other[:, None, :]).any(axis=2).sum(axis=1).astype(np.uint8)
    return found


def _again(found: Distances, reference: Rows, candidate: Rows) -> None:
    """Compute in float64 what came out as no number: -inf on both sides, or a candidate that rules out what is likely."""
    import numpy as np

    broken = np.flatnonzero(~(np.isfinite(found.kl) & np.isfinite(found.abs_log_ratio)))
    if len(broken):
        exact = distances(reference[broken], candidate[broken], wide=True)
        found.kl[broken], found.abs_log_ratio[broken] = exact.kl, exact.abs_log_ratio
        found.confidence[broken] = exact.confidence


def checked(found: Distances, reference: Rows, candidate: Rows, places: NDArray[np.intp]) -> Floats:
    """Compute some rows again in float64: float64 [places, 2] of KL-divergence as found, and as it is."""
    import numpy as np

    exact = distances(reference[places], candidate[places], wide=True)
    return np.stack([found.kl[places], exact.kl], axis=1)


def holds(pairs: Floats) -> bool:
    """Tell whether float32 gave the float64 mean of a sample, as far as RELATIVE and ABSOLUTE ask."""
    if not len(pairs):
        return True
    mean, wanted = pairs.mean(axis=0)
    return bool(abs(mean - wanted) <= max(ABSOLUTE, RELATIVE * abs(wanted)))
