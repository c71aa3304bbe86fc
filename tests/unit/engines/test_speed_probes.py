"""The speed probes on real engines and a tiny model: what they say must hang together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.seam import Context, Engine
from harness.engines import ort_genai, transformers
from harness.probes import generation, memory


@pytest.mark.parametrize(("engine", "name"), [(ort_genai.ENGINE, "fp32"), (transformers.ENGINE, "hf")])
def test_generation_measures_a_real_model(tiny: Path, engine: Engine, name: str) -> None:
    told: list[float] = []
    context = Context(folder=tiny, progress=lambda share, what: told.append(share))
    workload = generation.GenerationOptions(batch=2, prompt=24, output=8, warmup=1, repetitions=3)
    with engine.open(tiny / name, engine.options.model_validate({"threads": 1})) as session:
        findings = generation.PROBE.measure(session, workload, context)
    found: dict[str, Any] = {reading.metric: reading for reading in findings.readings}
    assert set(found) == set(generation.PROBE.yields) - {"peak_gpu_bytes", "peak_torch_bytes"}
    assert found["per_token_latency"].samples.shape == (3, 7)
    assert found["e2e_latency"].value > found["ttft"].value > 0
    assert found["load_seconds"].value > 0
    assert found["peak_rss_bytes"].value > 50e6
    assert findings.protocol.dtype == "float32"
    assert findings.protocol.facts["threads"] == 1
    assert told[-1] == 1.0


@pytest.mark.parametrize(("engine", "name"), [(ort_genai.ENGINE, "int4"), (transformers.ENGINE, "hf")])
def test_memory_measures_a_real_model(tiny: Path, engine: Engine, name: str) -> None:
    with engine.open(tiny / name, engine.options.model_validate({"threads": 1})) as session:
        findings = memory.PROBE.measure(session, memory.MemoryOptions(prompt=24, output=8), Context(folder=tiny))
    assert [(reading.metric, reading.source) for reading in findings.readings] == [("peak_rss_bytes", "rss")]
