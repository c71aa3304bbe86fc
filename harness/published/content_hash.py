"""Whether a published file is what was published: the hash of each run's content, which a hand edit changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.core.errors import ConfigError, Problem
from harness.core.identity import DIGITS, digest
from harness.published.publish import NAMED
from harness.published.records import (
    PREFIX,
    PublishedFile,
    content_of,
)
from harness.published.text import line_of


def verify(path: Path, text: str, raw: Any, file: PublishedFile) -> None:
    """Hold each run against its hash, and find what is there twice. Raises: ConfigError with the line of each run."""
    hashes = {name: _hashed(place) for name, place in raw["environments"].items()}
    items, seen, found = raw.get("items") or {}, dict[str, int](), list[tuple[tuple[str | int, ...], str]]()
    for number, (entry, run) in enumerate(zip(raw["runs"], file.runs, strict=True)):
        head, place = run.run, ("runs", number)
        if head.environment not in hashes:
            found.append((place, f"run {head.name}: no environment '{head.environment}' in this file; {_AGAIN}"))
        elif head.name in seen:
            before = line_of(text, ["runs", seen[head.name]])
            found.append((place, f"run {head.name} stands in line {before} already; keep one"))
        elif (content := _content(entry, hashes[head.environment], items.get(head.name))) != head.content:
            at = line_of(text, ["environments", head.environment])
            edited = f"run {head.name} was edited, or its environment (line {at})"
            found.append((place, f"{edited}: {_hashes(head.content, content)}"))
        seen.setdefault(head.name, number)
    strange = sorted(set(items) - set(seen))
    found += [(("items", run), f"items of run {run}, which is not there; {_AGAIN}") for run in strange]
    more = [Problem(f"and {len(found) - NAMED} more", path)] if len(found) > NAMED else []
    if found:
        raise ConfigError([*(Problem(said, path, line_of(text, place)) for place, said in found[:NAMED]), *more])


def _hashes(said: str, found: str) -> str:
    digits = len(PREFIX) + DIGITS
    return f"the file says {said[:digits]}, and its content is {found[:digits]}; {_AGAIN}, or, {_THEIRS}"


def _hashed(value: Any) -> str:
    try:
        return digest(value)
    except (TypeError, ValueError):
        return "no JSON"


def _content(entry: Any, environment: str, items: Any) -> str:
    try:
        return content_of(entry, environment, items)
    except (TypeError, ValueError):
        return f"{PREFIX}none, it is no JSON"


_AGAIN = "publish it again with `harness publish`"


_THEIRS = "where it is somebody else's number, put it into a file that begins with `reported:`"
