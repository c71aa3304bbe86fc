"""What a committed run must say of itself to be whole: a file that was edited by hand is found here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, timedelta
from itertools import combinations
from typing import Any

from harness.core.errors import HarnessError
from harness.core.identity import DIGITS
from harness.core.metric import LM_EVAL, OWN, Metric, impossible
from harness.core.metric import metric as metric_named
from harness.core.options import problems_of
from harness.core.seam import Engine, load
from harness.core.spec import Artifact, BuildSpec, Environment, Job, Measurement, MeasureSpec, Outcome, Status
from harness.engines import ENGINES
from harness.numbers import documents, intervals, proportions, strata
from harness.numbers.pairing import Items, by_document
from harness.plan.keys import spec_key
from harness.worker.record import array_ref

_RUN = re.compile(r"(?P<day>\d{8})T\d{6}-[bqrs]-(?P<digits>[0-9a-f]{12})-[0-9a-f]{8}")
"""Runs of the runner are named after what they do; others' numbers and made-up runs are not."""
_MEANS = frozenset({
    "ttft", "e2e_latency", "per_token_latency", "load_seconds", "artifact_bytes", "weights_bytes", "build_seconds", "perplexity", "kl_divergence",
    "top1_agreement", "mmlu_acc", "choice_logprob", f"{LM_EVAL}acc",
})  # fmt: skip
"""Metrics whose value is the mean of their samples, or for perplexity its exponential."""
_TIMED = frozenset({"ttft", "e2e_latency", "per_token_latency", "prefill_tps", "decode_tps", "e2e_tps"})
"""Metrics that a protocol may summarise by the median of their seconds."""
_RATES = frozenset({"prefill_tps", "decode_tps", "e2e_tps"})
"""Metrics that are all work over all seconds, while a sample is the work over its own seconds: their harmonic mean."""
_SIZES = {
    "artifact_bytes": "bytes", "weights_bytes": "weights_bytes", "build_seconds": "seconds", "build_peak_rss_bytes": "peak_rss_bytes",
}  # fmt: skip
"""Measurements of a build that its artifact says too, by field."""
_NVIDIA = frozenset({"cuda", "NvTensorRtRtx"})
"""Providers that need an NVIDIA GPU, which the environment of a run on one names."""


def contradictions(outcome: Outcome, items: Mapping[int, Items], blocks: Mapping[int, Any]) -> Iterator[str]:
    """Say what in a run cannot be true together, most telling first.

    items: what is kept of the samples, by the measurement's place. blocks: of version 0.1, sums and counts by place.
    Not checked, since the record alone does not tell: the artifact's id (it also hashes packages of the environment that
    built it), and values and intervals that need more than what is kept of their samples, as peaks of memory.
    """
    if outcome.origin != "measured":
        yield f"is {outcome.origin}, and only runs measured here can be promoted"
        return
    yield from _job(outcome.job)
    named = _RUN.fullmatch(outcome.job.run)
    day = named and f"{outcome.started.astimezone(UTC):%Y%m%d}"
    if named and day not in {named["day"], f"{outcome.started.astimezone(UTC) - timedelta(days=1):%Y%m%d}"}:
        yield f"its name says {named['day']}, but it began on {day}"
    if outcome.status is Status.OK and outcome.reason is not None:
        yield f"has status ok and a failure reason ('{outcome.reason}')"
    if outcome.status is not Status.OK and outcome.measurements:
        yield f"is {outcome.status.value} and has {len(outcome.measurements)} measurements"
    yield from _environment(outcome.environment)
    yield from _provider(outcome)
    if outcome.artifact is not None:
        yield from _artifact(outcome.artifact, outcome.measurements)
    yield from _twice(outcome.measurements)
    yield from _decoding(outcome)
    for place, item in enumerate(outcome.measurements):
        yield from _measurement(item)
        yield from _samples(item, items.get(place, Items()), blocks.get(place), median=_by_medians(outcome))
    for place in sorted({*items, *blocks}):
        if outcome.measurements[place].array is None:
            yield f"{outcome.measurements[place].metric} has samples, but its measurement refers to none"


# ---------------------------------------------------------------- the job


def key_fits(job: Job) -> bool:
    """Say whether a job's key is the hash of its spec."""
    return job.key in set(_keys(job))


def _job(job: Job) -> Iterator[str]:
    if not key_fits(job):
        yield f"its key {job.key[:DIGITS]} is not the hash of its spec"
    named = _RUN.fullmatch(job.run)
    identity = (job.artifact or job.key).removeprefix(f"{job.kind[0]}-")[:DIGITS]
    if named and named["digits"] != identity:
        yield f"its name says {named['digits']}, its job is {identity}"


def _keys(job: Job) -> Iterator[str]:
    """Give the keys that a spec can have: a field that only says where contents lie, a text, may be left out of it.

    Which fields those are, only the adapters know; one that was edited and does count gives another hash either way.
    """
    yield spec_key(job.spec)
    yield spec_key(job.spec, _located(job.spec))
    if job.spec.contents:
        fields = job.spec.options if isinstance(job.spec, BuildSpec) else job.spec.workload
        texts = sorted(name for name, value in fields.items() if not isinstance(value, bool | int | float))
        for located in (names for size in (1, 2) for names in combinations(texts, size)):
            yield spec_key(job.spec, located)


def _located(spec: BuildSpec | MeasureSpec) -> tuple[str, ...]:
    """Name the fields that only say where contents lie, as far as the adapter is known here."""
    from harness.probes import PROBES
    from harness.quantizers import QUANTIZERS

    kinds, kind, name = (
        (QUANTIZERS, "quantizer", spec.quantizer) if isinstance(spec, BuildSpec) else (PROBES, "probe", spec.probe)
    )
    return tuple(load(kinds, kind, name).located) if name in kinds else ()


# ---------------------------------------------------------------- where it ran, and what it made


def _environment(environment: Environment) -> Iterator[str]:
    counts = {"cores": environment.cores, "memory_bytes": environment.memory_bytes}
    counts |= {f"memory_bytes of GPU {place}": gpu.memory_bytes for place, gpu in enumerate(environment.gpus)}
    for name, count in counts.items():
        if count is not None and count <= 0:
            yield f"its environment has {name} {count}, which is impossible"


def _provider(outcome: Outcome) -> Iterator[str]:
    """Hold what the engine ran on against what it was asked for; a session refuses to open on anything else."""
    spec, found = outcome.job.spec, outcome.provider
    if found is None or not isinstance(spec, MeasureSpec):
        return
    asked = _asked(spec)
    if asked is not None and asked != found:
        yield f"it ran on {found}, but its engine was asked for {asked}"
    elif found in _NVIDIA and not outcome.environment.gpus:
        yield f"it ran on {found}, but its environment has no GPU"


def _asked(spec: MeasureSpec) -> str | None:
    """Return the provider that a run's engine options mean; None where that engine is not here in that version."""
    if spec.engine not in ENGINES:
        return None
    try:
        engine: Engine = load(ENGINES, "engine", spec.engine)
    except ImportError:
        return None
    if engine.version != spec.engine_version or problems_of(engine.options, spec.engine_options, spec.engine):
        return None
    return engine.provider(engine.options.model_validate(spec.engine_options))


def _artifact(artifact: Artifact, measurements: tuple[Measurement, ...]) -> Iterator[str]:
    if artifact.weights_bytes is not None and artifact.weights_bytes > artifact.bytes:
        yield f"its weights have {artifact.weights_bytes} bytes, more than all of its artifact ({artifact.bytes})"
    for item in measurements:
        known = getattr(artifact, _SIZES[item.metric]) if item.metric in _SIZES and not item.part else None
        if known is not None and item.value != known:
            yield f"{item.metric} is {item.value:.15g}, but its artifact says {known:.15g}"


# ---------------------------------------------------------------- measurements


def _twice(measurements: tuple[Measurement, ...]) -> Iterator[str]:
    """Find two numbers that answer one question: the name of one of them has been edited."""
    seen = set()
    for item in measurements:
        asked = (item.metric, item.part, item.source, item.comparison, tuple(sorted(item.baseline.items())))
        if asked in seen:
            yield f"{' of '.join(text for text in asked[:2] if text)} is a duplicate measurement"
        seen.add(asked)


def _decoding(outcome: Outcome) -> Iterator[str]:
    """Hold the rate of decoding against the latency of a step: two names for one clock reading."""
    found = {item.metric: item.value for item in outcome.measurements if not item.part}
    spec, names = outcome.job.spec, ("decode_tps", "per_token_latency")
    if isinstance(spec, MeasureSpec) and spec.probe == "generation" and all(name in found for name in names):
        batch = spec.workload.get("batch", 1)
        if not math.isclose(found["decode_tps"] * found["per_token_latency"], batch, rel_tol=1e-6):
            rate, step = (f"{found[name]:.10g}" for name in names)
            yield f"decode_tps is {rate}, but per_token_latency is {step} s for a batch of {batch}"


def _measurement(item: Measurement) -> Iterator[str]:
    try:
        metric = metric_named(item.metric)
    except HarnessError as error:
        yield str(error)
        return
    own = item.metric.startswith(OWN)  # its unit is whatever was declared
    if item.comparison is None and item.unit != metric.unit and not own and _as_now(item, metric):
        yield f"{item.metric} is in '{item.unit}', but its unit is '{metric.unit}'"
    elif item.comparison is None and (reason := impossible(item.metric, item.value)):
        yield f"{item.metric} is {reason}"
    low, high, slack = item.low, item.high, 1e-9 * max(1.0, abs(item.value))
    if (low is not None and low > item.value + slack) or (high is not None and high < item.value - slack):
        yield f"{item.metric} is {item.value}, outside its own interval [{low}, {high}]"
    if (low is None) != (high is None) or (low is not None and item.interval is None):
        yield f"{item.metric} has low {low} and high {high}, but does not say what interval they are"


def _as_now(item: Measurement, metric: Metric) -> bool:
    """Say whether a number is of today's definition; those of others (version 0) are kept in our units."""
    return item.metric_version in {0, metric.version}


def _by_medians(outcome: Outcome) -> bool:
    """Say whether the protocol summarises seconds by their median."""
    return outcome.protocol is not None and outcome.protocol.facts.get("aggregation") == "median"


def _samples(item: Measurement, items: Items, blocks: Any, *, median: bool) -> Iterator[str]:
    if items.samples is not None and item.array is not None and array_ref(item.array.name, items.samples) != item.array:
        yield f"the samples of {item.metric} are not those that were measured, by their hash"
    samples = items.samples if items.samples is not None else item.samples or _singles(item, blocks)
    sums = items.documents if items.documents is not None else blocks
    weighed = item.metric.startswith(LM_EVAL) and item.interval is None  # by lm-eval, in a way of its own
    if (samples is not None or sums is not None) and item.metric in _MEANS | _RATES and not weighed:
        for count, value, tolerance in _answers(item.metric, samples, sums, median=median and item.metric in _TIMED):
            if count != item.n:
                yield f"{item.metric} says n {item.n} but has {count} samples"
            elif value is not None and not math.isclose(value, item.value, rel_tol=tolerance, abs_tol=1e-9):
                yield f"{item.metric} is {item.value}, but its samples give {value:.10g}"
    found = _interval(item, samples, items)
    if found is not None and not all(_meets(end, item) for end in zip(found, (item.low, item.high), strict=True)):
        yield f"{item.metric} has interval [{item.low}, {item.high}], but its samples give [{found[0]:.10g}, {found[1]:.10g}]"


def _singles(item: Measurement, blocks: Any) -> Any:
    """Return the samples that version 0.1 kept as sums of one each; None where sums are of several."""
    alone = blocks is not None and item.array is not None and (blocks[:, 1] == 1).all()
    return blocks[:, 0].reshape(item.array.shape) if alone and item.array is not None else None


def _answers(metric: str, samples: Any, sums: Any, *, median: bool) -> Iterator[tuple[int, float | None, float]]:
    """Return how many samples there are, the value that they give, and how far (relatively) rounding may move it.

    median: of their seconds. That of all decode steps is not found again in the rates of whole repetitions.
    """
    import numpy as np

    if samples is not None:
        values = np.asarray(samples, dtype=np.float64).ravel()
        rate = metric in _RATES
        single = np.stack([values, np.ones(values.size)], axis=1)
        if median:
            value = (
                None
                if metric == "decode_tps"
                else float(1 / np.median(1 / values))
                if rate
                else float(np.median(values))
            )
        else:
            value = float(1 / np.mean(1 / values)) if rate else documents.value_of(single, metric)
        yield values.size, value, 1e-4 if rate else 1e-5
    if sums is not None:
        yield int(sums[:, 1].sum()), None if median or metric in _RATES else documents.value_of(sums, metric), 1e-5


# ---------------------------------------------------------------- intervals


def _interval(item: Measurement, samples: Any, items: Items) -> tuple[float, float] | None:
    """Make an interval again from what is kept, as the probe made it; None where that does not tell it."""
    import numpy as np

    if item.interval is None:
        return None
    try:
        if by_document(item.metric) and items.documents is not None:
            again = documents.interval(items.documents, item.metric)
            low, high = again.low, again.high
        elif samples is not None and np.size(samples) == item.n:
            _, low, high = _summary(item, np.asarray(samples, dtype=np.float64), items.strata)
        else:
            return None
    except HarnessError:  # no samples of such an interval
        return None
    return None if low is None or high is None else (low, high)


def _summary(item: Measurement, values: Any, counts: Sequence[int] | None) -> intervals.Summary:
    """Summarize samples by the interval's name. Raises: HarnessError for samples that such an interval is not made of."""
    if item.interval == proportions.WILSON:
        return proportions.wilson(round(float(values.sum())), item.n)
    if item.interval == strata.STRATIFIED_WILSON:
        return strata.stratified_share(values, counts or [item.n])
    if item.interval == strata.STRATIFIED_MEAN:
        return strata.stratified_mean(values, counts or [item.n])
    if item.interval == intervals.POSITIVE_INTERVAL and (values > 0).all():
        if item.metric not in _RATES:  # steps of one repetition are one sample
            return intervals.positive_interval(values.reshape(values.shape[0], -1).mean(axis=1))
        mean, low, high = intervals.positive_interval(1 / values)
        return (1 / mean, None, None) if low is None or high is None else (1 / mean, 1 / high, 1 / low)
    return intervals.mean_interval(values) if item.interval == intervals.MEAN_INTERVAL else (item.value, None, None)


def _meets(end: tuple[float, float | None], item: Measurement) -> bool:
    """Say whether an end of an interval is what the samples give, up to the rounding of kept samples."""
    found, said = end
    return said is not None and math.isclose(found, said, rel_tol=1e-5, abs_tol=1e-3 * abs(found - item.value) + 1e-12)
