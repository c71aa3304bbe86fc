"""Pipelines whose denoiser Model Optimizer quantizes in simulation: its state and scales beside the floats, and how both are put back.

The denoiser's own files stay as they are: simulated quantization changes no weight, it rounds them while running.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.simulated_layers import in_order

if TYPE_CHECKING:
    from torch import nn

STATE, LAYERS = "modelopt_state.pth", "simulated_layers.json"
_PART = "_quantizer."


def labels(denoiser: nn.Module) -> dict[str, str]:
    """Say what each layer with quantizers is, by name: `weights int8, inputs int8`; a quantizer that is off is left out."""
    found = {}
    for name, module in denoiser.named_modules():
        parts = {
            word: getattr(module, f"{kind}_quantizer", None)
            for word, kind in (("weights", "weight"), ("inputs", "input"))
        }
        said = [f"{word} {_bits(part)}" for word, part in parts.items() if part is not None and part.is_enabled]
        if said:
            found[name] = ", ".join(said)
    return found


def _bits(part: Any) -> str:
    bits = part.num_bits
    return f"int{bits}" if isinstance(bits, int) else f"fp{1 + sum(bits)}"


def unscaled(denoiser: nn.Module) -> str | None:
    """Name the first quantizer that is on and has no scale: it was never calibrated."""
    for name, module in denoiser.named_modules():
        if (
            name.endswith("_quantizer")
            and getattr(module, "is_enabled", False)
            and getattr(module, "amax", None) is None
        ):
            return str(name)
    return None


def save_simulated(denoiser: nn.Module, folder: Path) -> dict[str, str]:
    """Write state, scales and what each layer is. Returns: the layers, by name. Raises: HarnessError where a quantizer has no scale."""
    import modelopt.torch.opt as mto
    import torch

    if name := unscaled(denoiser):
        raise HarnessError(f"{name} is on and has no scale: calibration never reached it; take more steps or texts")
    scales = {name: tensor.cpu() for name, tensor in denoiser.state_dict().items() if _PART in name}
    torch.save({"state": in_order(mto.modelopt_state(denoiser)), "scales": scales}, folder / STATE)
    found = labels(denoiser)
    (folder / LAYERS).write_text(f"{json.dumps(found, indent=1, sort_keys=True)}\n", "utf-8")
    return found


def put_back(denoiser: nn.Module, folder: Path) -> dict[str, str]:
    """Restore quantizers and scales in a denoiser of floats, and hold each layer against what was written down.

    The state is unpickled by torch with `weights_only`, which runs no code. Returns: the layers, by name.
    Raises: HarnessError where a file is missing or damaged, or a layer is something else.
    """
    promised = _promised(folder)
    _restore(denoiser, folder / STATE)
    there = labels(denoiser)
    if odd := sorted(name for name in promised.keys() | there.keys() if promised.get(name) != there.get(name)):
        raise HarnessError(
            f"layer '{odd[0]}' is {there.get(odd[0], 'in floats')}, and {promised.get(odd[0], 'floats')} was promised; build the pipeline again"
        )
    if name := unscaled(denoiser):
        raise HarnessError(f"{name} came back without its scale; build the pipeline again")
    return there


def _promised(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / LAYERS).read_text("utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise HarnessError(f"{folder / LAYERS} is missing or damaged; build the pipeline again")
    return {str(name): str(said) for name, said in found.items()}


def _restore(denoiser: nn.Module, path: Path) -> None:
    import modelopt.torch.opt as mto
    import modelopt.torch.quantization  # noqa: F401 - it registers what a state can hold
    import torch

    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
        with contextlib.redirect_stdout(sys.stderr):
            mto.restore_from_modelopt_state(denoiser, modelopt_state=kept["state"])
        lacking = denoiser.load_state_dict(kept["scales"], strict=False)
    except Exception as error:  # unpickling and restoring fail in many ways, all of which mean the same
        raise HarnessError(
            f"{path} cannot be restored by Model Optimizer ({type(error).__name__}); build the pipeline again"
        ) from error
    if odd := [*lacking.unexpected_keys, *(name for name in lacking.missing_keys if _PART in name)]:
        raise HarnessError(f"state and scales of {path} are not of one build ({odd[0]}); build the pipeline again")
