"""gate.yaml: the margin that matters by metric, and how often a verdict may be wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from harness.core.metric import METRICS, Metric
from harness.core.options import Options
from harness.core.spelling import unknown
from harness.plan.yamlfile import Mistakes, Node, collecting, read, validate

FILE = "gate.yaml"
SHARES = "fraction"
KINDS = ("speed", "memory", "size", "quality")
_PERCENT = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*%\s*")


class GateFile(Options):
    """gate.yaml as it is written; what a workspace's leaves out stays as shipped."""

    noun = "key"
    margins: dict[str, str | float] = Field(default_factory=dict)
    """By metric, `fraction` or kind of metric: `5 %` of the first side's value, or a number in the metric's unit."""
    false_alarms: str | float | None = None
    """Share of wrong ones among all that one call says is worse or better: `1 %`."""
    false_same: str | float | None = None
    """Share of wrong ones among all that one call says is the same: `5 %`."""
    power: str | float | None = None
    """Chance at which the smallest change that could have been seen is told: `80 %`."""


@dataclass(frozen=True)
class Margin:
    """The least change that matters."""

    size: float
    relative: bool
    """A share of the first side's value; else in the metric's unit."""

    def __str__(self) -> str:
        return f"{100 * self.size:g} %" if self.relative else f"{self.size:g}"


@dataclass(frozen=True)
class Gate:
    """What matters, and how often a verdict may be wrong."""

    margins: Mapping[str, Margin] = field(default_factory=dict)
    false_alarms: float = 0.01
    false_same: float = 0.05
    power: float = 0.8

    def margin(self, metric: Metric) -> Margin | None:
        """Return a metric's margin: its own, that of shares, or of its kind; None where there is none."""
        names = (metric.name, *([SHARES] if metric.unit == "fraction" else []), metric.kind)
        return next((self.margins[name] for name in names if name in self.margins), None)


def read_gate(folders: Sequence[Path]) -> Gate:
    """Read gate.yaml of each folder that has one; later ones override by name. Raises: ConfigError with every mistake."""
    gate = Gate()
    with collecting() as mistakes:
        for path in [folder / FILE for folder in folders if (folder / FILE).is_file()]:
            gate = _over(gate, read(path, mistakes), mistakes)
    return gate


def _over(gate: Gate, root: Node, mistakes: Mistakes) -> Gate:
    said: GateFile | None = GateFile() if root.value is None else validate(GateFile, root, FILE, mistakes)
    if said is None:
        return gate
    listed = root.fields.get("margins", root)
    margins = {
        name: _margin(name, value, listed.fields.get(name, listed), mistakes) for name, value in said.margins.items()
    }
    rates = {
        name: _rate(name, getattr(said, name), getattr(gate, name), root.fields.get(name, root), mistakes)
        for name in ("false_alarms", "false_same", "power")
    }
    return Gate({**gate.margins, **{name: one for name, one in margins.items() if one}}, **rates)


def _margin(name: str, value: str | float, node: Node, mistakes: Mistakes) -> Margin | None:
    known = {*METRICS, *KINDS, SHARES}
    if name not in known and "." not in name:
        mistakes.add(unknown("metric or kind in margins", name, known), node)
        return None
    share = _share(value)
    size = share if share is not None else value
    if isinstance(size, str) or not 0 < size < math.inf:
        mistakes.add(f"the margin of '{name}' must be above 0, as `5 %` or 0.01; it is {value!r}", node)
        return None
    return Margin(float(size), share is not None)


def _rate(name: str, value: str | float | None, before: float, node: Node, mistakes: Mistakes) -> float:
    if value is None:
        return before
    share = _share(value)
    rate = share if share is not None else value
    if isinstance(rate, str) or not 0 < rate < 1:
        mistakes.add(f"'{name}' must lie between 0 and 100 %, as `1 %`; it is {value!r}", node)
        return before
    return float(rate)


def _share(value: str | float) -> float | None:
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else float(found[1]) / 100
