"""What a column of numbers in a file of reported numbers is: a metric, or a comparison of it, and how a printed number is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from harness.core.errors import HarnessError
from harness.core.metric import OWN, OwnMetric
from harness.core.metric import metric as metric_named
from harness.core.outcome import Measurement
from harness.core.spec import WORKLOAD_NUMBERS, WORKLOAD_TEXTS
from harness.core.spelling import unknown
from harness.plan.yamlfile import Mistakes, Node, mapping
from harness.tables import printed
from harness.tables.compare import COMPARISONS
from harness.tables.declared import Declared
from harness.tables.formats import factor
from harness.tables.typos import check_names

NOT_AVAILABLE = "N/A"
VERSION = 0
"""Of probes, engines, protocols and metrics: as the source defines them, not as we do."""

_METRIC = ("metric", "as", "baseline", "unit", "slice", "source")
PLAIN_NUMBER = re.compile(r"[-+]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]+)?")
LABELS = ("model", "method", "recipe", "reference")
_PROTOCOL = ("dtype", "scored", "warmups", "repetitions", "gpu_count")
DIMENSIONS = (
    *LABELS,
    *WORKLOAD_NUMBERS,
    *WORKLOAD_TEXTS,
    *_PROTOCOL,
    "environment",
    "gpu",
    "engine",
    "provider",
    "probe",
    "protocol",
)
_COUNTS = ("x",)
"""What may stand behind a number without a unit."""
PLUS_MINUS = "plus-minus as published"


def printed_key(metric: str, comparison: str, part: str) -> str:
    """Name a column of numbers, for the texts that were printed in it."""
    return " ".join(text for text in (metric, comparison, part) if text)


@dataclass(frozen=True)
class MetricVariant:
    """What a column of numbers is: a metric, or a comparison of it with something."""

    metric: str
    unit: str | None = None
    comparison: str | None = None
    baseline: Mapping[str, str] | None = None
    slice: str = ""
    source: str | None = None
    own: OwnMetric | None = None
    """What the file declares of a metric of its own."""

    @property
    def key(self) -> str:
        """The name under which the printed text is kept."""
        return printed_key(self.metric, self.comparison or "", self.slice)

    @property
    def stored(self) -> str:
        """The unit in which values are kept."""
        return "" if self.comparison else self.own.unit if self.own else metric_named(self.metric).unit

    def measurement(self, text: str) -> Measurement:
        """Read a published number. Raises: HarnessError for what is no number or has no such unit."""
        said = printed.read(text)
        if said is None:
            raise HarnessError(f"'{text}' is not a number; write digits, null for nothing, or {NOT_AVAILABLE}")
        if said.value < 0 and metric_named(self.metric).kind != "quality" and not self.comparison:
            raise HarnessError(f"'{text}' {self.stored}: {self.metric} must not be negative")
        scale = self._scale(said)
        return Measurement(
            metric=self.metric,
            metric_version=VERSION,
            slice=self.slice,
            value=float(said.value * scale),
            unit=self.stored,
            low=float((said.value - said.half) * scale),
            high=float((said.value + said.half) * scale),
            interval="rounding" if said.spread is None else PLUS_MINUS,
            n=1,
            source=self.source,
            better=self.own.better if self.own else None,
            comparison=self.comparison,
            baseline=dict(self.baseline or {}),
        )

    def _scale(self, said: printed.Printed) -> Decimal:
        """Return what the printed number is times to be kept. Raises: HarnessError for a unit that is none of the metric's."""
        if self.comparison:
            return Decimal(1)
        shown = self.unit or self.stored
        if said.unit == "%" and self.stored == "fraction":
            return Decimal(1) / 100
        known = said.unit in _COUNTS if shown == self.stored == "" else False
        here = Decimal(1) if known else printed.scale(said.unit, shown)
        if here is None:
            raise HarnessError(f"'{said.unit}' stands behind a number of {self.metric}, whose unit is '{shown}'")
        return here / (Decimal(1) if self.own else factor(self.stored, shown))


def variants_of(node: Node | None, declared: Declared, mistakes: Mistakes) -> dict[str, MetricVariant]:
    """Read a block's `metrics`: column to what its numbers are."""
    found: dict[str, MetricVariant] = {}
    for name, part in (mapping(node, "metrics", mistakes) if node else {}).items():
        said = mapping(part, f"metric '{name}'", mistakes, _METRIC)
        metric, comparison = said["metric"].raw if "metric" in said else name, said.get("as")
        found |= plain_variant(metric, part, declared, mistakes, called=name)
        if comparison is not None and comparison.raw not in COMPARISONS:
            mistakes.add(unknown("comparison", comparison.raw, COMPARISONS), comparison)
        if (comparison is None) != ("baseline" not in said):
            mistakes.add("'as' and 'baseline' belong together: what is compared, and with what", part)
        names_checked(said["baseline"].fields if "baseline" in said else {}, declared, mistakes)
        baseline = {key: value.raw for key, value in said["baseline"].fields.items()} if "baseline" in said else None
        texts: dict[str, Any] = {key: said[key].raw for key in ("unit", "slice", "source") if key in said}
        compared = comparison.raw if comparison else None
        found[name] = replace(found[name], comparison=compared, baseline=baseline, **texts)
    return found


def plain_variant(
    metric: str, node: Node, declared: Declared, mistakes: Mistakes, called: str = ""
) -> dict[str, MetricVariant]:
    """Make a variant of a metric that says nothing of itself but its name."""
    try:
        metric_named(metric)
    except HarnessError as error:
        mistakes.add(f"{error}" if called else f"{error}; the dimensions are {', '.join(DIMENSIONS)}", node)
    if metric.startswith(OWN) and metric not in declared.metrics:
        mistakes.add(
            f"'{metric}' is not declared; add it to 'metrics' at the top: {metric}: {{unit: ms, better: lower}}", node
        )
    return {called or metric: MetricVariant(metric, own=declared.metrics.get(metric))}


def names_checked(said: Mapping[str, Node], declared: Declared, mistakes: Mistakes) -> None:
    """Find misspelt names; what the file itself declares is none."""
    check_names({name: node for name, node in said.items() if node.raw not in declared.meant}, mistakes)
