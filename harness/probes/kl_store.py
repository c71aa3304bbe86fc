"""A stored reference on disk: token ids, positions, and final hidden states with the head that they belong to, or log-probabilities."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.core.spec import JsonObject, Note, Record
from harness.heads.opening import OpenHead, open_head
from harness.heads.record import read_record
from harness.probes.kl_files import BlockSums, check_files, unsealed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Rows = NDArray[np.float32]
    States = NDArray[np.floating]

IDS, OWNERS, POSITIONS = "token_ids.npy", "documents.npy", "positions.npy"
LOGPROBS, HIDDEN, HEAD, META = "logprobs.npy", "hidden.bin", "head", "meta.json"
SCHEMA = 4
_OLDEST = 2
BLOCK = 1024
"""Rows of hidden states that share a checksum; of log-probabilities at most so many."""


class StoredMeta(Record):
    """How a reference was made, as its file says; what the schema before lacked has defaults."""

    schema_version: int
    form: Literal["logprobs", "hidden"] = "logprobs"
    text_sha256: str
    ids_sha256: str
    tokens: int
    limit: int | None
    bos: bool
    window: int
    stride: int
    vocabulary: int
    dtype: str
    """Type of the model's activations."""
    provider: str
    documents: int
    noun: str
    seed: int
    facts: JsonObject
    notes: tuple[Note, ...]
    texts_sha256: str = ""
    """Of the texts of the tokens that occur; empty where it was written before schema 4."""
    revision: str = ""
    """Id of the artifact that it was made from."""
    head_sha256: str = ""
    hidden: int = 0
    hidden_dtype: Literal["float32", "float16"] = "float16"
    crcs: tuple[int, ...] = ()
    """CRC-32 of each `block` rows."""
    block: int = BLOCK
    files: dict[str, int] = field(default_factory=dict)
    """CRC-32 of every other file, by its path in the folder; empty where it was written before there were any."""
    floors: dict[str, float] = field(default_factory=dict)
    """KL-divergence in nat below which nothing is told: `storage`, and `self-noise` between launches."""
    launches: int = 0
    """Fresh processes behind the self-noise."""


class StoredRows(Protocol):
    """Rows of a stored reference."""

    def rows(self, begin: int, count: int) -> Rows:
        """Give logits or log-probabilities float32 [count, vocabulary] of stored positions; valid until the next are asked for."""


@dataclass(frozen=True)
class StoredReference:
    """A stored reference, opened; rows are read when asked for."""

    ids: Ints
    owners: Ints
    """int64 [tokens]: place of the document in which each token begins."""
    positions: Ints
    """int64 [n], counted from the beginning of the stream."""
    meta: StoredMeta
    folder: Path

    @property
    def logprobs(self) -> Rows:
        """Float32 [n, vocabulary], mapped from the file, where log-probabilities were stored."""
        import numpy as np

        mapped: Rows = np.load(self.folder / LOGPROBS, mmap_mode="r")
        return mapped

    def reader(self, provider: str) -> StoredRows:
        """Open the rows; provider: what the head runs on. Raises: HarnessError for a head or file that is damaged."""
        if self.meta.form == "logprobs":
            return _Kept(self.folder / LOGPROBS, self.meta, len(self.positions))
        record = read_record(self.folder / HEAD)
        if record.sha256 != self.meta.head_sha256:
            raise HarnessError(
                f"the stored reference {self.folder} has the head {record.sha256[:12]}, and its hidden states are those of head "
                f"{self.meta.head_sha256[:12]}; make the reference again"
            )
        check_files(self.folder, {name: crc for name, crc in self.meta.files.items() if name.startswith(f"{HEAD}/")})
        return _Projected(self.folder / HIDDEN, self.meta, len(self.positions), open_head(self.folder / HEAD, provider))


class _Kept:
    """Log-probabilities as they lie in the file; each block is checked when it is first asked for."""

    def __init__(self, path: Path, meta: StoredMeta, count: int) -> None:
        import numpy as np

        self._path, self._meta = path, meta
        try:
            self._mapped: Rows = np.load(path, mmap_mode="r")
        except (ValueError, EOFError, OSError, SyntaxError) as error:
            raise HarnessError(
                f"the log-probabilities {path} are damaged ({error}); make the reference again"
            ) from error
        if self._mapped.shape != (count, meta.vocabulary) or self._mapped.dtype != np.float32:
            raise HarnessError(f"the log-probabilities {path} are incomplete or others; make the reference again")
        self._checked: set[int] = set()

    def rows(self, begin: int, count: int) -> Rows:
        for number in range(begin // self._meta.block, -(-(begin + count) // self._meta.block)):
            if number not in self._checked:
                self._check(number)
        return self._mapped[begin : begin + count]

    def _check(self, number: int) -> None:
        import numpy as np

        block = self._mapped[number * self._meta.block : (number + 1) * self._meta.block]
        if self._meta.crcs and zlib.crc32(np.ascontiguousarray(block).data) != self._meta.crcs[number]:
            raise _damaged("log-probabilities", self._path, number, self._meta.block, len(self._mapped))
        self._checked.add(number)


def _damaged(what: str, path: Path, number: int, block: int, count: int) -> HarnessError:
    first, last = number * block, min((number + 1) * block, count) - 1
    return HarnessError(f"the {what} {path} are damaged between positions {first} and {last}; make the reference again")


class _Projected:
    """Hidden states through the reference's own head; one block is held."""

    def __init__(self, path: Path, meta: StoredMeta, count: int, head: OpenHead) -> None:
        self._path, self._meta, self._count, self._head = path, meta, count, head
        size = count * meta.hidden * _bytes(meta)
        if not path.is_file() or path.stat().st_size != size or head.record.hidden != meta.hidden:
            raise HarnessError(
                f"the hidden states {path} are incomplete or not those of the head; make the reference again"
            )
        self._number, self._block = -1, b""
        self._made: Rows | None = None

    def rows(self, begin: int, count: int) -> Rows:
        import numpy as np

        if self._made is None or len(self._made) < count:
            self._made = np.empty((count, self._head.record.vocabulary), dtype=np.float32)
        return self._head.logits(np.concatenate(list(self._parts(begin, begin + count))), self._made[:count])

    def _parts(self, begin: int, end: int) -> Iterator[Rows]:
        import numpy as np

        while begin < end:
            block = np.frombuffer(self._read(begin // BLOCK), dtype=self._meta.hidden_dtype)
            inside = begin % BLOCK
            part = block.reshape(-1, self._meta.hidden)[inside : inside + end - begin]
            yield part.astype(np.float32)
            begin += len(part)

    def _read(self, number: int) -> bytes:
        if number != self._number:
            size = BLOCK * self._meta.hidden * _bytes(self._meta)
            with self._path.open("rb") as file:
                file.seek(number * size)
                self._block, self._number = file.read(size), number
            if zlib.crc32(self._block) != self._meta.crcs[number]:
                raise _damaged("hidden states", self._path, number, BLOCK, self._count)
        return self._block


def _bytes(meta: StoredMeta) -> int:
    return 2 if meta.hidden_dtype == "float16" else 4


class HiddenWriter:
    """Appends hidden states to a file and keeps the checksums of its blocks."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._sums = BlockSums(BLOCK)

    def add(self, hidden: States) -> None:
        """Append rows [n, hidden], in the type that is stored."""
        self._file.write(hidden.tobytes())
        self._sums.add(hidden)

    def __enter__(self) -> HiddenWriter:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    @property
    def crcs(self) -> tuple[int, ...]:
        """Checksums of what was appended."""
        return self._sums.crcs


def lowered(hidden: States, dtype: str) -> States:
    """Give hidden states in the type that is stored. Raises: HarnessError where float16 cannot hold them."""
    import numpy as np

    with np.errstate(over="ignore"):
        found: States = hidden.astype(dtype, copy=False)
    if not np.isfinite(found).all():
        if np.isfinite(hidden).all():
            raise HarnessError("a hidden state is larger than float16 holds (65,504); say stores: float32")
        raise HarnessError("the reference gave hidden states that are not finite; it cannot serve as a reference")
    return found


def open_stored(folder: Path) -> StoredReference:
    """Open a stored reference without reading its rows. Raises: HarnessError where a file is missing, damaged or of another version."""
    import numpy as np

    meta = _meta(folder)
    rows = {HIDDEN, f"{HEAD}/head.json"} if meta is not None and meta.form == "hidden" else {LOGPROBS}
    missing = [name for name in (IDS, OWNERS, POSITIONS, *sorted(rows), META) if not (folder / name).is_file()]
    if missing or meta is None:
        raise HarnessError(f"the stored reference {folder} lacks {', '.join(missing)}; make it again")
    check_files(folder, {name: crc for name, crc in meta.files.items() if not name.startswith(f"{HEAD}/")})
    try:
        ids, owners = (np.load(folder / name).astype(np.int64) for name in (IDS, OWNERS))
        return StoredReference(ids, owners, np.load(folder / POSITIONS), meta, folder)
    except (ValueError, EOFError) as error:
        raise HarnessError(f"the stored reference {folder} is damaged ({error}); make it again") from error


def _meta(folder: Path) -> StoredMeta | None:
    if not (folder / META).is_file():
        return None
    try:
        said = unsealed((folder / META).read_text(encoding="utf-8"))
        version = int(str(said["schema_version"]))
        said.pop("tokenizer_sha256", None)  # of a sample, until schema 3: padding changed it, so token ids are compared
        if _OLDEST <= version <= SCHEMA:
            return StoredMeta.model_validate(said)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise HarnessError(f"{folder / META} is damaged ({type(error).__name__}); make the reference again") from error
    raise HarnessError(
        f"the stored reference {folder} has schema {version}, and this version reads {_OLDEST} to {SCHEMA}; make it again"
    )
