"""Folders of models, of the hub, this machine or the package: where they lie, and what they lack."""

from __future__ import annotations

import json
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.folder_formats import Format, format_of
from harness.core.identity import files_below
from harness.core.paths import placed
from harness.core.pipelines import is_pipeline, lacking_part
from harness.gguf.contents import FLOATS
from harness.hub_data import cache as hub_cache
from harness.plan import gguf
from harness.plan.entries import Catalogue, Model, Ready

_WEIGHTS = ("*.safetensors", "*.bin", "*.pt")


_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "vocab.txt")


def model_folder(model: Model, catalogue: Catalogue) -> Path:
    """Name the folder in which a model of the hub or of this machine, or a ready artifact, lies. Raises: HarnessError where it is not here."""
    place = model.entry.ready or model.entry
    said = catalogue.local.folders.get(model.name) or (place.path if isinstance(place, Ready) else place.folder)
    files = isinstance(place, Ready) and place.format == "files"
    folder = placed(said) if said else hub_folder(place.hub or "", place.revision, files=files)
    if folder is None:
        raise HarnessError(_download(model.name, place.hub or "", place.revision))
    if (
        lacking := _lacking_ready(folder, place.format or format_of(folder, catalogue.adapters.folder_formats()))
        if isinstance(place, Ready)
        else _lacking(folder)
    ):
        raise HarnessError(
            f"model '{model.name}': {folder} has no {lacking}; get the folder again or correct its entry"
        )
    return folder


def _shipped() -> Path:
    from harness.reference import model_folder

    return model_folder()


def _download(name: str, hub: str, revision: str | None) -> str:
    more = f" --revision {revision}" if revision else ""
    return f"model '{name}' is not in the local hub cache: hf download {hub}{more}"


def hub_folder(hub: str, revision: str | None, *, files: bool = False) -> Path | None:
    """Find a hub snapshot in the local cache, weights included; None where it was not downloaded. files: of whatever files."""
    repo = hub_cache() / f"models--{hub.replace('/', '--')}"
    name = revision or "main"
    reference = repo / "refs" / name
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else name
    folder = repo / "snapshots" / commit
    lacking = _lacking_ready(folder, "files") if files else _lacking(folder)
    return folder if folder.is_dir() and not lacking else None


def _lacking_ready(folder: Path, form: Format) -> str | None:
    """Name the first thing without which a folder is no ready artifact: one of any files needs one alone."""
    if form in {"hf", "ort-genai"}:
        return _lacking(folder)
    return None if folder.is_dir() and files_below(folder) else "file in it"


def _lacking(folder: Path) -> str | None:
    """Name the first thing without which a folder is no model."""
    if (folder / "genai_config.json").is_file():
        return None
    if is_pipeline(folder) and not (folder / "config.json").is_file():
        return lacking_part(folder)
    if not (folder / "config.json").is_file():
        return "config.json"
    if not any(next(folder.glob(pattern), None) for pattern in _WEIGHTS):
        return "weights (*.safetensors)"
    if part := next((name for name in _parts(folder) if not (folder / name).is_file()), None):
        return f"{part}, a part of its weights"
    return None if any((folder / name).is_file() for name in _TOKENIZERS) else "tokenizer (tokenizer.json)"


def _parts(folder: Path) -> list[str]:
    """List the files that hold weights by the index beside them: a download that was cut off lacks some. Nothing where there is no index."""
    try:
        named = json.loads((folder / "model.safetensors.index.json").read_text("utf-8"))["weight_map"].values()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return sorted({name for name in named if isinstance(name, str)})


def _converted(folder: Path) -> dict[str, str]:
    """Say what a folder was converted from; `quantized` where its weights were rounded before."""
    found = gguf.facts(folder)
    return {key: value for key, value in found.items() if key != "quantized" or value not in FLOATS}
