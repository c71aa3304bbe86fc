"""Models as they lie on this machine: folder, content hash, vocabulary; or why one is not here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import stamped_content
from harness.core.folder_formats import FILES, Format, claims
from harness.core.identity import digest, folder_sha256
from harness.core.model_flaws import flaw
from harness.core.model_record import ModelRecord, read_record, record_of
from harness.core.paths import NoHome, placed
from harness.plan import gguf
from harness.plan.entries import Catalogue, Gguf, Model, ModelEntry, Random
from harness.plan.model_folders import _converted, _download, _lacking, _lacking_ready, _shipped, hub_folder
from harness.plan.sizes import Size, of_config, of_folder
from harness.plan.yamlfile import Mistakes, Node


@dataclass(frozen=True)
class ModelSource:
    """A model, or a ready artifact, as a job reads it."""

    name: str
    model: Model
    identity: str
    """Content hash; for random weights the hash of configuration and seed; for what is not here, its name."""
    path: str = ""
    format: Format = "hf"
    refused: str | None = None
    vocabulary: int | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    random: Random | None = None
    size: Size | None = None
    """None where it is not here and its entry does not say it."""
    record: ModelRecord | None = None
    """What its files say of it; None where it is not here."""


def hash_model(folder: Path) -> str:
    """Hash weights, configuration and tokenizer of a model's folder."""
    from harness.quantizers.folders import model_contents

    return model_contents(folder)


def find(
    name: str,
    catalogue: Catalogue,
    mistakes: Mistakes,
    hashed: Callable[[Path], str] = hash_model,
    *,
    here: bool = True,
) -> ModelSource:
    """Find a model on this machine. A folder that is named and not there is a mistake; `here` off, it is no matter."""
    try:
        return _found(name, catalogue, mistakes, hashed, here=here)
    except NoHome as error:
        return _broken(catalogue.models[name], str(error), mistakes)


def _found(
    name: str, catalogue: Catalogue, mistakes: Mistakes, hashed: Callable[[Path], str], *, here: bool
) -> ModelSource:
    model = catalogue.models[name]
    entry = model.entry
    if entry.random is not None:
        return _random(model, entry.random, mistakes)
    if entry.ready is not None:
        return _ready(model, catalogue, mistakes, here=here)
    if not here:
        return ModelSource(name, model, f"elsewhere:{name}", provenance=_provenance(model), size=_said_size(entry))
    if entry.gguf is not None and name not in catalogue.local.folders:
        return _gguf(model, entry.gguf, mistakes, hashed)
    folder, refused = _folder(model, catalogue, mistakes)
    if folder is None:
        exact = f"@{entry.revision}" if entry.hub and entry.revision else ""
        return ModelSource(
            name, model, f"absent:{name}{exact}", refused=refused, provenance=_provenance(model), size=_said_size(entry)
        )
    return _own(model, folder, mistakes, hashed)


def _gguf(model: Model, entry: Gguf, mistakes: Mistakes, hashed: Callable[[Path], str]) -> ModelSource:
    try:
        folder = gguf.place(entry)
    except HarnessError as error:
        return _broken(model, str(error), mistakes)
    if not folder.is_dir():
        reason = gguf.refusal(model.name, entry, folder)
        size = _said_size(model.entry)
        return ModelSource(
            model.name, model, f"absent:{model.name}", refused=reason, provenance=_provenance(model), size=size
        )
    return _own(model, folder, mistakes, lambda path: stamped_content(path) or hashed(path))


def _said_size(entry: ModelEntry) -> Size | None:
    """Weigh a model that is not here by what its entry says: 16-bit weights, as hubs have them; of a GGUF file 32-bit ones."""
    if entry.billion_parameters is None:
        return None
    count = round(entry.billion_parameters * 1e9)
    return Size(count * (4 if entry.gguf else 2), count)


def _own(model: Model, folder: Path, mistakes: Mistakes, hashed: Callable[[Path], str]) -> ModelSource:
    lacking = _lacking(folder)
    if lacking:
        only = (
            "; files that only your own program reads are `ready: {path: ..., method: ...}`"
            if any(folder.glob("*.onnx"))
            else ""
        )
        return _broken(model, f"{folder} has no {lacking}{only}", mistakes)
    try:
        identity = hashed(folder)
        vocabulary, provenance = _vocabulary(folder), _provenance(model) | _converted(folder)
        size, record = of_folder(folder), read_record(folder)
        refused = flaw(folder, record) if record else None
    except HarnessError as error:
        return _broken(model, str(error), mistakes)
    except _OTHER_TYPES as error:
        return _broken(model, _other(error), mistakes)
    where = str(folder.resolve())
    return ModelSource(
        model.name, model, identity, where, refused=refused, vocabulary=vocabulary, provenance=provenance, size=size,
        record=record,
    )  # fmt: skip


_OTHER_TYPES = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)
"""What comes of a configuration that has a text, a list or nothing in the place of a number."""


def _other(error: Exception) -> str:
    said = " ".join(str(error).split())[:120]
    return f"its configuration has something else in a place than models have ({type(error).__name__}: {said})"


def _place(model: Model) -> Node:
    return next(
        (model.node.fields[key] for key in ("folder", "hub", "gguf", "ready") if key in model.node.fields), model.node
    )


def _broken(model: Model, reason: str, mistakes: Mistakes) -> ModelSource:
    mistakes.add(f"model '{model.name}': {reason}; get the folder again or correct its entry", _place(model))
    return ModelSource(model.name, model, f"absent:{model.name}", refused=reason)


def _folder(model: Model, catalogue: Catalogue, mistakes: Mistakes) -> tuple[Path | None, str | None]:
    entry, local = model.entry, catalogue.local.folders.get(model.name)
    if entry.hub and not local:
        found = hub_folder(entry.hub, entry.revision)
        return found, None if found else _download(model.name, entry.hub, entry.revision)
    given = local or entry.folder
    folder = placed(given) if given else _shipped()
    if folder.is_dir():
        return folder, None
    reason = f"model '{model.name}': the folder {folder} does not exist; correct the path, or copy the model there"
    mistakes.add(reason, _place(model))
    return None, reason


def _provenance(model: Model) -> dict[str, str]:
    entry = model.entry
    found = {
        "kind": "hub" if entry.hub else "gguf" if entry.gguf else "reference" if entry.shipped else "local",
        "model": model.name,
    }
    facts = {"hub": entry.hub, "revision": entry.revision, "trained_positions": _trained_positions(model)}
    return found | {key: str(value) for key, value in facts.items() if value is not None}


def _trained_positions(model: Model) -> int | None:
    """Read how long the texts of the training were: from the entry, for the shipped model from what came with it."""
    if model.entry.trained_positions is not None or not model.entry.shipped:
        return model.entry.trained_positions
    from harness.reference import provenance

    try:
        return int(provenance()["trained_positions"])
    except (OSError, KeyError):
        return None


def _random(model: Model, entry: Random, mistakes: Mistakes) -> ModelSource:
    config: Any = entry.config
    if isinstance(config, str):
        try:
            config = json.loads(placed(config).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            return _broken(model, f"the configuration {config} cannot be read: {error}", mistakes)
    known = entry.model_copy(update={"config": config})
    provenance = {"kind": "random", "model": model.name, "seed": str(entry.seed)}
    if model.entry.trained_positions:
        provenance["trained_positions"] = str(model.entry.trained_positions)
    identity = digest({"config": config, "seed": entry.seed, "dtype": entry.dtype})
    try:
        size, record = of_config(config, entry.dtype), replace(record_of(config), architecture="")
        vocabulary = _size(config)
    except _OTHER_TYPES as error:
        return _broken(model, _other(error), mistakes)
    return ModelSource(
        model.name,
        model,
        identity,
        vocabulary=vocabulary,
        provenance=provenance,
        random=known,
        size=size,
        record=record,
    )


def _ready(model: Model, catalogue: Catalogue, mistakes: Mistakes, *, here: bool) -> ModelSource:
    entry = model.entry.ready
    assert entry is not None
    assumed: Format = entry.format or "ort-genai"
    provenance = {"kind": "ready", "model": entry.of, "method": entry.method}
    if entry.hub:
        provenance |= {"hub": entry.hub} | ({"revision": entry.revision} if entry.revision else {})
    if not here:
        return ModelSource(model.name, model, f"elsewhere:{model.name}", format=assumed, provenance=provenance)
    local = catalogue.local.folders.get(model.name) or entry.path
    folder = placed(local) if local else hub_folder(entry.hub or "", entry.revision, files=entry.format == "files")
    if folder is None:
        reason = _download(model.name, entry.hub or "", entry.revision)
        return ModelSource(
            model.name, model, f"absent:{model.name}", format=assumed, refused=reason, provenance=provenance
        )
    if not folder.is_dir():
        return _broken(model, f"the folder {folder} does not exist", mistakes)
    could = claims(folder, catalogue.adapters.folder_formats()) or [FILES]
    found = entry.format or could[0]
    if flawed := _why_no_artifact(folder, entry.format, could):
        return _broken(model, flawed, mistakes)
    where = str(folder.resolve())
    identity = folder_sha256(folder)
    vocabulary, record = _vocabulary(folder), read_record(folder)
    return ModelSource(
        model.name, model, identity, where, found, vocabulary=vocabulary, provenance=provenance, record=record
    )


def _why_no_artifact(folder: Path, said: Format | None, could: Sequence[Format]) -> str | None:
    """Say why a folder is no ready artifact of the format that is said, or else of the only one that it could be of."""
    if said and said not in {*could, FILES}:
        return f"{folder} looks like {' or '.join(could)}, not {said}"
    if not said and len(could) > 1:
        return f"{folder} looks like {' and like '.join(could)}: say which with `format`"
    lacking = _lacking_ready(folder, said or could[0])
    return f"{folder} has no {lacking}" if lacking else None


def _vocabulary(folder: Path) -> int | None:
    for name in ("config.json", "genai_config.json"):
        try:
            size = _size(json.loads((folder / name).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
        if size:
            return size
    return None


def _size(config: Any) -> int | None:
    """Read the vocabulary's size; multimodal and GenAI configurations hold it one level down."""
    if not isinstance(config, Mapping):
        return None
    parts = [config, *(config.get(key) for key in ("text_config", "model"))]
    sizes = [part.get("vocab_size") for part in parts if isinstance(part, Mapping)]
    return next((size for size in sizes if isinstance(size, int)), None)
