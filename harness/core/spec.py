"""The records that meet a file: jobs in, outcomes out. Every field whose meaning is not its name says what it means.

Files keep the names that version 0.1.0 wrote: a field that is called otherwise here has that name as its alias.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from harness.core.metric import OwnMetric

SCHEMA_VERSION = 1
JsonObject = dict[str, object]
"""A JSON object whose names others choose; who reads a value of it says first what it is."""


class Record(BaseModel):
    """A frozen record; unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), ser_json_inf_nan="strings", validate_by_name=True,
        validate_by_alias=True, serialize_by_alias=True,
    )  # fmt: skip


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not finite; a result that is not a number is a failure, not a measurement")
    return value


Finite = Annotated[float, AfterValidator(_finite)]


class Status(StrEnum):
    """What became of a job. Only `ok` makes it known."""

    OK = "ok"
    FAILED = "failed"
    OOM = "oom"
    TIMEOUT = "timeout"
    UNSUPPORTED = "unsupported"


Kind = Literal["build", "reference", "quality", "speed"]
"""What makes a job known depends on it: builds and references by artifact, quality by record, speed never."""
Origin = Literal["measured", "reported", "imported"]


class BuildSpec(Record):
    """What can change an artifact; its digest is the build key."""

    quantizer: str
    version: int
    options: dict[str, Any] = {}
    """Options in canonical form: defaults left out."""
    model: str
    """Content hash of the model: weights, configuration, tokenizer; of the command line's base too."""
    base: str | None = None
    """Artifact id of the artifact that this one is made from."""
    contents: dict[str, str] = {}
    """Content hashes of what else is read, as calibration texts."""


WORKLOAD_NUMBERS = (
    "batch",
    "prompt",
    "output",
    "depth",
    "concurrency",
    "request_rate",
    "shots",
    "limit",
    "window",
    "stride",
    "tokens",
)
"""Numbers of a workload that a table can name; depth: tokens before the prompt, request_rate: per second, "inf" for all at once."""
WORKLOAD_TEXTS = ("text", "task")
"""Texts of a workload that a table can name."""


class MeasureSpec(Record):
    """What can change a measurement; its digest is the measure key."""

    probe: str
    version: int
    workload: dict[str, Any] = {}
    """The workload in canonical form: defaults left out."""
    engine: str
    engine_version: int
    engine_options: dict[str, Any] = {}
    artifact: str
    """Artifact id, or for a ready artifact its content hash."""
    reference: str | None = None
    """Artifact id of the stored reference, or of the reference's weights where it is run live."""
    reference_engine: str | None = None
    """For a live reference: canonical JSON of engine, version and options; None where it is the same as `engine`."""
    contents: dict[str, str] = {}
    """Content hashes of the texts and questions that the probe reads."""


class Labels(Record):
    """What people call things; never part of a key."""

    sweep: str = ""
    block: str = ""
    model: str = ""
    method: str = ""
    recipe: str = ""
    """Which quantizer realized the method."""
    reference: str = ""
    """Method (and engine where it differs) that a comparison with a reference refers to."""


class Input(Record):
    """An artifact or model folder that a job reads."""

    role: Literal["model", "base", "artifact", "reference", "native"]
    id: str
    path: str
    """Folder, absolute while the job runs; empty in what is kept for others."""
    content: str | None = None
    """Content hash that the folder must have; None where this job is the first to see it."""
    engine: str | None = None
    """For a live reference: the engine that opens it."""
    engine_options: dict[str, Any] = {}
    provenance: dict[str, str] = {}
    """Where a model came from: hub id, revision, `random` seed, or `local`."""


class Note(Record):
    """Something that a reader of the number must know: a workaround, an instability, a floor."""

    code: str
    text: str


class Job(Record):
    """One line of work: `job.json` in a run folder."""

    schema_version: int = SCHEMA_VERSION
    run: str
    """Name of the run folder; unique for ever."""
    kind: Kind
    key: str
    """sha256 of the canonical spec."""
    artifact: str | None = None
    """For builds and references: id of the artifact to make."""
    spec: BuildSpec | MeasureSpec
    inputs: tuple[Input, ...] = ()
    environment: str
    """Name in environments.yaml."""
    labels: Labels = Labels()
    session: str = ""
    """The command that asked for it; an interrupted command is continued under the same session."""
    round: int = 0
    """Which fresh process of a speed job this is."""
    order: int = 0
    """Place in the order in which this session ran its jobs."""
    timeout_seconds: float | None = None
    """When it is ended, if ever."""
    out: str | None = None
    """Folder to seal the artifact as."""
    content_before: str | None = None
    """Content hash that the artifact had when it was made before, here, from the same inputs."""
    own_process: bool = Field(default=False, validation_alias="clean", serialization_alias="clean")
    """The job needs a process in which nothing was done but jobs of its round on the same artifact."""
    output: str | None = None
    """Hash of the tokens that another process generated greedily for the same work."""
    declared: dict[str, OwnMetric] = {}
    """Unit and direction of the metrics of somebody's own that the workload names."""
    notes: tuple[Note, ...] = ()
    """What the runner knows of its inputs, as that a baseline is unverified; the worker copies them into the outcome."""
    not_before: AwareDatetime | None = None
    """Moment from which on it counts, where the clock stood before what this results folder had already seen."""
