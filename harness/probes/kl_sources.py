"""Where the reference's rows come from: a stored reference, held against what is asked for, or a live session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.core.capabilities import scores
from harness.core.errors import HarnessError
from harness.core.seam import Context
from harness.core.sessions import GivesLogits, Scores
from harness.core.spec import JsonObject, Note
from harness.heads.record import read_record
from harness.probes import floors
from harness.probes.kl_options import Workload
from harness.probes.kl_store import HEAD, StoredMeta, StoredReference, open_stored
from harness.probes.same_tokens import refuse_other, texts_sha256
from harness.probes.streams import Stream, check_window, encoded, logit_tiles, read_stream, text_sha256, tiles
from harness.probes.windows import Span, sliding, span_positions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Rows = NDArray[np.float32]
    Pair = tuple[Ints, Rows, Rows]

Pairs = Callable[[int, Span], "Iterator[Pair]"]
"""From the first row of a window and the window: positions, reference and candidate [n, vocabulary], tile by tile."""


@dataclass(frozen=True)
class Source:
    """A reference as a comparison reads it."""

    stream: Stream
    pairs: Pairs
    facts: JsonObject
    wide: bool
    """Whether rows are compared in float64: those of live models, and log-probabilities."""
    floors: Mapping[str, float] = field(default_factory=dict)
    raw: bool = False
    """Whether the candidate's rows are logits, which the comparison normalizes anyway, and not log-probabilities."""
    notes: tuple[Note, ...] = ()


def source_of(session: Scores, workload: Workload, context: Context) -> Source:
    """Open what a candidate is compared with. Raises: HarnessError where it is missing, or made for something else."""
    form = workload.form
    if form == "auto":
        form = "stored" if context.reference is not None else "live"
    if form == "stored":
        if context.reference is None:
            raise HarnessError("form: stored needs a stored reference, and none was given; use form: live or auto")
        return _stored(session, open_stored(context.reference), workload, context)
    if context.reference_session is None:
        raise HarnessError("a live reference was asked for, and none was opened; name one in the sweep")
    live = scores(context.reference_session, context.reference_engine)
    check_window(live, workload.window)
    stream = read_stream(live.codec, workload)
    own = encoded(session.codec, workload, context.shared)
    refuse_other(own, session.codec, stream.ids, texts_sha256(live.codec, stream.ids))
    spans = sliding(len(stream.ids), workload.window, workload.stride)
    noise, launches, notes = floors.self_noise(live, context.fresh, stream.ids, spans)
    known = _floors(context, {} if noise is None else {"self-noise": noise})
    facts: JsonObject = {"form": form, "reference_dtype": live.dtype}
    facts |= known | ({"launches": launches} if launches else {})
    pairs = _live_pairs(session, live, stream)
    return Source(stream, pairs, facts, wide=True, floors=known.get("floors", {}), notes=notes)


def _stored(session: Scores, stored: StoredReference, workload: Workload, context: Context) -> Source:
    meta = stored.meta
    _refuse_other(meta, workload, context)
    stream = Stream(
        stored.ids, stored.owners, meta.documents, workload.text, meta.text_sha256, meta.bos, meta.limit, meta.noun,
        meta.facts, meta.notes,
    )  # fmt: skip
    if stream.sha256 != meta.ids_sha256:
        raise HarnessError(f"the token ids of the stored reference {stored.folder} are damaged; make it again")
    own = encoded(session.codec, workload.model_copy(update={"tokens": meta.limit}), context.shared)
    refuse_other(own, session.codec, stored.ids, meta.texts_sha256)
    facts: JsonObject = {"form": "stored", "reference_dtype": meta.dtype}
    if meta.form == "hidden":
        facts |= {"stores": meta.hidden_dtype, "head_sha256": meta.head_sha256}
    known = _floors(context, _stored_floors(stored))
    facts |= known | ({"launches": meta.launches} if meta.launches else {})
    wide = meta.form == "logprobs"
    logits = session if isinstance(session, GivesLogits) and not wide and not workload.truncate_vocabulary else None
    pairs = _stored_pairs(session, logits, stream, stored)
    return Source(stream, pairs, facts, wide, known.get("floors", {}), raw=logits is not None)


def _stored_floors(stored: StoredReference) -> dict[str, float]:
    """Give the floors of a stored reference; of one before schema 4 its head stands from the model by at most what was accepted."""
    known = stored.meta.floors
    if stored.meta.form != "hidden" or "head" in known:
        return known
    return {**known, "head": floors.HEAD_KL[read_record(stored.folder / HEAD).dtype]}


def _floors(context: Context, stored: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Add to what a reference says of storage and launches how far verified engines stand from the model."""
    found = dict(stored) | ({} if context.engine_floor is None else {"engine": context.engine_floor})
    return {"floors": found} if found else {}


def _refuse_other(meta: StoredMeta, workload: Workload, context: Context) -> None:
    """Hold a stored reference against what is asked for. Raises: HarnessError naming what differs."""
    wanted: JsonObject = {name: getattr(workload, name) for name in ("window", "stride", "bos")}
    wanted["text_sha256"] = text_sha256(workload)
    whole = meta.limit is None and (workload.tokens is None or workload.tokens >= meta.tokens)
    wanted["limit"] = None if whole else workload.tokens
    if meta.limit is not None:
        wanted["seed"] = workload.seed
    if meta.revision and context.reference_revision:
        wanted["revision"] = context.reference_revision
    for name, value in wanted.items():
        if getattr(meta, name) != value:
            raise HarnessError(
                f"the stored reference was made with {name} {getattr(meta, name)!r}, this comparison asks for {value!r}; "
                "make a reference for it"
            )


def _stored_pairs(session: Scores, logits: GivesLogits | None, stream: Stream, stored: StoredReference) -> Pairs:
    reader = stored.reader(session.provider)

    def pairs(row: int, span: Span) -> Iterator[Pair]:
        asked = stream.ids[span.begin : span.end].tolist(), span_positions(span)
        for positions, candidate in tiles(session, *asked) if logits is None else logit_tiles(logits, *asked):
            yield positions, reader.rows(row, len(positions)), candidate
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
