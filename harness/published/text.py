"""The text of a published file: read with bounds, and where in it a part stands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.core import limits
from harness.core.errors import ConfigError, Problem
from harness.core.files import regular_bytes
from harness.plan.yamltext import not_yaml, values_of


def raw_file(path: Path) -> tuple[str, object]:
    """Read a file as text and as what YAML makes of it. Raises: ConfigError for what is no YAML, or far too much of it."""
    import yaml

    text = ""
    try:
        text = regular_bytes(path, limits.READ_BYTES).decode("utf-8")
        found, has_aliases = values_of(text, str(path))
        parts = limits.parts_of(found, limits.PUBLISHED_PARTS) if has_aliases else 0
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read: {error.strerror}", path)]) from None
    except yaml.YAMLError as error:
        raise not_yaml(error, text, str(path)) from None
    except (ValueError, RecursionError, OverflowError, TypeError) as error:
        raise ConfigError([Problem(f"is not YAML in UTF-8: {error}", path)]) from None
    if parts > limits.PUBLISHED_PARTS:
        raise ConfigError(
            [Problem(f"written out, its aliases make more than {limits.PUBLISHED_PARTS:,} parts; use fewer", path)]
        )
    return text, found


@lru_cache(maxsize=1)
def _composed(text: str) -> Any:
    import yaml

    return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def line_of(text: str, place: Sequence[str | int]) -> int:
    """Find the line of a part by the names and numbers that lead to it, as far as they do. Reads the text anew: for refusals."""
    import yaml

    node, line = _composed(text), 1
    for step in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
            continue
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = next(((key, value) for key, value in pairs if key.value == str(step)), None)
        if found is None:
            return line
        line, node = found[0].start_mark.line + 1, found[1]
    return line
