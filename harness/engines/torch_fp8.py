"""Linear layers whose weights lie in FP8 (E4M3, a scale per output channel), and the two ways in which torch multiplies with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from harness.core.errors import HarnessError
from harness.core.linear_layers import FP8_CAPABILITY, LARGEST, linear_layers, rounds_activations
from harness.core.model_record import read_tensors
from harness.core.spec import Note

_DIVISOR = 16
"""Of both sizes of a matrix that CUDA multiplies in FP8."""
_SCALE = ".weight_scale"


class Fp8Linear(torch.nn.Linear):  # type: ignore[misc]  # torch does not type it
    """y = x W^T + b; weight: E4M3 [out, in], scale: float32 [out, 1]; both stay so in memory.

    `rounds`: activations are rounded to E4M3 with a scale per token, and torch._scaled_mm multiplies; else each pass makes W in the type of x.
    """

    def __init__(self, linear: Any, scale: Any, *, rounds: bool) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None, device="meta")
        self.weight = torch.nn.Parameter(linear.weight.data.to(torch.float8_e4m3fn), requires_grad=False)
        self.bias = linear.bias
        self.register_buffer("scale", scale.to(torch.float32).reshape(-1, 1), persistent=False)
        self.rounds = rounds

    def forward(self, x: Any) -> Any:
        if self.rounds:
            return self._scaled(x)
        return torch.nn.functional.linear(x, self.weight.to(x.dtype).mul_(self.scale), self.bias)

    def _scaled(self, x: Any) -> Any:
        flat = x.reshape(-1, x.shape[-1])
        scale = (
            flat.abs().amax(dim=-1, keepdim=True).float().clamp_(min=torch.finfo(torch.float32).tiny * LARGEST)
            / LARGEST
        )
        rounded = (flat.float() / scale).clamp_(-LARGEST, LARGEST).to(torch.float8_e4m3fn)
        multiply = torch._scaled_mm  # noqa: SLF001 - torch 2.11 has no public name for it
        made = multiply(rounded, self.weight.t(), scale_a=scale, scale_b=self.scale.t(), out_dtype=x.dtype)
        made = made if self.bias is None else made + self.bias
        return made.reshape(*x.shape[:-1], self.out_features)


def put_in(model: Any, folder: Path, said: Mapping[str, Any]) -> None:
    """Replace the linear layers of a model, loaded from a folder's files as they are, by such that know their scales.

    Raises: HarnessError naming a layer that lies in another type or has no scale.
    """
    tensors, scales = read_tensors(folder), _scales(folder)
    for name, linear in linear_layers(model, said).items():
        stored = tensors.get(f"{name}.weight")
        if stored is None or stored.dtype != "F8_E4M3" or name not in scales:
            what = (
                "lies nowhere" if stored is None else f"is {stored.dtype}" if name in scales else "has no weight_scale"
            )
            raise HarnessError(
                f"layer '{name}' {what} in {folder}, but config.json promises FP8 (E4M3); build it again"
            )
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, Fp8Linear(linear, scales[name], rounds=rounds_activations(said)))


def is_scale(name: str) -> bool:
    """Whether a tensor of the files is a scale, which transformers knows nothing of."""
    return name.endswith(_SCALE)


def _scales(folder: Path) -> dict[str, Any]:
    from safetensors import safe_open

    found: dict[str, Any] = {}
    for file in sorted({tensor.file for tensor in read_tensors(folder).values()}):
        with safe_open(file, framework="pt") as opened:
            names = [name for name in opened.keys() if is_scale(name)]  # noqa: SIM118 - not a dict
            found |= {name.removesuffix(_SCALE): opened.get_tensor(name) for name in names}
    return found


def refuse_device(model: Any, said: Mapping[str, Any], device: str, dtype: str) -> None:
    """Refuse a device that cannot multiply the layers in FP8. Raises: HarnessError with what to take instead."""
    if device == "cpu" or not rounds_activations(said):
        return
    there = torch.cuda.get_device_capability(device)
    if there < FP8_CAPABILITY:
        raise HarnessError(
            f"{torch.cuda.get_device_name(device)} has compute capability {there[0]}.{there[1]} and cannot multiply in FP8 "
            f"(from {FP8_CAPABILITY[0]}.{FP8_CAPABILITY[1]} on); take the method fp8_weights"
        )
    if dtype != "bfloat16":
        raise HarnessError(
            f"torch multiplies FP8 with a scale per row into bfloat16 on CUDA, not {dtype}; build with dtype bfloat16"
        )
    for name, layer in linear_layers(model, said).items():
        if layer.in_features % _DIVISOR or layer.out_features % _DIVISOR:
            sizes = f"{layer.in_features} x {layer.out_features}"
            raise HarnessError(
                f"layer '{name}' is {sizes}: CUDA multiplies FP8 in multiples of {_DIVISOR}; take the method fp8_weights"
            )


def note(said: Mapping[str, Any], device: str, dtype: str) -> Note:
    """Say how products come about."""
    if rounds_activations(said):
        text = f"FP8 weights and activations (E4M3; a scale per output channel and per token) are multiplied by torch._scaled_mm on {device}, into {dtype}"
        return Note(code="fp8-product", text=text)
    text = f"weights are stored in FP8 (E4M3, a scale per output channel); each pass makes them {dtype} and multiplies in {dtype}"
    return Note(code="fp8-dequantized", text=text)
