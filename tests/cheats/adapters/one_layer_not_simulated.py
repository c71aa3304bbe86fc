"""Simulates all layers but one, which it says nothing of, so that what is opened is as the folder itself promises."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from harness.core.seam import Base, Built, Context
from harness.core.simulated_layers import STATE
from harness.quantizers import modelopt_torch
from harness.quantizers.modelopt_torch_options import ModeloptTorchOptions

SAYS = r"1 of 14 multiplied weight matrices are float32 while the others are"
OPTIONS = ({"config": "INT8_WEIGHT_ONLY_CFG"},)


def build(base: Base, options: ModeloptTorchOptions, out: Path, context: Context) -> Built:
    import torch

    built = modelopt_torch.build(base, options, out, context)
    name = "model.layers.1.mlp.down_proj"
    state = torch.load(out / STATE, weights_only=True)
    for _, mode in state["modelopt_state_dict"]:
        mode["metadata"]["quantizer_state"][f"{name}.weight_quantizer"]["_disabled"] = True
    torch.save(state, out / STATE)
    config = json.loads((out / "config.json").read_text("utf-8"))
    layers = config["quantization_config"]["layers"]
    layers["int8 channel"].remove(name)
    layers["float32"] = [name]
    (out / "config.json").write_text(json.dumps(config), "utf-8")
    return built


QUANTIZER = replace(modelopt_torch.QUANTIZER, name="one-layer-not-simulated", build=build)
