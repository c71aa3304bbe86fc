"""How far two rows of logits are apart as distributions: float32 over blocks of the vocabulary that stay in a core's cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Block = Callable[[slice, Rows, Rows, Rows], None]

BLOCK_VALUES = 1 << 17
"""Values taken at a time, whole segments, so that a few buffers of them stay in a core's cache."""
_SEGMENT = 1024
"""Values that are added up at a time."""
_STRETCH = 256
"""Values among which the largest is found at a time."""
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
    normalizer: Floats
    """Log-sum-exp of the candidate's row, which turns its logits into log-probabilities."""


def distances(reference: Rows, candidate: Rows, *, wide: bool = False) -> Distances:
    """Compare rows of logits, or of log-probabilities, float32 [n, vocabulary]; both are normalised here.

    wide: all sums and exponentials in float64, else segments of the vocabulary in float32 and their sums in float64. What the reference
    rules out (-inf) says nothing. Rows whose float32 result is not finite are computed again in float64.
    """
    import numpy as np

    rows, width = reference.shape
    step = max(1, BLOCK_VALUES // width)
    tops, largest = np.empty((2, rows), dtype=np.float32), np.empty((2, rows, -(-width // _STRETCH)), dtype=np.float32)
    starts = np.arange(0, width, _STRETCH)
    sums = np.empty((4, rows))
    block = _wide_blocks(sums, min(step, rows), width) if wide else _blocks(sums, min(step, rows), width)
    for begin in range(0, rows, step):
        part = slice(begin, min(begin + step, rows))
        one, other = reference[part], candidate[part]
        for side, values in enumerate((one, other)):
            np.maximum.reduceat(values, starts, axis=1, out=largest[side, part])
        largest[:, part].max(axis=2, out=tops[:, part])
        block(part, one, other, tops[:, part])
    first, second = (_likeliest(values, top) for values, top in zip((reference, candidate), largest, strict=True))
    agrees = (first[:, 0] == second[:, 0]).astype(np.uint8)
    found = Distances(sums[0], sums[1], agrees, _shared(first, second), sums[2].astype(np.float32), sums[3] + tops[1])
    if not wide:
        _again(found, reference, candidate)
    return found


def _blocks(sums: Floats, rows: int, width: int) -> Block:
    """Make a function that fills sums [4, n] of a block of at most `rows` rows: KL, mean |log ratio|, confidence, normalizer.

    Both rows are shifted by their own largest value first: what is likely is then small, and exact. A row longer than a block is
    taken by parts of the vocabulary, and these once more when the difference of the normalizers is known.
    """
    import numpy as np

    weight, gap = np.zeros((2, rows, -(-width // _SEGMENT) * _SEGMENT), dtype=np.float32)
    ones = np.ones(_SEGMENT, dtype=np.float32)
    added = np.empty((4, rows, weight.shape[1] // _SEGMENT), dtype=np.float32)
    cuts = [slice(begin, min(begin + BLOCK_VALUES, width)) for begin in range(0, width, BLOCK_VALUES)]
    parts = [(cut, slice(cut.start // _SEGMENT, -(-cut.stop // _SEGMENT))) for cut in cuts]

    def fill(block: slice, reference: Rows, candidate: Rows, tops: Rows) -> None:
        count = len(reference)
        top, other_top = tops[:, :, None]
        weights, gaps = (values[:count].reshape(count, -1, _SEGMENT) for values in (weight, gap))
        total, whole, apart, ratio = added[:, :count]
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            for values, segments in parts:
                inside, between = weight[:count, values], gap[:count, values]
                np.subtract(candidate[:, values], other_top, out=between)
                np.exp(between, out=inside)
                np.matmul(weights[:, segments], ones, out=total[:, segments])
                np.subtract(reference[:, values], top, out=inside)
                np.subtract(inside, between, out=between)
                np.exp(inside, out=inside)
                np.matmul(weights[:, segments], ones, out=whole[:, segments])
            scales = np.add.reduce(added[:2, :count], axis=2, dtype=np.float64)
            rest, norm = np.log(scales)
            lift = norm - rest
            moves = lift.astype(np.float32)[:, None]
            for values, segments in parts:
                np.vecdot(weights[:, segments], gaps[:, segments], out=apart[:, segments])
                between = gap[:count, values]
                between -= moves
                np.abs(between, out=between)
                np.vecdot(weights[:, segments], gaps[:, segments], out=ratio[:, segments])
            sums[:2, block] = np.add.reduce(added[2:, :count], axis=2, dtype=np.float64) / scales[1]
            sums[0, block] -= lift
            sums[2, block], sums[3, block] = 1 / scales[1], rest

    return fill


def _wide_blocks(sums: Floats, rows: int, width: int) -> Block:
    """Make a function that fills sums as `_blocks` does, in float64."""
    import numpy as np

    buffers = np.empty((3, rows, width))

    def fill(block: slice, reference: Rows, candidate: Rows, tops: Rows) -> None:
        weight, gap, work = buffers[:, : len(reference)]
        with np.errstate(invalid="ignore"):
            np.subtract(candidate, tops[1][:, None], out=gap)
            rest = np.log(np.exp(gap, out=work).sum(axis=1))
            np.subtract(reference, tops[0][:, None], out=weight)
            np.subtract(weight, gap, out=gap)
            whole = np.exp(weight, out=weight).sum(axis=1)
            gap -= (np.log(whole) - rest)[:, None]
        gap[weight == 0] = 0  # what the reference rules out says nothing, -inf on both sides included
        sums[0, block] = np.einsum("ij,ij->i", weight, gap) / whole
        sums[1, block] = np.einsum("ij,ij->i", weight, np.abs(gap, out=gap)) / whole
        sums[2, block], sums[3, block] = 1 / whole, rest

    return fill


def _likeliest(values: Rows, largest: Rows) -> NDArray[np.intp]:
    """Give the places of the TOP largest values of each row [n, TOP], the first of the largest in front.

    largest: maxima of the row's stretches [n, stretches]; the places lie in those with the largest ones.
    """
    import numpy as np

    width, count = values.shape[1], largest.shape[1]
    if count <= 2 * TOP:
        return _largest_first(values.copy())
    stretches = np.sort(_largest_first(largest.copy()), axis=1)
    begins = np.minimum(stretches * _STRETCH, width - _STRETCH)
    within = (begins[:, :, None] + np.arange(_STRETCH)).reshape(len(values), -1)
    picked = np.take_along_axis(values, within, axis=1)
    twice = np.arange(_STRETCH) < (stretches * _STRETCH - begins)[:, :, None]
    picked[twice.reshape(picked.shape)] = -np.inf  # the last stretch is short, and reaches into the one before
    found: NDArray[np.intp] = np.take_along_axis(within, _largest_first(picked), axis=1)
    return found


def _largest_first(values: Rows) -> NDArray[np.intp]:
    """Give the places of the TOP largest values of each row, in order, and overwrite them: a search for one is faster than any sorting."""
    import numpy as np

    every = np.arange(len(values))
    found = np.empty((len(values), min(TOP, values.shape[1])), dtype=np.intp)
    for number in range(found.shape[1]):
        found[:, number] = values.argmax(axis=1)
        values[every, found[:, number]] = -np.inf
    return found


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
        found.confidence[broken], found.normalizer[broken] = exact.confidence, exact.normalizer


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
