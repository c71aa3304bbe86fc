"""Whether what an engine generates is what the artifact says: its greedy tokens, scored by the artifact's own forward pass.

The work is that of a speed job, done once without a clock. A runtime that skips layers, returns constants or another prompt's
output generates tokens that the whole model, given the same text before them, does not rank first. Right tokens that are
kept and returned again without work are found by their time (`fresh_prompts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.options import Options
from harness.core.outcome import Protocol as ProtocolRecord
from harness.core.seam import Context, MetricValue, Probe, ProbeResult
from harness.core.sessions import (
    GeneratesAndScores,
    GenerationWorkload,
    Reach,
    Rests,
    Scores,
    Session,
    Stepwise,
    Tile,
    Trace,
)
from harness.core.spec import Note
from harness.probes import fresh_prompts, generation, prompts, speed, trace_check

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLEAR = {"float32": 0.05, "float16": 0.2, "bfloat16": 0.5}
"""Nats below the highest log-probability from which on a token lies clearly below it, by type of activations.

float32 by measurement: of 5,760 tokens of the reference model as FP32, INT8 and three kinds of INT4 on ONNX Runtime the farthest
lay 0.005 below. The others allow for the coarser logits of these types: half precision resolves 0.016 at 20, bfloat16 0.125.
"""
SHARE = 0.01
"""Share of tokens clearly below from which on the output differs."""


class OutputCheckOptions(Options):
    """The work of a speed job whose output is scored."""

    batch: int = Field(default=1, ge=1)
    prompt: int = Field(default=128, ge=1)
    """Tokens of each prompt."""
    output: int = Field(default=128, ge=1)
    """New tokens of each sequence; end of sequence is suppressed."""
    text: str | None = None
    """Text that prompts are cut from (`reference` or a path); None: seeded random token ids, the same for a vocabulary."""


def measure(session: GeneratesAndScores, workload: OutputCheckOptions, context: Context) -> ProbeResult:
    """Generate once, then score each new token after those before it. Raises: HarnessError where tokens are missing."""
    asked = generation.GenerationOptions(
        batch=workload.batch,
        prompt=workload.prompt,
        output=workload.output,
        text=workload.text,
        warmup=0,
        repetitions=1,
    )
    work = generation.generation_workload(session, asked)
    done = speed.Work(workload.batch, workload.prompt, workload.output, "mean")
    _rest(session)
    trace = session.generate(work, lambda share: context.progress(share / 2, "generating"))
    trace_check.refuse_trace(trace, work)
    ids = speed.output_of(trace, done)
    if ids is None:
        raise HarnessError("the engine does not tell which tokens it generated, so that they cannot be scored")
    _rest(session)
    gaps = gaps_of(session, work.prompt_ids, ids, lambda share: context.progress(0.5 + share / 2, "scoring"))
    clear = CLEAR.get(session.dtype, max(CLEAR.values()))
    below = float((gaps > clear).mean())
    facts = {
        "output_sha256": speed.sha256_of(ids),
        "clearly_below": below,
        "clear_nats": clear,
        "largest_gap": float(gaps.max()),
    }
    reading = MetricValue(
        "output_agreement", float((gaps <= clear).mean()), (gaps <= clear).astype("int8"), array="output_agreement"
    )
    return ProbeResult(
        values=(reading,),
        protocol=ProtocolRecord(
            name="output-check",
            scored=int(gaps.size),
            dtype=session.dtype,
            bos=False,
            prompt_tokens=workload.prompt,
            gpu_count=0 if session.provider.startswith("cpu") else 1,
            facts={"prompt": prompts.prompt_source(workload.text), **facts},
        ),
        notes=(
            *_differs(gaps, clear),
            *trace_check.ended_notes(trace, session.codec.ends),
            *_worked(session, work, ids),
        ),
        arrays={"generated_ids": ids, "output_gaps": gaps},
    )


def _worked(session: GeneratesAndScores, work: GenerationWorkload, ids: NDArray[np.int32]) -> tuple[Note, ...]:
    """See that the engine works for what it returns, once more without a clock of its own."""
    texts = [[*prompt, *map(int, made)] for prompt, made in zip(work.prompt_ids, ids, strict=True)]

    def differs(ending: GenerationWorkload, trace: Trace) -> tuple[Note, ...]:
        assert trace.ids is not None
        gaps = gaps_of(session, ending.prompt_ids, trace.ids[0], lambda share: None)
        return _differs(gaps, CLEAR.get(session.dtype, max(CLEAR.values())))

    ended = fresh_prompts.end_notes(session, work, texts[:1], differs)
    _rest(session)
    return (*ended, *fresh_prompts.cached_notes(session, work))


def gaps_of(
    session: Scores, prompts: Sequence[Sequence[int]], ids: NDArray[np.int32], progress: Callable[[float], None]
) -> NDArray[np.float32]:
    """Return how far each generated token lies below the highest log-probability at its place: float32 nats [batch, output].

    Tokens that end a text do not count, since generation suppresses them.
    """
    import numpy as np

    ends = list(session.codec.ends)
    gaps = np.zeros(ids.shape, dtype=np.float32)
    for row, prompt in enumerate(prompts):
        made = [int(token) for token in ids[row]]
        for tile in _as_generated(session, prompt, made):
            places = tile.positions - (len(prompt) - 1)
            picked = tile.logprobs[np.arange(len(places)), ids[row, places]]
            allowed = np.delete(tile.logprobs, ends, axis=1) if ends else tile.logprobs
            gaps[row, places] = np.maximum(allowed.max(axis=1) - picked, 0)
            progress((row + (int(places[-1]) + 1) / len(made)) / len(prompts))
    return gaps


def _as_generated(session: Scores, prompt: Sequence[int], made: Sequence[int]) -> Iterator[Tile]:
    """Score each token as part of what was there when it was generated.

    One by one through the cache where an engine can; else in one pass, but that where a sequence outgrows the border of a
    model's rotary embeddings, what lies before it was computed as a short one.
    """
    if isinstance(session, Stepwise):
        yield from session.stepwise(prompt, made)
        return
    whole, first = [*prompt, *made[:-1]], len(prompt) - 1
    border: int | None = getattr(session, "border", None)
    if border is None or not first < border < len(whole):
        yield from session.logprobs(whole, range(first, len(whole)))
        return
    yield from session.logprobs(whole[:border], range(first, border))
    yield from session.logprobs(whole, range(border, len(whole)))


def _rest(session: Session) -> None:
    """Let an engine that opens an artifact once for each capability hold one of them in memory at a time."""
    if isinstance(session, Rests):
        session.rest()


def _differs(gaps: NDArray[np.float32], clear: float) -> tuple[Note, ...]:
    import numpy as np

    below = gaps > clear
    if below.mean() <= SHARE:
        return ()
    row, token = (int(place) for place in np.argwhere(below)[0])
    text = (
        f"{below.mean():.1%} of the greedily generated tokens lie more than {clear:g} nat below the likeliest when the artifact "
        f"itself scores them (most: {float(gaps.max()):.1f} nat; first: token {token + 1} of sequence {row + 1}): "
        "generation does not compute what the artifact says"
    )
    return (Note(code="output-differs", text=text),)


PROBE = Probe(
    name="output_check",
    version=2,
    kind="quality",
    needs=(frozenset({"generates", "tells", "scores"}),),
    yields=("output_agreement",),
    workload=OutputCheckOptions,
    packages=("numpy",),
    measure=measure,
    reach=lambda workload: Reach(workload.prompt + workload.output, workload.prompt, workload.batch),
    contents=prompts.contents,
    located=("text",),
)
