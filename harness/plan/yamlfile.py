"""YAML with line numbers: a tree whose every part knows its place, and a list of everything wrong with a file."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.core.errors import ConfigError, Problem, unknown
from harness.core.seam import Options, problems_of


@dataclass(frozen=True)
class Node:
    """A part of a file: a scalar, a list of nodes or a mapping from names to nodes."""

    value: Any
    path: str
    line: int
    """Line of the key where the part has one, else where it begins; counted from 1."""
    raw: str = ""
    """A scalar as it is written, all its digits included."""

    @property
    def items(self) -> list[Node]:
        """The parts of a list; a part that is no list counts as a list of one."""
        return list(self.value) if isinstance(self.value, list) else [self]

    @property
    def fields(self) -> dict[str, Node]:
        """The parts of a mapping by name; empty for anything else."""
        return dict(self.value) if isinstance(self.value, dict) else {}


@dataclass
class Mistakes:
    """Everything found wrong, each thing once."""

    found: list[Problem] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def add(self, message: str, node: Node | None = None) -> None:
        """Note a mistake at a node's place."""
        problem = Problem(message, node.path, node.line) if node else Problem(message)
        if str(problem) not in self._seen:
            self._seen.add(str(problem))
            self.found.append(problem)

    def check(self) -> None:
        """Raise ConfigError with everything found, in the order of the lines; do nothing where all is well."""
        if self.found:
            raise ConfigError(sorted(self.found, key=lambda problem: (problem.path or "", problem.line or 0)))


@contextmanager
def collecting() -> Iterator[Mistakes]:
    """Collect mistakes over a block of work and raise them together at its end."""
    mistakes = Mistakes()
    yield mistakes
    mistakes.check()


class _Loader(yaml.SafeLoader):
    """Scalars as in YAML 1.2, so that a key `on` is a word and not a truth value."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the parent's own shape


_INT = re.compile(r"^[-+]?(0|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_BARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""A name of ours and no path, which would tell of the machine."""
_CHOICE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*):-([^}]*)\}")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}


def read(path: Path, mistakes: Mistakes | None = None) -> Node:
    """Read one YAML file.

    Duplicate keys are added to `mistakes`, so that they are told with whatever else is wrong with the file; of such a
    key the last value is read. Raises: ConfigError for a file that is missing or not YAML; without `mistakes`, also
    with every duplicate key of the file.
    """
    return parse(_text(path), str(path), mistakes)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([Problem("no such file", path)]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(f"cannot be read as UTF-8 text: {error}", path)]) from None


def parse(text: str, path: str = "<text>", mistakes: Mistakes | None = None) -> Node:
    """Read YAML from a text; `path` is what mistakes name. Duplicate keys: see `read`."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError([Problem(f"not YAML: {error.problem}", path, mark.line + 1 if mark else None)]) from None
    except yaml.YAMLError as error:
        raise ConfigError([Problem(f"not YAML: {error}", path)]) from None
    if root is None:
        return Node(None, path, 1)
    if mistakes is not None:
        return _node(root, path, root.start_mark.line + 1, mistakes, ())
    with collecting() as own:
        return _node(root, path, root.start_mark.line + 1, own, ())


def _node(raw: yaml.Node, path: str, line: int, mistakes: Mistakes, above: tuple[int, ...]) -> Node:
    if id(raw) in above:
        mistakes.add("this alias contains itself", Node(None, path, line))
        return Node(None, path, line)
    above = (*above, id(raw))
    if isinstance(raw, yaml.MappingNode):
        return Node(_fields(raw, path, mistakes, above), path, line)
    if isinstance(raw, yaml.SequenceNode):
        parts = [_node(part, path, part.start_mark.line + 1, mistakes, above) for part in raw.value]
        return Node(parts, path, line)
    return Node(_scalar(raw), path, line, str(raw.value))


def _fields(raw: yaml.MappingNode, path: str, mistakes: Mistakes, above: tuple[int, ...]) -> dict[str, Node]:
    fields: dict[str, Node] = {}
    for key, value in raw.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            mistakes.add("a key must be one word", Node(None, path, line))
            continue
        if key.value in fields:
            first = fields[key.value].line
            mistakes.add(f"'{key.value}' is given twice, first in line {first}; keep one", Node(None, path, line))
        fields[key.value] = _node(value, path, line, mistakes, above)
    return fields


def _scalar(raw: yaml.Node) -> Any:
    text = _chosen(str(raw.value))
    if getattr(raw, "style", None) is not None or raw.tag == "tag:yaml.org,2002:str!":
        return text
    if text.lower() in _WORDS and text in {text.lower(), text.capitalize(), text.upper()}:
        return _WORDS[text.lower()]
    if _INT.match(text):
        return int(text.replace("_", ""))
    return float(text) if _FLOAT.match(text) else text


def _chosen(text: str) -> str:
    """Take `${NAME:-other}` as what that variable says, else as the other value; of a path the record says only `$NAME`."""
    found = _CHOICE.fullmatch(text)
    if found is None:
        return text
    name, other = found.groups()
    said = os.environ.get(name, "")
    return (said if _BARE.fullmatch(said) else f"${name}") if said else other


def plain(node: Node) -> Any:
    """Give the values without their places."""
    if isinstance(node.value, dict):
        return {name: plain(part) for name, part in node.value.items()}
    return [plain(part) for part in node.value] if isinstance(node.value, list) else node.value


def kind(node: Node) -> str:
    """Say in a reader's words what a node is."""
    names: dict[type, str] = {dict: "a mapping", list: "a list", str: "a word", bool: "true or false", int: "a number"}
    return "empty" if node.value is None else names.get(type(node.value), "a number")


def mapping(node: Node, what: str, mistakes: Mistakes, keys: Collection[str] | None = None) -> dict[str, Node]:
    """Give a mapping's parts; anything else, and each key that is not in `keys`, is a mistake."""
    if not isinstance(node.value, dict):
        mistakes.add(f"{what} must be a mapping, e.g. 'name: value'; it is {kind(node)}", node)
        return {}
    for name, part in node.fields.items():
        if keys is not None and name not in keys:
            mistakes.add(unknown(f"key of {what}", name, keys), part)
    return {name: part for name, part in node.fields.items() if keys is None or name in keys}


def word(node: Node, what: str, mistakes: Mistakes) -> str | None:
    """Give a text; a number is taken as it is written in most files, as a name."""
    if isinstance(node.value, str) and node.value:
        return node.value
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return str(node.value)
    mistakes.add(f"{what} must be a name; it is {kind(node)}", node)
    return None


def validate(options: type[Options], node: Node, what: str, mistakes: Mistakes) -> Any:
    """Give the record that a mapping describes, or None with every mistake noted at its own line."""
    if not isinstance(node.value, dict):
        mapping(node, what, mistakes)
        return None
    given = plain(node)
    problems = problems_of(options, given, what)
    for name, message in problems:
        mistakes.add(message, node.fields.get(name, node))
    return None if problems else options.model_validate(given)
