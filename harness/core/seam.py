"""The seams: adapters are frozen records of plain functions in modules whose top-level imports are light."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.core.capabilities import Capability, Needs
from harness.core.executed import Executed
from harness.core.folder_formats import FolderFormat, Format
from harness.core.metric import OwnMetric
from harness.core.model_record import ModelRecord
from harness.core.options import Options
from harness.core.outcome import Protocol as ProtocolRecord
from harness.core.sessions import Reach, Session
from harness.core.shipped_packages import place, refusal
from harness.core.spec import Kind, Note

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating[Any]]
    IntArray = NDArray[np.integer[Any]]


FloatType = Literal["float32", "float16", "bfloat16"]


# ---------------------------------------------------------------- quantizers


@dataclass(frozen=True)
class Base:
    """What a quantizer starts from: the model's own folder, or another artifact."""

    path: Path
    format: Format
    model: Path
    """The model's own folder (weights, configuration, tokenizer) also where the base is an artifact."""


@dataclass(frozen=True)
class Built:
    """What a quantizer says of what it made."""

    format: Format
    layers: dict[str, int] = field(default_factory=dict)
    """Number of weight matrices by type and block size, read back from the graph."""
    notes: tuple[Note, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()
    """Options that change other files than the weights: what differs in them alone may have equal weights."""


@dataclass(frozen=True)
class Quantizer:
    """Makes an artifact of one format.

    `build` fills an empty folder and returns what it made; the worker names, times, sizes, hashes and seals it.
    `refuse` returns why these options cannot be met on this machine (`Facts`), or None.
    `contents` lists the files, by role, whose content can change the artifact; they are hashed into the key.
    """

    name: str
    version: int
    consumes: tuple[Format, ...]
    """`hf`: starts from the model; `ort-genai`: starts from another method's artifact."""
    produces: Format
    options: type[Options]
    packages: tuple[str, ...]
    build: Callable[[Base, Any, Path, Context], Built]
    refuse: Callable[[Any, Facts], str | None] = lambda options, facts: None
    refuse_model: Callable[[Any, Facts, ModelRecord], str | None] = lambda options, facts, record: None
    """Says why these options cannot be met for this model, known from its configuration alone."""
    foretells: Callable[[Any, ModelRecord], tuple[str, ...]] = lambda options, record: ()
    """Says what these options come to for this model that a person might not expect; `plan` tells it."""
    contents: Callable[[Any], Mapping[str, Path]] = lambda options: {}
    located: tuple[str, ...] = ()
    """Options that only say where something in `contents` lies; the content's hash stands for them in the key."""
    provider_field: str | None = None
    """Option that takes the engine's provider where the recipe does not say it."""
    consumes_field: str | None = None
    """Option that says which of `consumes` it starts from, where the options decide."""
    produces_field: str | None = None
    """Option that says what it makes in the place of `produces`, where the options decide."""
    calibrates_on: Callable[[Any], str] = lambda options: "cpu"
    """Device or provider that calibration runs on, by options; beside `cpu` the GPU's model is part of the artifact's id."""
    floats: Callable[[Any], FloatType | None] = lambda options: None
    """Float type of all weights of what these options make; None where anything is quantized. Such an artifact is verified."""
    imports: Callable[[], None] = lambda: None
    """Import what `build` needs, so that the worker can time it apart from the build; `build` calls it too."""
    runtime: tuple[str, ...] = ()
    """Packages that engines need, beside their own, to open what it makes."""
    capability: Callable[[Any], tuple[int, int] | None] = lambda options: None
    """Compute capability from which on a CUDA device multiplies what these options make; None where any does."""


@dataclass(frozen=True)
class Facts:
    """What planning knows of the environment in which a job would run; no package is imported to find it."""

    packages: Mapping[str, str]
    system: str
    gpus: tuple[str, ...] = ()
    gpu_bytes: int | None = None
    memory_bytes: int | None = None
    """Main memory of the machine."""
    compute: tuple[int, int] | None = None
    """Compute capability of its GPUs, of different ones the highest; None where no driver tells."""
    compute_gpu: str = ""
    """The GPU that has it, where there are several."""
    interpreter: Path | None = None
    """Where the environment's Python lies, programs beside it."""
    name: str = ""
    """The environment's, where it has one."""

    def wants(self, *needs: str, device: str = "cpu") -> str | None:
        """Say which package this environment lacks or has in a release that does not serve, or why torch has no such device; and what to do."""
        return refusal(self.packages, needs, name=self.name, system=self.system, gpu=bool(self.gpus), device=device)

    @property
    def place(self) -> str:
        """The environment in words."""
        return place(self.name)


# ---------------------------------------------------------------- engines


@dataclass(frozen=True)
class Engine:
    """Opens artifacts of the formats it consumes and offers capabilities.

    `open(folder, options)` is a context manager of a session. `refuse` returns why these options cannot be met.
    """

    name: str
    version: int
    consumes: tuple[Format, ...]
    offers: frozenset[Capability]
    """What its sessions can be asked; names that nobody here knows are for probes that do."""
    options: type[Options]
    packages: tuple[str, ...]
    open: Callable[[Path, Any], AbstractContextManager[Session]]
    refuse: Callable[[Any, Facts], str | None] = lambda options, facts: None
    refuse_model: Callable[[Any, Facts, ModelRecord], str | None] = lambda options, facts, record: None
    """Says why a model cannot be opened, known from its configuration alone; also asked of what was made from it."""
    refuse_reach: Callable[[Any, ModelRecord, Reach], str | None] = lambda options, record, reach: None
    """Says why work that goes so far into the context of a model cannot be done rightly."""
    provider: Callable[[Any], str] = lambda options: "cpu"
    """The provider or device that the options ask for."""
    floats: Callable[[Any], FloatType | None] = lambda options: None
    """Float type in which these options hold a model's own folder; None where that is not known."""
    truth: str = "transformers"
    """Engine that says what a model itself computes: it opens the model's own folder and offers `whole`."""
    title: str = ""
    formats: tuple[FolderFormat, ...] = ()
    """Formats that it brings with it, each with how a folder is recognized; those of other engines need no second telling."""
    inspect: Callable[[Path, Any], Executed] | None = None
    """Opens an artifact once more, before it is measured, and says what really runs; for sessions that cannot say it themselves (`TellsExecuted`)."""
    imports: Callable[[], None] = lambda: None
    """Import what sessions need, so that the memory of libraries can be told from that of an opened artifact."""


# ---------------------------------------------------------------- probes


@dataclass(frozen=True)
class MetricValue:
    """What a probe found for one metric, before it becomes a `Measurement`.

    samples: numeric array of any shape (repetitions, items, positions); kept whole. `value` is the metric's definition applied to them; low/high their interval.
    """

    metric: str
    value: float
    samples: FloatArray | IntArray
    slice: str = ""
    low: float | None = None
    high: float | None = None
    interval: str | None = None
    n: int | None = None
    """Samples behind the value where it is not the array's size."""
    source: str | None = None
    items: str | None = None
    better: Literal["higher", "lower", "none"] | None = None
    """Which way is better, where the metric's record does not say it."""
    unit: str | None = None
    """In which it is, where the metric's record does not say it."""
    version: int | None = None
    """Of the metric's definition, where it is not our own: 0."""
    array: str | None = None
    """Name of the array to keep; None keeps few samples in the measurement itself, more under the metric's name."""


@dataclass(frozen=True)
class ProbeResult:
    """All that one measure job found out."""

    values: tuple[MetricValue, ...]
    protocol: ProtocolRecord
    notes: tuple[Note, ...] = ()
    arrays: Mapping[str, FloatArray | IntArray] = field(default_factory=dict)
    """Further per-item arrays to keep, as choice log-likelihoods [questions, 4]."""
    executed: Executed | None = None
    """What a program says that it ran."""


@dataclass
class Context:
    """What a job may use beside its inputs."""

    folder: Path
    """Run folder; scratch files may be written here."""
    progress: Callable[[float, str], None] = lambda share, what: None
    """Tell how far the job is: a share from 0 to 1 and what is being done."""
    reference: Path | None = None
    """Folder of a stored reference."""
    native: Path | None = None
    """For a verification in a 16-bit type: folder of what the model itself computes in that type."""
    reference_revision: str = ""
    """Id of the artifact that the stored reference is to be made from, where the plan says it."""
    resume: Path | None = None
    """Folder of this job's inputs, options and packages that outlives a job which is interrupted; it goes when one is done."""
    fresh: Callable[[Sequence[int], Sequence[int]], FloatArray] | None = None
    """Score token ids in a fresh process with the reference, a live one or the one that is written: log-probabilities float32 [positions, vocabulary]. Raises: HarnessError."""
    reference_session: Session | None = None
    """Opened session of a live reference."""
    reference_engine: str = ""
    """Name of the engine that opened it."""
    artifact: Path | None = None
    """Folder of the artifact that is measured."""
    artifact_id: str = ""
    engine_floor: float | None = None
    """Largest KL-divergence, in nats, at which the verified float exports behind this job stand from their models; None where none is known."""
    out: Path | None = None
    """For reference jobs: the empty folder to fill."""
    weights_read: Callable[[str | None], int | None] = lambda dtype: None
    """Bytes of the artifact's weights that one token is multiplied with, floats in this type; None where nobody knows."""
    shared: dict[str, object] = field(default_factory=dict)
    """Lives as long as the session: what one probe found that another of the same session can use."""
    trained_positions: int | None = None
    """Positions that the model was trained on, where its folder says so."""
    expected_output: str | None = None
    """Hash of the tokens that another process generated greedily for the same work."""
    declared: Mapping[str, OwnMetric] = field(default_factory=dict)
    """Unit and direction of the metrics of somebody's own that the workload names."""


@dataclass(frozen=True)
class Probe:
    """A procedure that puts a workload to a session.

    `contents` lists the files, by role, whose content can change the answer; they are hashed into the key.
    """

    name: str
    version: int
    kind: Kind
    needs: Needs
    """What it can live on: an engine offers all of one of these sets."""
    yields: tuple[str, ...]
    workload: type[Options]
    packages: tuple[str, ...]
    measure: Callable[[Any, Any, Context], ProbeResult]
    earlier: Mapping[int, type[Options]] = field(default_factory=dict)
    """Workloads of earlier versions whose results are still shown: what they left to defaults is told by these."""
    own_process: bool = False
    """It needs a process in which nothing else was done; jobs of one round that share artifact and engine share it."""
    alone: bool = False
    """It shares that process with no other job."""
    size: Callable[[Any], int] = lambda workload: 0
    """What a workload asks of memory, in any unit: jobs that share a clean process run in ascending order of it."""
    contents: Callable[[Any], Mapping[str, Path]] = lambda workload: {}
    located: tuple[str, ...] = ()
    """Fields of the workload that only say where something in `contents` lies; its hash stands for them in the key."""
    reference: Literal["none", "needed"] = "none"
    checked: Callable[[Any], Mapping[str, object] | None] = lambda workload: None
    """Workload of `output_check` that scores what a speed job generates; None where choice is not greedy."""
    refuse: Callable[[Any, Facts], str | None] = lambda workload, facts: None
    refuse_on: Callable[[Any, frozenset[Capability]], str | None] = lambda workload, offers: None
    """Says why a workload cannot be put to an engine that offers these, where others of its alternatives could take it."""
    reach: Callable[[Any], Reach | None] = lambda workload: None
    """How far the workload goes into the context; None where only texts tell."""
    scored_tokens: Callable[[Any], int | None] = lambda workload: None
    """Upper bound of positions a stored reference of this workload would hold; None where not known."""
    own: Callable[[Any], Mapping[str, OwnMetric]] = lambda workload: {}
    """Metrics of somebody's own that the workload names, with what it says of them."""
    requires: Callable[[Any], tuple[str, ...]] = lambda workload: ()
    """Packages that the workload needs in its environment beside those of the probe, as pip reads them: `lm-eval>=0.4.13`."""
