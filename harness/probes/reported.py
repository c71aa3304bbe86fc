"""Speed as a program says it that an engine drives: its own metrics, held against the work that was asked for.

What its numbers mean is what the program says, so that metrics and protocol carry version 0 and never share a column with our own
procedure. Conditions and notes are those of every speed job, and the report is kept whole in the run folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from harness.core.errors import HarnessError
from harness.core.identity import file_sha256
from harness.core.reports import FixedWork, Reported, Reports
from harness.core.seam import Context, MetricValue, ProbeResult
from harness.core.spec import JsonObject
from harness.probes import bandwidth, conditions, speed
from harness.probes.published_protocols import refuse_other_rounds
from harness.probes.report_file import REPORT, refuse_old, refuse_other_provider
from harness.programs import LOG

_ROUNDING = 0.02
"""By how much speed times seconds may miss the tokens that were asked for: what programs round when they print."""


def measure(session: Reports, work: FixedWork, context: Context, *, bound: bool = False) -> ProbeResult:
    """Let the program measure, and return what it says; with `bound`, its decode rate as a share of the memory bound, too.

    Raises: HarnessError where it fails, leaves no report, an old one, one of another device, or one of other work.
    """
    watch, begun = conditions.Watch(on_gpu=not session.provider.startswith("cpu")), datetime.now(UTC)
    folder = context.folder / REPORT
    folder.mkdir()
    watch.mark(state=True)
    said = session.report(
        work, folder, context.folder / LOG, lambda share: context.progress(share, "a program measures")
    )
    watch.mark(state=True)
    name = said.report.name
    if said.report.is_symlink() or not said.report.resolve().is_relative_to(folder.resolve()):
        raise HarnessError(
            f"the report {name} does not lie in the run's own folder, and could change; let the program write it there"
        )
    refuse_old(said.report, said.started, begun)
    refuse_other_provider(name, said.provider, session.provider)
    refuse_other_work(said, work)
    refuse_other_rounds(said, work)
    machine, done = watch.facts(), speed.Work(work.batch, work.prompt, work.output, "mean")
    derived = rates(said.summary, done) if said.whole_batches else []
    spread = _spread(said.summary)
    facts: JsonObject = {**said.protocol.facts, **machine, "report": name, "report_sha256": file_sha256(said.report)}
    share = bandwidth.share_of(session, _step(said), done, context) if bound else bandwidth.NOT_ASKED
    facts |= {"spread": spread, "derived": [one.metric for one in derived], **share.facts}
    protocol = said.protocol.model_copy(
        update={
            "name": work.protocol or said.protocol.name,
            "facts": facts,
            "dtype": said.protocol.dtype or session.dtype,
            "repetitions": _rounds(said.summary) or work.repetitions,
            "prompt_tokens": work.prompt,
        }
    )
    notes = (*said.notes, *speed.unstable(spread, done), *conditions.notes(machine), *share.notes)
    bounds = (replace(one, version=0) if one.metric == "bandwidth_share" else one for one in share.values)
    values = (*said.summary, *derived, *bounds)
    return ProbeResult(values=values, protocol=protocol, notes=notes, executed=said.executed)


def refuse_other_work(said: Reported, work: FixedWork) -> None:
    """Hold what a program says it measured against what was asked, by its own words and by its own numbers. Raises: HarnessError."""
    name = said.report.name
    for what, asked in (("batch", work.batch), ("prompt", work.prompt), ("output", work.output)):
        there = said.workload.get(what)
        if there is None:
            raise HarnessError(
                f"{name} does not say which {what} was measured, and {asked} was asked for; nobody could tell"
            )
        if there != asked:
            raise HarnessError(
                f"{name} says that {what} {there} was measured, and {asked} was asked for; correct the program"
            )
    speeds, seconds = _one(said.summary, "decode_tps"), _one(said.summary, "decode_latency")
    if speeds is None or seconds is None:
        return
    made = speeds.value * seconds.value / work.batch
    if all(abs(made - tokens) > _ROUNDING * tokens for tokens in (work.output - 1, work.output)):
        raise HarnessError(
            f"{name} says {speeds.value:.6g} tokens/s over {seconds.value:.6g} s, which are {made:.1f} new tokens of each sequence, and {work.output} "
            "were asked for; correct the program"
        )


def rates(summary: Sequence[MetricValue], work: speed.Work) -> list[MetricValue]:
    """Give what follows from a program's seconds where it does not say it: prefill, decode and whole, in tokens per second."""
    amounts = (
        ("prefill_tps", "prefill_latency", work.batch * work.prompt),
        ("decode_tps", "decode_latency", work.batch * (work.output - 1)),
        ("e2e_tps", "e2e_latency", work.batch * work.output),
    )
    found = []
    for metric, of, amount in amounts:
        seconds = _one(summary, of)
        if seconds is not None and seconds.value > 0 and amount and _one(summary, metric) is None:
            samples = (
                amount / seconds.samples
                if seconds.samples.size and (seconds.samples > 0).all()
                else seconds.samples[:0]
            )
            found.append(MetricValue(metric, amount / seconds.value, samples, n=max(1, samples.size), version=0))
    return found


def _step(said: Reported) -> float | None:
    """Give the seconds of a decode step, which makes a token of each sequence; None where the program tells no rate of whole batches."""
    rate = _one(said.summary, "decode_tps")
    return said.workload["batch"] / rate.value if said.whole_batches and rate is not None and rate.value > 0 else None


def _one(summary: Sequence[MetricValue], metric: str) -> MetricValue | None:
    return next((one for one in summary if one.metric == metric and not one.slice), None)


def _rounds(summary: Sequence[MetricValue]) -> int | None:
    """Count the rounds of which a program tells the seconds."""
    told = (_one(summary, metric) for metric in ("decode_latency", "e2e_latency", "prefill_latency"))
    return next((int(one.samples.size) for one in told if one is not None and one.samples.size), None)


def _spread(summary: Sequence[MetricValue]) -> dict[str, float]:
    """Say how far a program's rounds differ, as that of our own repetitions is said."""
    seconds = _one(summary, "decode_latency")
    return {} if seconds is None else speed.between(seconds.samples.astype("float64"))
