"""YAML as text: which words are values, how deep a file may be nested, and what is said of a text that is no YAML."""

from __future__ import annotations

import re
from typing import Any

import yaml

from harness.core import limits
from harness.core.errors import ConfigError, Problem

_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_FAST):  # type: ignore[misc]
    """Scalars as in YAML 1.2, so that a key `on` is a word and not a truth value."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the parent's own shape


def not_yaml(error: yaml.YAMLError, text: str, path: str) -> ConfigError:
    """Say what the YAML library said of a text, with the line; nothing of the text itself is quoted."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return ConfigError([Problem(f"not YAML: {error.problem}", path, mark.line + 1 if mark else None)])
    if isinstance(error, yaml.reader.ReaderError):
        line = text[: error.position].count("\n") + 1
        code = ord(error.character) if isinstance(error.character, str) else error.character
        return ConfigError([Problem(f"not YAML: the character U+{code:04X} may not stand here", path, line)])
    return ConfigError([Problem(f"not YAML: {error}", path)])


_OPEN = re.compile(r"[\[\]{}]")
_DEEP = re.compile(r"^[ ?:-]{120,}", re.MULTILINE)


def check_nesting(text: str, path: str) -> None:
    """Refuse what is nested without end, looking closely only where brackets or indents let it seem so: for large files.

    Raises: ConfigError with the line.
    """
    depth = deepest = 0
    for found in _OPEN.finditer(text):
        depth += 1 if found.group() in "[{" else -1
        deepest = max(deepest, depth)
    if deepest > limits.YAML_DEPTH or _DEEP.search(text):
        check_depth(text, path)


def check_depth(text: str, path: str) -> None:
    """Refuse what is nested without end before anything walks down it. Raises: ConfigError with the line."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > limits.YAML_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else None
            raise ConfigError([Problem(f"nested deeper than {limits.YAML_DEPTH} levels; write it flatter", path, line)])
