"""What is cut out of the texts that an import keeps: names of machines and people, folders, serial numbers, passwords.

Which fields are kept at all is listed by their names in `kept.py`. In their texts, what the file says under private settings
anywhere is cut, and whatever looks like such; a name that nothing marks stays. Names of models and methods lose only folders:
people publish models as themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.core.outcome import Environment
from harness.formats.fields import plain, without_folders
from harness.formats.records import FileContents, Found
from harness.formats.source import FileSource

CUT = "..."
"""Stands where something was cut out of a text."""
_NAMES = (
    r"(?:\w+[ ._-])?(?:serial(?:[ ._-]?(?:number|no))?|uuids?|bus[ ._-]?id|pci(?:[ ._-]?(?:slot|device|id))?|uid|ip|"
    r"(?:ip|mac)?addr(?:ess)?|(?:machine|host|user|box)[ ._-]?id|machine[ _-]?name|node[ ._-]?list|password|passwd|secret|"
    r"(?:host|node|computer|server|user|account|login|author)[ ._-]?names?|api[ ._-]?key|(?:hf|auth|access|api|hub|bearer)_token)|"
    r"e[_-]?mail|cwd|pwd|fqdn"
)
_WORDS = r"(?:hosts?|(?!no_)\w+_hosts?|nodes?|user|login|owner|authors?|server|home|token)"
"""Names that prose has too: in a text only before an equals sign or after no other word. Their numbers are counts."""
_NUMBERS = re.compile(rf"(?:.*\.)?(?:{_NAMES})", re.IGNORECASE)
_SETTING = re.compile(rf"(?:.*\.)?(?:{_NAMES}|{_WORDS})", re.IGNORECASE)
_SAID = re.compile(
    rf"(?<![\w.])({_NAMES}|{_WORDS}(?==)|(?<!\w[ -]){_WORDS})"
    r"['\"]?\s*[=:]\s*['\"]?([^\s,;)\]}'\"{<][^\s,;)\]}'\"]*)",
    re.IGNORECASE,
)
"""A setting inside a text, as `user=somebody`."""
_NOBODY = frozenset({"", "true", "false", "none", "null", "n/a", "unknown", "assistant", "system", "user"})
_SOFTWARE = re.compile(
    r"(?:.*[._])?(?:(?:backend|engine|framework|library|package|model|method)(?:[._](?:name|id))?|device|provider|d?type|precision)"
)
"""Settings whose values are words of programs, even where a machine is called so."""
_LOOKS = re.compile(
    r"(?P<bracket>\s*\(UUID: [^)]*\))|(?:GPU-|MIG-)?\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"  # UUID
    r"|\b[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b"  # PCI bus id
    r"|\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"  # MAC address
    r"|\b\d{1,3}(?:\.\d{1,3}){3}:\d{2,5}\b"  # address with a port
    r"|\b[a-z][\w.+-]*@(?:\d+(?:\.\d+){3}|(?!\d+\.\d)(?:[\w-]+\.)+[a-z]{2,})\b"  # mail address or login, no version
    r"|\bhf_[a-z0-9]{16,}\b",
    re.IGNORECASE,
)
_UNAME = re.compile(r"^(Linux|Darwin|FreeBSD) \S+ (?=\d+\.\d+\S* (?:#|Darwin|FreeBSD))")
"""What `uname -a` begins with; the second word is the machine's name."""


def is_private(name: str, value: Any) -> bool:
    """Say whether a setting tells a machine or a person: by the last part of its dotted name, or the last two."""
    if isinstance(value, bool | dict) or value is None or str(value).strip().lower() in _NOBODY:
        return False
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    count = isinstance(value, int | float) or (isinstance(value, str) and value.strip().isdigit())
    return bool((_NUMBERS if count else _SETTING).fullmatch(name))


def anonymous(contents: FileContents, source: FileSource) -> FileContents:
    """Cut out of everything found in a file, and of the names of what was left, what tells machines and people apart."""
    told = _told(source.data if source.data is not None else source.rows)
    runs = tuple(_run(found, told) for found in contents.runs)
    words = _pattern(told[0] - told[1])
    return replace(contents, runs=runs, left=tuple(dict.fromkeys(text_of(name, words) for name in contents.left)))


def _told(*places: Any) -> tuple[set[str], set[str]]:
    """Give what stands under private settings, a machine's name with and without its domain; and words of programs."""
    texts = [named for place in places for named in _texts(place)]
    private = [one.strip().lower() for name, text in texts if is_private(name, text) for one in text.split(",")]
    words = {word for one in private for word in (one, one.partition(".")[0]) if len(word) > 2 and not word.isdigit()}
    return words, {text.lower() for name, text in texts if _SOFTWARE.fullmatch(name)}


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and value and not isinstance(value[0], int | float):
        for inner in value:
            yield from _texts(inner, name)
    elif isinstance(value, str):
        yield name, value.strip()


def _pattern(words: set[str]) -> re.Pattern[str] | None:
    longest = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return re.compile(rf"(?<![^\W_])({longest})(?![^\W_])", re.IGNORECASE) if words else None


def _run(found: Found, told: tuple[set[str], set[str]]) -> Found:
    here = _told(found.protocol.facts, found.engine_options, {"engine": found.engine, "provider": found.provider})
    pattern = _pattern((told[0] | here[0]) - told[1] - here[1])  # settings may come from a second file

    def kept(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: kept(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [kept(item) for item in value]
        return text_of(plain(value), pattern) if isinstance(value, str) else value

    protocol = found.protocol.model_copy(update={"facts": kept(found.protocol.facts)})
    environment = kept(found.environment.model_dump(exclude={"packages"}))
    return replace(
        found,
        engine=text_of(found.engine),
        engine_options=kept(found.engine_options),
        labels={name: without_folders(value) for name, value in found.labels.items()},
        provider=found.provider and text_of(found.provider),
        protocol=protocol,
        environment=Environment.model_validate({**environment, "packages": found.environment.packages}),
        notes=tuple(note.model_copy(update={"text": kept(note.text)}) for note in found.notes),
    )


def text_of(text: str, words: re.Pattern[str] | None = None) -> str:
    """Cut out of a text what tells a machine or a person; `words`: names that the file calls so elsewhere."""
    text = _UNAME.sub(rf"\1 {CUT} ", text)
    text = _LOOKS.sub(lambda found: "" if found["bracket"] else CUT, text)
    text = _SAID.sub(lambda it: it[0].removesuffix(it[2]) + CUT if is_private(*it.groups()) else it[0], text)
    return words.sub(CUT, text) if words else text
