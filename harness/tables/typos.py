"""Names in a hand-written file that are one slip away from a name that is known here: they would open rows of their own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from harness.core.spelling import nearest
from harness.engines import ENGINES
from harness.environments import LAYERS, SHIPPED
from harness.plan.yamlfile import Mistakes, Node, read
from harness.probes import PROBES

CATALOGUES = {"model": "models.yaml", "method": "methods.yaml"}


def check_names(said: Mapping[str, Node], mistakes: Mistakes, configs: Sequence[Path] | None = None) -> None:
    """Note the models, methods, engines and probes that are misspelt; others may have any of their own."""
    layers = tuple(configs) if configs is not None else _layers()
    for dimension in ("model", "method", "engine", "probe"):
        node = said.get(dimension)
        near = nearest(node.raw, _known(dimension, layers)) if node is not None and node.raw else None
        if node is not None and near is not None:
            remedy = f", or enter '{node.raw}' in {CATALOGUES[dimension]}" if dimension in CATALOGUES else ""
            mistakes.add(f"unknown {dimension} '{node.raw}'; write '{near}'{remedy}", node)


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
