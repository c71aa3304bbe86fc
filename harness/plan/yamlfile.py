"""YAML with line numbers: a tree whose every part knows its place, and a list of everything wrong with a file."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.core import limits
from harness.core.errors import ConfigError, Problem
from harness.core.files import regular_bytes
from harness.core.options import Options, placed_problems_of
from harness.core.spelling import unknown
from harness.plan.yamltext import Loader, check_depth, not_yaml


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
        """Note a mistake at a node's place. Raises: ConfigError with all of them at `limits.MISTAKES`; nobody mends more at a time."""
        problem = Problem(message, node.path, node.line) if node else Problem(message)
        if str(problem) not in self._seen:
            self._seen.add(str(problem))
            self.found.append(problem)
            if len(self.found) >= limits.MISTAKES:
                self.check()

    def check(self) -> None:
        """Raise ConfigError with everything found, in the order of the lines; do nothing where all is well."""
        if self.found:
            found = sorted(self.found, key=lambda problem: (problem.path or "", problem.line or 0))
            more = f"reading ended after {len(found)} mistakes; there may be more"
            raise ConfigError([*found, Problem(more)] if len(found) >= limits.MISTAKES else found)


@contextmanager
def collecting() -> Iterator[Mistakes]:
    """Collect mistakes over a block of work and raise them together at its end."""
    mistakes = Mistakes()
    yield mistakes
    mistakes.check()


_INT = re.compile(r"^[-+]?(0|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str"))
"""Plain YAML. What a scalar is follows from how it is written."""
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
        if path.stat().st_size > limits.YAML_BYTES:
            raise ConfigError(
                [Problem(f"larger than {limits.YAML_BYTES:,} bytes; no file that a person writes is", path)]
            )
        return regular_bytes(path, limits.YAML_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise ConfigError([Problem("no such file", path)]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError([Problem(f"cannot be read as UTF-8 text: {error}", path, line)]) from None
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read as UTF-8 text: {error}", path)]) from None


def parse(text: str, path: str = "<text>", mistakes: Mistakes | None = None) -> Node:
    """Read YAML from a text; `path` is what mistakes name. Duplicate keys: see `read`."""
    try:
        check_depth(text, path)
        root = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise not_yaml(error, text, path) from None
    if root is None:
        return Node(None, path, 1)
    if mistakes is not None:
        return _Reader(path, mistakes).node(root, root.start_mark.line + 1, ())
    with collecting() as own:
        return _Reader(path, own).node(root, root.start_mark.line + 1, ())


@dataclass
class _Reader:
    """Makes our tree of YAML's, and counts its parts: an alias costs what it stands for."""

    path: str
    mistakes: Mistakes
    parts: int = 0
    top: int = 1
    """Line of the outermost key that is being read: of an alias, the lines below are those of what it stands for."""

    def node(self, raw: yaml.Node, line: int, above: tuple[int, ...]) -> Node:
        """Make a node and all below it. Raises: ConfigError for more parts than a file may have."""
        self.parts += 1
        if self.parts > limits.YAML_PARTS:
            most = f"{limits.YAML_PARTS:,} parts"
            raise ConfigError(
                [Problem(f"written out, its aliases make more than {most}; use fewer", self.path, self.top)]
            )
        place = Node(None, self.path, line)
        if len(above) > limits.YAML_DEPTH:
            deep = f"its aliases nest deeper than {limits.YAML_DEPTH} levels; write it flatter"
            raise ConfigError([Problem(deep, self.path, self.top)])
        if id(raw) in above:
            self.mistakes.add("this alias contains itself", place)
            return place
        if raw.tag not in _TAGS:
            self.mistakes.add(f"unknown tag {raw.tag}; leave it out", place)
            return place
        above = (*above, id(raw))
        if isinstance(raw, yaml.MappingNode):
            return Node(self.fields(raw, above), self.path, line)
        if isinstance(raw, yaml.SequenceNode):
            parts = [self.node(part, part.start_mark.line + 1, above) for part in raw.value]
            return Node(parts, self.path, line)
        try:
            return Node(_scalar(raw), self.path, line, str(raw.value))
        except ConfigError as error:
            self.mistakes.add(error.problems[0].message, place)
            return place

    def fields(self, raw: yaml.MappingNode, above: tuple[int, ...]) -> dict[str, Node]:
        """Make the parts of a mapping."""
        fields: dict[str, Node] = {}
        for key, value in raw.value:
            line = key.start_mark.line + 1
            self.top = line if len(above) == 1 else self.top
            if not isinstance(key, yaml.ScalarNode):
                self.mistakes.add("a key must be one word", Node(None, self.path, line))
                continue
            if key.value in fields:
                first = fields[key.value].line
                self.mistakes.add(
                    f"'{key.value}' is given twice, first in line {first}; keep one", Node(None, self.path, line)
                )
            fields[key.value] = self.node(value, line, above)
        return fields


def _scalar(raw: yaml.Node) -> Any:
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


def plain(node: Node) -> Any:
    """Give the values without their places."""
    if isinstance(node.value, dict):
        return {name: plain(part) for name, part in node.value.items()}
    return [plain(part) for part in node.value] if isinstance(node.value, list) else node.value


def kind(node: Node) -> str:
    """Say in a reader's words what a node is."""
    return kind_of(node.value)


def kind_of(value: object) -> str:
    """Say in a reader's words what a value is."""
    names: dict[type, str] = {dict: "a mapping", list: "a list", str: "a word", bool: "true or false", int: "a number"}
    return "empty" if value is None else names.get(type(value), "a number")


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
    problems = placed_problems_of(options, given, what)
    for path, message in problems:
        mistakes.add(message, _down(node, path))
    return None if problems else options.model_validate(given)


def _down(node: Node, path: Sequence[str]) -> Node:
    """Follow names, and numbers of parts, as far as they are there; what else a validator names is passed over."""
    for name in path:
        fields, items = node.fields, list(node.fields.values()) or node.items
        if name in fields:
            node = fields[name]
        elif name.isdecimal() and int(name) < len(items):
            node = items[int(name)]
    return node
