"""The reference side of a KL-divergence, stored as an artifact: token ids, positions, and final hidden states or log-probabilities."""

from __future__ import annotations

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
from harness.probes import floors
from harness.probes.fingerprint import tokenizer_sha256
from harness.probes.groups import Finished, grouped, numbers_of
from harness.probes.kl_store import (
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
from harness.probes.streams import (
    Stream,
    StreamOptions,
    beyond,
    check_window,
    most_tokens,
    read_stream,
    reporter,
    text_of,
    tiles,
    window_reach,
)
from harness.probes.windows import Span, sliding, span_positions
from harness.texts import text_files, text_refusal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Mapped = np.memmap[Any, np.dtype[np.float32]]

__all__ = ["PROBE", "Stores", "Workload", "measure", "open_stored"]

Stores = Literal["float16", "float32", "logprobs"]
_DENSE = "dense-reference"


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
    crcs: tuple[int, ...] = ()
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
    (out / META).write_text(meta.model_dump_json(indent=1) + "\n", encoding="utf-8")
    counted = [span_positions(span) for span in spans]
    protocol = Protocol(
        name=f"kl-reference-w{workload.window}-s{workload.stride}", version=2, scored=len(stream.ids), limit=stream.limit,
        dtype=session.dtype, bos=stream.bos, beyond_trained=beyond(counted, context), facts=meta.model_dump(mode="json", exclude={"crcs"}),
    )  # fmt: skip
    return ProbeResult((), protocol, written.notes)


def _meta(session: Scores, stream: Stream, workload: Workload, context: Context, written: _Written) -> StoredMeta:
    return StoredMeta(
        schema_version=SCHEMA, form=written.form, text_sha256=stream.text_sha256, ids_sha256=stream.sha256, tokens=len(stream.ids),
        limit=stream.limit, bos=stream.bos, window=workload.window, stride=workload.stride, vocabulary=written.vocabulary,
        dtype=session.dtype, provider=session.provider, documents=stream.documents, noun=stream.noun, seed=workload.seed,
        facts=dict(stream.facts), notes=(*stream.notes, *(note for note in written.notes if note.code == _DENSE)),
        tokenizer_sha256=tokenizer_sha256(session.codec, text_of(workload), bos=workload.bos),
        revision=context.artifact_id, head_sha256=written.head_sha256, hidden=written.hidden,
        hidden_dtype="float32" if workload.stores == "float32" else "float16", crcs=written.crcs, floors=written.floors,
        launches=written.launches,
    )  # fmt: skip


def _written(
    session: Scores, stream: Stream, spans: list[Span], workload: Workload, context: Context, out: Path
) -> _Written:
    report = reporter(context, len(spans), "windows")
    if workload.stores == "logprobs":
        return _write_dense(session, stream, spans, workload, report, out)
    head = _head(session, stream, spans, out)
    if isinstance(head, str):
        found = _write_dense(session, stream, spans, workload, report, out)
        text = f"log-probabilities were stored and not hidden states: {head}"
        found.notes = (Note(code=_DENSE, text=text),)
        return found
    return _write_hidden(session, head, stream, spans, workload, context, report, out)


def _head(session: Scores, stream: Stream, spans: list[Span], out: Path) -> OpenHead | str:
    """Open the session's head on its own, or say why log-probabilities have to be stored."""
    if not isinstance(session, GivesHidden):
        return "the engine gives no hidden states"
    folder = out / HEAD
    folder.mkdir()
    try:
        session.save_head(folder)
        head = open_head(folder, session.provider)
        floors.check_head(session, head, stream.ids[spans[0].begin : spans[0].end].tolist())
    except Unsupported as error:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        return str(error)
    return head


def _write_hidden(
    session: Scores, head: OpenHead, stream: Stream, spans: list[Span], workload: Workload, context: Context,
    report: Callable[[int], None], out: Path,
) -> _Written:  # fmt: skip
    import numpy as np

    assert isinstance(session, GivesHidden)
    dtype: Literal["float16", "float32"] = "float32" if workload.stores == "float32" else "float16"
    finished = Finished(session, context)
    floor, done = [], 0
    every = max(1, len(stream.ids) // floors.SAMPLED)

    def find(group: list[Span]) -> Mapping[str, NDArray[Any]]:
        raw = _group_hidden(session, stream, group)
        kept = lowered(raw, dtype)
        return {"hidden": kept, "floor": floors.storage(head, raw[::every], kept[::every])}

    with HiddenWriter(out / HIDDEN, dtype) as writer:
        for group in grouped(spans):
            found = finished.group(numbers_of(stream.ids, group), partial(find, group))
            writer.add(found["hidden"])
            floor.append(found["floor"])
            done += len(group)
            report(done)
    noise, launches, notes = floors.self_noise(session, context.fresh, stream.ids, spans)
    known = {"storage": float(np.concatenate(floor).mean()), **({} if noise is None else {"self-noise": noise})}
    return _Written(
        "hidden", head.record.vocabulary, head.record.hidden, writer.crcs, head.record.sha256, known, launches,
        (*finished.notes(), *notes),
    )  # fmt: skip


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
    session: Scores, stream: Stream, spans: list[Span], workload: Workload, report: Callable[[int], None], out: Path
) -> _Written:
    import numpy as np

    kept: Mapped | None = None
    row = 0
    for number, span in enumerate(spans, start=1):
        ids = stream.ids[span.begin : span.end].tolist()
        for positions, logprobs in tiles(session, ids, span_positions(span)):
            if kept is None:
                kept = _space(out / LOGPROBS, len(stream.ids), logprobs.shape[1], workload)
            if not np.isfinite(logprobs.max(axis=1)).all():
                raise HarnessError("the reference gave logits that are not finite; it cannot serve as a reference")
            kept[row : row + len(positions)] = logprobs
            row += len(positions)
        report(number)
    if kept is None:
        raise HarnessError("the text has no position to score; give a longer one")
    kept.flush()
    width = int(kept.shape[1])
    del kept  # Windows renames no folder with a mapped file in it
    return _Written("logprobs", width)


def _space(path: Path, rows: int, width: int, workload: Workload) -> Mapped:
    from numpy.lib.format import open_memmap

    wanted = 4 * rows * width
    if wanted > workload.max_bytes:
        raise HarnessError(
            f"the reference would take {wanted:,} bytes ({rows:,} positions x {width:,} tokens), more than max_bytes "
            f"{workload.max_bytes:,}; use form: live, fewer tokens, or raise max_bytes"
        )
    mapped: Mapped = open_memmap(path, mode="w+", dtype="float32", shape=(rows, width))
    return mapped


def _refuse(workload: Workload, facts: Facts) -> str | None:
    return text_refusal(workload.text, facts.packages, workload.corpus)


def _contents(workload: Workload) -> Mapping[str, Path]:
    return text_files(workload.text, workload.corpus)


PROBE = Probe(
    name="kl_reference",
    version=3,
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
