"""What torch really runs of a model: the modules that multiply, as they are after loading, and the attention that was chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from harness.core.executed import Executed, executed
from harness.core.linear_layers import E4M3, label

_CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")
_FOUR_BITS, _EIGHT_BITS = "Linear4bit", "Linear8bitLt"


class HasModules(Protocol):
    """A torch module, as far as it is looked at."""

    def modules(self) -> Iterable[object]: ...


def executed_of_model(model: HasModules, dtype: str) -> Executed:
    """Tell what a language model of transformers runs. dtype: type of its activations."""
    return executed_of_modules(
        model, dtype, str(getattr(getattr(model, "config", None), "_attn_implementation", None) or "")
    )


def executed_of_denoiser(model: HasModules, dtype: str) -> Executed:
    """Tell what a UNet or transformer of diffusers runs."""
    processors: Mapping[str, Any] = getattr(model, "attn_processors", {})
    return executed_of_modules(model, dtype, " + ".join(sorted({type(one).__name__ for one in processors.values()})))


def executed_of_modules(model: HasModules, dtype: str, attention: str | None) -> Executed:
    """Count the modules that multiply with a weight matrix, and name the types in which they do; tables that rows are looked up in are none."""
    weights: Counter[str] = Counter()
    compute: dict[str, None] = {}
    for module in model.modules():
        if (name := _named(module)) is not None:
            weights[name] += 1
            compute[_multiplied_in(module, dtype)] = None
    return executed(weights, sorted(compute), attention or None)


def _named(module: Any) -> str | None:
    """Name what a module holds of weights; None for one that multiplies nothing."""
    from torch import nn

    weight, kind = getattr(module, "weight", None), type(module).__name__
    if weight is None or isinstance(module, nn.Embedding) or not isinstance(weight, nn.Parameter):
        return None
    if not isinstance(module, nn.Linear) and kind not in {"Conv1D", *_CONVOLUTIONS} and not _simulates(module):
        return None
    return f"{label(module)}{' simulated' if _simulates(module) else ''} {kind}"


def _simulates(module: Any) -> bool:
    """Whether Model Optimizer rounds a module's weights while it runs."""
    return bool(getattr(getattr(module, "weight_quantizer", None), "is_enabled", False))


def _multiplied_in(module: Any, dtype: str) -> str:
    kind = type(module).__name__
    if kind == _EIGHT_BITS:
        return "int8"
    if kind == _FOUR_BITS:
        return str(module.compute_dtype or dtype).removeprefix("torch.")
    return E4M3 if getattr(module, "rounds", False) else dtype
