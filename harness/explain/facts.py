"""What an explanation says of a number's origin, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measured:
    """A measurement as it is stored."""

    id: str
    metric: str
    metric_version: int
    slice: str
    value: float
    unit: str
    low: float | None
    high: float | None
    interval: str | None
    n: int
    comparison: str | None
    """What was published in place of the metric itself, as `ratio`; None for values."""
    baseline: Mapping[str, str]
    """What that comparison is to."""
    source: str | None
    samples: tuple[float, ...]
    """All of them where they are few; else none, and the summary tells them."""
    summary: Mapping[str, float]
    shape: tuple[int, ...]
    kept: str
    """What is kept of the samples, in words."""


@dataclass(frozen=True)
class Process:
    """A round of the sitting that a number is the mean of."""

    run: str
    round: int
    started: str
    value: float
    unit: str
    conditions: Mapping[str, Any]
    notes: tuple[str, ...]
    at_1ms: float | None = None
    """The value at a pace of 1 ms of the machine, where that was timed between its repetitions."""


@dataclass(frozen=True)
class OverRounds:
    """A number over the rounds of its session, each a process."""

    value: float
    low: float | None
    high: float | None
    unit: str
    processes: tuple[Process, ...]
    marks: tuple[str, ...]


@dataclass(frozen=True)
class RecipeText:
    """What was done: a quantizer with its options, or a probe on an engine with its."""

    does: str
    """build or measure."""
    name: str
    version: int
    options: Mapping[str, Any]
    probe: str = ""
    workload: Mapping[str, Any] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Read:
    """An artifact or model that a run read, or the artifact that it made."""

    role: str
    id: str
    content: str | None
    made_by: str
    """Run that made it; empty for models, and where the source does not hold that run."""
    facts: Mapping[str, Any]
    """Provenance of a model; size, format and layers of what was made."""


@dataclass(frozen=True)
class EnvironmentText:
    """The machine and what was installed on it, as far as it can change a number."""

    name: str
    gpus: tuple[str, ...]
    driver: str | None
    cuda: str | None
    cpu: str
    cores: int | None
    memory_bytes: int | None
    system: str
    python: str
    packages: Mapping[str, str]
    threads: Mapping[str, str]
    provider: str | None


@dataclass(frozen=True)
class Harness:
    """Which harness measured: `dirty` where its tree held uncommitted changes."""

    version: str
    commit: str
    dirty: bool


@dataclass(frozen=True)
class Provenance:
    """One run, as far as it stands behind a cell."""

    role: str
    """value, baseline, run, or what it made for the others: artifact, base, reference."""
    run: str
    kind: str
    status: str
    reason: str | None
    origin: str
    started: str
    """UTC; for reported numbers the day of publication."""
    seconds: float
    session: str
    labels: Mapping[str, str]
    command: str
    """Empty for numbers that were not measured here."""
    rerun: str
    """Command that measures or makes it anew."""
    citation: Mapping[str, str]
    """Empty for measured numbers."""
    measured: Measured | None
    over_rounds: OverRounds | None
    """What the cell shows where it is the mean over a session's rounds."""
    recipe: RecipeText
    protocol: Mapping[str, Any]
    artifacts: tuple[Read, ...]
    environment: EnvironmentText
    harness: Harness | None
    notes: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """What a person does not let count of the same work, in the session or since."""
    executed: Mapping[str, Any] = field(default_factory=dict)
    """What really ran, as `Executed`; empty where nobody wrote it down."""
