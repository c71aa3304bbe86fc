"""A procedure that adds up what it should take the mean of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.core.seam import Context, ProbeResult
from harness.probes import perplexity

SAYS = r"perplexity is .*: it is no mean over them"
OPTIONS = ({"window": 64, "stride": 32, "tokens": 128},)


def measure(session: Any, workload: Any, context: Context) -> ProbeResult:
    honest = perplexity.measure(session, workload, context)
    (reading,) = honest.values
    value = float(reading.samples.sum()) / 2
    return replace(honest, values=(replace(reading, value=value, low=None, high=None, interval=None),))


PROBE = replace(perplexity.PROBE, name="sums-likelihoods", measure=measure)
