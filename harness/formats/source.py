"""A file as it lies: bytes, hash, and what it holds as JSON, lines of JSON, rows of CSV or plain text."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.core import limits
from harness.core.errors import ConfigError, Problem
from harness.core.files import regular_bytes
from harness.core.identity import DIGITS, file_sha256
from harness.core.metric import OwnMetric
from harness.formats import FORMATS

_MARKDOWN = (".md", ".markdown")
_LOG = re.compile(r"\[(\d+/\d|[A-Z][A-Z])")
"""How lines of a log begin, which no JSON does: a date or a name in brackets."""


@dataclass(frozen=True)
class FileSource:
    """One file that is to be imported."""

    path: Path
    content: bytes
    map: Path | None = None
    """Which columns a Markdown table has."""
    declared: Mapping[str, OwnMetric] = field(default_factory=dict, compare=False)
    """Metrics of somebody's own that published files declare."""
    lost: dict[str, None] = field(default_factory=dict, compare=False)
    """Numbers that its reader met and that are none, as NaN: each is left out alone, and told."""

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name

    @cached_property
    def sha256(self) -> str:
        """Hash of the bytes."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def key(self) -> str:
        """Name what is imported: the file, and where a map decides what is read, the map too."""
        file = self.sha256[:DIGITS]
        return file if self.map is None else f"{file}-{file_sha256(self.map)[:DIGITS]}"

    @cached_property
    def text(self) -> str:
        """The bytes as UTF-8."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise self.damaged(f"is not UTF-8 text ({error.reason} at byte {error.start})") from None

    @property
    def is_markdown(self) -> bool:
        """Whether it is prose with tables, told by its name."""
        return self.path.suffix.lower() in _MARKDOWN

    @cached_property
    def data(self) -> Any:
        """JSON value, or the list of a file with one JSON value per line; None for a file that is neither."""
        begin = self.text[:64].lstrip()
        if self.is_markdown or not begin.startswith(("{", "[")) or _LOG.match(begin):
            return None
        whole = _json(self.text)
        if not isinstance(whole, ValueError):
            return whole
        lines = [_json(line) for line in self.text.splitlines() if line.strip()]
        if len(lines) > 1 and not any(isinstance(line, ValueError) for line in lines):
            return lines
        raise self.damaged(f"is not complete JSON ({whole})")

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        """Rows of a CSV file by column; empty for another file."""
        if self.is_markdown or self.data is not None:
            return []
        try:
            reader = csv.DictReader(io.StringIO(self.text, newline=""), strict=True)
            return [{key: value or "" for key, value in row.items() if key is not None} for row in reader]
        except csv.Error as error:
            raise self.damaged(f"is not complete CSV ({error})") from None

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The objects of a JSON list, of JSON lines, one JSON object, or the rows of a CSV file."""
        items = self.data if isinstance(self.data, list) else self.rows if self.data is None else [self.data]
        return [item for item in items if isinstance(item, dict)] if all(isinstance(i, dict) for i in items) else []

    def wrong(self, message: str) -> ConfigError:
        """Make the error that names this file."""
        return ConfigError([Problem(message, self.path)])

    def damaged(self, message: str) -> ConfigError:
        """Make the error of a file that is not whole, or of no known format."""
        return self.wrong(f"{message}; fetch or write it again, as one of {', '.join(FORMATS)}")


def read_source(path: Path, map_: Path | None = None, declared: Mapping[str, OwnMetric] | None = None) -> FileSource:
    """Read a file. Raises: ConfigError for one that is not there or empty."""
    try:
        source = FileSource(path, regular_bytes(path, limits.READ_BYTES), map_, declared or {})
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read ({error.strerror}); give the path of a file", path)]) from None
    if not source.content.strip():
        raise source.damaged("is empty")
    return source


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        return error
    except RecursionError:
        return ValueError("it is nested too deep")


def beside(source: FileSource, fits: Callable[[Path], bool]) -> Path | None:
    """Find the one file in the same folder that belongs to a file; None where there is none, or more than one."""
    found = [path for path in sorted(source.path.parent.iterdir()) if path.is_file() and fits(path)]
    return found[0] if len(found) == 1 else None
