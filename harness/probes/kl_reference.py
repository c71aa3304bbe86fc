"""The reference side of a KL-divergence, stored: token ids, positions and log-probabilities, as an artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.outcome import Protocol
from harness.core.seam import Context, Facts, Probe, ProbeResult
from harness.core.sessions import Scores
from harness.core.spec import JsonObject
from harness.probes.streams import (
    Stream,
    StreamOptions,
    beyond,
    check_window,
    most_tokens,
    read_stream,
    reporter,
    tiles,
    window_reach,
)
from harness.probes.windows import sliding, span_positions
from harness.texts import text_files, text_refusal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Rows = NDArray[np.float32]
    Mapped = np.memmap[Any, np.dtype[np.float32]]

_IDS, _OWNERS, _POSITIONS = "token_ids.npy", "documents.npy", "positions.npy"
_LOGPROBS, _META = "logprobs.npy", "meta.json"


class Workload(StreamOptions):
    """Which positions are stored."""

    max_bytes: int = Field(default=2 << 30, ge=1)
    """Refuse to store more than this; a live reference needs no space."""


class StoredMeta(TypedDict):
    """How a reference was made, as its file says."""

    schema_version: int
    text_sha256: str
    ids_sha256: str
    tokens: int
    limit: int | None
    bos: bool
    window: int
    stride: int
    vocabulary: int
    dtype: str
    provider: str
    documents: int
    noun: str
    seed: int
    facts: JsonObject
    notes: list[JsonObject]


@dataclass(frozen=True)
class StoredReference:
    """A stored reference, opened; `logprobs` is mapped from the file, float32 [positions, vocabulary]."""

    ids: Ints
    owners: Ints
    """int64 [tokens]: place of the document in which each token begins."""
    positions: Ints
    """int64 [n], counted from the beginning of the stream."""
    logprobs: Rows
    meta: StoredMeta


def measure(session: Scores, workload: Workload, context: Context) -> ProbeResult:
    """Write the reference into `context.out`, tile by tile.

    Raises: HarnessError where it would be larger than `max_bytes`, before anything is computed.
    """
    if context.out is None:
        raise HarnessError("a stored reference needs a folder to be written to; run it as a reference job")
    check_window(session, workload.window)
    stream = read_stream(session.codec, workload)
    spans = sliding(len(stream.ids), workload.window, workload.stride)
    written = _write(session, stream, workload, context, context.out)
    counted = [span_positions(span) for span in spans]
    protocol = Protocol(
        name=f"kl-reference-w{workload.window}-s{workload.stride}", version=2, scored=len(stream.ids), limit=stream.limit,
        dtype=session.dtype, bos=stream.bos, beyond_trained=beyond(counted, context), facts=dict(written),
    )  # fmt: skip
    return ProbeResult((), protocol)


def open_stored(folder: Path) -> StoredReference:
    """Open a stored reference without reading its log-probabilities. Raises: HarnessError where a file is missing."""
    import numpy as np

    missing = [name for name in (_IDS, _OWNERS, _POSITIONS, _LOGPROBS, _META) if not (folder / name).is_file()]
    if missing:
        raise HarnessError(f"the stored reference {folder} lacks {', '.join(missing)}; make it again")
    meta: StoredMeta = json.loads((folder / _META).read_text(encoding="utf-8"))
    ids, owners = (np.load(folder / name).astype(np.int64) for name in (_IDS, _OWNERS))
    return StoredReference(ids, owners, np.load(folder / _POSITIONS), np.load(folder / _LOGPROBS, mmap_mode="r"), meta)


def _write(session: Scores, stream: Stream, workload: Workload, context: Context, out: Path) -> StoredMeta:
    import numpy as np

    spans = sliding(len(stream.ids), workload.window, workload.stride)
    report = reporter(context, len(spans), "windows")
    kept: Mapped | None = None
    row = 0
    places = np.empty(len(stream.ids), dtype=np.int64)
    for number, span in enumerate(spans, start=1):
        ids = stream.ids[span.begin : span.end].tolist()
        for positions, logprobs in tiles(session, ids, span_positions(span)):
            if kept is None:
                kept = _space(out / _LOGPROBS, len(stream.ids), logprobs.shape[1], workload)
            if not np.isfinite(logprobs.max(axis=1)).all():
                raise HarnessError("the reference gave logits that are not finite; it cannot serve as a reference")
            kept[row : row + len(positions)] = logprobs
            places[row : row + len(positions)] = span.begin + positions
            row += len(positions)
        report(number)
    if kept is None:
        raise HarnessError("the text has no position to score; give a longer one")
    kept.flush()
    width = int(kept.shape[1])
    del kept  # Windows renames no folder with a mapped file in it
    np.save(out / _IDS, stream.ids.astype(np.int32))
    np.save(out / _OWNERS, stream.owners.astype(np.int32))
    np.save(out / _POSITIONS, places)
    meta: StoredMeta = {
        "schema_version": 2, "text_sha256": stream.text_sha256, "ids_sha256": stream.sha256,
        "tokens": len(stream.ids), "limit": stream.limit, "bos": stream.bos, "window": workload.window,
        "stride": workload.stride, "vocabulary": width, "dtype": session.dtype, "provider": session.provider,
        "documents": stream.documents, "noun": stream.noun, "seed": workload.seed, "facts": dict(stream.facts),
        "notes": [note.model_dump() for note in stream.notes],
    }  # fmt: skip
    (out / _META).write_text(json.dumps(meta, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return meta


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
    version=2,
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
