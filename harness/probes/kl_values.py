"""From distances of positions to metrics: means, quantiles, agreement, the first divergent token, and slices by confidence."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.marks import UNDER_IN_SLICES
from harness.core.seam import MetricValue
from harness.core.spec import Note
from harness.numbers.divergence import TOP
from harness.probes.streams import Stream
from harness.probes.windows import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

_QUANTILES = {"median": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
_BORDERS = (0.0, 0.5, 0.9, 0.99, 1.0)
"""Of the reference's confidence: the probability of its likeliest token."""
UNTOLD = 2.0
"""Times the sum of its floors up to which a divergence tells nothing."""
_DIVERGENCES = frozenset({"kl_divergence", "kl_quantile"})
FIELDS = ("kl", "abs_log_ratio", "agrees", "top5", "confidence")


@dataclass(frozen=True)
class ComparedPositions:
    """All positions of a stream, in order; see `numbers.divergence.Distances`."""

    kl: Floats
    abs_log_ratio: Floats
    agrees: NDArray[np.uint8]
    top5: NDArray[np.uint8]
    confidence: NDArray[np.float32]


def metric_values(
    found: ComparedPositions, spans: list[Span], sizes: Ints, stream: Stream, floors: Mapping[str, float]
) -> tuple[MetricValue, ...]:
    """Give every metric of a comparison. sizes: positions of each document."""
    import numpy as np

    ends = np.cumsum([span.last - span.first for span in spans])[:-1]
    chunks = np.array([part.mean() for part in np.split(found.abs_log_ratio, ends) if len(part)])
    first = _first_divergent(found.agrees, ends)
    return (
        _by_document("kl_divergence", found.kl, "kl", sizes, stream),
        MetricValue("kl_abs_log_ratio", float(chunks.mean()), found.abs_log_ratio.astype(np.float32), n=len(chunks), array="abs_log_ratio"),
        _by_document("top1_agreement", found.agrees, "agrees", sizes, stream),
        _mean("top5_agreement", (found.top5 / TOP).astype(np.float32), "top5"),
        MetricValue("first_divergent_token", float(np.median(first)), first, array="first_divergent"),
        *(_summary("kl_quantile", f"quantile:{name}", float(np.quantile(found.kl, share)), len(found.kl))
          for name, share in _QUANTILES.items()),
        *_by_confidence(found),
        *(_summary("kl_floor", f"floor:{name}", value, 1) for name, value in sorted(floors.items())),
    )  # fmt: skip


def floor_notes(values: Sequence[MetricValue], floors: Mapping[str, float]) -> tuple[Note, ...]:
    """Mark KL-divergences within twice the sum of their floors: small disturbances that know nothing of each other add up, and each floor is the mean of a sample.

    One note: that of the mean, which marks the whole comparison, or that of the slices and quantiles alone, which marks them.
    """
    most = UNTOLD * sum(floors.values())
    under = [one for one in values if one.metric in _DIVERGENCES and one.value <= most] if floors else []
    if not under:
        return ()
    mean = [one for one in under if not one.slice]
    slices = ", ".join(f"{one.slice} ({one.value:.1e} nat)" for one in under if one.slice)
    said = ", ".join(f"{name} {floor:.1e}" for name, floor in sorted(floors.items()))
    within = f"within {UNTOLD:g} times {'its' if mean else 'their'} floors ({said} nat)"
    if not mean:
        return (Note(code=UNDER_IN_SLICES, text=f"KL-divergences {within} cannot be told from none: {slices}"),)
    text = f"the KL-divergence {mean[0].value:.1e} nat is {within}: it cannot be told from none"
    return (Note(code="under-floor", text=f"{text}, nor can {slices}" if slices else text),)


def _first_divergent(agrees: NDArray[np.uint8], ends: Ints) -> Ints:
    """Count in each window the positions before the first at which the likeliest tokens differ; all of them where none does."""
    import numpy as np

    parts = [part for part in np.split(agrees, ends) if len(part)]
    return np.array([len(part) if part.all() else int(part.argmin()) for part in parts], dtype=np.int64)


def _by_confidence(found: ComparedPositions) -> list[MetricValue]:
    import numpy as np

    values = []
    for low, high in itertools.pairwise(_BORDERS):
        top = found.confidence.astype(np.float64)
        inside = (top >= low) & ((top < high) | (high == 1.0))
        if inside.any():
            name = f"confidence:{low:g}-{high:g}"
            values.append(_summary("kl_divergence", name, float(found.kl[inside].mean()), int(inside.sum())))
    return values


def _summary(metric: str, name: str, value: float, count: int) -> MetricValue:
    """Give a value that follows from the arrays of the whole: itself as its sample."""
    import numpy as np

    return MetricValue(metric, value, np.asarray([value]), slice=name, n=count)


def _mean(metric: str, samples: NDArray[np.float32], array: str) -> MetricValue:
    import numpy as np

    return MetricValue(metric, float(samples.astype(np.float64).mean()), samples, n=len(samples), array=array)


def _by_document(metric: str, samples: NDArray[Any], array: str, sizes: Ints, stream: Stream) -> MetricValue:
    import numpy as np

    from harness.numbers.documents import interval, sums_of, value_of

    kept = samples.astype(np.float32) if samples.dtype == np.float64 else samples
    sums = sums_of(samples, sizes)
    spread = interval(sums, metric, stream.noun)
    return MetricValue(
        metric, value_of(sums, metric), kept, low=spread.low, high=spread.high, interval=spread.name,
        items=stream.sha256, array=array,
    )  # fmt: skip
