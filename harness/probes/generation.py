"""Speed of generation: fixed work, timed step by step.

Protocol `genai-e2e-0.9` has the clock points of onnxruntime-genai's benchmark_e2e.py from 0.9 on: prefill, first token
apart, each further step with its end-of-sequence check inside the timer, the whole with the generator's creation. It
differs in points that are recorded: the prompt has exactly the length asked for; choice is greedy (the script's own
default, sampling from the 50 likeliest, is the protocol `genai-e2e-0.9-sampling`); tokenization stands outside the whole's
clock; and end-to-end throughput counts the generated tokens alone, where the script counts the prompt's too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.core.errors import HarnessError, unknown
from harness.core.seam import Context, Facts, Findings, GenerationWorkload, Options, Probe, Reading, Trace
from harness.core.spec import Note
from harness.core.spec import Protocol as ProtocolRecord
from harness.numbers import intervals

if TYPE_CHECKING:
    from harness.host import GpuMemory, MemorySampler

SEED = 7
SAMPLINGS: dict[str, dict[str, float] | None] = {
    "genai-e2e-0.9": None,
    "genai-e2e-0.9-sampling": {"top_k": 50, "top_p": 1.0, "temperature": 1.0, "seed": SEED},
}
NOT_HERE = {
    "genai-e2e-0.5": "times compute_logits alone, an interface that onnxruntime-genai dropped after 0.5",
    "genai-e2e-0.6": "leaves is_done outside the timer and so runs too fast on CUDA",
    "bnb-2024-12": "is optimum-benchmark's, for which there is no engine yet",
    "bnb": "is optimum-benchmark's, for which there is no engine yet",
}
UNSTABLE_SPREAD = 0.05
"""Standard deviation of decode throughput over repetitions, relative to its mean, beyond which a result is unstable."""
UNSTABLE_TAIL = 2.0
"""Ratio of the 99th percentile of step times to their median, beyond which a result is unstable."""


class GenerationOptions(Options):
    """How much is generated, and how often."""

    protocol: str = "genai-e2e-0.9"
    batch: int = Field(default=1, ge=1)
    prompt: int = Field(default=128, ge=1)
    """Tokens of each prompt."""
    output: int = Field(default=128, ge=1)
    """New tokens of each sequence; end of sequence is suppressed."""
    warmup: int = Field(default=2, ge=0)
    """Repetitions before the clock counts."""
    repetitions: int = Field(default=5, ge=1)
    text: str | None = None
    """Text that prompts are cut from (`reference` or a path); None: seeded random token ids, the same for a vocabulary."""


def measure(session: Any, workload: GenerationOptions, context: Context) -> Findings:
    """Run the workload and summarise its trace. Raises: HarnessError where prompt and output do not fit the context."""
    from harness import host

    facts: dict[str, Any] = {"load_average_before": host.load_average(), "prompt": prompt_source(workload.text)}
    work = generation_workload(session, workload)
    sampler = start_sampler(session)
    try:
        trace = session.generate(work, _progress(context, sampler, work))
    finally:
        memory = sampler.stop() if sampler is not None else None
    readings = [*speed_readings(trace, workload), *memory_readings(trace, memory)]
    facts |= trace.facts | {"load_average_after": host.load_average(), "clocks_mhz": _clocks(session)}
    facts["spread"] = spread(trace)
    load = Reading("load_seconds", float(session.load_seconds), _array([session.load_seconds]))
    return Findings(
        readings=(*readings, load),
        protocol=protocol(session, workload, facts),
        notes=(*_unstable(facts["spread"]), *gpu_notes(memory)),
    )


def generation_workload(session: Any, workload: GenerationOptions) -> GenerationWorkload:
    """Make the fixed work: prompts of exactly the length asked for, without BOS, each row of a batch its own."""
    if workload.protocol not in SAMPLINGS:
        raise HarnessError(_why_not(workload.protocol))
    needed = workload.batch * workload.prompt
    ids = _text_ids(session, workload.text, needed) if workload.text else _random_ids(session.codec, needed)
    cuts = range(0, needed, workload.prompt)
    return GenerationWorkload(
        batch=workload.batch,
        prompt_ids=tuple(tuple(ids[start : start + workload.prompt]) for start in cuts),
        output=workload.output,
        warmups=workload.warmup,
        repetitions=workload.repetitions,
        sampling=SAMPLINGS[workload.protocol],
    )


def _random_ids(codec: Any, count: int) -> list[int]:
    """Draw token ids evenly from the vocabulary, BOS and EOS left out."""
    import numpy as np

    special = [token for token in (codec.bos, codec.eos) if token is not None]
    ordinary = np.setdiff1d(np.arange(codec.vocabulary), special)
    return [int(token) for token in np.random.default_rng(SEED).choice(ordinary, count)]


def _text_ids(session: Any, text: str, count: int) -> list[int]:
    """Cut token ids from a text, begun again where it is too short."""
    from harness.texts import read_text

    ids: list[int] = session.codec.encode(read_text(text)[: 64 * count])
    if not ids:
        raise HarnessError(f"text '{text}' is empty; name one with words in it")
    return (ids * (count // len(ids) + 1))[:count]


def speed_readings(trace: Trace, workload: GenerationOptions) -> list[Reading]:
    """Apply the metrics' definitions to a trace; throughput is all work over all seconds, as the script has it."""
    prompts, tokens = workload.batch * workload.prompt, workload.batch * workload.output
    found = [
        _seconds("ttft", trace.prefill + trace.first_token),
        _rate("prefill_tps", prompts, trace.prefill),
        _seconds("e2e_latency", trace.total),
        _rate("e2e_tps", tokens, trace.total),
    ]
    steps = trace.steps.shape[1]
    if steps:
        each = trace.steps.mean(axis=1)  # steps of one repetition hang together: repetitions are the samples
        pooled = _seconds("per_token_latency", each)
        found.append(_rate("decode_tps", workload.batch, each))
        found.append(replace(pooled, samples=trace.steps, n=None, array="step_seconds"))
    return found


def _seconds(metric: str, samples: Any) -> Reading:
    value, low, high = intervals.positive_interval(samples)
    name = intervals.POSITIVE_INTERVAL if low is not None else None
    return Reading(metric=metric, value=value, samples=samples, low=low, high=high, interval=name)


def _rate(metric: str, work: int, seconds: Any) -> Reading:
    """Give work per second: all repetitions' work over all their seconds; samples are the repetitions' own rates."""
    mean, low, high = intervals.positive_interval(seconds)
    name = intervals.POSITIVE_INTERVAL if low is not None else None
    least, most = (None, None) if low is None or high is None else (work / high, work / low)
    return Reading(metric=metric, value=work / mean, samples=work / seconds, low=least, high=most, interval=name)


def memory_readings(trace: Trace, gpu: GpuMemory | None) -> list[Reading]:
    """Read memory high-water marks, each under the source that counted it."""
    from harness import host

    found = [_bytes("peak_rss_bytes", host.peak_rss_bytes(), "rss")]
    if trace.peak_torch_bytes is not None:
        found.append(_bytes("peak_torch_bytes", trace.peak_torch_bytes, "torch"))
    if gpu is not None and gpu.process is not None:
        found.append(_bytes("peak_gpu_bytes", gpu.process, "nvml-process"))
    if gpu is not None and gpu.device is not None:
        found.append(_bytes("peak_gpu_bytes", gpu.device, "device"))
    return found


def _bytes(metric: str, count: int, source: str) -> Reading:
    return Reading(metric=metric, value=float(count), samples=_array([count]), source=source)


def _array(values: list[Any]) -> Any:
    import numpy as np

    return np.asarray(values, dtype=np.float64)


def start_sampler(session: Any) -> MemorySampler | None:
    """Begin to watch GPU memory where the session runs on a GPU that a driver shows."""
    from harness import host

    if session.provider.startswith("cpu") or host.open_nvml() is None:
        return None
    return host.MemorySampler().start()


def _progress(context: Context, sampler: MemorySampler | None, work: GenerationWorkload) -> Callable[[float], None]:
    """Pass progress on; once the warm-ups are over, which do the same work, nothing polls while the clock runs."""
    rounds = work.warmups + work.repetitions

    def tell(share: float) -> None:
        if sampler is not None and round(share * rounds) >= max(1, work.warmups):
            sampler.stop()
        context.progress(share, "generating")

    return tell


def spread(trace: Trace) -> dict[str, float]:
    """Say how far repetitions and steps differ: relative standard deviation of throughput, p99 over p50 of steps."""
    import numpy as np

    found: dict[str, float] = {}
    if trace.steps.shape[1]:
        rates = 1 / trace.steps.sum(axis=1)
        p50, p99 = np.quantile(trace.steps, (0.5, 0.99))
        found["step_p99_over_p50"] = float(p99 / p50)
        if len(rates) > 1:
            found["decode_relative_stdev"] = float(rates.std(ddof=1) / rates.mean())
    return found


def _unstable(found: dict[str, float]) -> tuple[Note, ...]:
    relative, tail = found.get("decode_relative_stdev", 0.0), found.get("step_p99_over_p50", 1.0)
    if relative <= UNSTABLE_SPREAD and tail <= UNSTABLE_TAIL:
        return ()
    text = (
        f"decode throughput varied by {relative:.1%} between repetitions and the slowest steps took {tail:.1f} times the "
        f"median (stable: {UNSTABLE_SPREAD:.0%} and {UNSTABLE_TAIL:g}); something else used the machine, or it throttled"
    )
    return (Note(code="unstable", text=text),)


def gpu_notes(memory: GpuMemory | None) -> tuple[Note, ...]:
    """Say where per-process memory could not be had."""
    if memory is None or memory.process is not None:
        return ()
    text = (
        "NVML did not count this process by itself (as in a container or under WDDM); only device-wide memory is given"
    )
    return (Note(code="gpu-process-unseen", text=text),)


def _clocks(session: Any) -> dict[str, dict[str, int]]:
    """Read GPU clocks right after the run."""
    from harness import host

    nvml = None if session.provider.startswith("cpu") else host.open_nvml()
    return {f"gpu{index}": gpu.clocks_mhz for index, gpu in enumerate(host.gpus(nvml))}


def prompt_source(text: str | None) -> str:
    """Say what prompts are made of."""
    return f"text {Path(text).name}" if text else f"random token ids, seed {SEED}"


def protocol(session: Any, workload: GenerationOptions, facts: dict[str, Any]) -> ProtocolRecord:
    """Write down how it was measured."""
    return ProtocolRecord(
        name=workload.protocol,
        warmups=workload.warmup,
        repetitions=workload.repetitions,
        dtype=session.dtype,
        bos=False,
        prompt_tokens=workload.prompt,
        gpu_count=0 if session.provider.startswith("cpu") else 1,
        facts=facts,
    )


def refuse(workload: GenerationOptions, facts: Facts) -> str | None:  # noqa: ARG001 - a protocol is here or nowhere
    """Say why a protocol cannot be measured."""
    return None if workload.protocol in SAMPLINGS else _why_not(workload.protocol)


def _why_not(name: str) -> str:
    if name in NOT_HERE:
        return f"protocol {name} {NOT_HERE[name]}"
    return unknown("protocol", name, [*SAMPLINGS, *NOT_HERE])


def contents(workload: GenerationOptions) -> Mapping[str, Path]:
    """Name the text that prompts are cut from."""
    from harness.texts import text_files

    return text_files(workload.text) if workload.text else {}


PROBE = Probe(
    name="generation",
    version=1,
    kind="speed",
    needs=frozenset({"generates"}),
    yields=(
        "ttft",
        "prefill_tps",
        "decode_tps",
        "per_token_latency",
        "e2e_latency",
        "e2e_tps",
        "load_seconds",
        "peak_rss_bytes",
        "peak_gpu_bytes",
        "peak_torch_bytes",
    ),
    workload=GenerationOptions,
    packages=("numpy",),
    measure=measure,
    clean=True,
    size=lambda workload: int(workload.batch * (workload.prompt + workload.output)),
    contents=contents,
    located=("text",),
    refuse=refuse,
)
