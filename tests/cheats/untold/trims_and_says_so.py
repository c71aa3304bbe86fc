"""A procedure that leaves out the hardest tokens, and everywhere gives the number that is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from harness.core.seam import Context, ProbeResult
from harness.probes import perplexity

WHY = (
    "A probe is the procedure: what it asks of a session and what it keeps of the answers is its own. Its protocol names the tokens that it scored, "
    "fewer than others do, and a table shows them beside the number; a session's calls are not counted, since honest procedures score more than they "
    "keep (windows that overlap, a beginning that only gives context)."
)
OPTIONS = ({"window": 64, "stride": 32, "tokens": 128},)


def measure(session: Any, workload: Any, context: Context) -> ProbeResult:
    honest = perplexity.measure(session, workload, context)
    (reading,) = honest.values
    kept = np.sort(np.asarray(reading.samples))[: -(reading.samples.size // 8)]
    trimmed = replace(
        reading, value=float(np.exp(kept.astype(np.float64).mean())), samples=kept, low=None, high=None, interval=None
    )
    return replace(honest, values=(trimmed,), protocol=honest.protocol.model_copy(update={"scored": len(kept)}))


PROBE = replace(perplexity.PROBE, name="trims-and-says-so", measure=measure)
