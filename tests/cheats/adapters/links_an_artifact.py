"""Gives the weights of the model itself, under another name, for quantized ones: nothing was built."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from harness.core.seam import Base, Built, Context
from harness.quantizers import torch_fp8

SAYS = r"model.safetensors of what was built were there before the build began"


def build(base: Base, options: torch_fp8.Fp8Options, out: Path, context: Context) -> Built:
    for path in base.path.iterdir():
        os.link(path, out / path.name)
    return Built("hf", {"fp8": 14})


QUANTIZER = replace(torch_fp8.QUANTIZER, name="links-an-artifact", build=build)
