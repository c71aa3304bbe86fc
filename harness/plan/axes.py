"""Merging and opening: patches over enclosing keys, and lists into every combination of their values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

from harness.core import limits
from harness.core.options import Options
from harness.plan.adapters import takes_list
from harness.plan.yamlfile import Mistakes, Node


def merged(enclosing: Mapping[str, Node], patch: Mapping[str, Node]) -> dict[str, Node]:
    """Lay a patch over enclosing keys: `probes` field by field, everything else as a whole.

    A probe that the patch gives as null is taken out.
    """
    result = {**enclosing, **patch}
    if "probes" in enclosing and "probes" in patch:
        result["probes"] = _probes(enclosing["probes"], patch["probes"])
    return result


def _probes(enclosing: Node, patch: Node) -> Node:
    if not isinstance(enclosing.value, dict) or not isinstance(patch.value, dict):
        return patch
    fields = dict(enclosing.value)
    for name, node in patch.value.items():
        before = fields.get(name)
        if node.value is None and before is not None:
            del fields[name]
        elif before is not None and isinstance(before.value, dict) and isinstance(node.value, dict):
            fields[name] = Node({**before.value, **node.value}, node.path, node.line)
        else:
            fields[name] = node
    return Node(fields, patch.path, patch.line)


def products(fields: Mapping[str, Node], options: type[Options], mistakes: Mistakes) -> Iterator[dict[str, Node]]:
    """Open every list into its values and yield each combination.

    A list given for an option whose own type is a list is one value; a list of lists is then the axis.
    """
    axes = {name: _values(name, node, options, mistakes) for name, node in fields.items()}
    axes = {name: values for name, values in axes.items() if values}
    count = math.prod(len(values) for values in axes.values())
    if count > limits.JOBS:
        most = f"{limits.JOBS:,}"
        mistakes.add(f"these lists make {count:,} combinations, more than {most}", next(iter(fields.values())))
        return
    for combination in itertools.product(*axes.values()):
        yield dict(zip(axes, combination, strict=True))


def _values(name: str, node: Node, options: type[Options], mistakes: Mistakes) -> list[Node]:
    if not isinstance(node.value, list):
        return [node]
    if takes_list(options, name):
        nested = bool(node.value) and all(isinstance(part.value, list) for part in node.value)
        return list(node.value) if nested else [node]
    if not node.value:
        mistakes.add(f"'{name}' is empty: give at least one value, or leave the key out", node)
    return list(node.value)
