"""Folders of image pipelines, as diffusers saves them: model_index.json, and a folder for each part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

INDEX: Final = "model_index.json"
PIPELINE: Final = "pipeline"
"""Type of model under which a pipeline's folder is recorded."""
DENOISERS: Final = ("unet", "transformer")
"""Parts that take the noise away, one of them in each pipeline: what is quantized, and timed step by step."""


def read_index(folder: Path) -> Mapping[str, object]:
    """Read which parts a pipeline has; empty for a folder that is none."""
    try:
        found = json.loads((folder / INDEX).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def is_pipeline(folder: Path) -> bool:
    """Tell a pipeline's folder from those of other models."""
    return (folder / INDEX).is_file()


def denoiser_of(folder: Path) -> str | None:
    """Name the folder of the part that takes the noise away; None where there is none."""
    index = read_index(folder)
    return next((name for name in DENOISERS if index.get(name) and (folder / name / "config.json").is_file()), None)


def lacking_part(folder: Path) -> str | None:
    """Name the first thing without which a folder is no pipeline that paints; None where it has all."""
    name = denoiser_of(folder)
    if name is None:
        return "unet or transformer with a config.json, which a pipeline paints with"
    for part, what in read_index(folder).items():
        if isinstance(what, list) and all(what) and not (folder / part).is_dir():
            return f"{part}, a part that {INDEX} names"
    return None if any((folder / name).glob("*.safetensors")) else f"weights in {name} (*.safetensors)"
