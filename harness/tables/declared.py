"""What a published file declares itself: metrics with unit and direction, and what its models and methods are called."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.metric import OWN, Direction, OwnMetric
from harness.core.spelling import unknown
from harness.plan.yamlfile import Mistakes, Node, collecting, mapping, read

KEY = "reported"
"""A published file with this key holds what others reported."""
KINDS = {"models": "model", "methods": "method", "recipes": "recipe"}
_METRIC = ("title", "unit", "better")
_FIRST = 200
"""Lines in which the key stands."""
_BETTER: dict[str, Direction] = {"higher": "higher", "lower": "lower", "none": "none"}
Texts = Mapping[str, str]


@dataclass(frozen=True)
class Declared:
    """What published files declare."""

    metrics: Mapping[str, OwnMetric] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, Texts]] = field(default_factory=dict)
    """Dimension -> name -> attribute -> text."""

    @property
    def meant(self) -> frozenset[str]:
        """Names that are meant as they are written, however near they are to others."""
        return frozenset(name for named in self.names.values() for name in named)


def declared_in(fields: Mapping[str, Node], mistakes: Mistakes) -> Declared:
    """Read what the top of a file declares; every mistake has its line."""
    metrics = mapping(fields["metrics"], "metrics", mistakes) if "metrics" in fields else {}
    found = {name: _metric(name, node, mistakes) for name, node in metrics.items()}
    names = {kind: _names(fields[key], kind, mistakes) for key, kind in KINDS.items() if key in fields}
    return Declared(found, names)


def declared_of(folder: Path) -> Declared:
    """Read what the files of reported numbers in a folder declare; those of published runs declare nothing.

    Raises: ConfigError for a file that is not YAML, and with every mistake of what is declared.
    """
    parts = []
    for path in sorted(folder.glob("*.yaml")):
        if not is_reported(path):
            continue
        with collecting() as mistakes:
            parts.append(declared_in(read(path, mistakes).fields, mistakes))
    return together(parts)


def is_reported(path: Path) -> bool:
    """Tell a file of reported numbers from one of published runs, without reading it whole."""
    with suppress(OSError, UnicodeDecodeError), path.open(encoding="utf-8") as lines:
        return any(line.startswith(f"{KEY}:") for line in itertools.islice(lines, _FIRST))
    return False


def _metric(name: str, node: Node, mistakes: Mistakes) -> OwnMetric:
    if not name.startswith(OWN) or name == OWN:
        mistakes.add(
            f"'{name}': a metric that a file declares itself is called {OWN}NAME, so that it is never taken for another",
            node,
        )
    said = mapping(node, f"metric '{name}'", mistakes, _METRIC)
    texts = {key: part.raw for key, part in said.items()}
    better = texts.get("better", "none")
    if better not in _BETTER:
        mistakes.add(unknown("direction", better, _BETTER), said["better"])
    return OwnMetric(
        texts.get("title", ""),
        texts.get("unit", ""),
        _BETTER.get(better, "none"),
        f"{Path(node.path).name}:{node.line}",
    )


def _names(node: Node, kind: str, mistakes: Mistakes) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, part in mapping(node, f"{kind}s", mistakes).items():
        said = mapping(part, f"{kind} '{name}'", mistakes)
        found[name] = {key: text.raw for key, text in said.items()}
    return found


def together(parts: Iterable[Declared]) -> Declared:
    """Put the declarations of several files together. Raises: HarnessError for a metric that two files declare differently."""
    metrics: dict[str, OwnMetric] = {}
    names: dict[str, dict[str, Texts]] = {}
    for part in parts:
        for name, own in part.metrics.items():
            known = metrics.setdefault(name, own)
            if (known.unit, known.better) != (own.unit, own.better):
                raise HarnessError(
                    f"two published files declare {name} differently, {known.place} in '{known.unit}' ({known.better} is better) and "
                    f"{own.place} in '{own.unit}' ({own.better}); call one of them otherwise"
                )
        for kind, named in part.names.items():
            names[kind] = {**names.get(kind, {}), **{name: {**texts} for name, texts in named.items()}}
    return Declared(metrics, names)
