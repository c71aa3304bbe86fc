"""What is wrong with a model's folder whoever opens it, found from its JSON files and the headers of its weights."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.model_record import ModelRecord, TensorHeader, read_tensors

_PACKED = ("qweight", "qzeros", "weight_scale", "weight_scale_inv", "absmax", "weight_packed", "_blocks", "_scales")
"""Ends of the names of tensors that hold quantized weights or their scales."""
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight")


def flaw(folder: Path, record: ModelRecord) -> str | None:
    """Say why no engine can read a folder rightly and what to do, or None."""
    tensors = read_tensors(folder)
    return _left_over(record, tensors) or _beyond_embedding(folder, record, tensors)


def unknown_code(record: ModelRecord, version: str, interpreter: Path | None = None) -> str | None:
    """Say that a model runs only by program code of its own, which is never run here; None where it need not.

    version: of transformers in the environment, whose model types are read from its folder, without an import: beside its interpreter, else
    here; where only another version is here, that one's are taken, and without any the worker is left to refuse.
    """
    if not record.custom_code:
        return None
    folder = _transformers(version.partition("@")[0], interpreter)
    there = None if folder is None else _model_types(folder)
    if there is None or record.model_type in there:
        return None
    return (
        f"config.json names program code of the folder's own (auto_map), and transformers {version} has no model type "
        f"'{record.model_type}'; code that comes with a model is not run here: use a model type that transformers has"
    )


def _transformers(version: str, interpreter: Path | None) -> Path | None:
    """Find the folder of transformers: of an environment's interpreter in that version, else of our own."""
    if interpreter is not None:
        root = interpreter.parent.parent
        for site in (
            *sorted(root.glob("lib/python3*/site-packages")),
            root / "Lib" / "site-packages",
            interpreter.parent / "Lib" / "site-packages",
        ):
            if (site / f"transformers-{version}.dist-info").is_dir() and (site / "transformers").is_dir():
                return site / "transformers"
    spec = importlib.util.find_spec("transformers")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _model_types(folder: Path) -> set[str] | None:
    """Read the names of model types; None where they cannot be found."""
    auto = folder / "models" / "auto"
    try:
        text = "".join(path.read_text(encoding="utf-8") for path in sorted(auto.glob("*mappings*.py")))
        text += (auto / "configuration_auto.py").read_text(encoding="utf-8")
    except OSError:
        return None
    import re

    return set(re.findall(r'^\s*\("([\w-]+)", "\w+Config"\)', text, re.MULTILINE)) or None


def _left_over(record: ModelRecord, tensors: Mapping[str, TensorHeader]) -> str | None:
    if record.quantized is None or not tensors or any(name.endswith(_PACKED) for name in tensors):
        return None
    if any(tensor.dtype.startswith(("I", "U", "F8")) for tensor in tensors.values()):
        return None
    return (
        f"config.json says that the weights are quantized ({record.quantized}), but the files hold plain "
        f"{next(iter(tensors.values())).dtype} weights: take quantization_config out of config.json"
    )


def _beyond_embedding(folder: Path, record: ModelRecord, tensors: Mapping[str, TensorHeader]) -> str | None:
    """Find a token of the tokenizer that has no row in the embedding; one that only pads never meets the model."""
    shapes = [tensor.shape for name, tensor in tensors.items() if name.endswith(_EMBEDDINGS) and len(tensor.shape) == 2]
    rows = shapes[0][0] if shapes else record.config.get("vocab_size")
    added = _json(folder / "tokenizer.json").get("added_tokens")
    if not isinstance(rows, int) or not isinstance(added, list):
        return None
    padding = _json(folder / "tokenizer_config.json").get("pad_token")
    unused = padding.get("content") if isinstance(padding, Mapping) else padding
    beyond = [item for item in added if int(item.get("id", 0)) >= rows and item.get("content") != unused]
    if not beyond:
        return None
    return (
        f"the tokenizer has the token {beyond[0]['content']!r} with id {beyond[0]['id']}, and the embedding has {rows} rows: "
        "enlarge the embedding (`model.resize_token_embeddings`) or take the token out of tokenizer.json"
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
