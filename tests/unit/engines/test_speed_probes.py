"""The speed probes on real engines and a tiny model: what they say must hang together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import process_memory
from harness.core.seam import Context, Engine
from harness.engines import ort_genai, ort_genai_opening, transformers
from harness.probes import generation, high_water, memory, output_check


@pytest.mark.parametrize(("engine", "name"), [(ort_genai.ENGINE, "fp32"), (transformers.ENGINE, "hf")])
def test_generation_measures_a_real_model(tiny: Path, engine: Engine, name: str) -> None:
    told: list[float] = []
    before = {high_water.BEFORE_OPENING: process_memory.rss_bytes()}
    context = Context(folder=tiny, progress=lambda share, what: told.append(share), shared=before)
    workload = generation.GenerationOptions(batch=2, prompt=24, output=8, warmup=1, repetitions=3)
    with engine.open(tiny / name, engine.options.model_validate({"threads": 1})) as session:
        findings = generation.PROBE.measure(session, workload, context)
    found: dict[str, Any] = {reading.metric: reading for reading in findings.values}
    assert set(found) == set(generation.PROBE.yields) - {
        "peak_gpu_bytes",
        "peak_torch_bytes",
        "copy_bandwidth",
        "bandwidth_share",
    }
    assert found["per_token_latency"].samples.shape == (3, 7)
    assert found["e2e_latency"].value > found["ttft"].value > 0
    assert found["load_seconds"].value > 0
    assert found["peak_rss_bytes"].value > 50e6
    assert 0 <= found["peak_rss_increment_bytes"].value < found["peak_rss_bytes"].value
    assert 0 < found["cpu_seconds_per_token"].value < 1
    assert findings.arrays["generated_ids"].shape == (2, 8)
    assert "output-differs" not in {note.code for note in findings.notes}
    assert findings.protocol.dtype == "float32"
    assert findings.protocol.facts["threads"] == 1
    assert told[-1] == 1.0


def test_two_engines_that_hold_the_same_weights_generate_the_same_tokens(tiny: Path) -> None:
    workload = generation.GenerationOptions(batch=2, prompt=24, output=8, warmup=0, repetitions=2)
    made = []
    for engine, name in ((ort_genai.ENGINE, "fp32"), (transformers.ENGINE, "hf")):
        with engine.open(tiny / name, engine.options.model_validate({"threads": 1})) as session:
            made.append(generation.PROBE.measure(session, workload, Context(folder=tiny)))
    assert made[0].arrays["generated_ids"].tolist() == made[1].arrays["generated_ids"].tolist()
    assert made[0].protocol.facts["output_sha256"] == made[1].protocol.facts["output_sha256"]


@pytest.mark.parametrize(("engine", "name"), [(ort_genai.ENGINE, "int4"), (transformers.ENGINE, "hf")])
def test_memory_measures_a_real_model(tiny: Path, engine: Engine, name: str) -> None:
    with engine.open(tiny / name, engine.options.model_validate({"threads": 1})) as session:
        findings = memory.PROBE.measure(session, memory.MemoryOptions(prompt=24, output=8), Context(folder=tiny))
    assert [(reading.metric, reading.source) for reading in findings.values] == [("peak_rss_bytes", "rss")]


@pytest.mark.parametrize(("engine", "name"), [
    (ort_genai.ENGINE, "fp32"), (ort_genai.ENGINE, "int4"), (transformers.ENGINE, "hf"),
])  # fmt: skip
def test_real_engines_generate_what_they_score(tiny: Path, engine: Engine, name: str) -> None:
    workload = output_check.OutputCheckOptions(batch=2, prompt=24, output=16)
    with engine.open(tiny / name, engine.options.model_validate({"threads": 1})) as session:
        findings = output_check.PROBE.measure(session, workload, Context(folder=tiny))
    assert findings.notes == ()
    assert findings.arrays["output_gaps"].max() < output_check.CLEAR["float32"]
    assert findings.values[0].value == 1.0


class Substituted:
    """A session that scores as it should and generates with another artifact, which is smaller and so faster."""

    def __init__(self, whole: Any, other: Any) -> None:
        self._whole, self.generate = whole, other.generate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


def test_a_real_engine_that_generates_with_another_artifact_is_found(tiny: Path) -> None:
    workload = output_check.OutputCheckOptions(batch=4, prompt=24, output=64)
    options = ort_genai_opening.OrtGenaiEngineOptions(threads=1)
    with ort_genai.ENGINE.open(tiny / "fp32", options) as whole, ort_genai.ENGINE.open(tiny / "int4", options) as other:
        session = Substituted(whole, other)
        findings = output_check.PROBE.measure(session, workload, Context(folder=tiny))
    assert {note.code for note in findings.notes} == {"output-differs"}, findings.protocol.facts
