"""What a committed run must say of itself to be whole: a file that was edited by hand is found here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from harness.core.errors import HarnessError
from harness.core.identity import DIGITS, digest
from harness.core.metric import LM_EVAL, Metric
from harness.core.metric import metric as metric_named
from harness.core.spec import BuildSpec, Job, Measurement, Outcome, Status
from harness.plan.keys import spec_key
from harness.record import array_ref
from harness.report.pairing import block_sums, value_of

_RUN = re.compile(r"\d{8}T\d{6}-[bqrs]-(?P<digits>[0-9a-f]{12})-[0-9a-f]{8}")
"""Runs of the runner are named after what they do; others' numbers and made-up runs are not."""
_MEANS = frozenset({
    "ttft", "e2e_latency", "per_token_latency", "load_seconds", "artifact_bytes", "weights_bytes", "build_seconds", "perplexity", "kl_divergence",
    "top1_agreement", f"{LM_EVAL}acc",
})  # fmt: skip
"""Metrics whose value is the mean of their samples, or for perplexity its exponential."""
_RATES = frozenset({"prefill_tps", "decode_tps", "e2e_tps"})
"""Metrics that are all work over all seconds, while a sample is the work over its own seconds: their harmonic mean."""


def contradictions(outcome: Outcome, arrays: Mapping[int, Any], blocks: Mapping[int, Any]) -> Iterator[str]:
    """Say what in a run cannot be true together, most telling first.

    arrays: samples by the measurement's place. blocks: float64 [blocks, 2] of sums and counts, by place.
    Not checked, since the record alone does not tell: the artifact's id (it also hashes packages of the environment that
    built it), and values that need more than their samples, as peaks of memory.
    """
    yield from _job(outcome.job, outcome.origin == "reported")
    if outcome.status is Status.OK and outcome.reason is not None:
        yield f"is ok and has a reason why not ('{outcome.reason}')"
    if outcome.status is not Status.OK and outcome.measurements:
        yield f"is {outcome.status.value} and has {len(outcome.measurements)} measurements"
    for place, item in enumerate(outcome.measurements):
        yield from _measurement(item)
        if outcome.origin == "measured":
            yield from _samples(item, arrays.get(place), blocks.get(place))
    for place in sorted({*arrays, *blocks}):
        if outcome.measurements[place].array is None:
            yield f"{outcome.measurements[place].metric} has samples that its measurement does not know of"


# ---------------------------------------------------------------- the job


def _job(job: Job, reported: bool) -> Iterator[str]:
    known = {digest(job.spec.model_dump(mode="json"))} if reported else set(_keys(job))
    if job.key not in known:
        yield f"its key {job.key[:DIGITS]} is not the hash of its spec"
    named = _RUN.fullmatch(job.run)
    identity = (job.artifact or job.key).removeprefix(f"{job.kind[0]}-")[:DIGITS]
    if named and named["digits"] != identity:
        yield f"it is named after {named['digits']}, and does {identity}"


def _keys(job: Job) -> Iterator[str]:
    """Give the keys that a spec can have: a field that only says where contents lie, a text, may be left out of it.

    Which fields those are, only the adapters know; one that was edited and does count gives another hash either way.
    """
    yield spec_key(job.spec)
    if job.spec.contents:
        fields = job.spec.options if isinstance(job.spec, BuildSpec) else job.spec.workload
        texts = sorted(name for name, value in fields.items() if not isinstance(value, bool | int | float))
        for located in (names for size in (1, 2) for names in combinations(texts, size)):
            yield spec_key(job.spec, located)


# ---------------------------------------------------------------- measurements


def _measurement(item: Measurement) -> Iterator[str]:
    try:
        metric = metric_named(item.metric)
    except HarnessError as error:
        yield str(error)
        return
    if item.comparison is None and item.unit != metric.unit and _as_now(item, metric):
        yield f"{item.metric} is in '{item.unit}', and its unit is '{metric.unit}'"
    low, high, slack = item.low, item.high, 1e-9 * max(1.0, abs(item.value))
    if (low is not None and low > item.value + slack) or (high is not None and high < item.value - slack):
        yield f"{item.metric} is {item.value}, outside its own interval [{low}, {high}]"


def _as_now(item: Measurement, metric: Metric) -> bool:
    """Say whether a number is of today's definition; those of others (version 0) are kept in our units."""
    return item.metric_version in {0, metric.version}


def _samples(item: Measurement, array: Any, blocks: Any) -> Iterator[str]:
    if array is not None and item.array is not None and array_ref(item.array.name, array) != item.array:
        yield f"the samples of {item.metric} are not those that were measured, by their hash"
    samples = array if array is not None else item.samples or None
    if (samples is None and blocks is None) or item.metric not in _MEANS | _RATES:
        return
    if item.metric.startswith(LM_EVAL) and item.interval is None:  # lm-eval weighs answers in a way of its own
        return
    count, value, tolerance = _answer(item.metric, samples, blocks)
    if count != item.n:
        yield f"{item.metric} says n {item.n} and has {count} samples"
    elif value is not None and not math.isclose(value, item.value, rel_tol=tolerance, abs_tol=1e-9):
        yield f"{item.metric} is {item.value}, and its samples give {value:.10g}"


def _answer(metric: str, samples: Any, blocks: Any) -> tuple[int, float | None, float]:
    """Return how many samples there are, the value that they give, and how far (relatively) rounding may move it."""
    import numpy as np

    sums = block_sums(samples, 1) if samples is not None else blocks
    count = int(sums[:, 1].sum())
    if metric not in _RATES:
        return count, value_of(sums, metric), 1e-5
    return count, None if samples is None else float(1 / np.mean(1 / np.asarray(samples, dtype=np.float64))), 1e-4
