"""Records of a file of published runs, and what the hash of a run is over.

A file is written whole by `harness publish` and is YAML: `format`, `count` of its runs, each environment once under a
short name, the runs (a head, the job, what became of it, and its measurements, a line each), and at its end, a line for
each run, what pairs item by item with another run. Samples are not in it: a few stand with their measurement, of more there
are statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from harness.core.identity import digest
from harness.core.outcome import Environment, Outcome
from harness.core.spec import Labels, Record
from harness.published.items import PackedItems
from harness.store.session import SessionRecord
from harness.tables.declared import Declared

FORMAT = 2
"""Version of the files; that of 0.1 had none and kept whole arrays."""
PREFIX = "sha256:"
_APART = frozenset({"content", "environment"})
STATISTICS = "statistics"
"""Field of a measurement's entry that no outcome has."""


class PublishedHead(Record):
    """Which run it is."""

    name: str
    content: str
    """Hash of the run's content: see `content_of`."""
    environment: str
    """Name among the file's environments."""
    labels: tuple[Labels, ...] = ()
    """Every place that asks for this job."""


class PublishedRun(Record):
    """A run as it is published."""

    run: PublishedHead
    job: dict[str, Any]
    """`job.json` without the run's name and without paths."""
    outcome: dict[str, Any]
    """`outcome.json` without job, environment and measurements; inputs only where they are not those of the job."""
    measurements: tuple[dict[str, Any], ...] = ()
    """As in `outcome.json`, with `statistics` in the place of many samples."""


class PublishedFile(Record):
    """`results/published/NAME.yaml`."""

    format: int
    count: int
    """Runs in the file, so that one that was cut short or taken out is noticed."""
    environments: dict[str, dict[str, Any]]
    runs: tuple[PublishedRun, ...]
    items: dict[str, dict[int, PackedItems]] = Field(default_factory=dict)
    """By run and place of the measurement, what pairs with another run."""


@dataclass(frozen=True)
class Published:
    """Everything that published files hold; items and statistics by measurement id, RUN#PLACE."""

    outcomes: tuple[Outcome, ...] = ()
    sessions: tuple[SessionRecord, ...] = ()
    items: Mapping[str, PackedItems] = field(default_factory=dict)
    statistics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    declared: Declared = field(default_factory=Declared)


def content_of(entry: Mapping[str, object], environment: str, items: object) -> str:
    """Hash a run as it stands in a file.

    It is the sha256 of the canonical JSON (sorted keys, no spaces, UTF-8) of a list of three: the run's entry as YAML reads
    it, without `content` and `environment` of its head; the sha256 of the canonical JSON of its environment, which
    `environment` gives; and its entry in `items`, null without one. So what counts is all that the file says of the run,
    and neither its place in the file, its environment's short name there, line ends, nor how the YAML is laid out.
    Raises: TypeError, ValueError for what is not JSON, as a date or an infinite number.
    """
    run = entry["run"]
    head = {name: value for name, value in run.items() if name not in _APART} if isinstance(run, dict) else run
    return PREFIX + digest([{**entry, "run": head}, environment, items])


def outcome_of(run: PublishedRun, environment: Environment) -> Outcome:
    """Put an outcome together again. Raises: ValidationError (pydantic) for fields that no outcome has."""
    inputs = [{**item, "path": ""} for item in run.job.get("inputs", ())]
    read = [{**item, "path": ""} for item in run.outcome["inputs"]] if "inputs" in run.outcome else inputs
    measurements = [{key: one for key, one in item.items() if key != STATISTICS} for item in run.measurements]
    job = {**run.job, "run": run.run.name, "inputs": inputs}
    return Outcome.model_validate(
        {**run.outcome, "job": job, "environment": environment, "measurements": measurements, "inputs": read}
    )
