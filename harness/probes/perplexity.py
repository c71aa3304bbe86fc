"""Perplexity over sliding windows (protocols A and B) or document by document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from harness.core.errors import HarnessError
from harness.core.outcome import Protocol
from harness.core.seam import Context, Facts, MetricValue, Probe, ProbeResult
from harness.core.sessions import Scores
from harness.core.spec import JsonObject, Note
from harness.probes.groups import Finished, grouped, numbers_of
from harness.probes.streams import (
    Stream,
    StreamOptions,
    beyond,
    check_window,
    notes_of,
    on_rows,
    pass_nll,
    read_stream,
    reporter,
    tokenized,
    window_reach,
)
from harness.probes.windows import Span, last_chunks, sliding, span_positions
from harness.texts import read, text_files, text_label, text_refusal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]


class Workload(StreamOptions):
    """Which text is scored, and how it is cut."""

    protocol: Literal["A", "B"] = "A"
    """A: every token once, in windows `stride` apart. B: windows `stride` apart of which only the last `stride` tokens
    count, as when an engine keeps the logits of the last prefill chunk alone."""
    documents: bool = False
    """Score each document alone: BOS and its tokens, cut at the context length; windows do not apply."""
    limit: int | None = Field(default=None, ge=1)
    """Documents to score, the first ones."""

    @property
    def in_windows(self) -> bool:
        """Documents are scored whole."""
        return not self.documents

    @model_validator(mode="after")
    def _fits_its_protocol(self) -> Workload:
        if self.protocol == "B" and self.window % self.stride:
            raise ValueError(f"protocol B needs a window that is a multiple of its chunk; {self.stride} does not divide "
                             f"{self.window}")  # fmt: skip
        if self.limit is not None and not self.documents:
            raise ValueError("limit counts documents; say documents: true, or tokens: N for a stream")
        if self.documents and (self.tokens is not None or self.protocol == "B"):
            raise ValueError("documents are scored whole; tokens and protocol B are for streams")
        return self


@dataclass
class _Found:
    nll: Floats
    sizes: Ints
    """Scored tokens of each document, in order."""
    noun: str
    positions: list[Ints] = field(default_factory=list)
    limit: int | None = None
    truncated: int = 0
    skipped: int = 0
    bos: bool = False
    facts: JsonObject = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


def measure(session: Scores, workload: Workload, context: Context) -> ProbeResult:
    """Score a text with a `Scores` session; nothing larger than a tile of log-probabilities is held.

    Raises: HarnessError for a text shorter than a window, a window longer than the context, logits that are not finite.
    Source: protocol A is the sliding window of Hugging Face's guide to perplexity, weighted by tokens.
    """
    import numpy as np

    from harness.numbers.documents import SUFFIX, interval, sums_of, value_of

    found = _documents(session, workload, context) if workload.documents else _stream(session, workload, context)
    sums = sums_of(found.nll, found.sizes)
    spread = interval(sums, "perplexity", found.noun)
    reading = MetricValue(
        metric="perplexity", value=value_of(sums, "perplexity"), samples=found.nll.astype(np.float32), low=spread.low,
        high=spread.high, interval=spread.name, items=str(found.facts["items_sha256"]), array="nll",
    )  # fmt: skip
    protocol = Protocol(
        name=protocol_name(workload) + ("" if workload.documents else on_rows(workload)), version=2, scored=len(found.nll), skipped=found.skipped, truncated=found.truncated,
        limit=found.limit, dtype=session.dtype, bos=found.bos, beyond_trained=beyond(found.positions, context),
        facts={"text": text_label(workload.text), **found.facts},
    )  # fmt: skip
    return ProbeResult((reading,), protocol, found.notes, {f"nll{SUFFIX}": found.sizes.astype(np.int32)})


def protocol_name(workload: Workload) -> str:
    """Name how the text is cut; BOS and text are columns of their own."""
    if workload.documents:
        return "ppl-documents"
    if workload.protocol == "B":
        return f"ppl-B-w{workload.window}-c{workload.stride}"
    return f"ppl-A-w{workload.window}-s{workload.stride}"


def _stream(session: Scores, workload: Workload, context: Context) -> _Found:
    import numpy as np

    check_window(session, workload.window)
    stream = read_stream(session.codec, workload, context.shared)
    cut = last_chunks if workload.protocol == "B" else sliding
    spans = cut(len(stream.ids), workload.window, workload.stride)
    known = _known_nll(stream, workload, context)
    finished = Finished(session, context)
    report = reporter(context, len(spans), "windows")
    nll = _measured(session, stream.ids, spans, report, finished) if known is None else known
    counted = [_scored(span) for span in spans]
    targets = [span.begin + there + 1 for span, there in zip(spans, counted, strict=True)]
    notes = finished.notes() if known is None else (
        Note(code="one-pass", text="taken from the pass that measured KL-divergence on the same tokens and windows"),
    )  # fmt: skip
    sizes = stream.sizes(np.concatenate(targets))
    return _Found(
        nll, sizes, stream.noun, counted, stream.limit, bos=stream.bos, facts=_stream_facts(stream),
        notes=(*notes, *stream.notes),
    )  # fmt: skip


def _scored(span: Span) -> Ints:
    """Give the counted positions of a window that a token of it follows, counted from its beginning."""
    positions = span_positions(span)
    return positions[span.begin + positions + 1 < span.end]


def _measured(
    session: Scores, ids: Ints, spans: Sequence[Span], report: Callable[[int], None], finished: Finished
) -> Floats:
    """Score windows group by group, and take what an interrupted attempt has scored; negative log-likelihoods in order."""
    import numpy as np

    parts, done = [], 0
    for group in grouped(spans):
        find = partial(_group_nll, session, ids, group, report, done)
        parts.append(finished.group(numbers_of(ids, group), find)["nll"])
        done += len(group)
        report(done)
    return np.concatenate(parts) if parts else np.empty(0)


def _group_nll(
    session: Scores, ids: Ints, group: Sequence[Span], report: Callable[[int], None], done: int
) -> Mapping[str, Floats]:
    import numpy as np

    parts = []
    for number, span in enumerate(group, start=done + 1):
        parts.append(pass_nll(session, ids[span.begin : span.end], span_positions(span)))
        report(number)
    return {"nll": np.concatenate(parts)}


def _known_nll(stream: Stream, workload: Workload, context: Context) -> Floats | None:
    """Take what the pass that measured KL-divergence on the same windows left; None where there was none."""
    import numpy as np

    left = context.shared.get(stream.key(workload.window, workload.stride)) if workload.protocol == "A" else None
    return left.astype(np.float64) if isinstance(left, np.ndarray) else None


def _stream_facts(stream: Stream) -> JsonObject:
    return {"text_sha256": stream.text_sha256, "tokens": len(stream.ids), "items_sha256": stream.sha256, **stream.facts}


def _documents(session: Scores, workload: Workload, context: Context) -> _Found:
    import hashlib

    import numpy as np

    text = read(workload.text, workload.corpus)
    documents = text.alone
    limit = workload.limit if workload.limit is not None and workload.limit < len(documents) else None
    chosen = documents[:limit]
    found = _Found(
        np.empty(0), np.empty(0, dtype=np.int64), text.noun, limit=limit, bos=True, notes=notes_of(text, workload.text)
    )
    items = hashlib.sha256()
    parts: list[Ints] = []
    for document in chosen:
        ids = np.asarray(tokenized(session.codec, document, bos=True), dtype=np.int64)
        found.truncated += len(ids) > session.context_length
        parts.append(ids[: session.context_length])
        items.update(parts[-1].astype("<i8").tobytes())
    ends = np.cumsum([len(ids) for ids in parts]).tolist()
    spans = [
        Span(end - len(ids), end, end - len(ids), max(end - 1, end - len(ids)))
        for ids, end in zip(parts, ends, strict=True)
    ]
    found.positions = [span_positions(span) for span in spans]
    found.sizes = np.array([len(there) for there in found.positions])
    found.skipped = int((found.sizes == 0).sum())
    if not found.sizes.any():
        raise HarnessError(f"the text '{workload.text}' holds no document of two tokens; nothing can be scored")
    finished = Finished(session, context)
    found.nll = _measured(session, np.concatenate(parts), spans, reporter(context, len(chosen), "documents"), finished)
    found.notes += finished.notes()
    joined = hashlib.sha256("\n\n".join(chosen).encode()).hexdigest()
    found.facts = {"text_sha256": joined, "documents": len(chosen), "items_sha256": items.hexdigest(),
                   "text_form": text.form, **({"text_changes": list(text.changes)} if text.changes else {})}  # fmt: skip
    return found


def _refuse(workload: Workload, facts: Facts) -> str | None:
    return text_refusal(workload.text, facts.packages, workload.corpus)


def _contents(workload: Workload) -> Mapping[str, Path]:
    return text_files(workload.text, workload.corpus)


PROBE = Probe(
    name="perplexity",
    version=2,
    kind="quality",
    needs=(frozenset({"scores"}),),
    yields=("perplexity",),
    workload=Workload,
    packages=("numpy",),
    measure=measure,
    reach=window_reach,
    refuse=_refuse,
    contents=_contents,
    located=("text", "corpus.path", "corpus.sha256"),
)
