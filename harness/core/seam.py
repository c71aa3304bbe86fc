"""The seams: adapters are frozen records of plain functions in modules whose top-level imports are light."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from pydantic import ConfigDict

from harness.core.errors import ConfigError, HarnessError, meant_by, unknown
from harness.core.metric import OwnMetric
from harness.core.model_record import ModelRecord
from harness.core.spec import Kind, Note, Record
from harness.core.spec import Protocol as ProtocolRecord

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating[Any]]
    IntArray = NDArray[np.integer[Any]]


class Options(Record):
    """What an adapter can be asked for; each field has a default or is required, and says what it means."""

    model_config = ConfigDict(allow_inf_nan=False)


Capability = Literal["generates", "tells", "scores", "whole", "runs"]
"""`tells`: a trace holds the tokens that were generated; `runs`: nothing is opened, a program runs the artifact by itself."""
FloatType = Literal["float32", "float16", "bfloat16"]
Format = Literal["hf", "ort-genai", "files", "fake"]
"""`hf`: a folder as transformers saves it; `ort-genai`: a folder with genai_config.json, graph and tokenizer; `files`: anything
else, which only a program of somebody's own reads; `fake`: of the fake quantizer, for plumbing."""


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


@dataclass(frozen=True)
class Facts:
    """What planning knows of the environment in which a job would run; no package is imported to find it."""

    packages: Mapping[str, str]
    system: str
    gpus: tuple[str, ...] = ()
    gpu_bytes: int | None = None
    memory_bytes: int | None = None
    """Main memory of the machine."""
    interpreter: Path | None = None
    """Where the environment's Python lies, programs beside it."""
    name: str = ""
    """The environment's, where it has one."""

    def lacks(self, package: str) -> str:
        """Say that a package is not installed there, and what installs it."""
        where = f"environment {self.name}; `harness setup --env {self.name}`" if self.name else "this environment"
        return f"{package} is not installed in {where}"


# ---------------------------------------------------------------- engines


@dataclass(frozen=True)
class Request:
    """A context and a continuation whose log-likelihood is asked for; token ids, special tokens included."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]


@dataclass(frozen=True)
class Score:
    """Natural log-likelihood of the continuation, and whether greedy decoding would have produced it."""

    logprob: float
    greedy: bool


@dataclass(frozen=True)
class Tile:
    """Log-probabilities of a run of positions; valid until the next tile is asked for.

    positions: int64 [n], indices into the token ids; logprobs: float32 [n, vocabulary], natural log, row i is the
    distribution of the token that follows positions[i].
    """

    positions: IntArray
    logprobs: FloatArray


class TextCodec(Protocol):
    """Text to token ids and back, the same for every engine of a model."""

    vocabulary: int
    """Entries of the tokenizer; a model's log-probabilities may have more columns than that, never fewer."""
    bos: int | None
    eos: int | None
    ends: tuple[int, ...]
    """All tokens that end a text."""
    adds_bos: bool
    """Whether the model's own tokenizer settings put BOS before a text."""

    def encode(self, text: str, *, bos: bool = False) -> list[int]: ...
    def located(self, text: str, *, bos: bool = False) -> tuple[list[int], list[int]]:
        """Encode a text, and say at which of its characters each token begins; BOS begins at 0."""

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str: ...


class Session(Protocol):
    """An opened artifact. It implements the capabilities that its engine offers."""

    codec: TextCodec
    context_length: int
    provider: str
    """What it really runs on, checked after opening: cpu, cuda, dml, ..."""
    dtype: str
    load_seconds: float
    notes: tuple[Note, ...]


class Scores(Session, Protocol):
    def score(self, requests: Sequence[Request]) -> list[Score]:
        """Score in any order, batched; equal contexts with one-token continuations cost one forward pass."""

    def logprobs(self, token_ids: Sequence[int], positions: Sequence[int]) -> Iterator[Tile]:
        """Prefill `token_ids` in tiles of at most 256 tokens; yield log-probabilities at the positions asked for."""

    def greedy(self, prompt: Sequence[int], tokens: int, never: Sequence[int] = ()) -> list[int]:
        """Continue a prompt greedily by a fixed number of tokens; those in `never` are not chosen."""


@dataclass(frozen=True)
class Reach:
    """How far a piece of work goes into a model's context, as far as options alone tell."""

    total: int
    """Tokens of the longest sequence: a window, or prompt and output."""
    prompt: int = 0
    """Tokens that are there before generation begins; 0 where nothing is generated."""
    batch: int = 1

    def crosses(self, border: int) -> bool:
        """Tell whether generation begins within a length and feeds a token beyond it; the last one is never fed."""
        return 0 < self.prompt <= border < self.total - 1


@dataclass(frozen=True)
class GenerationWorkload:
    """Fixed work: `batch` prompts of exactly `prompt` tokens, exactly `output` new tokens, EOS suppressed."""

    batch: int
    prompt_ids: tuple[tuple[int, ...], ...]
    """[batch][prompt] token ids."""
    output: int
    warmups: int
    repetitions: int
    sampling: dict[str, float] | None = None
    """None is greedy; else top_k, top_p, temperature, seed."""

    @property
    def reach(self) -> Reach:
        """How far it goes into the context."""
        prompt = len(self.prompt_ids[0])
        return Reach(total=prompt + self.output, prompt=prompt, batch=self.batch)


@dataclass(frozen=True)
class Trace:
    """Seconds of every step; one row per measured repetition."""

    prefill: FloatArray
    """float64 [repetitions]: the prefill call."""
    first_token: FloatArray
    """float64 [repetitions]: sampling of the first token after the prefill."""
    steps: FloatArray
    """float64 [repetitions, output - 1]: each further token for the whole batch."""
    total: FloatArray
    """float64 [repetitions]: generator creation to last token."""
    peak_torch_bytes: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    ids: IntArray | None = None
    """int32 [repetitions, batch, output]: the tokens that each measured repetition generated."""


class Whole(Session, Protocol):
    switches: tuple[int, ...]
    """Lengths in tokens beyond which the model computes otherwise, as that of a sliding window."""

    def whole(self, token_ids: Sequence[int], positions: Sequence[int]) -> FloatArray:
        """Run all tokens in one plain pass, without a cache; return float32 [positions, vocabulary], natural log."""


class Generates(Session, Protocol):
    def generate(self, workload: GenerationWorkload, progress: Callable[[float], None]) -> Trace:
        """Do the work; call `progress` with 0 once the artifact is open, then after each repetition with the share done."""


@dataclass(frozen=True)
class Engine:
    """Opens artifacts of the formats it consumes and offers capabilities.

    `open(folder, options)` is a context manager of a session. `refuse` returns why these options cannot be met.
    """

    name: str
    version: int
    consumes: tuple[Format, ...]
    offers: frozenset[Capability]
    options: type[Options]
    packages: tuple[str, ...]
    open: Callable[[Path, Any], AbstractContextManager[Any]]
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
    imports: Callable[[], None] = lambda: None
    """Import what sessions need, so that the memory of libraries can be told from that of an opened artifact."""


# ---------------------------------------------------------------- probes


@dataclass(frozen=True)
class Reading:
    """What a probe found for one metric, before it becomes a `Measurement`.

    samples: numeric array of any shape (repetitions, items, positions); kept whole. `value` is the metric's
    definition applied to them; low/high their interval.
    """

    metric: str
    value: float
    samples: FloatArray | IntArray
    part: str = ""
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
class Findings:
    """All that one measure job found out."""

    readings: tuple[Reading, ...]
    protocol: ProtocolRecord
    notes: tuple[Note, ...] = ()
    arrays: dict[str, Any] = field(default_factory=dict)
    """Further per-item arrays to keep, as choice log-likelihoods [questions, 4]."""


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
    reference_session: Any = None
    """Opened session of a live reference."""
    artifact: Path | None = None
    """Folder of the artifact that is measured."""
    out: Path | None = None
    """For reference jobs: the empty folder to fill."""
    shared: dict[str, Any] = field(default_factory=dict)
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
    needs: frozenset[Capability]
    yields: tuple[str, ...]
    workload: type[Options]
    packages: tuple[str, ...]
    measure: Callable[[Any, Any, Context], Findings]
    clean: bool = False
    """It needs a process in which nothing else was done; jobs of one round that share artifact and engine share it."""
    alone: bool = False
    """It shares that process with no other job."""
    size: Callable[[Any], int] = lambda workload: 0
    """What a workload asks of memory, in any unit: jobs that share a clean process run in ascending order of it."""
    contents: Callable[[Any], Mapping[str, Path]] = lambda workload: {}
    located: tuple[str, ...] = ()
    """Fields of the workload that only say where something in `contents` lies; its hash stands for them in the key."""
    reference: Literal["none", "needed"] = "none"
    checked: Callable[[Any], Mapping[str, Any] | None] = lambda workload: None
    """Workload of `output_check` that scores what a speed job generates; None where choice is not greedy."""
    refuse: Callable[[Any, Facts], str | None] = lambda workload, facts: None
    reach: Callable[[Any], Reach | None] = lambda workload: None
    """How far the workload goes into the context; None where only texts tell."""
    scored_tokens: Callable[[Any], int | None] = lambda workload: None
    """Upper bound of positions a stored reference of this workload would hold; None where not known."""
    own: Callable[[Any], Mapping[str, OwnMetric]] = lambda workload: {}
    """Metrics of somebody's own that the workload names, with what it says of them."""


# ---------------------------------------------------------------- registries

Registry = Mapping[str, str]


def load(registry: Registry, what: str, name: str) -> Any:
    """Return the adapter that a registry names, as `"ort-genai": "harness.engines.ort_genai:ENGINE"`.

    Raises: HarnessError for an unknown name, with the nearest right one.
    """
    if name not in registry:
        raise HarnessError(unknown(what, name, registry))
    module, _, attribute = registry[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def problems_of(options: type[Options], given: Mapping[str, Any], what: str) -> list[tuple[str, str]]:
    """Validate options; return (field, message) for each mistake, with the nearest right name for unknown ones."""
    return [(path[0] if path else "", message) for path, message in placed_problems_of(options, given, what)]


def placed_problems_of(
    options: type[Options], given: Mapping[str, Any], what: str
) -> list[tuple[tuple[str, ...], str]]:
    """Validate options as `problems_of`, with the whole path of names to each mistake.

    A name that is missing where its misspelling stands is no mistake of its own.
    """
    from pydantic import ValidationError

    try:
        options.model_validate(dict(given))
    except ValidationError as error:
        items = error.errors()
    else:
        return []
    found = [(tuple(str(part) for part in item["loc"]), item) for item in items]
    meant = {
        (*path[:-1], right)
        for path, item in found
        if item["type"] == "extra_forbidden" and (right := meant_by(path[-1], _fields_at(options, path[:-1])))
    }
    return [
        (path, _problem(options, path, item, what))
        for path, item in found
        if item["type"] != "missing" or path not in meant
    ]


def _problem(options: type[Options], path: Sequence[str], item: Any, what: str) -> str:
    name, above = path[-1] if path else "", ".".join(path[:-1])
    inside = f"{above} of {what}" if above else what
    if item["type"] == "extra_forbidden":
        known = _fields_at(options, path[:-1])
        return unknown(f"option of {what}", name, known) if not above else unknown("key", name, known, above)
    if item["type"] == "missing":
        return f"{inside} needs '{name}'"
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"'{name}' of {inside}: {message} (got {item['input']!r})" if name else f"{what}: {message}"


def _fields_at(options: type[Options], path: Sequence[str]) -> list[str]:
    """Name the fields of the options that stand under others; none where it is not options that stand there."""
    here: Any = options
    for name in path:
        kinds = [here.model_fields[name].annotation] if _is_options(here) and name in here.model_fields else []
        kinds += [inner for kind in kinds for inner in get_args(kind)]
        here = next((kind for kind in kinds if _is_options(kind)), None)
    return list(here.model_fields) if _is_options(here) else []


def _is_options(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Options)


def validated(options: type[Options], given: Mapping[str, Any], what: str) -> Any:
    """Return the options as a record. Raises: ConfigError with every mistake."""
    found = problems_of(options, given, what)
    if found:
        raise ConfigError("; ".join(message for _, message in found))
    return options.model_validate(dict(given))


def canonical_options(options: Options) -> dict[str, Any]:
    """Write options as JSON values, defaults left out."""
    return options.model_dump(mode="json", exclude_defaults=True)
