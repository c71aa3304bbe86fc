"""The sweep as records: what a person wrote, merged, valid, every list opened into its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core.metric import OwnMetric
from harness.core.seam import Engine, Probe
from harness.core.spec import Kind
from harness.plan.entries import OTHER
from harness.plan.yamlfile import Node


@dataclass(frozen=True)
class Named:
    """A name with its place."""

    name: str
    node: Node


@dataclass(frozen=True)
class Choice:
    """A method, and the quantizer where the sweep chooses between recipes."""

    method: str
    quantizer: str | None
    node: Node


@dataclass(frozen=True)
class EngineChoice:
    """An engine with one value for each of its options."""

    adapter: Engine
    options: dict[str, Any]
    """Canonical: defaults left out."""
    record: Any
    node: Node
    said: frozenset[str] = frozenset()
    """Options that the sweep gives, defaults among them."""

    @property
    def provider(self) -> str:
        """Provider or device that the options ask for."""
        return self.adapter.provider(self.record)


@dataclass(frozen=True)
class Places:
    """Environment by adapter, or one for all."""

    names: Mapping[str, str]
    node: Node

    def of(self, adapter: str) -> str | None:
        """Name the environment in which an adapter runs; None where the sweep does not say it."""
        return self.names.get(adapter, self.names.get(OTHER))


@dataclass(frozen=True)
class ReferenceChoice:
    """What a candidate is compared with; without an engine, the candidate's own."""

    method: Choice
    engine: EngineChoice | None


@dataclass(frozen=True)
class ProbeWork:
    """A probe with one value for each field of its workload."""

    adapter: Probe
    workload: dict[str, Any]
    record: Any
    reference: ReferenceChoice | None
    node: Node
    declared: Mapping[str, OwnMetric] = field(default_factory=dict)
    """Metrics of somebody's own that it names, with unit and direction."""


@dataclass(frozen=True)
class Case:
    """One product: every model by every method by every engine by every environment by every piece of work."""

    block: str
    models: tuple[Named, ...]
    methods: tuple[Choice, ...]
    engines: tuple[EngineChoice, ...]
    places: tuple[Places, ...]
    works: tuple[ProbeWork, ...]
    gpu: str | None
    skip: tuple[Mapping[str, tuple[str, ...]], ...]
    rounds: int
    precision: float
    """Relative half-width of the interval between rounds from which on fewer rounds are enough; 0: never."""
    timeout: float | None
    node: Node


@dataclass(frozen=True)
class Sweep:
    """A sweep file, read and valid."""

    name: str
    path: Path
    cases: tuple[Case, ...]
    title: str = ""
    tables: tuple[str, ...] = ()
    """Table specs to render when the sweep has run."""
    rerun: tuple[Kind, ...] = ()
    """Kinds of jobs that are run anew even where their result is known."""
    verify: bool = True
    """Whether float artifacts are held against their model before anything is measured from them."""


AXES = ("model", "method", "engine", "environment", "probes")


SCOPE = (*AXES, "skip", "on", "rounds", "precision", "timeout", "cases")
"""Keys of a block and of a case; given at the top they are the defaults of all blocks."""


SKIP = ("model", "method", "engine", "environment", "probe")


DEFAULT_ENVIRONMENT = "cpu"


ROUNDS = 8
"""Processes that measure each speed job where a sweep does not say it: so many find a slowdown of 6 to 7 % in seven to eight of ten sessions (tests/benchmarks/README.md)."""


PRECISION = 0.002
"""Where a sweep does not say it. Processes differ by 0.7 % and more, so that three of them seldom agree so well by chance."""


REFERENCE = ("method", "engine")
