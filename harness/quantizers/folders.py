"""Model and artifact folders as files: what belongs to their content, and copies of what lies beside a graph."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.identity import digest, file_sha256

_IGNORED_NAMES = frozenset({"README", "LICENSE", "NOTICE", ".gitattributes", ".gitignore"})
_IGNORED_SUFFIXES = frozenset({".md", ".txt~", ".lock", ".png", ".jpg", ".pdf"})
_GRAPH_SUFFIXES = (".onnx", ".onnx.data", ".onnx_data")


def model_contents(folder: Path) -> str:
    """Hash what makes a model folder the model that it is: weights, configuration and tokenizer files.

    Readmes, licences, pictures, `*.md` and whatever lies below a folder whose name begins with a dot do not count.

    Returns: 64 hex digits. Raises: HarnessError where the folder is missing or holds no file that counts.
    """
    if not folder.is_dir():
        raise HarnessError(f"the model folder {folder} does not exist; correct the path, or copy the model there")
    rows = [
        [path.relative_to(folder).as_posix(), path.stat().st_size, file_sha256(path)] for path in counted_files(folder)
    ]
    if not rows:
        raise HarnessError(f"the model folder {folder} is empty; copy config.json, weights and tokenizer files there")
    return digest(rows)


def counted_files(folder: Path) -> list[Path]:
    """List the files of a model's folder that make it the model that it is, in the order of their names."""

    def counts(path: Path) -> bool:
        inner = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inner.parts)
        return not (hidden or path.name in _IGNORED_NAMES or path.suffix.lower() in _IGNORED_SUFFIXES)

    found = [path for path in folder.rglob("*") if path.is_file() and counts(path)]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises: HarnessError naming the file where it is missing or is not a JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HarnessError(f"{path.name} is missing in {path.parent}; download or build the folder again") from None
    except ValueError as error:
        raise HarnessError(f"{path} is not valid JSON ({error}); download or build the folder again") from None
    if not isinstance(value, dict):
        raise HarnessError(f"{path} is not a JSON object; download or build the folder again")
    return value


def graph_file(folder: Path) -> Path:
    """Give the decoder graph that `genai_config.json` names. Raises: HarnessError where it names none."""
    config = read_json(folder / "genai_config.json")
    name = config.get("model", {}).get("decoder", {}).get("filename")
    if not isinstance(name, str):
        raise HarnessError(f"{folder / 'genai_config.json'} names no decoder file (model.decoder.filename)")
    return folder / name


def copy_beside(base: Path, out: Path) -> None:
    """Copy everything of an artifact but its graphs and weights: configuration, tokenizer, chat template."""
    for path in sorted(base.iterdir()):
        if path.is_file() and not path.name.endswith(_GRAPH_SUFFIXES):
            shutil.copyfile(path, out / path.name)


def stage(folder: Path, to: Path, replaced: dict[str, str]) -> Path:
    """Make a folder like another one, by links where the system allows them, with some files' text replaced."""
    to.mkdir(parents=True)
    for path in sorted(folder.iterdir()):
        if path.name in replaced or not path.is_file():
            continue
        try:
            (to / path.name).symlink_to(path.resolve())
        except OSError:  # Windows allows links to few users
            shutil.copyfile(path, to / path.name)
    for name, text in replaced.items():
        (to / name).write_text(text, encoding="utf-8")
    return to
