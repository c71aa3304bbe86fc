"""The fields of one object of a file, by dotted name, remembering which of them nobody took."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from harness.core.errors import ConfigError
from harness.formats.kept import is_plain
from harness.formats.records import Number
from harness.formats.source import FileSource

MS = 1e-3
MB = 1e6
GIB = float(1 << 30)
_BEFORE = r"(?<![^\s=,:;'\"(\[{])"
_HOME = re.compile(
    _BEFORE
    + r"(?:(?:/home/|/Users/)[^/\\,;:'\")\]}\s]+/*(?=$|[\s,;:'\")\]}])|[A-Za-z]:[/\\]Users[/\\][^/\\,;:'\")\]}]+(?=$|[,;'\")\]}]))"
)
"""A home folder alone: its last part is somebody's name."""
_DRIVE = re.compile(_BEFORE + r"(?:[A-Za-z]:|\\)\\(?:[^/\\:*?\"<>|,=\n]+\\)*")
_FOLDER = re.compile(_BEFORE + r"(?:(?:[A-Za-z]:|~(?:[a-z_][\w.-]*)?|\.{1,2})?/)(?:[^/\\,:\s]+[/\\])*(?=[^/\\,\s])")
_ADDRESS = re.compile(r"(?<=://)(?:[^/@\s]*@)?(?P<host>[^/:,\s'\"]+)(?P<port>:\d+)?")
_PUBLIC = re.compile(r"(?!\d+(?:\.\d+)+$)(?:[\w-]+\.)+(?!local$|internal$|lan$|intra$|corp$|home$)[A-Za-z]{2,}")


class Fields:
    """Nested objects as one flat mapping; every field that is read, or named as of no matter, counts as taken."""

    def __init__(self, raw: Mapping[str, Any], source: FileSource, where: str = "") -> None:
        self._flat = flat(raw)
        self._source = source
        self._where = where
        self._taken: set[str] = set()

    def value(self, name: str) -> Any:
        """Give a field as it stands; None where it is absent, null or empty text."""
        self._taken.add(name)
        found = self._flat.get(name)
        return None if found == "" else found

    def number(self, name: str, scale: float = 1.0) -> float | None:
        """Give a number, times `scale`; None where there is none, or NaN or an infinity, which the source remembers.

        Raises: ConfigError for what is there and is no number.
        """
        found = self.value(name)
        number = None if found is None else self._finite(found, name)
        return None if number is None else number * scale

    def is_null(self, name: str) -> bool:
        """Tell a field that is there and says nothing."""
        return name in self._flat and self._flat[name] in (None, "")

    def lose(self, message: str) -> None:
        """Remember a number that is none."""
        self._source.lost[f"{self._where}{message}"] = None

    def whole(self, name: str) -> int | float | None:
        """Give a count as an integer; a mean of counts stays as it is."""
        found = self.number(name)
        return int(found) if found is not None and found.is_integer() else found

    def text(self, name: str) -> str | None:
        """Give a text without the folders of paths; numbers and words as they are written."""
        found = self.value(name)
        return None if found is None or isinstance(found, list | dict) else without_folders(str(found)).strip() or None

    def samples(self, name: str, scale: float = 1.0) -> tuple[float, ...]:
        """Give a list of numbers, lists in it joined, times `scale`; nothing where one of them is not finite.

        Raises: ConfigError as `number`.
        """
        found = self.value(name)
        return self.listed(name, found, scale) if isinstance(found, list) else ()

    def listed(self, name: str, found: list[Any], scale: float = 1.0) -> tuple[float, ...]:
        """Check a part of a list as `samples` does the whole."""
        numbers = [self._finite(item, name) for item in _joined(found)]
        whole = [number * scale for number in numbers if number is not None]
        return tuple(whole) if len(whole) == len(numbers) else ()

    def metric(self, name: str, metric: str, scale: float = 1.0, **rest: Any) -> Number | None:
        """Read a field as a time, a rate or a size. Raises: ConfigError as `number`, and where it is below zero."""
        value = self.number(name, scale)
        if value is not None and value < 0:
            raise self.wrong(f"'{name}' is {value / scale:g}; times, rates and sizes must not be negative")
        return None if value is None else Number(metric, value, **rest)

    def facts(self, names: Iterable[str]) -> dict[str, Any]:
        """Give settings that are kept with the protocol, under their own names; absent ones, and structures, are left out."""
        found = {name: self._flat.get(name) for name in names}
        return {
            name: plain(self.value(name))
            for name, value in found.items()
            if value not in (None, "") and is_plain(value)
        }

    def facts_among(self, kept: Container[str]) -> dict[str, Any]:
        """Give those settings of the file, in its order, that are kept and were not taken before; see `formats/kept.py`."""
        return self.facts([name for name in self._flat if name in kept and name not in self._taken])

    def no_matter(self, *prefixes: str) -> None:
        """Name fields (or, ending in a dot, all below) that say nothing about the numbers, or say it twice."""
        self._taken.update(name for name in self._flat if any(_below(name, prefix) for prefix in prefixes))

    @property
    def names(self) -> tuple[str, ...]:
        """All fields in the order of the file."""
        return tuple(self._flat)

    @property
    def left(self) -> tuple[str, ...]:
        """Fields with a value that were not taken."""
        gone: tuple[Any, ...] = (None, "", [], {})
        return tuple(name for name, value in self._flat.items() if name not in self._taken and value not in gone)

    def wrong(self, message: str) -> ConfigError:
        """Make the error that names the file and the place in it."""
        return self._source.wrong(f"{self._where}{message}")

    def _finite(self, found: Any, name: str) -> float | None:
        try:
            value = None if isinstance(found, bool | list | dict) else float(found)
        except ValueError:
            value = None
        if value is None:
            raise self.wrong(
                f"'{name}' is {str(found)[:40]}, which is not a number; correct it, or remove it from the file"
            )
        if math.isfinite(value):
            return value
        self.lose(f"{name}: value is {value}")
        return None


def flat(raw: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join the names of nested objects with dots; lists stay whole."""
    found: dict[str, Any] = {}
    for name, value in raw.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def plain(value: Any) -> Any:
    """Make a setting fit for keeping: no folders, no numbers that are none."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return without_folders(value)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def without_folders(text: str) -> str:
    """Shorten absolute paths in a text to their last part, a home folder to nothing; public web addresses stay."""
    text = _ADDRESS.sub(_address, text.replace("file://", ""))
    text = _DRIVE.sub("", _HOME.sub("~", text))
    return _FOLDER.sub("", text.rstrip("/") if text.startswith(("/", "~")) else text)


def _address(found: re.Match[str]) -> str:
    """Keep the name of a public site; a server of somebody's own, told by its port or its name, is nobody's business."""
    return found["host"] if _PUBLIC.fullmatch(found["host"]) and not found["port"] else "..."


def _below(name: str, prefix: str) -> bool:
    return name.startswith(prefix) if prefix.endswith(".") else name == prefix


def _joined(values: list[Any]) -> list[Any]:
    return [item for value in values for item in (_joined(value) if isinstance(value, list) else [value])]
