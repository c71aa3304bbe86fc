"""How far a candidate's next-token distributions are from a reference's, position by position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.outcome import Protocol
from harness.core.seam import Context, Facts, Probe, ProbeResult
from harness.core.sessions import Scores
from harness.core.spec import Note
from harness.numbers.divergence import Distances, checked, distances, holds
from harness.probes import floors, kl_sources, kl_values
from harness.probes.groups import Finished, grouped, numbers_of
from harness.probes.kl_options import DenseWorkload, Workload, most_tokens
from harness.probes.kl_sources import Source
from harness.probes.kl_values import FIELDS, ComparedPositions
from harness.probes.streams import (
    beyond,
    check_window,
    on_rows,
    reporter,
    target_nll,
    window_reach,
)
from harness.probes.windows import Span, sliding, span_positions
from harness.texts import text_files, text_label, text_refusal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["PROBE", "Workload", "measure"]


def measure(session: Scores, workload: Workload, context: Context) -> ProbeResult:
    """Compare a `Scores` session with a stored or live reference on the reference's token ids.

    Two tiles of rows are held at a time. The negative log-likelihoods of the pass are left in `context.shared` for perplexity on
    the same stream. Windows are measured in groups; those that an interrupted run has finished are taken from it.

    Raises: HarnessError for vocabularies of different size, a reference of another text, window, tokenizer or revision, values
    that are not finite.
    """
    import numpy as np

    from harness.numbers.documents import SUFFIX

    check_window(session, workload.window)
    source = kl_sources.source_of(session, workload, context)
    stream = source.stream
    spans = sliding(len(stream.ids), workload.window, workload.stride)
    finished = Finished(session, context)
    parts = _groups(source, spans, workload, context, finished)
    found = ComparedPositions(**{name: np.concatenate([part[name] for part in parts]) for name in FIELDS})
    context.shared[stream.key(workload.window, workload.stride)] = np.concatenate([part["nll"] for part in parts])
    widths = parts[0]["widths"]
    pairs = np.concatenate([part["checked"] for part in parts])
    protocol = Protocol(
        name=f"kl-w{workload.window}-s{workload.stride}{on_rows(workload)}", version=2, scored=len(found.kl), limit=stream.limit, dtype=session.dtype,
        bos=stream.bos, beyond_trained=beyond([span_positions(span) for span in spans], context),
        facts={"text": text_label(workload.text), "text_sha256": stream.text_sha256, "tokens": len(stream.ids), "vocabulary": int(widths.min()),
               **stream.facts, **source.facts, **_check_facts(pairs)},
    )  # fmt: skip
    sizes = stream.sizes(np.concatenate([span.begin + span_positions(span) for span in spans]))
    below = {
        **source.floors,
        **_float32_floor(pairs),
        **_rounding_floor(np.concatenate([part["rounding"] for part in parts])),
    }
    values = kl_values.metric_values(found, spans, sizes, stream, below)
    arrays = {f"{name}{SUFFIX}": sizes.astype(np.int32) for name in ("kl", "agrees")} | {"confidence": found.confidence}
    said = (*_width_notes(widths), *_check_notes(pairs), *kl_values.floor_notes(values, below))
    return ProbeResult(values, protocol, (*said, *source.notes, *finished.notes(), *stream.notes), arrays)


def _groups(
    source: Source, spans: list[Span], workload: Workload, context: Context, finished: Finished
) -> list[Mapping[str, NDArray[Any]]]:
    """Measure group by group, and take what an interrupted run has measured."""
    report = reporter(context, len(spans), "windows")
    parts, row, done = [], 0, 0
    for group in grouped(spans):
        find = partial(_compare, source, group, row, workload, partial(_further, report, done))
        parts.append(finished.group(numbers_of(source.stream.ids, group), find))
        row += sum(span.last - span.first for span in group)
        done += len(group)
        report(done)
    return parts


def _further(report: Callable[[int], None], before: int, more: int) -> None:
    report(before + more)


def _compare(
    source: Source, spans: list[Span], row: int, workload: Workload, report: Callable[[int], None]
) -> Mapping[str, NDArray[Any]]:
    import numpy as np

    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in (*FIELDS, "nll", "checked", "rounding")}
    widths = (0, 0)
    for number, span in enumerate(spans, start=1):
        ids = source.stream.ids[span.begin : span.end]
        for positions, reference, candidate in source.pairs(row, span):
            widths = (reference.shape[1], candidate.shape[1])
            width = _common_width(widths, workload)
            one, other = reference[:, :width], candidate[:, :width]
            found = distances(one, other, wide=source.wide)
            parts["nll"].append(target_nll(ids, positions, candidate, found.normalizer if source.raw else None))
            _refuse_not_finite(found, span, positions)
            for name in FIELDS:
                parts[name].append(getattr(found, name))
            sampled = np.asarray([row % len(positions)])
            if source.wide:
                parts["rounding"].append(floors.rounding(one[sampled]))
            else:
                parts["checked"].append(checked(found, one, other, sampled))
            row += len(positions)
        report(number)
    nothing = {"checked": np.empty((0, 2)), "rounding": np.empty(0)}
    whole = {name: np.concatenate(some) if some else nothing[name] for name, some in parts.items()}
    return whole | {"widths": np.asarray(widths)}


def _common_width(widths: tuple[int, int], workload: Workload) -> int:
    if widths[0] != widths[1] and not workload.truncate_vocabulary:
        raise HarnessError(
            f"the reference has a vocabulary of {widths[0]} tokens, the candidate one of {widths[1]}; if one is only "
            "padded, say truncate_vocabulary: true"
        )
    return min(widths)


def _refuse_not_finite(found: Distances, span: Span, positions: Ints) -> None:
    import numpy as np

    good = np.isfinite(found.kl) & np.isfinite(found.abs_log_ratio)
    if not good.all():
        where = span.begin + int(positions[~good][0])
        raise HarnessError(f"the KL-divergence at token {where} is not finite; reference or candidate is broken there")


def _width_notes(widths: Ints) -> tuple[Note, ...]:
    if widths[0] == widths[1]:
        return ()
    text = f"vocabularies of {widths[0]} (reference) and {widths[1]} tokens were compared on their first {widths.min()}"
    return (Note(code="truncated-vocabulary", text=text),)


def _check_facts(pairs: NDArray[np.float64]) -> dict[str, object]:
    """Say by how much float32 sums stood from float64 on the sample."""
    if not len(pairs):
        return {}
    mean, exact = (float(value) for value in pairs.mean(axis=0))
    return {"float64_check": {"positions": len(pairs), "kl": mean, "kl_float64": exact}}


def _float32_floor(pairs: NDArray[np.float64]) -> dict[str, float]:
    """Say how far single positions of the sample stand from float64 on average, where sums are in float32."""
    return {"float32": float(abs(pairs[:, 0] - pairs[:, 1]).mean())} if len(pairs) else {}


def _rounding_floor(rounding: NDArray[np.float64]) -> dict[str, float]:
    """Say how far apart neighbours in float32 stand on the sample, where log-probabilities come in it and sums are in float64."""
    return {"rounding": float(rounding.mean())} if len(rounding) else {}


def _check_notes(pairs: NDArray[np.float64]) -> tuple[Note, ...]:
    if holds(pairs):
        return ()
    mean, exact = pairs.mean(axis=0)
    text = f"on {len(pairs)} positions the KL-divergence is {mean:.3e} in float32 and {exact:.3e} in float64: say stores: logprobs"
    return (Note(code="float32-sums", text=text),)


def _refuse(workload: Workload, facts: Facts) -> str | None:
    return text_refusal(workload.text, facts.packages, workload.corpus)


def _contents(workload: Workload) -> Mapping[str, Path]:
    return text_files(workload.text, workload.corpus)


PROBE = Probe(
    name="kl_divergence",
    version=3,
    kind="quality",
    needs=(frozenset({"scores"}),),
    yields=(
        "kl_divergence",
        "kl_abs_log_ratio",
        "top1_agreement",
        "top5_agreement",
        "first_divergent_token",
        "kl_quantile",
        "kl_floor",
    ),
    workload=Workload,
    packages=("numpy",),
    measure=measure,
    earlier={2: DenseWorkload},
    reach=window_reach,
    refuse=_refuse,
    contents=_contents,
    located=("text", "corpus.path", "corpus.sha256"),
    reference="needed",
    scored_tokens=most_tokens,
)
