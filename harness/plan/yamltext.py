"""YAML as text: which words are values, how deep a file may be nested, and what is said of a text that is no YAML."""

from __future__ import annotations

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


_TAG = "tag:yaml.org,2002:"


def values_of(text: str, path: str) -> tuple[object, bool]:
    """Build what the safe loader would, from one event after another, in half its time; and say whether there are aliases.

    For large files that we write: merge keys are refused, and a key that stands twice counts as it stands last.
    Raises: ConfigError with the line for what is nested without end, YAMLError for what is no YAML.
    """
    made = _Made(text)
    while (event := made.loader.get_event()).__class__ is not yaml.StreamEndEvent:
        made.take(event)
        if len(made.around) > limits.YAML_DEPTH:
            raise _too_deep(path, event)
    return (made.root[0] if made.root else None), made.has_aliases


_NOTHING = object()


class _Made:
    """What the events so far have made."""

    def __init__(self, text: str) -> None:
        self.loader = _FAST(text)
        self.root: list[Any] = []
        self.inside: Any = self.root
        self.key: Any = _NOTHING
        """Of the mapping that is open, where its value has not come yet."""
        self.around: list[tuple[Any, Any]] = []
        """Containers around the open one, with their keys that wait."""
        self.has_aliases = False
        self._anchors: dict[str, Any] = {}
        self._scalars: dict[tuple[str, tuple[bool, bool], str | None], Any] = {}

    def take(self, event: Any) -> None:
        """Put a value where it belongs, open what it begins or close what it ends."""
        kind = event.__class__
        if kind is yaml.ScalarEvent:
            self._place(self._scalar(event), event)
        elif kind in (yaml.SequenceEndEvent, yaml.MappingEndEvent):
            self.inside, self.key = self.around.pop()
        elif kind in (yaml.SequenceStartEvent, yaml.MappingStartEvent):
            self._open(event)
        elif kind is yaml.AliasEvent:
            if event.anchor not in self._anchors:
                raise yaml.composer.ComposerError(None, None, "found undefined alias", event.start_mark)
            self.has_aliases = True
            self._place(self._anchors[event.anchor], event)
        elif kind is yaml.DocumentStartEvent and self.root:
            raise yaml.composer.ComposerError(None, None, "found another document", event.start_mark)

    def _place(self, value: Any, event: Any) -> None:
        if event.anchor and event.__class__ is not yaml.AliasEvent:
            self._anchors[event.anchor] = value
        if self.inside.__class__ is list:
            self.inside.append(value)
        elif self.key is _NOTHING:
            self.key = value
        else:
            self.inside[self.key] = value
            self.key = _NOTHING

    def _open(self, event: Any) -> None:
        found: Any = [] if event.__class__ is yaml.SequenceStartEvent else {}
        if event.tag not in {None, "!", f"{_TAG}seq" if found == [] else f"{_TAG}map"}:
            raise yaml.constructor.ConstructorError(None, None, f"the tag '{event.tag}'", event.start_mark)
        self._place(found, event)
        waits = self.key if self.inside.__class__ is dict else _NOTHING
        self.around.append((self.inside, waits))
        self.inside, self.key = found, _NOTHING

    def _scalar(self, event: Any) -> Any:
        known = (event.value, event.implicit, event.tag)
        if known not in self._scalars:
            said = None if event.tag == "!" else event.tag
            tag = said or self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)
            if tag == f"{_TAG}merge":  # written out before anything can be counted
                raise yaml.constructor.ConstructorError(None, None, "a merge key '<<'", event.start_mark)
            node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
            self._scalars[known] = self.loader.construct_object(node, deep=True)
        return self._scalars[known]


def _too_deep(path: str, event: Any) -> ConfigError:
    line = event.start_mark.line + 1 if event.start_mark else None
    return ConfigError([Problem(f"nested deeper than {limits.YAML_DEPTH} levels; write it flatter", path, line)])


def check_depth(text: str, path: str) -> None:
    """Refuse what is nested without end before anything walks down it. Raises: ConfigError with the line."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > limits.YAML_DEPTH:
            raise _too_deep(path, event)
