"""The reference side of a KL-divergence, stored as an artifact: token ids, positions, and final hidden states or log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.core.errors import HarnessError, Unsupported
from harness.core.outcome import Protocol
from harness.core.seam import Context, Facts, Probe, ProbeResult
from harness.core.sessions import GivesHidden, Scores
from harness.core.spec import Note
from harness.heads.opening import OpenHead, open_head
from harness.numbers.divergence import ABSOLUTE
from harness.probes import floors
from harness.probes.groups import Finished, grouped, numbers_of
from harness.probes.kl_dense import write_dense
from harness.probes.kl_files import sealed, sums_of
from harness.probes.kl_options import most_tokens
from harness.probes.kl_store import (
    BLOCK,
    HEAD,
    HIDDEN,
    IDS,
    LOGPROBS,
    META,
    OWNERS,
    POSITIONS,
    SCHEMA,
    HiddenWriter,
    StoredMeta,
    lowered,
    open_stored,
)
from harness.probes.same_tokens import texts_sha256
from harness.probes.streams import (
    Stream,
    StreamOptions,
    beyond,
    check_window,
    read_stream,
    reporter,
    window_reach,
)
from harness.probes.windows import Span, sliding, span_positions
from harness.texts import text_files, text_refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PROBE", "Stores", "Workload", "measure", "open_stored"]

Stores = Literal["float16", "float32", "logprobs"]
_DENSE, _WIDE, _COARSE = "dense-reference", "float32-store", "coarse-store"
"""Codes of what every comparison with a reference has to say of it."""


class Workload(StreamOptions):
    """Which positions are stored, and what of them."""

    stores: Stores = "float16"
    """What a stored reference keeps of a position: final hidden states in a float type, or all log-probabilities."""
    max_bytes: int = Field(default=2 << 30, ge=1)
    """Refuse to store more log-probabilities than this; hidden states and a live reference need less."""


@dataclass
class _Written:
    """What became of the rows."""

    form: Literal["hidden", "logprobs"]
    vocabulary: int
    hidden: int = 0
    stores: Literal["float16", "float32"] = "float16"
    crcs: tuple[int, ...] = ()
    block: int = BLOCK
    head_sha256: str = ""
    floors: dict[str, float] = field(default_factory=dict)
    launches: int = 0
    notes: tuple[Note, ...] = ()


def measure(session: Scores, workload: Workload, context: Context) -> ProbeResult:
    """Write the reference into `context.out`, group by group.

    Where the engine cannot give the head apart, log-probabilities are stored, and a note says so.
    Raises: HarnessError where these would be larger than `max_bytes`, before anything is computed.
    """
    import numpy as np

    if context.out is None:
        raise HarnessError("a stored reference needs a folder to be written to; run it as a reference job")
    check_window(session, workload.window)
    stream = read_stream(session.codec, workload)
    spans = sliding(len(stream.ids), workload.window, workload.stride)
    out = context.out
    written = _written(session, stream, spans, workload, context, out)
    places = np.concatenate([span.begin + span_positions(span) for span in spans])
    np.save(out / IDS, stream.ids.astype(np.int32))
    np.save(out / OWNERS, stream.owners.astype(np.int32))
    np.save(out / POSITIONS, places)
    meta = _meta(session, stream, workload, context, written)
    (out / META).write_text(sealed(meta.model_dump(mode="json")), encoding="utf-8")
    counted = [span_positions(span) for span in spans]
    protocol = Protocol(
        name=f"kl-reference-w{workload.window}-s{workload.stride}", version=2, scored=len(stream.ids), limit=stream.limit,
        dtype=session.dtype, bos=stream.bos, beyond_trained=beyond(counted, context), facts=meta.model_dump(mode="json", exclude={"crcs", "block", "files"}),
    )  # fmt: skip
    return ProbeResult((), protocol, written.notes)


def _meta(session: Scores, stream: Stream, workload: Workload, context: Context, written: _Written) -> StoredMeta:
    return StoredMeta(
        schema_version=SCHEMA, form=written.form, text_sha256=stream.text_sha256, ids_sha256=stream.sha256, tokens=len(stream.ids),
        limit=stream.limit, bos=stream.bos, window=workload.window, stride=workload.stride, vocabulary=written.vocabulary,
        dtype=session.dtype, provider=session.provider, documents=stream.documents, noun=stream.noun, seed=workload.seed,
        facts=dict(stream.facts), notes=(*stream.notes, *(note for note in written.notes if note.code in {_DENSE, _WIDE, _COARSE})),
        texts_sha256=texts_sha256(session.codec, stream.ids),
        revision=context.artifact_id, head_sha256=written.head_sha256, hidden=written.hidden,
        hidden_dtype=written.stores, crcs=written.crcs, block=written.block, floors=written.floors,
        launches=written.launches, files=sums_of(context.out, (HIDDEN, LOGPROBS)) if context.out else {},
    )  # fmt: skip


def _written(
    session: Scores, stream: Stream, spans: list[Span], workload: Workload, context: Context, out: Path
) -> _Written:
    report = reporter(context, len(spans), "windows")
    if workload.stores == "logprobs":
        return _write_dense(session, stream, spans, workload, context, report, out)
    head = _head(session, stream, spans, workload, out)
    if isinstance(head, str):
        found = _write_dense(session, stream, spans, workload, context, report, out)
        text = f"log-probabilities were stored and not hidden states: {head}"
        found.notes = (Note(code=_DENSE, text=text), *found.notes)
        return found
    return _write_hidden(session, *head, stream, spans, workload, context, report, out)


def _head(
    session: Scores, stream: Stream, spans: list[Span], workload: Workload, out: Path
) -> tuple[OpenHead, float] | str:
    """Cut the session's head off, or say why log-probabilities have to be stored."""
    if not isinstance(session, GivesHidden):
        return "the engine gives no hidden states"
    folder = out / HEAD
    folder.mkdir()
    try:
        session.save_head(folder)
        head = open_head(folder, session.provider)
        return head, _apart(session, head, stream, spans, workload)
    except Unsupported as error:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        return str(error)


def _apart(session: Scores, head: OpenHead, stream: Stream, spans: list[Span], workload: Workload) -> float:
    """Give the KL-divergence between a head and its model. Raises: Unsupported where it is too large, and log-probabilities are not."""
    apart = floors.check_head(session, head, stream.ids[spans[0].begin : spans[0].end].tolist())
    if apart > ABSOLUTE and 4 * len(stream.ids) * head.record.vocabulary <= workload.max_bytes:
        raise Unsupported(f"{_said(apart)}, and at most {ABSOLUTE:.0e} is allowed")
    return apart


def _said(apart: float) -> str:
    return f"the head on its own stands {apart:.1e} nat from the model, whose logits are rounded to 16 bits"


def _write_hidden(
    session: Scores, head: OpenHead, apart: float, stream: Stream, spans: list[Span], workload: Workload, context: Context,
    report: Callable[[int], None], out: Path,
) -> _Written:  # fmt: skip
    import numpy as np

    assert isinstance(session, GivesHidden)
    finished = Finished(session, context)
    floor, done = [], 0
    every = max(1, len(stream.ids) // floors.SAMPLED)
    kinds: list[str] = ["float32"] if workload.stores == "float32" else []
    tried: list[float] = []

    def find(group: list[Span]) -> Mapping[str, NDArray[Any]]:
        raw = _group_hidden(session, stream, group)
        cost = [] if kinds else [floors.float16_cost(head, raw)]
        kept = lowered(raw, kinds[0] if kinds else floors.float_type(cost[0], len(stream.ids)))
        return {"hidden": kept, "tried": np.asarray(cost), "floor": floors.storage(head, raw[::every], kept[::every])}

    with HiddenWriter(out / HIDDEN) as writer:
        for group in grouped(spans):
            found = finished.group(numbers_of(stream.ids, group), partial(find, group))
            kinds, tried = [found["hidden"].dtype.name], [*tried, *found["tried"].tolist()]
            writer.add(found["hidden"])
            floor.append(found["floor"])
            done += len(group)
            report(done)
    noise, launches, notes = floors.self_noise(session, context.fresh, stream.ids, spans)
    known = {
        "head": apart,
        "storage": float(np.concatenate(floor).mean()),
        **({} if noise is None else {"self-noise": noise}),
    }
    said = (*_head_notes(apart), *_store_notes(tried, known["storage"], kinds[0], len(stream.ids)))
    return _Written(
        "hidden", head.record.vocabulary, head.record.hidden, "float32" if kinds[0] == "float32" else "float16", writer.crcs,
        head_sha256=head.record.sha256, floors=known, launches=launches, notes=(*said, *finished.notes(), *notes),
    )  # fmt: skip


def _head_notes(apart: float) -> tuple[Note, ...]:
    """Say where a head that was cut off costs too much, and log-probabilities would have been too large."""
    text = f"{_said(apart)}, and log-probabilities would be larger than max_bytes: say form: live, or fewer tokens"
    return (Note(code=_COARSE, text=text),) if apart > ABSOLUTE else ()


def _store_notes(tried: list[float], floor: float, kind: str, positions: int) -> tuple[Note, ...]:
    """Say where float32 was stored though float16 was asked for, and where float16 turned out to cost too much."""
    most = floors.most_storage(positions)
    if tried and kind == "float32":
        cost = f"float16 would cost {tried[0]:.1e} nat, and of {positions:,} positions at most {most:.1e} is allowed"
        why = cost if math.isfinite(tried[0]) else "one is larger than float16 holds (65,504)"
        text = f"hidden states are stored in float32: {why}"
        return (Note(code=_WIDE, text=text),)
    if floor > most:
        text = f"storing costs {floor:.1e} nat, and of {positions:,} positions at most {most:.1e} is allowed: say stores: float32"
        return (Note(code=_COARSE, text=text),)
    return ()


def _group_hidden(session: GivesHidden, stream: Stream, group: list[Span]) -> NDArray[Any]:
    """Give the hidden states [positions, hidden] of a group's windows. Raises: HarnessError where some are missing."""
    import numpy as np

    parts = []
    for span in group:
        positions = span_positions(span)
        found = list(session.hidden(stream.ids[span.begin : span.end].tolist(), positions.tolist()))
        there = np.concatenate([tile.positions for tile in found])
        if not np.array_equal(there, positions):
            raise HarnessError("the engine gave other positions than were asked for; mend its `hidden`")
        parts += [tile.hidden for tile in found]
    return np.concatenate(parts)


def _write_dense(
    session: Scores, stream: Stream, spans: list[Span], workload: Workload, context: Context,
    report: Callable[[int], None], out: Path,
) -> _Written:  # fmt: skip
    finished = Finished(session, context)
    found = write_dense(session, stream, spans, out / LOGPROBS, workload.max_bytes, finished, report)
    noise, launches, notes = floors.self_noise(session, context.fresh, stream.ids, spans)
    return _Written(
        "logprobs", found.vocabulary, crcs=found.crcs, block=found.block, floors={} if noise is None else {"self-noise": noise}, launches=launches,
        notes=(*finished.notes(), *notes),
    )  # fmt: skip


def _refuse(workload: Workload, facts: Facts) -> str | None:
    return text_refusal(workload.text, facts.packages, workload.corpus)


def _contents(workload: Workload) -> Mapping[str, Path]:
    return text_files(workload.text, workload.corpus)


PROBE = Probe(
    name="kl_reference",
    version=4,
    kind="reference",
    needs=(frozenset({"scores"}),),
    yields=(),
    workload=Workload,
    packages=("numpy",),
    measure=measure,
    reach=window_reach,
    refuse=_refuse,
    contents=_contents,
    located=("text", "corpus.path", "corpus.sha256"),
    scored_tokens=most_tokens,
)
