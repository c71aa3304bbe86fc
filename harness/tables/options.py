"""Options inside a dimension's text: canonical JSON, of which a table shows one (`engine_options.provider`, `workload.seed`). Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

OPTIONS = {"engine_options": "the engine", "workload": "the probe"}
"""Dimensions whose text holds options, and who is told them."""


def option(text: str, name: str) -> str:
    """Return an option as a table shows it, empty where it is not said."""
    value = _read(text).get(name)
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def differing(texts: Iterable[str]) -> list[str]:
    """Name the options that are not the same in all of these, in alphabetical order."""
    found = [_read(text) for text in set(texts)]
    names = {name for options in found for name in options}
    return sorted(name for name in names if len({json.dumps(options.get(name)) for options in found}) > 1)


def _read(text: str) -> dict[str, Any]:
    return dict(json.loads(text)) if text.startswith("{") else {}


def labels(texts: Iterable[str]) -> dict[str, str]:
    """Call each of these by what tells it from the others: the values of the options that differ, with their names where these are several.

    Where none differs, all options are said.
    """
    found = sorted(set(texts))
    names = differing(found) if len(found) > 1 else sorted({name for text in found for name in _read(text)})
    return {text: _label(text, names) for text in found}


def _label(text: str, names: Sequence[str]) -> str:
    said = [(name, value) for name in names if (value := option(text, name))]
    return ", ".join(value if len(names) == 1 else f"{name} {value}" for name, value in said) or "-"
