"""The linear layers of a transformers model whose checkpoint is quantized: what it promises of them, and what they are."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from harness.core.bitsandbytes_versions import needs_a_gpu
from harness.core.errors import HarnessError, MissingDependency

E4M3 = "float8_e4m3fn"
"""FP8 with 4 bits of exponent and 3 of mantissa, without infinities."""
LARGEST = 448.0
"""Largest number of E4M3."""
FP8_CAPABILITY = (8, 9)
"""Compute capability from which on a CUDA device multiplies FP8."""
_CHANNEL = {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True, "dynamic": False}
_TOKEN = {"num_bits": 8, "type": "float", "strategy": "token", "symmetric": True, "dynamic": True}
_PLAIN = ("float32", "float16", "bfloat16")


def fp8_config(*, activations: bool) -> dict[str, Any]:
    """Write the `quantization_config` of an FP8 checkpoint, in the words of the format compressed-tensors.

    Weights have a scale per output channel; `activations` are rounded while running, with a scale per token. The head stays in floats.
    """
    group = {"targets": ["Linear"], "weights": _CHANNEL, "input_activations": _TOKEN if activations else None}
    return {
        "quant_method": "compressed-tensors", "format": "float-quantized", "quantization_status": "compressed",
        "config_groups": {"group_0": {**group, "output_activations": None}}, "ignore": ["lm_head"],
        "kv_cache_scheme": None, "global_compression_ratio": None,
    }  # fmt: skip


def is_bitsandbytes(said: Mapping[str, Any]) -> bool:
    """Whether a `quantization_config` is of bitsandbytes."""
    return said.get("quant_method") == "bitsandbytes"


def is_fp8(said: Mapping[str, Any]) -> bool:
    """Whether a `quantization_config` is one that `fp8_config` describes; what it says beyond that must say nothing."""
    groups = said.get("config_groups")
    if said.get("quant_method") != "compressed-tensors" or not isinstance(groups, Mapping) or len(groups) != 1:
        return False
    (group,) = groups.values()
    return (
        said.get("format") == "float-quantized"
        and group.get("targets") == ["Linear"]
        and _says(group.get("weights"), _CHANNEL)
        and (group.get("input_activations") is None or _says(group["input_activations"], _TOKEN))
        and not any((group.get("output_activations"), said.get("kv_cache_scheme"), said.get("sparsity_config")))
        and not any(str(name).startswith("re:") for name in said.get("ignore") or ())
    )


def _says(said: Any, meant: Mapping[str, Any]) -> bool:
    return isinstance(said, Mapping) and all(said.get(key) == value for key, value in meant.items())


def rounds_activations(said: Mapping[str, Any]) -> bool:
    """Whether an FP8 checkpoint wants its activations in FP8, too."""
    return any(group.get("input_activations") for group in said.get("config_groups", {}).values())


def import_bitsandbytes(device: str = "cuda") -> None:
    """Import bitsandbytes for a device as if the package `kernels` were not there: through it, it would fetch code from the model hub and run that.

    Raises: ImportError where it is absent or does not work here, MissingDependency where it does nothing on a CPU and that is what it is for.
    """
    if device == "cpu" and (why := needs_a_gpu(importlib.metadata.version("bitsandbytes"))):
        raise MissingDependency(why)
    before = sys.modules.get("kernels")
    sys.modules["kernels"] = None  # type: ignore[assignment]  # how Python is told that a module is not to be had
    try:
        importlib.import_module("bitsandbytes")
    finally:
        del sys.modules["kernels"]
        if before is not None:
            sys.modules["kernels"] = before


def promised(said: Mapping[str, Any]) -> str:
    """Say what a `quantization_config` makes of a linear layer, in the words of `label`; empty where nothing is known of it."""
    if is_fp8(said):
        return E4M3
    if not is_bitsandbytes(said):
        return ""
    if said.get("load_in_4bit"):
        return f"{said.get('bnb_4bit_quant_type', 'fp4')}{' dq' if said.get('bnb_4bit_use_double_quant') else ''}"
    return f"int8 threshold {float(said.get('llm_int8_threshold', 6.0)):g}"


def label(module: Any) -> str:
    """Say what a linear layer really is: `nf4`, `fp4`, with ` dq` where its scales are quantized, `int8 threshold 6`, or a float type."""
    weight = module.weight
    kind = type(module).__name__
    if kind == "Linear4bit" and getattr(weight, "quant_state", None) is not None:
        return f"{weight.quant_state.quant_type}{' dq' if weight.quant_state.nested else ''}"
    dtype = str(weight.dtype).removeprefix("torch.")
    if kind not in {"Linear4bit", "Linear8bitLt"}:
        return dtype
    scales = [
        getattr(place, "SCB", None) for place in (weight, getattr(module, "state", None))
    ]  # the first pass moves them
    if dtype == "int8" and any(scale is not None for scale in scales):
        return f"int8 threshold {float(module.state.threshold):g}"
    return f"{dtype} without scales"


def linear_layers(model: Any, said: Mapping[str, Any]) -> dict[str, Any]:
    """Name the linear layers that a `quantization_config` is about: all but the head and those that it leaves out."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    left = said.get("ignore" if is_fp8(said) else "llm_int8_skip_modules") or ()
    head = model.get_output_embeddings()
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, Conv1D)) and module is not head and not _among(name, left)
    }


def _among(name: str, names: Any) -> bool:
    return any(name == one or f".{one}." in f".{name}." for one in names)


def hold_layers(model: Any, said: Mapping[str, Any]) -> dict[str, int]:
    """Hold every linear layer of a model against its `quantization_config`; return their number by what they are.

    Raises: HarnessError naming the first layer that is something else, as one that stayed in floats.
    """
    layers, wanted = linear_layers(model, said), promised(said)
    if not layers:
        raise HarnessError(f"{type(model).__name__} has no linear layer beside its head, so nothing in it is quantized")
    for name, module in layers.items():
        found = label(module)
        if found != wanted:
            raise HarnessError(
                f"layer '{name}' is {found} ({type(module).__name__}), but the checkpoint promises {wanted}; build it again"
            )
    return dict(Counter(map(label, layers.values())))


def hold_stored(model: Any, said: Mapping[str, Any], names: Collection[str]) -> None:
    """Hold the tensors of a checkpoint of bitsandbytes against the model: transformers rounds layers of 8 bits that it finds in floats.

    Counted, since tensors may be named otherwise than modules. Raises: HarnessError naming a layer that lies in floats.
    """
    ends = (
        f".weight.quant_state.bitsandbytes__{said.get('bnb_4bit_quant_type')}" if said.get("load_in_4bit") else ".SCB"
    )
    layers, found = linear_layers(model, said), sum(name.endswith(ends) for name in names)
    if names and found != len(layers):
        bare = next((name for name in layers if f"{name}{ends}" not in names), "")
        raise HarnessError(
            f"the weights files hold {found} layers as {promised(said)}, and the model has {len(layers)}, '{bare}' among those in floats; build it again"
        )


def left_in_floats(model: Any) -> list[str]:
    """Name the matrices of a model that are stored in a float type of 16 bits or more, once where two places share one."""
    return [name for name, item in model.named_parameters() if item.dim() > 1 and _float(item) in _PLAIN]


def _float(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")
