"""Plots of pages as YAML says them: `NAME.plots.yaml` beside the table specs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from harness.core.errors import ConfigError, Problem
from harness.core.metric import METRICS, OWN
from harness.core.options import Options
from harness.core.spelling import unknown
from harness.plan.yamlfile import Mistakes, Node, collecting, mapping, read, validate
from harness.store.columns import COLUMNS

SUFFIX = ".plots.yaml"
PlotValue = str | int | float | bool


class PlotEntry(Options):
    """A plot: `history: METRIC` over sessions, or `quality: METRIC` with `against: METRIC`, a point per method."""

    history: str | None = None
    quality: str | None = None
    against: str | None = None
    where: dict[str, PlotValue | list[PlotValue]] = Field(default_factory=dict)
    """Column to value or values, as in table specs."""
    title: str = ""


@dataclass(frozen=True)
class PlotSpec:
    """A plot by name, and where it stands."""

    name: str
    entry: PlotEntry
    path: Path
    line: int | None

    def wrong(self, message: str) -> ConfigError:
        """Make the error that names the plot's place."""
        return ConfigError([Problem(f"plot '{self.name}': {message}", self.path, self.line)])


def plots_in(folders: Sequence[Path]) -> dict[str, PlotSpec]:
    """Read all plots of folders; one of a later folder stands in the place of one of its name. Raises: ConfigError with every mistake."""
    found: dict[str, PlotSpec] = {}
    with collecting() as mistakes:
        for path in (path for folder in folders for path in sorted(folder.glob(f"*{SUFFIX}"))):
            for name, node in mapping(read(path, mistakes), "a file of plots", mistakes).items():
                entry = _entry(name, node, mistakes)
                if entry is not None:
                    found[name] = PlotSpec(name, entry, path, node.line)
    return found


def _entry(name: str, node: Node, mistakes: Mistakes) -> PlotEntry | None:
    entry: PlotEntry | None = validate(PlotEntry, node, f"plot '{name}'", mistakes)
    if entry is None:
        return None
    if not name.replace("-", "").replace("_", "").isalnum():
        mistakes.add(f"plot '{name}': a file is called so; use letters, digits, - and _", node)
    if (entry.history is None) == (entry.quality is None) or (entry.quality is None) != (entry.against is None):
        mistakes.add(f"plot '{name}' says `history: METRIC`, or `quality: METRIC` and `against: METRIC`", node)
    for key in ("history", "quality", "against"):
        metric = getattr(entry, key)
        if metric is not None and metric not in METRICS and not metric.startswith((OWN, "lm_eval.")):
            mistakes.add(unknown("metric", metric, METRICS), node.fields[key])
    for column in entry.where:
        if column not in COLUMNS:
            mistakes.add(unknown("column", column, COLUMNS), node.fields["where"].fields.get(column, node))
    return entry
