"""Values as a person would write them in YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.+/-]*|\d{1,15}(\.\d{1,15})?")


_YAML_WORDS = frozenset({"null", "true", "false"})


_NOTHING = '""'
"""An empty text in YAML."""


def scalar(text: str) -> str:
    """Write a text as YAML, in quotes unless it is a plain word or number."""
    return (
        text if _PLAIN.fullmatch(text) and text.casefold() not in _YAML_WORDS else json.dumps(text, ensure_ascii=False)
    )


def flow(parts: Mapping[str, str]) -> str:
    """Write a mapping of texts that are YAML already on one line."""
    return "{" + ", ".join(f"{scalar(name)}: {text}" for name, text in parts.items()) + "}"


def listed(texts: Iterable[str]) -> str:
    """Write a list of texts on one line."""
    return "[" + ", ".join(map(scalar, texts)) + "]"
