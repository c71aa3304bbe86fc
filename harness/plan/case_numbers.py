"""Plain values of a case: on which GPU, how often, how exactly, how long."""

from __future__ import annotations

import math

from harness.plan.yamlfile import Mistakes, Node, mapping, plain, word


def gpu(node: Node, mistakes: Mistakes) -> str | None:
    """Read `on: {gpu: T4}`."""
    parts = mapping(node, "'on'", mistakes, ("gpu",))
    if "gpu" not in parts:
        if not node.fields:
            mistakes.add("'on' names a machine by its GPU, as {gpu: T4}", node)
        return None
    return word(parts["gpu"], "a GPU", mistakes)


def rounds(node: Node, mistakes: Mistakes) -> int:
    """Read how often speed jobs are run."""
    if isinstance(node.value, int) and not isinstance(node.value, bool) and 1 <= node.value <= 1000:
        return node.value
    mistakes.add(f"'rounds' must be a whole number from 1 to 1000; it is {plain(node)!r}", node)
    return 1


def precision(node: Node, mistakes: Mistakes) -> float:
    """Read from which half-width on fewer rounds are enough: a percentage, or null for never."""
    if node.value is None:
        return 0.0
    text = str(node.value).strip()
    try:
        found = float(text.removesuffix("%")) / 100
    except ValueError:
        found = -1.0
    if text.endswith("%") and 0 <= found < 1:
        return found
    mistakes.add(f"'precision' must be a percentage, e.g. 0.2%, or null, and is {plain(node)!r}", node)
    return 0.0


def timeout(node: Node, mistakes: Mistakes) -> float | None:
    """Read how many seconds a job may take; null is without end."""
    if node.value is None:
        return math.inf
    if isinstance(node.value, int | float) and not isinstance(node.value, bool) and node.value > 0:
        return float(node.value)
    mistakes.add(f"'timeout' must be a number of seconds; it is {plain(node)!r}", node)
    return None


def verify(node: Node, mistakes: Mistakes) -> bool:
    """Read whether float artifacts are verified."""
    if not isinstance(node.value, bool):
        mistakes.add(f"'verify' must be true or false; it is {plain(node)!r}", node)
    return node.value is not False
