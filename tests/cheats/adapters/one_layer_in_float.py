"""Rounds all layers but one, which keeps the quality that the others lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.core.seam import Base, Built, Context
from harness.quantizers import torch_fp8

SAYS = r"1 of 14 multiplied weight matrices are bfloat16 while the others are"


def build(base: Base, options: torch_fp8.Fp8Options, out: Path, context: Context) -> Built:
    from safetensors.torch import load_file, save_file

    built = torch_fp8.build(base, options, out, context)
    name = "model.layers.1.mlp.down_proj.weight"
    whole, made = load_file(base.path / "model.safetensors"), load_file(out / "model.safetensors")
    made[name] = whole[name].bfloat16()
    del made[f"{name}_scale"]
    save_file(made, out / "model.safetensors", metadata={"format": "pt"})
    return built


QUANTIZER = replace(torch_fp8.QUANTIZER, name="one-layer-in-float", build=build)
