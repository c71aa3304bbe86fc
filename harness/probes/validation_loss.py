"""Validation loss on answers: how likely a model finds them after their prompts, in rows packed as in training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from harness.answered import answered_files, packed, read_answered
from harness.core.options import Options
from harness.core.outcome import Protocol
from harness.core.seam import Context, MetricValue, Probe, ProbeResult
from harness.core.sessions import Reach, Scores
from harness.probes.streams import check_window, pass_nll, reporter
from harness.texts import REFERENCE, text_label


class AnswersWorkload(Options):
    """Which records are scored, and how they are packed."""

    text: str = REFERENCE
    """JSON lines with dialogue and summary (samsum), instruction, context and response (dolly) or prompt and answer; or a text that ships,
    whose passages' second halves are answers: reference (held out), reference-calibration."""
    window: int = Field(default=512, ge=2)
    """Tokens of a row; published figures are of 4096."""
    limit: int | None = Field(default=None, ge=1)
    """Records, the first ones."""


def measure(session: Scores, workload: AnswersWorkload, context: Context) -> ProbeResult:
    """Score the tokens of answers: mean over all of them of -log p, each after all that stands before it in its row.

    Raises: HarnessError where records are fewer than a row, ConfigError for a record without an answer.
    """
    import numpy as np

    from harness.numbers.documents import SUFFIX, interval, sums_of, value_of

    check_window(session, workload.window)
    codec = session.codec
    records = read_answered(workload.text)[: workload.limit]
    rows = packed(records, codec.encode, codec.bos, codec.eos, workload.window)
    report = reporter(context, len(rows.ids), "rows")
    parts = []
    for number, (ids, counts) in enumerate(zip(rows.ids, rows.counts, strict=True), start=1):
        parts.append(pass_nll(session, ids, np.flatnonzero(counts[1:])))
        report(number)
    nll = np.concatenate(parts)
    sizes = np.array([len(part) for part in parts if len(part)])
    sums = sums_of(nll, sizes)
    spread = interval(sums, "validation_loss", "rows")
    reading = MetricValue(
        metric="validation_loss", value=value_of(sums, "validation_loss"), samples=nll.astype(np.float32), low=spread.low, high=spread.high,
        interval=spread.name, items=rows.sha256, array="validation_loss",
    )  # fmt: skip
    protocol = Protocol(
        name=f"answers-packed-w{workload.window}", version=1, scored=len(nll), dtype=session.dtype, bos=codec.bos is not None,
        facts={"text": text_label(workload.text), "records": rows.records, "rows": len(rows.ids), "items_sha256": rows.sha256},
    )  # fmt: skip
    return ProbeResult((reading,), protocol, (), {f"validation_loss{SUFFIX}": sizes.astype(np.int32)})


def _contents(workload: AnswersWorkload) -> Mapping[str, Path]:
    return answered_files(workload.text)


PROBE = Probe(
    name="validation_loss",
    version=1,
    kind="quality",
    needs=(frozenset({"scores"}),),
    yields=("validation_loss",),
    workload=AnswersWorkload,
    packages=("numpy",),
    measure=measure,
    contents=_contents,
    located=("text",),
    reach=lambda workload: Reach(workload.window),
)
