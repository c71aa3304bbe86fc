"""What quantizers share that load a transformers folder and save it quantized."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.linear_layers import left_in_floats
from harness.core.model_config import load_config
from harness.core.model_record import read_tensors
from harness.core.simulated_folder import is_scale
from harness.core.simulated_layers import is_simulated
from harness.core.spec import Note
from harness.core.weights import watched_loading, weights_unread
from harness.quantizers.artifact_check import check_folder
from harness.quantizers.folders import read_json

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".onnx", ".onnx_data", ".index.json", ".md")
_NAMED = 3
"""Matrices that a note names."""


def loaded(folder: Path, dtype: str, *, simulated: bool = False, **named: Any) -> tuple[Any, list[Note]]:
    """Load a model's folder on the CPU in a float type; returns the model and what is to be said of it.

    simulated: the folder may be of a simulated quantization, whose floats alone are loaded; named: what `from_pretrained` is told beside it.
    Raises: HarnessError where the folder is not whole, is quantized already, or lacks weights.
    """
    import torch
    from transformers import AutoModelForCausalLM

    check_folder(folder, "hf")
    written = read_json(folder / "config.json")
    said = written.get("quantization_config")
    if simulated and said and is_simulated(said):
        del written["quantization_config"]
    elif said:
        raise HarnessError(
            f"{folder} is quantized already (quantization_config in config.json); start from the model in floats"
        )
    config, notes = load_config(folder, written)
    with watched_loading() as unread:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            **{_type_word(): getattr(torch, dtype)},
            **named,
        )
    left = [name for name in unread if not (simulated and is_scale(name))]
    return model.eval(), [*notes, *weights_unread(left, type(model).__name__)]


def _type_word() -> str:
    """Say how the installed transformers calls the type that weights are loaded in."""
    major, minor = (int(part) for part in importlib.metadata.version("transformers").split(".")[:2])
    return "dtype" if (major, minor) >= (4, 56) else "torch_dtype"


def stored_dtype(folder: Path) -> str:
    """Name the float type that holds all of a folder's weights exactly."""
    there = {tensor.dtype for tensor in read_tensors(folder).values()}
    return {frozenset({"BF16"}): "bfloat16", frozenset({"F16"}): "float16"}.get(frozenset(there), "float32")


def copy_missing(folder: Path, out: Path) -> None:
    """Copy what a model's folder holds beside weights, as its tokenizer, where saving did not write a file of that name."""
    for path in sorted(folder.iterdir()):
        counts = path.is_file() and not path.name.startswith(".") and not path.name.endswith(_WEIGHTS)
        if counts and not (out / path.name).exists():
            shutil.copyfile(path, out / path.name)


def floats_note(model: Any, dtype: str, layers: Collection[str] = ()) -> Note:
    """Name the matrices that stay in floats, head and embedding among them. layers: those that are rounded later."""
    names = [name for name in left_in_floats(model) if name.removesuffix(".weight") not in layers]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    head = model.get_output_embeddings()
    shared = head is not None and head.weight is model.get_input_embeddings().weight
    tied = "; the head shares the embedding's weights" if shared else ""
    return Note(code="left-in-floats", text=f"{', '.join(names[:_NAMED])}{more} stay in {dtype}{tied}")
