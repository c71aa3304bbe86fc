"""How large what people hand us may be. Generous: whoever meets one has made a mistake, or is no friend."""

from __future__ import annotations

from typing import Any

YAML_BYTES = 8_000_000
"""A file that a person writes. Published results are no such file."""
READ_BYTES = 2_000_000_000
"""A result file or a page of others, and a file of published results."""
YAML_DEPTH = 60
"""Brackets or indents inside one another."""
YAML_PARTS = 300_000
"""Parts of a file once its aliases are written out."""
PUBLISHED_PARTS = 50_000_000
"""Parts of a file of published results, written out alike."""
DIGITS = 60
"""Digits of a number."""
MISTAKES = 100
"""Mistakes told of one reading."""
JOBS = 100_000
"""Jobs of a sweep."""
BROUGHT_BYTES = 50_000_000_000
"""All files of one run, or of one tar, that `ingest` takes in."""


def parts_of(found: Any, most: int) -> int:
    """Count the parts of a value read from a file, each as often as it is referred to, without writing them out.

    most: what a part that contains itself counts as, and one more. Raises: RecursionError for what is nested too deep.
    """
    return _parts(found, {}, most)


def _parts(found: Any, counted: dict[int, int], most: int) -> int:
    if not isinstance(found, dict | list):
        return 1
    if id(found) not in counted:
        counted[id(found)] = most + 1  # of what contains itself
        below = [*found, *found.values()] if isinstance(found, dict) else found
        counted[id(found)] = 1 + sum(_parts(item, counted, most) for item in below)
    return counted[id(found)]
