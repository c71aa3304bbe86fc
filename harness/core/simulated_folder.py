"""Checkpoints whose quantization Model Optimizer simulates: its quantizers put back into a model that was loaded in floats."""

from __future__ import annotations

import contextlib
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.model_record import read_tensors
from harness.core.simulated_layers import STATE, hold_simulated, promised_layers
from harness.core.spec import Note

if TYPE_CHECKING:
    from torch import nn

_PART = "_quantizer."
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RuntimeError, AssertionError, OSError, EOFError)


def is_scale(name: str) -> bool:
    """Whether a tensor of the files belongs to a quantizer, which transformers knows nothing of."""
    return _PART in name


def put_in(model: nn.Module, folder: Path, said: Mapping[str, object]) -> None:
    """Restore the quantizers of a folder in a model, with their scales, and hold each layer against what was promised.

    The state is unpickled by torch with `weights_only`, which runs no code.
    Raises: HarnessError where the state is missing or damaged, a scale is missing or too many, or a layer is something else.
    """
    with contextlib.redirect_stdout(sys.stderr):
        _restore(model, folder / STATE)
    held = {name: tensor for name, tensor in model.state_dict().items() if is_scale(name)}
    stored = _scales(folder)
    if odd := sorted(held.keys() ^ stored.keys()):
        where = "the files lack" if odd[0] in held else "no quantizer reads"
        raise HarnessError(f"{where} {odd[0]} of {folder}: state and scales are not of one build; build it again")
    model.load_state_dict(stored, strict=False)
    hold_simulated(model, promised_layers(said))


def _restore(model: Any, path: Path) -> None:
    import modelopt.torch.opt as mto
    import modelopt.torch.quantization  # noqa: F401 - it registers what a state can hold
    import torch

    if not path.is_file():
        raise HarnessError(f"{path} is missing, without which nothing would be rounded; build it again")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        mto.restore_from_modelopt_state(model, modelopt_state=state)
    except (*_DAMAGED, pickle.UnpicklingError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise HarnessError(f"{path} cannot be restored by Model Optimizer ({said[0][:200]}); build it again") from error


def _scales(folder: Path) -> dict[str, Any]:
    from safetensors import safe_open

    found: dict[str, Any] = {}
    for file in sorted({tensor.file for tensor in read_tensors(folder).values()}):
        with safe_open(file, framework="pt") as opened:
            found |= {name: opened.get_tensor(name) for name in opened.keys() if is_scale(name)}  # noqa: SIM118 - not a dict
    return found


def note(dtype: str) -> Note:
    """Say how products come about."""
    text = f"quantization is simulated: weights and inputs are rounded and multiplied in {dtype}; memory and speed are not those of quantized weights"
    return Note(code="simulated", text=text)
