"""What series are called: model and method, and what tells each from the others."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.spec import WORKLOAD_NUMBERS
from harness.tables.formats import without_paths
from harness.tables.options import differing, option
from harness.tables.rows import TableRow

_ALWAYS = ("model", "method")
_NAMED = (*_ALWAYS, "engine", "environment", "gpu", "machine", "prompt", "output", "batch", "task", "slice", "source",
          "metric_version")  # fmt: skip
"""What a series is called by, as far as series differ in it."""
_MORE = ("recipe", "reference", "text", *(name for name in WORKLOAD_NUMBERS if name not in _NAMED))
"""What tells series of one name apart."""
_OPTIONS = ("recipe_options", "engine_options")
_AT_LAST = ("made_in", "asked")
LOOKED_AT = (*_NAMED, *_MORE, *_OPTIONS)
"""Columns that a row of the frame needs to be named; `made_in` and `asked` are no columns, and a row may have them."""
_BARE = frozenset({*_ALWAYS, "engine", "environment", "gpu", "task", "slice", "source", "recipe"})
_WORDS = {
    "metric_version": "definition {}",
    "made_in": "made in {}",
    "reference": "against {}",
    "request_rate": "{} requests/s",
}
_DIGITS = 6
"""Of the hash of what was asked, where nothing else tells two series apart."""


def names_of(rows: Sequence[TableRow]) -> list[str]:
    """Call series by a row of each: by as little as tells it from the others."""
    told = [name for name in _NAMED if name in _ALWAYS or len({row.text(name) for row in rows}) > 1]
    texts = [[_said(name, text) for name in told if (text := row.text(name))] for row in rows]
    names = [", ".join(text) or str(row.metric) for row, text in zip(rows, texts, strict=True)]
    for column in (*_MORE, *_OPTIONS, *_AT_LAST):
        alike: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            alike.setdefault(name, []).append(place)
        for name, places in alike.items():
            said = _told_apart(column, [rows[place].text(column) or "" for place in places])
            for place, text in zip(places, said, strict=True):
                names[place] = f"{name}, {text}" if text else name
    return names


def _told_apart(column: str, texts: Sequence[str]) -> list[str]:
    """Say of each what it has in a column in which they differ; nothing where they do not."""
    if len(set(texts)) == 1:
        return [""] * len(texts)
    if column in _OPTIONS:
        names = differing(texts)
        return [
            ", ".join(f"{name} {without_paths(said)}" for name in names if (said := option(text, name)))
            for text in texts
        ]
    return [_said(column, text) if text else "" for text in texts]


def _said(name: str, text: str) -> str:
    if name == "asked":
        return f"key {text[:_DIGITS]}"
    return _WORDS.get(name, "{}" if name in _BARE else f"{name} {{}}").format(text)
