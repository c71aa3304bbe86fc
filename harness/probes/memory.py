"""Memory of one generation in a process of its own: the system's and the driver's high-water marks, by source."""

from __future__ import annotations

from pydantic import Field

from harness.core.options import Options
from harness.core.outcome import Protocol as ProtocolRecord
from harness.core.seam import Context, Probe, ProbeResult
from harness.core.sessions import Generates, Reach
from harness.core.spec import JsonObject
from harness.probes import generation, high_water, prompts


class MemoryOptions(Options):
    """What is generated while memory is watched."""

    batch: int = Field(default=1, ge=1)
    prompt: int = Field(default=128, ge=1)
    """Tokens of each prompt, drawn at random with a fixed seed."""
    output: int = Field(default=128, ge=1)
    """New tokens of each sequence; end of sequence is suppressed."""


def measure(session: Generates, workload: MemoryOptions, context: Context) -> ProbeResult:
    """Generate once, watched all the while: speed is not measured here, so polling disturbs nothing."""
    work = generation.GenerationOptions(
        batch=workload.batch, prompt=workload.prompt, output=workload.output, warmup=0, repetitions=1
    )
    sampler, memory = high_water.start_sampler(session), high_water.MainMemory(context.shared)

    def tell(share: float) -> None:
        memory.opened()
        context.progress(share, "generating")

    try:
        trace = session.generate(generation.generation_workload(session, work), tell)
    finally:
        seen = sampler.stop() if sampler is not None else None
    facts: JsonObject = {**trace.facts, "prompt": prompts.prompt_source(None), "libraries": "included"}
    facts |= memory.facts
    if seen is not None:
        facts |= {"gpu_samples": seen.samples, "device_bytes_before": seen.device_before}
    record = ProtocolRecord(
        name="memory-generation",
        warmups=0,
        repetitions=1,
        dtype=session.dtype,
        bos=False,
        prompt_tokens=workload.prompt,
        gpu_count=0 if session.provider.startswith("cpu") else 1,
        facts=facts,
    )
    values = (*memory.values(), *high_water.gpu_values(trace, seen))
    return ProbeResult(values=values, protocol=record, notes=high_water.gpu_notes(seen))


PROBE = Probe(
    name="memory",
    version=1,
    kind="speed",
    needs=(frozenset({"generates"}),),
    yields=("peak_rss_bytes", "peak_rss_increment_bytes", "peak_gpu_bytes", "peak_torch_bytes"),
    workload=MemoryOptions,
    packages=("numpy",),
    measure=measure,
    own_process=True,
    alone=True,
    reach=lambda workload: Reach(workload.prompt + workload.output, workload.prompt, workload.batch),
)
