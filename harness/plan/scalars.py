"""What a YAML scalar says: YAML 1.2, with variables of the environment."""

from __future__ import annotations

import math
import os
import re
from typing import Any

import yaml

from harness.core import limits
from harness.core.errors import ConfigError

_INT = re.compile(r"^[-+]?(0|[1-9][0-9_]*)$")


_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")


_BARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""A name of ours and no path, which would tell of the machine."""


_CHOICE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*):-([^}]*)\}")


_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}


def scalar(raw: yaml.Node) -> object:
    """Read a scalar by how it is written. Raises: ConfigError for a number that is none."""
    text = _chosen(str(raw.value))
    if getattr(raw, "style", None):  # in quotes, or a block of text
        return text
    if text.lower() in _WORDS and text in {text.lower(), text.capitalize(), text.upper()}:
        return _WORDS[text.lower()]
    if not (_INT.match(text) or _FLOAT.match(text)):
        return text
    if len(text) > limits.DIGITS:
        raise ConfigError(f"a number of {len(text):,} digits; at most {limits.DIGITS} are read")
    number = int(text.replace("_", "")) if _INT.match(text) else float(text)
    if not math.isfinite(number):
        raise ConfigError(f"{text} is no finite number")
    return number


def _chosen(text: str) -> str:
    """Take `${NAME:-other}` as what that variable says, else as the other value; of a path the record says only `$NAME`."""
    found = _CHOICE.fullmatch(text)
    if found is None:
        return text
    name, other = found.groups()
    said = os.environ.get(name, "")
    return (said if _BARE.fullmatch(said) else f"${name}") if said else other
