"""Checksums of a stored reference, so that a damaged file is refused by name: of rows by blocks, of other files whole, of its record by itself."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.identity import files_below
from harness.core.spec import JsonObject

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CHUNK = 1 << 20
_CRC = "crc"
"""Key of a record's own checksum."""


class BlockSums:
    """CRC-32 of each `block` rows, whatever the pieces in which they come."""

    def __init__(self, block: int) -> None:
        self.block = block
        self._rows = self._crc = 0
        self._crcs: list[int] = []

    def add(self, rows: NDArray[np.generic]) -> None:
        """Go on with rows [n, width] as they are written."""
        import numpy as np

        done = 0
        while done < len(rows):
            part = rows[done : done + self.block - self._rows % self.block]
            self._crc = zlib.crc32(np.ascontiguousarray(part).data, self._crc)
            self._rows += len(part)
            done += len(part)
            if self._rows % self.block == 0:
                self._crcs.append(self._crc)
                self._crc = 0

    @property
    def crcs(self) -> tuple[int, ...]:
        """Checksums so far; that of a block which is not full stands last."""
        return (*self._crcs, *((self._crc,) if self._rows % self.block else ()))


def sums_of(folder: Path, without: Iterable[str]) -> dict[str, int]:
    """Give the CRC-32 of each file below a folder by its path in it, but for those named."""
    paths = {path.relative_to(folder).as_posix(): path for path in files_below(folder)}
    return {name: _file_crc(path) for name, path in sorted(paths.items()) if name not in set(without)}


def check_files(folder: Path, sums: Mapping[str, int]) -> None:
    """Hold files against their checksums. Raises: HarnessError naming the first that is not what was written."""
    for name, crc in sums.items():
        path = folder / name
        if not path.is_file() or _file_crc(path) != crc:
            raise HarnessError(
                f"{name} of the stored reference {folder} is damaged or missing: it is not what was written; make the reference again"
            )


def _file_crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            crc = zlib.crc32(part, crc)
    return crc


def sealed(record: JsonObject) -> str:
    """Write a record as JSON with its own checksum."""
    return json.dumps({**record, _CRC: _record_crc(record)}, indent=1) + "\n"


def unsealed(text: str) -> JsonObject:
    """Read what `sealed` wrote, or a record of before that has no checksum. Raises: ValueError where it is another's, TypeError where it is no record."""
    record = json.loads(text)
    if not isinstance(record, dict):
        raise TypeError("it is no record")
    crc = record.pop(_CRC, None)
    if crc is not None and crc != _record_crc(record):
        raise ValueError("its checksum is another's")
    return record


def _record_crc(record: JsonObject) -> int:
    return zlib.crc32(json.dumps(record, sort_keys=True).encode())
