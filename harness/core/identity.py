"""Keys and content hashes: sha256 of canonical JSON, and of files as they lie on disk."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DIGITS = 12
_BLOCK = 1 << 20
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Any) -> str:
    """Write a JSON value in its one canonical form: sorted keys, no spaces, UTF-8; NaN and infinity are refused."""
    return _CANONICAL.encode(value)


def digest(value: Any) -> str:
    """Return the sha256 (64 hex digits) of a JSON value's canonical form."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def short(prefix: str, key: str) -> str:
    """Print a key as people see it: `b-` and its first twelve digits."""
    return f"{prefix}-{key[:DIGITS]}"


def file_sha256(path: Path) -> str:
    """Hash a file's bytes; remembered in this process while its size stays the same and nobody writes to it or sets its times."""
    facts = path.stat()
    return _file_sha256(str(path), facts.st_size, (facts.st_mtime_ns, facts.st_ctime_ns))


@functools.lru_cache(maxsize=4096)
def _file_sha256(path: str, _size: int, _times_ns: tuple[int, int]) -> str:
    state = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def files_below(folder: Path, ignore: Iterable[str] = ()) -> list[Path]:
    """List the files below a folder in the order of their posix names; names in `ignore` are left out."""
    skipped = frozenset(ignore)
    found = [path for path in folder.rglob("*") if path.is_file() and path.name not in skipped]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def folder_sha256(folder: Path, ignore: Iterable[str] = ()) -> str:
    """Hash a folder's content: posix name, size and sha256 of each file; times and permissions do not count."""
    rows = [
        [path.relative_to(folder).as_posix(), path.stat().st_size, file_sha256(path)]
        for path in files_below(folder, ignore)
    ]
    return digest(rows)


def folder_bytes(folder: Path) -> int:
    """Add up the sizes of a folder's files, in bytes."""
    return sum(path.stat().st_size for path in files_below(folder))
