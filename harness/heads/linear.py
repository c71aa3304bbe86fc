"""A head that is one product with float weights, computed in float32 tile by tile and rounded to the model's own type."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.core.errors import HarnessError
from harness.heads.record import WEIGHT, HeadRecord, Step, write_record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Stored = NDArray[Any]

FloatName = Literal["float32", "float16", "bfloat16"]
_HELD_BYTES = 320 << 20
"""Float32 weights up to this size are held; larger ones are read from the file, a tile of the vocabulary at a time."""
_TILE_BYTES = 32 << 20
_ROWS = 64
"""Vocabulary entries that are hashed and written at a time, times 64."""


def save_linear(
    folder: Path,
    rows_of: Callable[[int, int], Stored],
    shape: tuple[int, int],
    dtype: FloatName,
    steps: Sequence[Step] = (),
) -> HeadRecord:
    """Write a head's weights [vocabulary, hidden] and record. rows_of: gives rows [begin, end) in `dtype`, bfloat16 as uint16."""
    from numpy.lib.format import open_memmap

    vocabulary, hidden = shape
    kept = open_memmap(folder / WEIGHT, mode="w+", dtype=_stored_type(dtype), shape=shape)
    hashed = hashlib.sha256(f"linear {vocabulary} {hidden} {dtype} {[step.model_dump() for step in steps]}".encode())
    for begin in range(0, vocabulary, 64 * _ROWS):
        part = rows_of(begin, min(begin + 64 * _ROWS, vocabulary))
        kept[begin : begin + len(part)] = part
        hashed.update(part.tobytes())
    kept.flush()
    del kept  # Windows renames no folder with a mapped file in it
    record = HeadRecord(
        kind="linear", hidden=hidden, vocabulary=vocabulary, dtype=dtype, steps=tuple(steps), sha256=hashed.hexdigest()
    )
    write_record(folder, record)
    return record


def _stored_type(dtype: FloatName) -> str:
    return "uint16" if dtype == "bfloat16" else dtype


class LinearHead:
    """An opened linear head."""

    def __init__(self, folder: Path, record: HeadRecord) -> None:
        self.record = record
        self._path = folder / WEIGHT
        self._offset = _checked(self._path, record)
        self._held = self._whole() if 4 * record.vocabulary * record.hidden <= _HELD_BYTES else None

    def logits(self, hidden: Rows, out: Rows | None = None) -> Rows:
        """Give float32 [n, vocabulary] for hidden states float32 [n, hidden]; see `opening.OpenHead`."""
        import numpy as np

        if out is None:
            out = np.empty((len(hidden), self.record.vocabulary), dtype=np.float32)
        if self._held is not None:
            return self._finished(np.matmul(hidden, self._held.T, out=out))
        for begin, weight in self._tiles():
            out[:, begin : begin + len(weight)] = hidden @ weight.T
        return self._finished(out)

    def _finished(self, logits: Rows) -> Rows:
        import numpy as np

        rounded(logits, self.record.dtype)
        for step in self.record.steps:
            if step.what == "tanh":
                np.tanh(logits, out=logits)
            else:
                _ARITHMETIC[step.what](logits, np.float32(step.by))
            rounded(logits, self.record.dtype)
        return logits

    def _whole(self) -> Rows:
        import numpy as np

        whole = np.empty((self.record.vocabulary, self.record.hidden), dtype=np.float32)
        for begin, part in self._tiles():
            whole[begin : begin + len(part)] = part
        return whole

    def _tiles(self) -> Iterator[tuple[int, Rows]]:
        """Read the weights by tiles; through a file and not a map, whose pages would count as the process's own."""
        import numpy as np

        kind = np.dtype(_stored_type(self.record.dtype))
        width = self.record.hidden
        step = max(1, _TILE_BYTES // (4 * width))
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for begin in range(0, self.record.vocabulary, step):
                count = min(step, self.record.vocabulary - begin)
                part = np.fromfile(file, dtype=kind, count=count * width).reshape(count, width)
                yield begin, widened(part, self.record.dtype)


def _add(logits: Rows, by: Any) -> None:
    logits += by


def _mul(logits: Rows, by: Any) -> None:
    logits *= by


def _div(logits: Rows, by: Any) -> None:
    logits /= by


_ARITHMETIC = {"add": _add, "mul": _mul, "div": _div}


def widened(values: Stored, dtype: str) -> Rows:
    """Give stored values as float32; bfloat16 comes as its bits."""
    import numpy as np

    if dtype == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32, copy=False)


def rounded(values: Rows, dtype: str) -> None:
    """Round float32 values in place to what a type can hold, ties to even."""
    import numpy as np

    if dtype == "float16":
        with np.errstate(over="ignore"):
            values[...] = values.astype(np.float16)
    elif dtype == "bfloat16":
        bits = values.view(np.uint32)
        bits += 0x7FFF + ((bits >> 16) & 1)
        bits &= 0xFFFF0000


def _checked(path: Path, record: HeadRecord) -> int:
    """Hold the file against its record; return where its values begin. Raises: HarnessError."""
    from numpy.lib import format as npy

    try:
        with path.open("rb") as file:
            npy.read_magic(file)
            shape, order, kind = npy.read_array_header_1_0(file)
            begin = file.tell()
    except (OSError, ValueError) as error:
        raise HarnessError(f"the head's weights {path} cannot be read ({error}); make the reference again") from error
    size = path.stat().st_size - begin
    wanted = (record.vocabulary, record.hidden)
    whole = shape == wanted and not order and str(kind) == _stored_type(record.dtype)
    if not whole or size != kind.itemsize * wanted[0] * wanted[1]:
        raise HarnessError(f"the head's weights {path} are damaged or incomplete; make the reference again")
    return begin
