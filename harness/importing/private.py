"""What no import keeps: names of machines and people, folders, serial numbers, passwords.

Settings of such a name are left out and told as not taken; in what is kept, their values and whatever looks like one are
cut. Names of models and methods lose their folders alone: people publish models under their own name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.core.spec import Environment
from harness.importing.fields import plain, without_folders
from harness.importing.found import Contents, Found
from harness.importing.source import Source

CUT = "..."
"""Stands where something was cut out of a text."""
_SERIAL = (
    r"(?:\w+_)?(?:serial(?:[ _-]?(?:number|no))?|uuids?|(?:pci[ _-]?)?bus[ _-]?id|pci(?:[ _-]?(?:address|slot|device|id))?|"
    r"mac[ _-]?address|(?:machine|host|user|box)[ _-]?id|uid|ip(?:[ _-]?address)?)"
)
_TOLD = (
    r"(?:\w+_)?(?:host|node|computer|user|account|login)[ _-]?names?|hosts?|nodes?|node[ _-]?list|user|login|owner|e[_-]?mail|home|"
    r"cwd|pwd|fqdn|(?:\w+_)?(?:password|passwd|secret|api[ _-]?key)|(?:(?:\w+_)?(?:hf|auth|access|api|hub|bearer)_)?token"
)
_ALWAYS = re.compile(_SERIAL, re.IGNORECASE)
_TEXTS = re.compile(_TOLD, re.IGNORECASE)
"""Names whose numbers are counts, as `nodes: 2`."""
_SAID = re.compile(
    rf"(?<![\w.])(?P<name>{_SERIAL}|{_TOLD})(?P<sign>['\"]?\s*[=:]\s*['\"]?)(?P<value>[^\s,;)\]}}'\"]+)", re.IGNORECASE
)
"""A setting inside a text, as `user=somebody`."""
_NOBODY = frozenset({"", "true", "false", "none", "null", "n/a", "unknown"})
_LOOKS = re.compile(
    r"(?P<bracket>\s*\(UUID: [^)]*\))|(?:GPU-|MIG-)?\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"  # UUID
    r"|\b[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b"  # PCI bus id
    r"|\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"  # MAC address
    r"|\b[a-z][\w.+-]*@[\w-]+(?:\.[\w-]+)+\b"  # mail address or login
    r"|\bhf_[a-z0-9]{16,}\b",
    re.IGNORECASE,
)
_UNAME = re.compile(r"^(Linux|Darwin|FreeBSD) \S+ (?=\d+\.\d+\S* (?:#|Darwin|FreeBSD))")
"""What `uname -a` begins with; the second word is the machine's name."""
_LEAST = 3
"""Letters that a name has at least to be looked for in other texts."""


def is_private(name: str, value: Any) -> bool:
    """Say whether a setting tells a machine or a person: by the last part of its dotted name, or the last two."""
    if isinstance(value, bool | dict) or value is None or str(value).strip().lower() in _NOBODY:
        return False
    parts = [re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", part) for part in name.split(".")]
    count = isinstance(value, int | float) or (isinstance(value, str) and value.strip().isdigit())
    known = (_ALWAYS,) if count else (_ALWAYS, _TEXTS)
    return any(pattern.fullmatch("_".join(parts[-many:])) for pattern in known for many in (1, 2))


def anonymous(contents: Contents, source: Source) -> Contents:
    """Cut out of everything found in a file what tells machines and people apart, and name the settings left out."""
    words = set(_private(source.data if source.data is not None else source.rows))
    left = dict.fromkeys(contents.left)
    runs = tuple(_run(found, words, left) for found in contents.runs)
    return replace(contents, runs=runs, left=tuple(left))


def _private(value: Any, name: str = "") -> Iterator[str]:
    """Give the texts that stand under private names anywhere in a file, a machine's with and without its domain."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _private(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        if not value or not isinstance(value[0], int | float):
            for inner in value:
                yield from _private(inner, name)
    elif isinstance(value, str) and is_private(name, value) and not value.strip().isdigit():
        yield from (word for word in (value.strip(), value.strip().partition(".")[0]) if len(word) >= _LEAST)


def _run(found: Found, words: set[str], left: dict[str, None]) -> Found:
    beside = {*_private(found.protocol.facts), *_private(found.engine_options)}  # may come from a second file
    pattern = _pattern(words | beside)

    def kept(value: Any, name: str = "") -> Any:
        if isinstance(value, Mapping):
            inside = {key: f"{name}.{key}" if name else str(key) for key in value}
            gone = [key for key, inner in value.items() if is_private(inside[key], inner)]
            left.update(dict.fromkeys(inside[key] for key in gone))
            return {key: kept(inner, inside[key]) for key, inner in value.items() if key not in gone}
        if isinstance(value, list | tuple):
            return [kept(item, name) for item in value]
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


def _pattern(words: set[str]) -> re.Pattern[str] | None:
    longest = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, longest))})(?!\w)") if words else None


def text_of(text: str, words: re.Pattern[str] | None = None) -> str:
    """Cut out of a text what tells a machine or a person; `words`: names that the file calls so elsewhere."""
    text = _UNAME.sub(rf"\1 {CUT} ", text)
    text = _LOOKS.sub(lambda found: "" if found["bracket"] else CUT, text)
    text = _SAID.sub(_unsaid, text)
    return words.sub(CUT, text) if words else text


def _unsaid(said: re.Match[str]) -> str:
    name = said["name"].replace(" ", "_")
    return f"{said['name']}{said['sign']}{CUT}" if is_private(name, said["value"]) else said[0]
