"""Token streams and the windows in which they are read, shared by perplexity and KL-divergence."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from harness.core.errors import HarnessError
from harness.core.options import Options
from harness.core.seam import Context
from harness.core.sessions import GivesLogits, Reach, Scores, TextCodec, TextSession
from harness.core.spec import JsonObject, Note
from harness.corpus import Corpus, Text, looks_like_wikitext
from harness.texts import REFERENCE, change_notes, read, text_label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Rows = NDArray[np.float32]
    Floats = NDArray[np.float64]


class StreamOptions(Options):
    """Which text is read, and in which windows."""

    text: str = REFERENCE
    """`reference`, `wikitext-2`, a name in `texts.yaml`, or the path of a file."""
    corpus: Corpus | None = None
    """How the text is read, where it is no name in `texts.yaml`, which says it there: `{rows: wikitext}`."""
    window: int = Field(default=1024, ge=2)
    """Tokens of one forward pass."""
    stride: int = Field(default=512, ge=1)
    """Tokens from the start of one window to the start of the next."""
    tokens: int | None = Field(default=None, ge=2)
    """Read only so many tokens, in whole documents drawn by `seed` and read in their order; of a text of one document its
    first tokens."""
    seed: int = Field(default=0, ge=0)
    """Which documents `tokens` draws."""
    bos: bool = False
    """Put the beginning-of-sequence token before the text (once, not before each window)."""

    @model_validator(mode="after")
    def _windows_leave_no_gap(self) -> StreamOptions:
        if self.stride > self.window:
            raise ValueError(f"stride {self.stride} is longer than window {self.window}; tokens would be left out")
        if self.in_windows and self.tokens is not None and self.tokens < self.window:
            default = "" if "window" in self.model_fields_set else " (the default)"
            raise ValueError(
                f"tokens {self.tokens} are fewer than one window of {self.window}{default}; "
                f"say tokens: {self.window} or more, or a smaller window and stride"
            )
        return self

    @property
    def in_windows(self) -> bool:
        """Whether the text is read in windows at all."""
        return True


_MEND = "mend its `logprobs`, which must give every position that was asked for, in order"


@dataclass(frozen=True)
class Stream:
    """A text as token ids, with what names it."""

    ids: Ints
    owners: Ints
    """int64 [tokens]: place of the document in which each token begins."""
    documents: int
    text: str
    text_sha256: str
    bos: bool
    limit: int | None
    """Tokens asked for, where the text has more."""
    noun: str = "documents"
    """What its documents are, in the plural."""
    facts: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    @property
    def sha256(self) -> str:
        """Hash the token ids and where documents begin."""
        return hashlib.sha256(self.ids.astype("<i8").tobytes() + self.owners.astype("<i8").tobytes()).hexdigest()

    def key(self, window: int, stride: int) -> str:
        """Name what one pass over this stream in these windows finds, for other probes of the same session."""
        return f"nll:{self.sha256}:{window}:{stride}"

    def sizes(self, positions: Ints) -> Ints:
        """Count the positions that lie in each document: int64 [documents]. They are in text order."""
        import numpy as np

        return np.bincount(self.owners[positions], minlength=self.documents)


def tokenized(codec: TextCodec, text: str, *, bos: bool) -> list[int]:
    """Encode a text, with BOS where asked. Raises: HarnessError where the model has no BOS."""
    _check_bos(codec, bos=bos)
    return list(codec.encode(text, bos=bos))


def _check_bos(codec: TextCodec, *, bos: bool) -> None:
    if bos and codec.bos is None:
        raise HarnessError("BOS was asked for but the model's tokenizer has none; set bos: false")


def read_stream(codec: TextCodec, options: StreamOptions, kept: dict[str, object] | None = None) -> Stream:
    """Read a text and turn it into token ids, all its documents as one string.

    kept: what a session keeps, its text among it. Raises: HarnessError where it is shorter than one window.
    """
    stream = encoded(codec, options, {} if kept is None else kept)
    if len(stream.ids) < options.window:
        cut = "" if stream.limit is None else f" cut to {stream.limit}"
        raise HarnessError(
            f"the text '{options.text}'{cut} has {len(stream.ids)} tokens, fewer than one window of {options.window}; "
            "give a longer text or a smaller window"
        )
    return stream


def encoded(codec: TextCodec, options: StreamOptions, kept: dict[str, object]) -> Stream:
    """Do so whatever the window, once for all probes of a session; kept: its `Context.shared`."""
    _check_bos(codec, bos=options.bos)
    text = read(options.text, options.corpus)
    key = f"stream:{_sha256(text.whole)}:{options.model_dump_json(include={'text', 'corpus', 'tokens', 'seed', 'bos'})}"
    found = kept.get(key)
    if not isinstance(found, Stream):
        found = kept[key] = _encoded(codec, text, options)
    return found


def _encoded(codec: TextCodec, text: Text, options: StreamOptions) -> Stream:
    import numpy as np

    chosen = drawn(codec, text.documents, options)
    documents = [text.documents[place] for place in chosen]
    ids, begins = codec.located("".join(documents), bos=options.bos)
    ends = np.cumsum([len(document) for document in documents])
    owners = np.searchsorted(ends, np.asarray(begins, dtype=np.int64), side="right").clip(0, len(documents) - 1)
    limit = options.tokens if len(documents) < len(text.documents) else None
    if len(text.documents) == 1 and options.tokens is not None and options.tokens < len(ids):
        limit = options.tokens
        ids, owners = ids[:limit], owners[:limit]
    return Stream(
        np.asarray(ids, dtype=np.int64), owners.astype(np.int64), len(documents), options.text, _sha256(text.whole),
        options.bos, limit, text.noun, _facts(text, documents, limit, options), notes_of(text, options.text),
    )  # fmt: skip


def drawn(codec: TextCodec, documents: Sequence[str], options: StreamOptions) -> list[int]:
    """Choose whole documents until they have the tokens asked for; returns their places in order.

    Drawing more tokens keeps the documents of fewer. All of them where nothing is asked, or where they have no more.
    """
    if options.tokens is None or len(documents) == 1:
        return list(range(len(documents)))
    shuffled = sorted(range(len(documents)), key=lambda place: _sha256(f"{options.seed}:{place}"))
    chosen, held = [], int(options.bos)
    for place in shuffled:
        chosen.append(place)
        held += len(codec.encode(documents[place])) - 1  # joined, two documents may share a token
        if held >= options.tokens:
            break
    return sorted(chosen)


def _facts(text: Text, documents: Sequence[str], limit: int | None, options: StreamOptions) -> JsonObject:
    found: JsonObject = {"documents": len(documents), "text_form": text.form}
    if limit is not None and len(text.documents) > 1:
        found |= {"documents_of": len(text.documents), "seed": options.seed}
    return found | ({"text_changes": list(text.changes)} if text.changes else {})


def notes_of(text: Text, name: str) -> tuple[Note, ...]:
    """Say what a reader must know of how a text was read."""
    notes = list(change_notes(text, name))
    if not text.declared and text.rows == "plain" and looks_like_wikitext(text.whole):
        notes.append(
            Note(code="undeclared-text", text=f"text '{text_label(name)}' looks like WikiText and is read as plain text; "
                 "published figures join its rows by blank lines: declare `rows: wikitext` in texts.yaml")
        )  # fmt: skip
    return tuple(notes)


def text_sha256(options: StreamOptions) -> str:
    """Hash a text as it is read, so that a reference can be held against it."""
    return _sha256(read(options.text, options.corpus).whole)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def on_rows(options: StreamOptions) -> str:
    """Say in a protocol's name where rows were joined to make the text."""
    rows = read(options.text, options.corpus).rows
    return {"plain": "", "wikitext": " on WikiText rows", "jsonl": " on records"}[rows]


def window_reach(options: StreamOptions) -> Reach | None:
    """Say how far the windows of a workload go into the context; documents are cut to it."""
    return Reach(options.window) if options.in_windows else None


def check_window(session: TextSession, window: int) -> None:
    """Refuse a window that the engine cannot read in one pass. Raises: HarnessError."""
    if window > session.context_length:
        raise HarnessError(
            f"window {window} is longer than the model's context of {session.context_length} tokens; "
            "give a smaller window"
        )


def tiles(session: Scores, ids: Sequence[int], positions: Ints) -> Iterator[tuple[Ints, Rows]]:
    """Yield (positions, log-probabilities [n, vocabulary]). Raises: HarnessError where the engine left some out, or gave another order."""
    found = session.logprobs(ids, positions.tolist())
    yield from _in_order(((tile.positions, tile.logprobs) for tile in found), positions)


def logit_tiles(session: GivesLogits, ids: Sequence[int], positions: Ints) -> Iterator[tuple[Ints, Rows]]:
    """Yield (positions, logits [n, vocabulary]) as `tiles` does."""
    found = session.logits(ids, positions.tolist())
    yield from _in_order(((tile.positions, tile.logits) for tile in found), positions)


def _in_order(found: Iterator[tuple[Ints, Rows]], positions: Ints) -> Iterator[tuple[Ints, Rows]]:
    import numpy as np

    done = 0
    for places, rows in found:
        there = np.asarray(places)
        if not np.array_equal(there, positions[done : done + len(there)]):
            raise HarnessError(f"the engine gave other positions than were asked for; {_MEND}")
        done += len(there)
        yield there, rows
    if done != len(positions):
        raise HarnessError(f"the engine returned {done} of {len(positions)} positions; {_MEND}")


def target_nll(ids: Ints, positions: Ints, rows: Rows, normalizers: Floats | None = None) -> Floats:
    """Take the negative log-likelihood of the token after each position that has one; rows: log-probabilities, or logits and normalizers [n].

    Raises: HarnessError for a value that is not finite: NaN or infinite logits anywhere in a row reach its targets.
    """
    import numpy as np

    inside = positions + 1 < len(ids)
    targets = ids[positions[inside] + 1]
    if len(targets) and int(targets.max()) >= rows.shape[1]:
        raise HarnessError(
            f"token id {int(targets.max())} is beyond the model's vocabulary of {rows.shape[1]}; "
            "the tokenizer does not match the model"
        )
    nll = -rows[np.flatnonzero(inside), targets].astype(np.float64)
    if normalizers is not None:
        nll += normalizers[inside]
    if not np.isfinite(nll).all():
        where = int(positions[inside][~np.isfinite(nll)][0])
        raise HarnessError(
            f"the model gave logits that are not finite at position {where} of a window; "
            "the weights or the number type cannot be used"
        )
    return nll


def pass_nll(session: Scores, ids: Ints, positions: Ints) -> Floats:
    """Score in one forward pass the tokens that follow these positions."""
    import numpy as np

    positions = positions[positions + 1 < len(ids)]
    found = [target_nll(ids, there, rows) for there, rows in tiles(session, ids.tolist(), positions)]
    return np.concatenate(found) if found else np.empty(0)


def beyond(positions: Sequence[Ints], context: Context) -> int:
    """Count scored positions at or beyond the number that the model was trained on."""
    limit = context.trained_positions
    return 0 if limit is None else sum(int((there >= limit).sum()) for there in positions)


def reporter(context: Context, total: int, what: str) -> Callable[[int], None]:
    """Make a function that tells how many of `total` windows are done."""
    return lambda done: context.progress(done / max(total, 1), f"{what}: {done} of {total}")
