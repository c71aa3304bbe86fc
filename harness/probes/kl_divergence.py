"""How far a candidate's next-token distributions are from a reference's, position by position."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.core.capabilities import scores
from harness.core.errors import HarnessError
from harness.core.outcome import Protocol
from harness.core.seam import Context, Facts, MetricValue, Probe, ProbeResult
from harness.core.sessions import Scores
from harness.core.spec import JsonObject, Note
from harness.probes.kl_reference import StoredReference, open_stored
from harness.probes.streams import (
    Stream,
    StreamOptions,
    beyond,
    check_window,
    most_tokens,
    on_rows,
    read_stream,
    reporter,
    target_nll,
    text_sha256,
    tiles,
    window_reach,
)
from harness.probes.windows import Span, sliding, span_positions
from harness.texts import text_files, text_label, text_refusal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Rows = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Pair = tuple[Ints, Rows, Rows]
    Pairs = Callable[[int, Span], Iterator[Pair]]

BLOCK_VALUES = 1 << 16
"""Log-probabilities taken to float64 at a time, so that three buffers of them stay in a core's cache."""


class Workload(StreamOptions):
    """Which positions are compared; windows of 4096 with stride 4096 are those of the published figures."""

    form: Literal["stored", "live", "auto"] = "auto"
    """stored: the reference is an artifact of log-probabilities; live: both models run side by side; auto: as given."""
    truncate_vocabulary: bool = False
    """Where one model pads its vocabulary, compare the tokens that both have, each renormalised over them."""


@dataclass(frozen=True)
class Distances:
    """Per position: KL-divergence and mean |log ratio| (float64, nat), and whether both rank the same token first."""

    kl: Floats
    abs_log_ratio: Floats
    agrees: NDArray[np.uint8]


def measure(session: Scores, workload: Workload, context: Context) -> ProbeResult:
    """Compare a `Scores` session with a stored or live reference on the reference's token ids.

    Two tiles of log-probabilities are held at a time. The negative log-likelihoods of the pass are left in
    `context.shared` for perplexity on the same stream.

    Raises: HarnessError for vocabularies of different size, a reference of another text or window, values that are
    not finite.
    """
    import numpy as np

    from harness.numbers.documents import SUFFIX

    check_window(session, workload.window)
    stream, pairs, facts = _reference(session, workload, context)
    spans = sliding(len(stream.ids), workload.window, workload.stride)
    found, nll, widths = _compare(stream, spans, pairs, workload, reporter(context, len(spans), "windows"))
    context.shared[stream.key(workload.window, workload.stride)] = nll
    cut = min(widths)
    notes = () if widths[0] == widths[1] else (
        Note(code="truncated-vocabulary", text=f"vocabularies of {widths[0]} (reference) and {widths[1]} tokens were "
             f"compared on their first {cut}"),
    )  # fmt: skip
    protocol = Protocol(
        name=f"kl-w{workload.window}-s{workload.stride}{on_rows(workload)}", version=2, scored=len(found.kl), limit=stream.limit, dtype=session.dtype,
        bos=stream.bos, beyond_trained=beyond([span_positions(span) for span in spans], context),
        facts={"text": text_label(workload.text), "text_sha256": stream.text_sha256, "tokens": len(stream.ids), "vocabulary": cut,
               **stream.facts, **facts},
    )  # fmt: skip
    sizes = stream.sizes(np.concatenate([span.begin + span_positions(span) for span in spans]))
    values = _metric_values(found, spans, sizes, stream)
    arrays = {f"{name}{SUFFIX}": sizes.astype(np.int32) for name in ("kl", "agrees")}
    return ProbeResult(values, protocol, (*notes, *stream.notes), arrays)


def distances(reference: Rows, candidate: Rows) -> Distances:
    """Compare rows of log-probabilities [n, vocabulary], float64 sums over the vocabulary.

    Both sides are normalised once more in float64, so that what a float32 log-softmax rounds off does not look like a
    divergence, and a vocabulary that was cut is a distribution again.
    """
    import numpy as np

    rows, width = reference.shape
    step = max(1, BLOCK_VALUES // width)
    kl, ratio = np.empty(rows), np.empty(rows)
    agrees = np.empty(rows, dtype=np.uint8)
    buffers = np.empty((3, min(step, rows), width))
    for start in range(0, rows, step):
        part = slice(start, min(start + step, rows))
        weight, gap, work = buffers[:, : part.stop - part.start]
        agrees[part] = reference[part].argmax(axis=1) == candidate[part].argmax(axis=1)
        gap[:] = candidate[part]
        total = np.exp(gap, out=work).sum(axis=1)
        weight[:] = reference[part]
        with np.errstate(invalid="ignore"):
            np.subtract(weight, gap, out=gap)
        whole = np.exp(weight, out=weight).sum(axis=1)
        gap -= (np.log(whole) - np.log(total))[:, None]
        gap[weight == 0] = 0  # what the reference rules out says nothing, -inf on both sides included
        kl[part] = np.einsum("ij,ij->i", weight, gap) / whole
        ratio[part] = np.einsum("ij,ij->i", weight, np.abs(gap, out=gap)) / whole
    return Distances(kl, ratio, agrees)


def _compare(
    stream: Stream, spans: list[Span], pairs: Pairs, workload: Workload, report: Callable[[int], None]
) -> tuple[Distances, Floats, tuple[int, int]]:
    import numpy as np

    parts: list[Distances] = []
    nll: list[Floats] = []
    widths = (0, 0)
    row = 0
    for number, span in enumerate(spans, start=1):
        ids = stream.ids[span.begin : span.end]
        for positions, reference, candidate in pairs(row, span):
            widths = (reference.shape[1], candidate.shape[1])
            width = _common_width(widths, workload)
            nll.append(target_nll(ids, positions, candidate))
            parts.append(_finite(distances(reference[:, :width], candidate[:, :width]), span, positions))
            row += len(positions)
        report(number)
    whole = Distances(*(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS))
    return whole, np.concatenate(nll), widths


_FIELDS = ("kl", "abs_log_ratio", "agrees")


def _common_width(widths: tuple[int, int], workload: Workload) -> int:
    if widths[0] != widths[1] and not workload.truncate_vocabulary:
        raise HarnessError(
            f"the reference has a vocabulary of {widths[0]} tokens, the candidate one of {widths[1]}; if one is only "
            "padded, say truncate_vocabulary: true"
        )
    return min(widths)


def _finite(found: Distances, span: Span, positions: Ints) -> Distances:
    import numpy as np

    good = np.isfinite(found.kl) & np.isfinite(found.abs_log_ratio)
    if not good.all():
        where = span.begin + int(positions[~good][0])
        raise HarnessError(f"the KL-divergence at token {where} is not finite; reference or candidate is broken there")
    return found


def _reference(session: Scores, workload: Workload, context: Context) -> tuple[Stream, Pairs, JsonObject]:
    form = workload.form
    if form == "auto":
        form = "stored" if context.reference is not None else "live"
    if form == "stored":
        if context.reference is None:
            raise HarnessError("form: stored needs a stored reference, and none was given; use form: live or auto")
        stored = open_stored(context.reference)
        stream = _stored_stream(stored, workload)
        facts: JsonObject = {"form": form, "reference_dtype": stored.meta["dtype"]}
        return stream, _stored_pairs(session, stream, stored), facts
    if context.reference_session is None:
        raise HarnessError("a live reference was asked for, and none was opened; name one in the sweep")
    live = scores(context.reference_session, "of the reference")
    check_window(live, workload.window)
    stream = read_stream(live.codec, workload)
    return stream, _live_pairs(session, live, stream), {"form": form, "reference_dtype": live.dtype}


def _stored_stream(stored: StoredReference, workload: Workload) -> Stream:
    meta = stored.meta
    wanted: JsonObject = {name: getattr(workload, name) for name in ("window", "stride", "bos")}
    wanted["text_sha256"] = text_sha256(workload)
    whole = meta["limit"] is None and (workload.tokens is None or workload.tokens >= meta["tokens"])
    wanted["limit"] = None if whole else workload.tokens
    if meta["limit"] is not None:
        wanted["seed"] = workload.seed
    made: Mapping[str, object] = meta
    for name, value in wanted.items():
        if made[name] != value:
            raise HarnessError(
                f"the stored reference was made with {name} {made[name]!r}, this comparison asks for {value!r}; "
                "make a reference for it"
            )
    notes = tuple(Note.model_validate(note) for note in meta["notes"])
    return Stream(
        stored.ids, stored.owners, meta["documents"], workload.text, meta["text_sha256"], meta["bos"], meta["limit"],
        meta["noun"], meta["facts"], notes,
    )  # fmt: skip


def _stored_pairs(session: Scores, stream: Stream, stored: StoredReference) -> Pairs:
    def pairs(row: int, span: Span) -> Iterator[Pair]:
        for positions, candidate in tiles(session, stream.ids[span.begin : span.end].tolist(), span_positions(span)):
            yield positions, stored.logprobs[row : row + len(positions)], candidate
            row += len(positions)

    return pairs


def _live_pairs(session: Scores, live: Scores, stream: Stream) -> Pairs:
    def pairs(row: int, span: Span) -> Iterator[Pair]:
        del row
        ids, positions = stream.ids[span.begin : span.end].tolist(), span_positions(span)
        yield from in_step(tiles(live, ids, positions), tiles(session, ids, positions))

    return pairs


def in_step(reference: Iterator[tuple[Ints, Rows]], candidate: Iterator[tuple[Ints, Rows]]) -> Iterator[Pair]:
    """Pair rows of the same positions, whatever the sizes in which two engines give their tiles."""
    left: tuple[Ints, Rows] | None = None
    right: tuple[Ints, Rows] | None = None
    while True:
        left = left if left is not None and len(left[0]) else next(reference, None)
        right = right if right is not None and len(right[0]) else next(candidate, None)
        if left is None or right is None:
            return
        count = min(len(left[0]), len(right[0]))
        yield right[0][:count], left[1][:count], right[1][:count]
        left, right = (left[0][count:], left[1][count:]), (right[0][count:], right[1][count:])


def _metric_values(found: Distances, spans: list[Span], sizes: Ints, stream: Stream) -> tuple[MetricValue, ...]:
    import numpy as np

    ends = np.cumsum([span.last - span.first for span in spans])
    chunks = np.array([part.mean() for part in np.split(found.abs_log_ratio, ends[:-1]) if len(part)])
    return (
        _by_document("kl_divergence", found.kl, "kl", sizes, stream),
        MetricValue("kl_abs_log_ratio", float(chunks.mean()), found.abs_log_ratio.astype(np.float32), n=len(chunks), array="abs_log_ratio"),
        _by_document("top1_agreement", found.agrees, "agrees", sizes, stream),
    )  # fmt: skip


def _by_document(
    metric: str, samples: Floats | NDArray[np.uint8], array: str, sizes: Ints, stream: Stream
) -> MetricValue:
    import numpy as np

    from harness.numbers.documents import interval, sums_of, value_of

    kept = samples.astype(np.float32) if samples.dtype == np.float64 else samples
    sums = sums_of(samples, sizes)
    spread = interval(sums, metric, stream.noun)
    return MetricValue(
        metric, value_of(sums, metric), kept, low=spread.low, high=spread.high, interval=spread.name,
        items=stream.sha256, array=array,
    )  # fmt: skip


def _refuse(workload: Workload, facts: Facts) -> str | None:
    return text_refusal(workload.text, facts.packages, workload.corpus)


def _contents(workload: Workload) -> Mapping[str, Path]:
    return text_files(workload.text, workload.corpus)


PROBE = Probe(
    name="kl_divergence",
    version=2,
    kind="quality",
    needs=(frozenset({"scores"}),),
    yields=("kl_divergence", "kl_abs_log_ratio", "top1_agreement"),
    workload=Workload,
    packages=("numpy",),
    measure=measure,
    reach=window_reach,
    refuse=_refuse,
    contents=_contents,
    located=("text", "corpus.path", "corpus.sha256"),
    reference="needed",
    scored_tokens=most_tokens,
)
