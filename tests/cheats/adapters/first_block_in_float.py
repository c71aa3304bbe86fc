"""Rounds every block of the model but the first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.core.seam import Base, Built, Context
from harness.quantizers import torch_fp8

SAYS = r"7 of 14 multiplied weight matrices are bfloat16 while the others are"


def build(base: Base, options: torch_fp8.Fp8Options, out: Path, context: Context) -> Built:
    from safetensors.torch import load_file, save_file

    built = torch_fp8.build(base, options, out, context)
    whole, made = load_file(base.path / "model.safetensors"), load_file(out / "model.safetensors")
    for name in [name for name in made if name.startswith("model.layers.0.") and name.endswith("_scale")]:
        del made[name]
        made[name.removesuffix("_scale")] = whole[name.removesuffix("_scale")].bfloat16()
    save_file(made, out / "model.safetensors", metadata={"format": "pt"})
    return built


QUANTIZER = replace(torch_fp8.QUANTIZER, name="first-block-in-float", build=build)
