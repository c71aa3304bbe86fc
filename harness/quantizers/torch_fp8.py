"""FP8 by plain torch: E4M3 weights with a scale per output channel, saved in the format compressed-tensors, which other runtimes read too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, MissingDependency
from harness.core.linear_layers import E4M3, FP8_CAPABILITY, LARGEST, fp8_config, linear_layers
from harness.core.options import Options
from harness.core.seam import Base, Built, Context, Facts, FloatType, Quantizer
from harness.quantizers.folders import read_json
from harness.quantizers.hf_checkpoint import copy_missing, floats_note, loaded, stored_dtype


class Fp8Options(Options):
    """What is rounded to FP8, and the type beside it."""

    activations: bool = True
    """Round activations, too, with a scale per token found while running, and multiply in FP8 (torch._scaled_mm; on CUDA from compute
    capability 8.9 on). Off, weights are stored in FP8 and multiplied in `dtype`."""
    dtype: FloatType = "bfloat16"
    """Type of what is not quantized, and of what products come out in."""


def build(base: Base, options: Fp8Options, out: Path, context: Context) -> Built:
    """Round each linear layer but the head to FP8 on the CPU, from the type in which the weights are stored.

    Raises: HarnessError where the model has no linear layer, or a weight that is not finite.
    """
    imports()
    context.progress(0.0, "loading")
    model, notes = loaded(base.path, stored_dtype(base.path))
    said = fp8_config(activations=options.activations)
    layers = linear_layers(model, said)
    if not layers:
        raise HarnessError(
            f"{type(model).__name__} has no linear layer beside its head: nothing in it would be quantized"
        )
    context.progress(0.3, f"rounding {len(layers)} layers")
    model.save_pretrained(out, state_dict=_state(model, layers, options.dtype))
    _describe(out, said, options.dtype)
    copy_missing(base.path, out)
    return Built("hf", {E4M3: len(layers)}, (*notes, floats_note(model, options.dtype, layers)))


def _state(model: Any, layers: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """Give the tensors to save: FP8 weights with their scales, all other floats in `dtype`, what two places share once."""
    import torch

    once = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    found: dict[str, Any] = {}
    for name, tensor in model.state_dict().items():
        if name.removesuffix(".weight") in layers:
            found[name], found[f"{name}_scale"] = rounded(tensor, name)
        elif name in once:
            found[name] = tensor.to(getattr(torch, dtype)) if tensor.is_floating_point() else tensor
    return found


def rounded(weight: Any, name: str = "weight") -> tuple[Any, Any]:
    """Round weights [out, in] to E4M3: the nearest number, ties to even. Returns them and scales, float32 [out, 1], row maximum / 448.

    Raises: HarnessError naming a weight with NaN or infinity.
    """
    import torch

    exact = weight.detach().to(torch.float32)
    if not bool(torch.isfinite(exact).all()):
        raise HarnessError(f"{name} holds NaN or infinity; the model is broken: fetch it again or convert it anew")
    scale = exact.abs().amax(dim=1, keepdim=True) / LARGEST
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (exact / scale).clamp_(-LARGEST, LARGEST).to(torch.float8_e4m3fn), scale


def _describe(out: Path, said: dict[str, Any], dtype: str) -> None:
    """Write into config.json how the weights are stored and in which type the rest is."""
    config = read_json(out / "config.json")
    config.pop("torch_dtype", None)
    text = json.dumps({**config, "dtype": dtype, "quantization_config": said}, indent=2, sort_keys=True)
    (out / "config.json").write_text(f"{text}\n", "utf-8")


def imports() -> None:
    """Import torch and transformers. Raises: MissingDependency where this environment lacks one."""
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingDependency(f"FP8 needs torch and transformers ({error}); `harness setup` installs them") from error


def refuse(options: Fp8Options, facts: Facts) -> str | None:  # noqa: ARG001 - the seam asks with both
    """Name a package that an environment lacks, or has in too old a release."""
    return facts.wants("torch", "transformers")


QUANTIZER = Quantizer(
    name="torch-fp8",
    version=1,
    consumes=("hf",),
    produces="hf",
    options=Fp8Options,
    packages=("torch", "transformers"),
    build=build,
    refuse=refuse,
    imports=imports,
    capability=lambda options: FP8_CAPABILITY if options.activations else None,
)
