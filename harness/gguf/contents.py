"""What a GGUF file says of itself: metadata, tensors and their types."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, MissingDependency

MAGIC = b"GGUF"
FLOATS = frozenset({"F16", "F32", "F64", "BF16"})
_REMEDY = "get the file again"
_BROKEN = (ValueError, IndexError, KeyError, OverflowError, OSError, EOFError, struct.error)


@dataclass(frozen=True)
class GgufContents:
    """A GGUF file's metadata by key, and its tensors' names with their types."""

    path: Path
    fields: Mapping[str, Any]
    tensors: Mapping[str, str]
    quantized: str
    """The type in which most weights are stored, as `Q4_1`."""

    @property
    def architecture(self) -> str:
        """What the file calls its architecture."""
        return str(self.fields.get("general.architecture", ""))

    def field(self, name: str, default: Any = None) -> Any:
        """Look a key up that may be absent."""
        return self.fields.get(name, default)


def read(path: Path) -> GgufContents:
    """Read a GGUF file without its weights.

    Raises: HarnessError where it is no GGUF, is cut off or damaged; MissingDependency without the package `gguf`.
    """
    gguf = library()
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise HarnessError(
                f"{path.name} is not a GGUF file (it does not begin with the letters GGUF); name the right file"
            )
    try:
        reader = gguf.GGUFReader(path)
        fields = {key: field.contents() for key, field in reader.fields.items()}
        tensors = {tensor.name: tensor for tensor in reader.tensors}
        ends = [tensor.data_offset + tensor.n_bytes for tensor in tensors.values()]
    except _BROKEN as error:
        raise HarnessError(f"{path.name} is cut off or damaged; {_REMEDY}") from error
    if max(ends, default=0) > path.stat().st_size:
        raise HarnessError(
            f"{path.name} is cut off: its weights end at byte {max(ends)}, the file at {path.stat().st_size}; {_REMEDY}"
        )
    if not tensors:
        raise HarnessError(f"{path.name} holds no weights; a GGUF with the model's tensors is needed")
    types = {name: tensor.tensor_type.name for name, tensor in tensors.items()}
    return GgufContents(
        path, fields, types, _most((types[name], int(tensor.n_elements)) for name, tensor in tensors.items())
    )


def library() -> Any:
    """Import the package that reads GGUF. Raises: MissingDependency where this environment lacks it."""
    try:
        import gguf
    except ImportError as error:
        raise MissingDependency(
            f"reading a GGUF needs the package gguf ({error}); `harness setup` installs it from the lock file"
        ) from error
    return gguf


def _most(sizes: Iterable[tuple[str, int]]) -> str:
    """Name the type that holds most weights."""
    counted: Counter[str] = Counter()
    for kind, size in sizes:
        counted[kind] += size
    return max(counted, key=lambda kind: counted[kind])
