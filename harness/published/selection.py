"""Which published files a question about some sweeps needs: the others stay unread. Nothing is kept between commands."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from harness.core import limits
from harness.core.files import regular_bytes
from harness.core.outcome import Outcome
from harness.published.reading import read_published
from harness.published.records import Published


def read_for(folder: Path, sweeps: Collection[str]) -> Published:
    """Read the files that speak of sweeps, and those that made what the runs in them read; all files where no sweep is named.

    Raises: ConfigError as `read_published`, for the files that are read.
    """
    texts = {path: _text(path) for path in sorted(folder.glob("*.yaml"))} if sweeps else {}
    asked = re.compile(
        rf"sweep['\"]?\s*:\s*(['\"]?(?:{'|'.join(map(re.escape, sweeps))})(?![\w-])|[*&!|>]|\"[^\"\n]*\\)"
    )
    chosen = {path for path, text in texts.items() if path.stem in sweeps or asked.search(text)}
    if not chosen:
        return read_published(folder)
    while True:
        published = read_published(folder, chosen)
        lacking = _lacking(published.outcomes)
        more = {path for path in texts.keys() - chosen if any(artifact in texts[path] for artifact in lacking)}
        if not more:
            return published
        chosen |= more


def _text(path: Path) -> str:
    """Return a file's text; of one that cannot be read nothing, since whoever reads it says why."""
    try:
        return regular_bytes(path, limits.READ_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return "sweep: *"


def _lacking(outcomes: Collection[Outcome]) -> set[str]:
    """Name the artifacts that runs read and none of them made; a model's own folder, whose id is its content, nobody made."""
    made = {outcome.job.artifact for outcome in outcomes} | {one.artifact.id for one in outcomes if one.artifact}
    return {artifact for outcome in outcomes for artifact in _read(outcome)} - made


def _read(outcome: Outcome) -> Iterator[str]:
    for item in (*outcome.inputs, *outcome.job.inputs):
        if item.id and item.id != item.content:
            yield item.id
