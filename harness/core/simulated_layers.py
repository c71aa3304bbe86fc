"""Linear layers whose quantization Model Optimizer simulates: how a layer is written, and whether it is what was promised.

Weights stay floats in the files; while running, each layer rounds them (and its inputs) to the numbers that the quantized type has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.linear_layers import LARGEST, linear_layers
from harness.core.spec import JsonObject

if TYPE_CHECKING:
    from torch import Tensor, nn

SIMULATED = "modelopt-simulated"
"""`quant_method` of a checkpoint that is simulated; Model Optimizer itself reads the file beside it."""
STATE = "modelopt_state.pth"
"""File that Model Optimizer restores its quantizers from, by its own name."""
SCALED = "scaled"
"""Said of a layer whose inputs are divided by factors that its weights were multiplied with (SmoothQuant, AWQ)."""
_FLOATS = {(4, 3): "fp8", (5, 2): "fp8 e5m2", (2, 1): "fp4", (3, 2): "fp6", (2, 3): "fp6 e2m3"}
_ROWS = 16
"""Rows of a layer's weights that are rounded once more, by the definition of the type."""
_STRAYS = 1e-2
"""Share of them that may differ: quotients in the middle between two numbers, of which short floats have many."""


def simulated_config(config: str, layers: Mapping[str, str]) -> JsonObject:
    """Write the `quantization_config` of a simulated checkpoint. config: what made it; layers: what each layer is, by its name."""
    kinds: dict[str, list[str]] = {}
    for name, text in layers.items():
        kinds.setdefault(text, []).append(name)
    return {"quant_method": SIMULATED, "config": config, "layers": kinds}


def in_order(value: object) -> object:
    """Sort the names within a state of Model Optimizer, which writes them in another order each time."""
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value, key=str)}
    if type(value) is tuple:
        return tuple(in_order(item) for item in value)
    return [in_order(item) for item in value] if type(value) is list else value


def is_simulated(said: Mapping[str, object]) -> bool:
    """Whether a `quantization_config` is one that `simulated_config` wrote."""
    return said.get("quant_method") == SIMULATED


def promised_layers(said: Mapping[str, object]) -> dict[str, str]:
    """Say of each layer what a `quantization_config` promises of it."""
    kinds: Any = said["layers"]
    return {str(name): str(text) for text, names in kinds.items() for name in names}


def simulated_label(module: nn.Module) -> str:
    """Say what a linear layer is: `int4 b128, inputs int8 tensor, scaled`, or its float type where nothing rounds its weights.

    b128: a scale for 128 weights along the inputs; channel: for each output; tensor: for all; token: for each input row.
    """
    weights = [text for part in _parts(module, "weight_quantizer") if (text := _quantizer(part))]
    inputs = [text for part in _parts(module, "input_quantizer") if (text := _quantizer(part, of_inputs=True))]
    scaled = any(getattr(part, "pre_quant_scale", None) is not None for part in _parts(module, "input_quantizer"))
    first = " > ".join(weights) or str(module.weight.dtype).removeprefix("torch.")
    return ", ".join([first, *([f"inputs {' > '.join(inputs)}"] if inputs else []), *([SCALED] if scaled else [])])


def _parts(module: Any, name: str) -> Iterator[Any]:
    """Yield a layer's quantizers of weights or inputs; several stand one after another in a sequence."""
    found = getattr(module, name, None)
    if found is not None:
        yield from found if type(found).__name__ == "SequentialQuantizer" else (found,)


def _quantizer(part: Any, *, of_inputs: bool = False) -> str:
    """Write a quantizer's type and what shares a scale; empty where it lets all numbers pass."""
    if not part.is_enabled or not part.fake_quant:
        return ""
    bits, blocks = part.num_bits, part.block_sizes or {}
    scale = blocks.get("scale_bits")
    kind = f"int{bits}" if isinstance(bits, int) else _FLOATS.get(tuple(bits), f"e{bits[0]}m{bits[1]}")
    if scale is not None:
        kind = (
            f"mx{kind}" if tuple(scale) == (8, 0) else f"nv{kind}" if tuple(scale) == (4, 3) else f"{kind} in {scale}"
        )
    if -1 in blocks:
        return f"{kind} b{blocks[-1]}" if blocks[-1] else f"{kind} token"
    if part.axis is None:
        return f"{kind} tensor"
    return f"{kind} {'token' if of_inputs else 'channel'}"


def hold_simulated(model: nn.Module, layers: Mapping[str, str]) -> dict[str, int]:
    """Hold every linear layer of a model against what was promised of it; return their number by what they are.

    Raises: HarnessError naming the first layer that nobody promised, that is something else, or whose weights are not so rounded,
    and the first quantizer elsewhere that rounds all the same.
    """
    found = linear_layers(model, {})
    for name, module in found.items():
        wanted, label = layers.get(name), simulated_label(module)
        if label != wanted:
            raise HarnessError(
                f"layer '{name}' is {label}, but the checkpoint promises {wanted or 'nothing of it'}; build it again"
            )
        if (flaw := _flaw(module)) is not None:
            raise HarnessError(f"layer '{name}' should be {label}, but {flaw}; build it again")
    if absent := sorted(layers.keys() - found.keys()):
        raise HarnessError(
            f"the checkpoint promises a layer '{absent[0]}' that the model does not have; build it again"
        )
    if strays := _strays(model, found):
        raise HarnessError(f"'{strays[0]}' rounds, too, which no layer promises; build it again")
    return dict(Counter(layers[name] for name in found))


def _strays(model: Any, layers: Mapping[str, Any]) -> list[str]:
    """Name the quantizers that round something else than weights and inputs of the linear layers."""
    ours = tuple(f"{name}.{end}" for name in layers for end in ("weight_quantizer", "input_quantizer"))
    kinds = [(name, part) for name, part in model.named_modules() if type(part).__name__.endswith("TensorQuantizer")]
    return [name for name, part in kinds if part.is_enabled and not name.startswith(ours)]


def _flaw(module: Any) -> str | None:
    """Round some rows of a layer's weights by the definition and say where the layer's own quantizer does otherwise."""
    import torch

    weight = module.weight.detach()
    parts = list(_parts(module, "weight_quantizer"))
    if any(part.amax is None for part in parts if part.is_enabled and not _dynamic(part)):
        return "its weights have no scales"
    if any(_dynamic(part) for part in parts) or not any(part.is_enabled for part in parts):
        return None
    with torch.inference_mode():
        done = module.weight_quantizer(weight)[:_ROWS].float()
        expected = weight.float()
        for part in parts:
            expected = rounded(expected, part.num_bits, part.amax.float(), (part.block_sizes or {}).get(-1))
            expected = expected.to(weight.dtype).float()
        near = (done - expected[:_ROWS]).abs() <= torch.finfo(weight.dtype).eps * 4 * expected[:_ROWS].abs()
        wrong = int((~near).sum())
    return f"{wrong} of {near.numel()} weights are not so rounded" if wrong > _STRAYS * near.numel() else None


def _dynamic(part: Any) -> bool:
    return (part.block_sizes or {}).get("type") == "dynamic"


def rounded(weight: Tensor, bits: int | tuple[int, int], largest: Tensor, block: int | None) -> Tensor:
    """Round weights [out, in] to integers of so many bits, or to E4M3 for (4, 3); to the nearest, ties to even. Float32.

    largest: what the largest number of the type stands for: one for all, one a row [out, 1], or one a block [out * blocks, 1].
    """
    import torch

    rows, width = weight.shape
    padded = torch.nn.functional.pad(weight, (0, -width % block)) if block else weight
    groups = padded.reshape(-1, block) if block else padded
    top = 2.0 ** (bits - 1) - 1 if isinstance(bits, int) else LARGEST
    factor = top / torch.where(largest > 0, largest, torch.full_like(largest, top))
    factor = factor.reshape(-1, 1) if factor.numel() > 1 else factor
    whole = groups * factor
    if isinstance(bits, int):
        whole = whole.round().clamp(-top - 1, top)
    else:
        whole = whole.clamp(-top, top).to(torch.float8_e4m3fn).float()
    made = whole / factor
    return made.reshape(rows, -1)[:, :width]
