"""Hands out what it made for another model, written anew and with another header: no file is the same, every number is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.seam import Base, Built, Context
from harness.quantizers import torch_fp8

SAYS = r"byte for byte those of .* \(model hf0 there, hf1 here\)"
OPTIONS = ({},)
KEPT: dict[str, Any] = {}


def build(base: Base, options: torch_fp8.Fp8Options, out: Path, context: Context) -> Built:
    from safetensors.torch import load_file, save_file

    built = torch_fp8.build(base, options, out, context)
    weights = out / "model.safetensors"
    if not KEPT:
        KEPT.update(load_file(weights))
    save_file(KEPT, weights, metadata={"format": "pt", "made_from": str(base.path)})
    return built


QUANTIZER = replace(torch_fp8.QUANTIZER, name="redated-artifact", build=build)
