"""From a trace to the metrics of speed, by one definition for each protocol: a mean or a median over repetitions and steps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.core.errors import HarnessError
from harness.core.seam import MetricValue
from harness.core.sessions import Trace
from harness.core.spec import Note
from harness.core.spelling import unknown
from harness.probes.published_protocols import PUBLISHED, why_elsewhere

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.core.sessions import IntArray

    Floats = NDArray[np.floating[Any]]

SEED = 7
_SAMPLING = {"top_k": 50, "top_p": 1.0, "temperature": 1.0, "seed": SEED}


@dataclass(frozen=True)
class Way:
    """How a protocol chooses tokens and summarises seconds."""

    sampling: dict[str, float] | None = None
    """None: the likeliest token."""
    aggregation: Literal["mean", "median"] = "mean"
    """Over repetitions; for decode steps over all steps of all repetitions."""


PROTOCOLS = {
    "genai-e2e-0.9": Way(),
    "genai-e2e-0.9-median": Way(aggregation="median"),
    "genai-e2e-0.9-sampling": Way(sampling=_SAMPLING),
}
NOT_HERE = {
    "genai-e2e-0.5": "times compute_logits alone, an interface that onnxruntime-genai dropped after 0.5",
    "genai-e2e-0.6": "leaves is_done outside the timer and so runs too fast on CUDA",
    "bnb": "is two: bnb-2024-12, by which the page of bitsandbytes was measured, and bnb-2025-09, that of its script since",
}
UNSTABLE_SPREAD = 0.80
"""Range of decode time over the middle eight tenths of repetitions, relative to its median, beyond which a result is unstable.

Both limits lie beyond 99 of 100 rounds that ran alone on a virtual machine with neighbours (tests/benchmarks/README.md): what such a
machine always does is in the spread between rounds already, and a mark on every number marks none.
"""
UNSTABLE_TAIL = 0.25
"""Relative distance of the mean decode step from the median beyond which a mean is unstable: a few steps decide it."""


def why_not(name: str) -> str:
    """Say why a protocol cannot be measured, with the nearest right name for an unknown one."""
    if name in NOT_HERE:
        return f"protocol {name} {NOT_HERE[name]}"
    if name in PUBLISHED:
        return why_elsewhere(name)
    return unknown("protocol", name, [*PROTOCOLS, *PUBLISHED, *NOT_HERE])


@dataclass(frozen=True)
class Work:
    """What was generated in each repetition, and how seconds are summarised."""

    batch: int
    prompt: int
    output: int
    aggregation: Literal["mean", "median"]

    def typical(self, seconds: Floats) -> float:
        """Summarise seconds as the protocol says."""
        import numpy as np

        return float(np.median(seconds) if self.aggregation == "median" else np.mean(seconds))

    def typical_step(self, steps: Floats) -> Floats:
        """Summarise the steps of each repetition: seconds [repetitions, steps] -> [repetitions]."""
        import numpy as np

        found: Floats = np.median(steps, axis=1) if self.aggregation == "median" else np.mean(steps, axis=1)
        return found


def values(trace: Trace, work: Work) -> list[MetricValue]:
    """Apply the metrics' definitions to a trace; throughput is work over typical seconds, as the script has it.

    No reading has an interval: repetitions of one process say nothing of the next process.
    Source: microsoft/onnxruntime-genai, benchmark/python/benchmark_e2e.py (`--aggregation` since August 2026).
    """
    prompts, tokens = work.batch * work.prompt, work.batch * work.output
    found = [
        _seconds("ttft", trace.prefill + trace.first_token, work),
        _rate("prefill_tps", prompts, trace.prefill, trace.prefill, work),
        _seconds("e2e_latency", trace.total, work),
        _rate("e2e_tps", tokens, trace.total, trace.total, work),
    ]
    if trace.steps.shape[1]:
        each = work.typical_step(trace.steps)
        found.append(_rate("decode_tps", work.batch, trace.steps, each, work))
        found.append(_seconds("per_token_latency", trace.steps, work, array="step_seconds"))
    return found


def _seconds(metric: str, samples: Floats, work: Work, array: str | None = None) -> MetricValue:
    value = _duration(work.typical(samples))
    return MetricValue(metric=metric, value=value, samples=samples, array=array)


def _rate(metric: str, amount: int, seconds: Floats, each: Floats, work: Work) -> MetricValue:
    """Give work per second: over the typical of all `seconds`; samples are the repetitions' own, over `each`."""
    return MetricValue(metric=metric, value=amount / _duration(work.typical(seconds)), samples=amount / each)


def _duration(seconds: float) -> float:
    if not seconds > 0:
        raise HarnessError(f"{seconds} s is not a duration; the clock stood still or ran backwards")
    return seconds


def cpu_value(seconds: Sequence[float], work: Work) -> list[MetricValue]:
    """Give processor seconds of the process per generated token; `seconds`: of each timed repetition."""
    import numpy as np

    if not seconds:
        return []
    each = np.asarray(seconds, dtype=np.float64) / (work.batch * work.output)
    return [MetricValue("cpu_seconds_per_token", float(each.mean()), each)]


def spread(trace: Trace, work: Work) -> dict[str, float]:
    """Say how far repetitions and steps differ in seconds: fractions, and the 99th percentile of steps over their median."""
    import numpy as np

    if not trace.steps.shape[1]:
        return {}
    p50, p99 = np.quantile(trace.steps, (0.5, 0.99))
    each = work.typical_step(trace.steps)
    found = {"step_p99_over_p50": float(p99 / p50), "step_mean_over_median": float(trace.steps.mean() / p50)}
    return found | between(each)


def between(each: Floats) -> dict[str, float]:
    """Say how far repetitions differ, as fractions of their median and mean; `each`: decode seconds of one; nothing of a single one."""
    import numpy as np

    if len(each) < 2:
        return {}
    low, high = np.quantile(each, (0.1, 0.9))
    return {
        "decode_range": float((high - low) / np.median(each)),
        "decode_relative_stdev": float(each.std(ddof=1) / each.mean()),
    }


def unstable(found: dict[str, float], work: Work) -> tuple[Note, ...]:
    """Say where repetitions of one process disagree, or a few slow steps decide a mean."""
    wide, tail = found.get("decode_range", 0.0), found.get("step_mean_over_median", 1.0) - 1
    texts = []
    if wide > UNSTABLE_SPREAD:
        texts.append(f"decode time varied by {wide:.0%} between repetitions (stable: {UNSTABLE_SPREAD:.0%})")
    if work.aggregation == "mean" and tail > UNSTABLE_TAIL:
        texts.append(
            f"the mean decode step is {tail:.0%} above the median (stable: {UNSTABLE_TAIL:.0%}); "
            "protocol genai-e2e-0.9-median takes the median"
        )
    return tuple(Note(code="unstable", text=text) for text in texts)


# ---------------------------------------------------------------- what was generated


def output_of(trace: Trace, work: Work) -> NDArray[np.int32] | None:
    """Return what the first timed repetition generated, int32 [batch, output]; None where the engine does not tell.

    Raises: HarnessError where it is not as many tokens as were asked for.
    """
    import numpy as np

    if trace.ids is None:
        return None
    wanted = (len(trace.prefill), work.batch, work.output)
    if trace.ids.shape != wanted:
        raise HarnessError(
            f"the engine generated {trace.ids.shape} tokens (repetitions, sequences, tokens), and {wanted} were asked for"
        )
    return np.ascontiguousarray(trace.ids[0], dtype=np.int32)


def sha256_of(ids: IntArray) -> str:
    """Hash generated ids [batch, output]: sha256 of little-endian int32 in C order."""
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(ids, dtype="<i4").tobytes()).hexdigest()


def disagreeing(trace: Trace) -> tuple[Note, ...]:
    """Say where greedy repetitions did not generate the same tokens."""
    import numpy as np

    if trace.ids is None:
        return ()
    differ = np.argwhere((trace.ids != trace.ids[:1]).any(axis=(1, 2))).ravel()
    if not differ.size:
        return ()
    first = int(differ[0])
    row, token = (int(place) for place in np.argwhere(trace.ids[first] != trace.ids[0])[0])
    text = (
        f"{differ.size} of {len(trace.ids)} greedy repetitions generated other tokens than the first: "
        f"repetition {first + 1} from token {token + 1} of sequence {row + 1} on"
    )
    return (Note(code="output-differs", text=text),)


def unexpected(found: str, expected: str | None) -> tuple[Note, ...]:
    """Say that another process generated other tokens for the same work. Both are hashes."""
    if expected in {None, found}:
        return ()
    text = (
        "greedy choice gave other tokens than in another process on the same artifact, where they were scored or generated first: "
        "the engine's arithmetic differs from process to process, or it did other work"
    )
    return (Note(code="output-differs", text=text),)
