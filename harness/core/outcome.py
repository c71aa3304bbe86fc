"""What came of a job: the record that a worker writes, and the runner, the database and published files keep."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from harness.core.executed import Executed
from harness.core.spec import SCHEMA_VERSION, Finite, Input, Job, Note, Origin, Record, Status


class ArrayRef(Record):
    """Per-item or per-step values kept in `arrays.npz` beside the outcome."""

    name: str
    sha256: str
    shape: tuple[int, ...]
    dtype: str


class Measurement(Record):
    """One value of one metric, with what is needed to defend it."""

    metric: str
    metric_version: int = 1
    slice: str = Field(default="", validation_alias="part", serialization_alias="part")
    """Which part of the workload: empty for the whole, `stratum:NAME`, `subject:NAME`, `task:NAME`."""
    value: Finite
    unit: str
    low: Finite | None = None
    high: Finite | None = None
    interval: str | None = None
    """How low and high were found, as `student-t 95%`, `bootstrap 95%`, `wilson 95%`."""
    n: int = Field(ge=1)
    """Number of samples or items behind the value."""
    array: ArrayRef | None = None
    samples: tuple[Finite, ...] = ()
    """Few samples are kept here in full; many in the array."""
    source: str | None = None
    """How memory was counted: nvml-process, device, device-used (of several GPUs those that are used), device-increment (less what was in use before), torch, arena or rss."""
    items: str | None = None
    """Hash of what the samples belong to, in order; equal hashes may be compared in pairs."""
    better: Literal["higher", "lower", "none"] | None = None
    """Which way is better, where that is not the metric's to say but its source's, as that of a task's own metric in lm-eval."""
    comparison: str | None = None
    """For a number that was published as a comparison without its inputs: which one, as tables name them."""
    baseline: dict[str, str] = {}
    """What that comparison is to: dimension to value, as `{method: fp16}`."""


class Protocol(Record):
    """How it was measured; what two numbers must share to stand in one column."""

    name: str
    version: int = 1
    scored: int | None = None
    """Tokens, positions or questions that count in the value."""
    skipped: int = 0
    """Items that were left out, truncated ones not included."""
    truncated: int = 0
    """Items whose prompt was cut to fit the context."""
    limit: int | None = None
    """Items per task asked for, where not all were."""
    warmups: int | None = None
    repetitions: int | None = None
    dtype: str | None = None
    """Numeric type of activations, as reported by the engine."""
    bos: bool | None = None
    prompt_tokens: int | None = None
    """Real length of the prompt, special tokens included."""
    beyond_trained: int = 0
    """Scored items at positions that the model's own card says it was not trained on."""
    gpu_count: int | None = None
    """GPUs that the measurement used; absent where nobody says it."""
    facts: dict[str, Any] = {}
    """Everything else worth knowing, as batch form, thread count or switches."""


class Gpu(Record):
    name: str
    memory_bytes: int | None = None
    driver: str | None = None
    clocks_mhz: dict[str, int] = {}
    persistence: bool | None = None
    compute: str | None = None


class Environment(Record):
    """The place where a job ran."""

    name: str
    python: str
    system: str
    machine: str
    cpu: str
    cores: int | None = None
    """Absent, as memory, where somebody else's numbers do not tell."""
    memory_bytes: int | None = None
    machine_id: str = Field(validation_alias="box", serialization_alias="box")
    """Hash that tells this machine from others without naming it; `unknown` for others' machines."""
    gpus: tuple[Gpu, ...] = ()
    cuda: str | None = None
    packages: dict[str, str] = {}
    """Every installed distribution and its version; the build stands behind a `+`, a source commit behind an `@`."""
    threads: dict[str, str] = {}
    """Thread settings of the process, as OMP_NUM_THREADS."""
    harness: str = ""
    """Version and commit of the harness, `-dirty` where the tree was."""


class Scheme(Record):
    """Which weights are quantized and how, read back from the files."""

    text: str
    """Multiplied weights by kind with their number, then LM head and token embedding: `int4 b128 sym x20; head float32; embedding float32`."""
    bits_per_weight: float | None = None
    """Over all weight matrices, scales and zero points included."""


class Artifact(Record):
    """A sealed folder and what is known of it."""

    id: str
    content: str
    """Hash of the folder's content."""
    bytes: int
    files: int
    weights_bytes: int | None = None
    format: str = ""
    seconds: float | None = None
    """Wall time of the build."""
    peak_rss_bytes: int | None = None
    layers: dict[str, int] = {}
    """Number of weight matrices by type and block size as read from the graph, as `int4 b32 matmulnbits`."""
    scheme: Scheme | None = None
    facts: dict[str, Any] = {}


class Citation(Record):
    """Where a number that was not measured here comes from."""

    title: str
    url: str | None = None
    version: str | None = None
    """Of the page or file, as its authors call it, or its date."""
    configuration: str | None = None
    """What the source says of machine and software, shortened to its facts."""
    file: str | None = None
    """Name of an imported file, without its folder."""
    sha256: str | None = None
    """Of the imported file's bytes."""

    @property
    def line(self) -> str:
        """Cite in one line."""
        parts = [self.title, self.version, self.url, self.sha256 and f"sha256 {self.sha256[:12]}"]
        return ", ".join(part for part in parts if part)


class Outcome(Record):
    """What became of a job: `outcome.json`, whole or not at all."""

    schema_version: int = SCHEMA_VERSION
    job: Job
    status: Status
    reason: str | None = None
    """Why not ok, in one sentence."""
    origin: Origin = "measured"
    citation: Citation | None = None
    """Where reported and imported numbers come from."""
    written_by: str = "worker"
    """`worker`, `runner` where the worker died, or `import`."""
    started: AwareDatetime
    """As the clock of its machine said."""
    seconds: float = Field(ge=0)
    environment: Environment
    provider: str | None = None
    """Execution provider or device that the engine really ran on."""
    protocol: Protocol | None = None
    measurements: tuple[Measurement, ...] = ()
    artifact: Artifact | None = None
    scheme: Scheme | None = None
    """Of what was measured, where the engine decides it: floats of a model's own folder in the type that it computes with."""
    executed: Executed | None = None
    """What the engine really ran of it; absent in builds, in numbers of others, and before this was written down."""
    inputs: tuple[Input, ...] = ()
    """Inputs with the content hashes that were found, paths emptied."""
    notes: tuple[Note, ...] = ()
    printed: dict[str, str] = {}
    """How others printed it, as Markdown (`**13,026 ± 2,259**`, `N/A`): by metric and, for columns of words, by name."""
    spans: dict[str, float] = {}
    """Seconds by activity, monotonic: start, import, open, measure, build, hash, write."""
