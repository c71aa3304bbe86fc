"""Speed of generation: fixed work, timed step by step.

Protocol `genai-e2e-0.9` has the clock points of onnxruntime-genai's benchmark_e2e.py from 0.9 on: prefill, first token
apart, each further step with its end-of-sequence check inside the timer, the whole with the generator's creation. It
differs in points that are recorded: the prompt has exactly the length asked for; choice is greedy (the script's own
default, sampling from the 50 likeliest, is the protocol `genai-e2e-0.9-sampling`); tokenization stands outside the whole's
clock; and end-to-end throughput counts the generated tokens alone, where the script counts the prompt's too. Seconds are
summarised by their mean, and with `genai-e2e-0.9-median` by their median, as the script's `--aggregation median` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from harness.core.errors import HarnessError
from harness.core.options import Options
from harness.core.outcome import Protocol as ProtocolRecord
from harness.core.reports import Reports, drives_a_program
from harness.core.seam import Context, Facts, MetricValue, Probe, ProbeResult
from harness.core.sessions import Generates, GenerationWorkload, Reach, Session, TextSession, Trace
from harness.core.spec import JsonObject
from harness.probes import bandwidth, conditions, high_water, pace, reported, speed, trace_check
from harness.probes.prompts import contents, prompt_source, random_ids, text_ids, text_notes
from harness.probes.published_protocols import PUBLISHED, filled, fixed_work
from harness.probes.speed import PROTOCOLS

if TYPE_CHECKING:
    from harness.core.sessions import FloatArray, IntArray
    from harness.process_memory import MemorySampler


class GenerationOptions(Options):
    """How much is generated, and how often."""

    protocol: str = "genai-e2e-0.9"
    """How it is timed. `bnb-2024-12` (100 new tokens, at least 10 repetitions and 10 s) and `bnb-2025-09` (64, exactly 10) are engine optimum-benchmark's, and say all but batch and prompt."""
    batch: int = Field(default=1, ge=1)
    prompt: int = Field(default=128, ge=1)
    """Tokens of each prompt."""
    output: int = Field(default=128, ge=1)
    """New tokens of each sequence; end of sequence is suppressed."""
    warmup: int = Field(default=2, ge=0)
    """Repetitions before the clock counts."""
    repetitions: int = Field(default=5, ge=1)
    bandwidth: bool = False
    """Also time copies in the memory of the device, in a process of their own after the last repetition, and give the decode rate as a share of what they
    allow. Not with TensorRT-LLM, whose report has no rate of decoding alone; tables of published pages have no column for it."""
    text: str | None = None
    """Text that prompts are cut from (`reference` or a path); None: seeded random token ids, the same for a vocabulary."""

    @model_validator(mode="before")
    @classmethod
    def _fixed_by_protocol(cls, given: object) -> object:
        return filled(given) if isinstance(given, dict) else given


@dataclass
class Around:
    """What watches a workload from outside its timers."""

    context: Context
    work: GenerationWorkload
    sampler: MemorySampler | None
    memory: high_water.MainMemory
    watch: conditions.Watch = field(default_factory=conditions.Watch)
    stopwatch: trace_check.Stopwatch = field(default_factory=lambda: trace_check.Stopwatch(1))

    def __post_init__(self) -> None:
        self.stopwatch = trace_check.Stopwatch(self.work.warmups + self.work.repetitions)

    def tell(self, share: float) -> None:
        """Take what an engine tells between repetitions: that it is open (0), and how far it is.

        Once the warm-ups are over, which do the same work, nothing polls, and each repetition gets its marks.
        """
        done = self.stopwatch.enter(share)
        self.memory.opened()
        if self.sampler is not None and done >= max(1, self.work.warmups):
            self.sampler.stop()
        if done >= self.work.warmups:
            timed = done - self.work.warmups
            self.watch.mark(state=timed in {0, self.work.repetitions // 2, self.work.repetitions})
        self.context.progress(share, "generating")
        self.stopwatch.leave(done)

    def own_cpus(self, trace: Trace) -> float:
        """Return how many processors this process used at a time in the timed repetitions."""
        return round(sum(self.watch.cpu_seconds()) / max(float(trace.total.sum()), 1e-9), 3)

    def seen(self) -> list[float | None]:
        """Return the seconds of each timed repetition as they passed here."""
        return [self.stopwatch.seconds(self.work.warmups + number) for number in range(self.work.repetitions)]


def measure(session: Generates | Reports, workload: GenerationOptions, context: Context) -> ProbeResult:
    """Time fixed work: step by step where the engine generates, as a program reports it where the engine drives one.

    Raises: HarnessError where prompt and output do not fit the context, or a report is not of this work.
    """
    if drives_a_program(session):
        work = fixed_work(workload.protocol, workload)
        return reported.measure(session, work, context, bound=workload.bandwidth)
    return _generated(session, workload, context)


def _generated(session: Generates, workload: GenerationOptions, context: Context) -> ProbeResult:
    """Run the workload and summarise its trace."""
    work = generation_workload(session, workload)
    on_gpu = not session.provider.startswith("cpu")
    sampler = high_water.start_sampler(session)
    around = Around(context, work, sampler, high_water.MainMemory(context.shared), conditions.Watch(on_gpu=on_gpu))
    try:
        trace = session.generate(work, around.tell)
    finally:
        gpu = sampler.stop() if sampler is not None else None
    trace_check.refuse_trace(trace, work)
    done = speed.Work(workload.batch, workload.prompt, workload.output, PROTOCOLS[workload.protocol].aggregation)
    machine, spread = around.watch.facts(), speed.spread(trace, done)
    facts: JsonObject = {"prompt": prompt_source(workload.text), "aggregation": done.aggregation, **trace.facts}
    facts |= {"own_cpus": around.own_cpus(trace)} if around.watch.cpu_seconds() else {}
    facts |= machine | around.memory.facts | {"spread": spread} | pace_facts(trace, around.watch.paces(), done)
    notes = (
        *speed.unstable(spread, done),
        *conditions.notes(machine),
        *high_water.gpu_notes(gpu),
        *text_notes(workload),
        *trace_check.clock_notes(trace, around.seen()),
        *trace_check.ended_notes(trace, session.codec.ends),
        *trace_check.unsampled_notes(trace, work),
    )
    arrays: dict[str, FloatArray | IntArray] = {"pace_seconds": _array(around.watch.paces())} if "pace" in facts else {}
    if work.sampling is None and (ids := speed.output_of(trace, done)) is not None:
        output = speed.sha256_of(ids)
        facts["output_sha256"], arrays["generated_ids"] = output, ids
        notes += (*speed.disagreeing(trace), *speed.unexpected(output, context.expected_output))
    used = around.memory.values()
    step = done.typical(trace.steps) if trace.steps.size else None
    share = bandwidth.share_of(session, step, done, context) if workload.bandwidth else bandwidth.NOT_ASKED
    load = MetricValue("load_seconds", float(session.load_seconds), _array([session.load_seconds]))
    return ProbeResult(
        values=(
            *speed.values(trace, done),
            *speed.cpu_value(around.watch.cpu_seconds(), done),
            *used,
            *high_water.gpu_values(trace, gpu),
            *share.values,
            load,
        ),
        protocol=protocol(session, workload, facts | share.facts),
        notes=(*notes, *share.notes),
        arrays=arrays,
    )


def pace_facts(trace: Trace, paces: Sequence[float], work: speed.Work) -> JsonObject:
    """Say what the machine's pace was, and the metrics at one pace; nothing where it was not timed around every repetition."""
    paced = pace.at_pace(trace, paces) if paces else None
    if paced is None:
        return {}
    return {"pace": pace.facts(paces, {one.metric: one.value for one in speed.values(paced, work)})}


def generation_workload(session: TextSession, workload: GenerationOptions) -> GenerationWorkload:
    """Make the fixed work: prompts of exactly the length asked for, without BOS, each row of a batch its own."""
    if workload.protocol not in PROTOCOLS:
        raise HarnessError(speed.why_not(workload.protocol))
    needed = workload.batch * workload.prompt
    ids = text_ids(session, workload.text, needed) if workload.text else random_ids(session.codec, needed)
    cuts = range(0, needed, workload.prompt)
    return GenerationWorkload(
        batch=workload.batch,
        prompt_ids=tuple(tuple(ids[start : start + workload.prompt]) for start in cuts),
        output=workload.output,
        warmups=workload.warmup,
        repetitions=workload.repetitions,
        sampling=PROTOCOLS[workload.protocol].sampling,
    )


def _array(values: Sequence[float]) -> FloatArray:
    import numpy as np

    return np.asarray(values, dtype=np.float64)


def protocol(session: Session, workload: GenerationOptions, facts: JsonObject) -> ProtocolRecord:
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
    return None if workload.protocol in {*PROTOCOLS, *PUBLISHED} else speed.why_not(workload.protocol)


def refuse_on(workload: GenerationOptions, offers: frozenset[str]) -> str | None:
    """Say what a program that measures by itself cannot be asked for."""
    if "generates" in offers:
        return speed.why_not(workload.protocol) if workload.protocol in PUBLISHED else None
    if workload.bandwidth and "serves" in offers:
        return "the program runs requests as they come, and its report has no rate of decoding alone: leave `bandwidth` out, or take an engine that generates"
    if workload.text:
        return f"the program makes its own prompts, not of text {Path(workload.text).name}: leave `text` out, or take an engine that generates"
    if workload.protocol not in offers and workload.protocol != GenerationOptions.model_fields["protocol"].default:
        return f"the program measures by its own protocol, not by {workload.protocol}: leave `protocol` out, or take an engine that generates"
    return None


def checked(workload: GenerationOptions) -> Mapping[str, object] | None:
    """Name the work whose output is scored; None where tokens are drawn, or the protocol is not here."""
    way = PROTOCOLS.get(workload.protocol)
    if way is None or way.sampling is not None:
        return None
    return {name: getattr(workload, name) for name in ("batch", "prompt", "output", "text")}


PROBE = Probe(
    name="generation",
    version=1,
    kind="speed",
    needs=(frozenset({"generates"}), frozenset({"reports"})),
    yields=(
        "ttft",
        "prefill_tps",
        "decode_tps",
        "per_token_latency",
        "e2e_latency",
        "e2e_tps",
        "cpu_seconds_per_token",
        "load_seconds",
        "peak_rss_bytes",
        "peak_rss_increment_bytes",
        "peak_gpu_bytes",
        "peak_torch_bytes",
        "copy_bandwidth",
        "bandwidth_share",
    ),
    workload=GenerationOptions,
    packages=("numpy",),
    measure=measure,
    own_process=True,
    size=lambda workload: int(workload.batch * (workload.prompt + workload.output)),
    contents=contents,
    located=("text",),
    checked=checked,
    refuse=refuse,
    refuse_on=refuse_on,
    reach=lambda workload: Reach(workload.prompt + workload.output, workload.prompt, workload.batch),
)
