"""What a reader of one format finds in a file: one `Found` per run, numbers in our units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from harness.core.outcome import Environment, Gpu, Protocol
from harness.core.seam import MetricValue
from harness.core.spec import Note
from harness.formats.source import FileSource

UNKNOWN = "unknown"
AS_DEFINED_THERE = 0
"""Version of metrics, probes and engines that are not our own procedure."""


@dataclass(frozen=True)
class Number:
    """One value in the unit of its metric; `slice` is `stat:p99` where the file gives a statistic other than the metric's."""

    metric: str
    value: float
    slice: str = ""
    samples: tuple[float, ...] = ()
    n: int | None = None
    low: float | None = None
    high: float | None = None
    interval: str | None = None
    source: str | None = None
    """How memory was counted."""
    items: str | None = None
    """Hash of the questions that the samples belong to."""
    better: Literal["higher", "lower", "none"] | None = None
    """Which way is better, where the file says it."""
    comparison: str | None = None
    baseline: Mapping[str, str] = field(default_factory=dict)
    unit: str | None = None
    """Where that is not its metric's to say: of a comparison, or of a metric of somebody's own."""


@dataclass(frozen=True)
class Found:
    """One run as a file describes it; what the file does not say is absent or `unknown`."""

    kind: Literal["quality", "speed"]
    probe: str
    workload: Mapping[str, Any]
    engine: str
    numbers: tuple[Number, ...]
    protocol: Protocol
    environment: Environment
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    """Model, method and other labels, as the file calls them."""
    provider: str | None = None
    started: datetime | None = None
    """Without a zone where the file gives none."""
    seconds: float = 0.0
    notes: tuple[Note, ...] = ()
    title: str | None = None
    """What to cite instead of the format's own title."""
    url: str | None = None
    version: str | None = None
    configuration: str | None = None
    unsupported: str | None = None
    """Why there are no numbers, where the file says that there can be none."""


@dataclass(frozen=True)
class FileContents:
    """All that was found in a file, and the names of what was not taken."""

    runs: tuple[Found, ...]
    left: tuple[str, ...] = ()
    missing: Mapping[str, int] = field(default_factory=dict)
    """How many cells of a table hold a mark that stands for nothing, by mark."""


@dataclass(frozen=True)
class FileFormat:
    """A kind of file: how to tell it and how to read it.

    recognizes: looks at a file's shape only. read: Raises ConfigError naming the file and what is wrong with it.
    """

    name: str
    title: str
    """What is cited, as `vLLM serving benchmark`."""
    recognizes: Callable[[FileSource], bool]
    read: Callable[[FileSource], FileContents]


def place(
    gpus: tuple[Gpu, ...] = (),
    packages: Mapping[str, str | None] | None = None,
    *,
    name: str = "imported",
    **facts: Any,
) -> Environment:
    """Describe a machine as far as a file does; `unknown` stands for the texts that it leaves out."""
    texts: dict[str, Any] = {
        key: str(facts.pop(key, None) or UNKNOWN) for key in ("python", "system", "machine", "cpu")
    }
    there = {key: version for key, version in (packages or {}).items() if version}
    return Environment(name=name, machine_id=UNKNOWN, gpus=gpus, packages=there, **texts, **facts)


def numbers(*found: Number | None) -> tuple[Number, ...]:
    """Keep the numbers that a file gives."""
    return tuple(number for number in found if number is not None)


def given(**values: Any) -> dict[str, Any]:
    """Keep the values that are there."""
    return {name: value for name, value in values.items() if value is not None}


def metric_value_of(number: Number) -> MetricValue:
    """Make of a number what a probe's numbers are, its metric as others define it."""
    import numpy as np

    return MetricValue(
        metric=number.metric,
        value=number.value,
        samples=np.asarray(number.samples, dtype=np.float64),
        slice=number.slice,
        low=number.low,
        high=number.high,
        interval=number.interval,
        n=number.n or len(number.samples) or 1,
        source=number.source,
        items=number.items,
        better=number.better,
        unit=number.unit,
        version=AS_DEFINED_THERE,
    )
