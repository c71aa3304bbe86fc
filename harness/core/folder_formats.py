"""Formats of folders with a model in them: an open set that adapters declare, each with how such a folder is recognized."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.core.errors import HarnessError

Format = str
"""`hf`: a folder as transformers saves it; `ort-genai`: one with genai_config.json, graph and tokenizer; `fake`: of the fake
quantizer, for plumbing; any other that an adapter declares."""
FILES: Final = "files"
"""What no adapter recognizes, and only a program of somebody's own reads."""


@dataclass(frozen=True)
class FolderFormat:
    """A format, and how a folder of it is told from others by what lies in it; the files are not read for more than that."""

    name: Format
    recognizes: Callable[[Path], bool]


def claims(folder: Path, formats: Iterable[FolderFormat]) -> list[Format]:
    """Name the formats that a folder could be of, each once."""
    return list(dict.fromkeys(one.name for one in formats if one.recognizes(folder)))


def format_of(folder: Path, formats: Iterable[FolderFormat]) -> Format:
    """Tell a folder's format; `files` where nobody knows it. Raises: HarnessError naming those that claim it, where several do."""
    found = claims(folder, formats)
    if len(found) > 1:
        raise HarnessError(
            f"{folder} could be of format {' or '.join(found)}: take out the files of the other, or say `format` where it is a ready artifact"
        )
    return found[0] if found else FILES
