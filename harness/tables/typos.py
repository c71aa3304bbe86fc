"""Names in a hand-written file that are one slip away from a name that is known here: they would open rows of their own."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

from harness.engines import ENGINES
from harness.environments import LAYERS, SHIPPED
from harness.plan.yamlfile import Mistakes, Node, read
from harness.probes import PROBES

CATALOGUES = {"model": "models.yaml", "method": "methods.yaml"}
_LEAST = 4
"""Letters from which on a name that differs by one is a slip and not another name, as `nf4` and `sf4` are."""


def check_names(said: Mapping[str, Node], mistakes: Mistakes, configs: Sequence[Path] | None = None) -> None:
    """Note the models, methods, engines and probes that are misspelt; others may have any of their own."""
    layers = tuple(configs) if configs is not None else _layers()
    for dimension in ("model", "method", "engine", "probe"):
        node = said.get(dimension)
        near = nearest(node.raw, _known(dimension, layers)) if node is not None and node.raw else None
        if node is not None and near is not None:
            remedy = f", or enter '{node.raw}' in {CATALOGUES[dimension]}" if dimension in CATALOGUES else ""
            mistakes.add(f"unknown {dimension} '{node.raw}'; write '{near}'{remedy}", node)


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that another one misspells; None for a known name and for one of its own."""
    return None if name in known else next((other for other in sorted(known) if _is_slip(name, other)), None)


def _is_slip(name: str, known: str) -> bool:
    """Tell a slip: case and signs aside the same, or one letter dropped, added, replaced or swapped; digits are meant."""
    if re.findall(r"\d+", name) != re.findall(r"\d+", known):
        return False
    one, other = (re.sub(r"[\W_]", "", text.casefold()) for text in (name, known))
    start = next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    one, other = one[start:], other[start:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    swapped = len(one) == 2 and one == other[::-1]
    return not (one or other) or (min(len(name), len(known)) >= _LEAST and (swapped or max(len(one), len(other)) == 1))


def _layers() -> tuple[Path, ...]:
    """Name the folders of catalogues that hold here: the shipped one, and that of a workspace of one's own."""
    said = os.environ.get(LAYERS)
    return tuple(map(Path, said.split(os.pathsep))) if said else (SHIPPED / "configs",)


@cache
def _known(dimension: str, layers: tuple[Path, ...]) -> frozenset[str]:
    if dimension not in CATALOGUES:
        return frozenset({"engine": ENGINES, "probe": PROBES}[dimension])
    paths = [folder / CATALOGUES[dimension] for folder in layers]
    return frozenset(name for path in paths if path.is_file() for name in read(path, Mistakes()).fields)
