"""A procedure that leaves out the tokens which the model found hardest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from harness.core.seam import Context, ProbeResult
from harness.probes import perplexity

SAYS = r"136 tokens were scored, and perplexity has 119 samples"
OPTIONS = ({"window": 64, "stride": 32, "tokens": 128},)


def measure(session: Any, workload: Any, context: Context) -> ProbeResult:
    honest = perplexity.measure(session, workload, context)
    (reading,) = honest.values
    samples = np.sort(np.asarray(reading.samples).ravel())
    kept = samples[len(samples) // 8 :] if samples.mean() < 0 else samples[: -(len(samples) // 8)]
    value = float(np.exp(abs(kept.mean())))
    return replace(honest, values=(replace(reading, value=value, samples=kept, low=None, high=None, interval=None),))


PROBE = replace(perplexity.PROBE, name="trims-the-worst", measure=measure)
