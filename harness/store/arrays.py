"""Arrays beside the numbers: small ones compressed in the database, large ones in the run folder, held by their hash."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.outcome import ArrayRef, Outcome
from harness.store.cleaned import CLEANED, read_cleaned
from harness.worker.record import ARRAYS, array_ref

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 64 * 1024
"""Bytes, compressed, up to which an array is kept in the database."""
_HOPELESS = 1024 * 1024
"""Bytes, uncompressed, from which on nobody tries."""


@dataclass(frozen=True)
class StoredArray:
    """An array as a row of `samples`."""

    name: str
    sha256: str
    shape: str
    dtype: str
    codec: str | None
    data: bytes | None


def packed_few(samples: Sequence[float]) -> bytes | None:
    """Write a measurement's own samples as little-endian float64; None where there are none."""
    return struct.pack(f"<{len(samples)}d", *samples) if samples else None


def unpacked_few(data: bytes) -> list[float]:
    """Read a measurement's own samples."""
    return list(struct.unpack(f"<{len(data) // 8}d", data))


def stored_arrays(outcome: Outcome, folder: Path | None) -> list[StoredArray]:
    """Read a run's arrays.npz, verify what the outcome refers to, and pack what is small.

    Without a folder the arrays are known by hash and shape alone. Raises: HarnessError naming the file.
    """
    refs = {item.array.name: item.array for item in outcome.measurements if item.array is not None}
    if folder is None:
        return [_row(ref, None) for _, ref in sorted(refs.items())]
    if not (folder / ARRAYS).exists() and (cleaned := read_cleaned(folder)):
        return [_row(ref, None) for ref in cleaned.arrays]
    found = read_arrays(folder / ARRAYS) if refs or (folder / ARRAYS).exists() else {}
    for name, ref in refs.items():
        verified(found.get(name), ref.name, ref.sha256, folder / ARRAYS)
    return [_row(array_ref(name, array), array.tobytes()) for name, array in sorted(found.items())]


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of a file. Raises: HarnessError naming the file where it is gone or damaged."""
    import numpy as np

    if not path.exists() and (path.parent / CLEANED).exists():
        raise HarnessError(
            f"the arrays of run {path.parent.name} were removed by `harness clean`; a run that shall keep them is marked with "
            "`harness mark RUN --keep` before"
        )
    if not zipfile.is_zipfile(path):
        raise HarnessError(_unreadable(path, "it is gone, or not whole"))
    try:
        # numpy would leave a file open that turns out to be no archive, or a damaged one
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: np.ascontiguousarray(file[name]) for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise HarnessError(_unreadable(path, error)) from error


def _unreadable(path: Path, why: object) -> str:
    return (
        f"the arrays {path} cannot be read ({why}); restore the file from a copy, or remove the run folder "
        "and run the same command again"
    )


def verified(array: NDArray[Any] | None, name: str, sha256: str, path: Path) -> NDArray[Any]:
    """Return an array that is there and whose bytes have the hash that was recorded. Raises: HarnessError."""
    if array is None:
        raise HarnessError(f"{path} holds no array '{name}'; restore the file from a copy of the run folder")
    if array_ref(name, array).sha256 != sha256:
        raise HarnessError(f"array '{name}' in {path} is not what was recorded; restore the file from a copy")
    return array


def unpacked(row: StoredArray) -> NDArray[Any]:
    """Turn a row that holds its values back into an array. Raises: HarnessError where the bytes do not fit the hash."""
    import numpy as np

    assert row.data is not None
    raw = zlib.decompress(row.data) if row.codec == "zlib" else row.data
    if hashlib.sha256(raw).hexdigest() != row.sha256:
        raise HarnessError(f"array '{row.name}' in the database is damaged; run `harness ingest` into a new database")
    return np.frombuffer(raw, dtype=np.dtype(row.dtype)).reshape(json.loads(row.shape))


def _row(ref: ArrayRef, raw: bytes | None) -> StoredArray:
    codec, data = (None, None) if raw is None or len(raw) > _HOPELESS else _pack(raw)
    if data is not None and len(data) > LARGEST:
        codec, data = None, None
    return StoredArray(ref.name, ref.sha256, json.dumps(list(ref.shape)), ref.dtype, codec, data)


def _pack(raw: bytes) -> tuple[str, bytes]:
    packed = zlib.compress(raw, 6)
    return ("zlib", packed) if len(packed) < len(raw) else ("raw", raw)
