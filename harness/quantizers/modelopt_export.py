"""Checkpoints that Model Optimizer packs for other runtimes (its unified format), each layer held against what was promised."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.model_record import TensorHeader, read_tensors
from harness.core.spec import Note
from harness.quantizers.folders import read_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PACKED = frozenset(
    {
        "INT8_DEFAULT_CFG", "INT8_SMOOTHQUANT_CFG", "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "INT4_AWQ_CFG", "FP8_DEFAULT_CFG",
        "W4A8_AWQ_BETA_CFG", "NVFP4_DEFAULT_CFG", "NVFP4_AWQ_LITE_CFG",
    }
)  # fmt: skip
"""Configurations that the format can hold."""
_STORED = {"int4": ("U8", 2), "int8": ("I8", 1), "fp8": ("F8_E4M3", 1), "nvfp4": ("U8", 2)}
"""Type in which weights lie, and how many lie in one number of it."""


def export(model: PreTrainedModel, out: Path, layers: Mapping[str, str]) -> tuple[dict[str, int], Note]:
    """Pack a model that Model Optimizer has quantized into a folder, and hold the files against what each layer should be.

    layers: what each linear layer is, as `simulated_label` writes it. Returns: number of layers by type and scale, and a note.
    Raises: HarnessError naming the first layer that lies otherwise, as one that stayed in floats.
    """
    from modelopt.torch.export import export_hf_checkpoint

    shapes = {name: tuple(model.get_submodule(name).weight.shape) for name in layers}
    with contextlib.redirect_stdout(sys.stderr):
        export_hf_checkpoint(model, export_dir=out)
    hold_packed(out, layers, shapes)
    said = read_json(out / "hf_quant_config.json").get("quantization", {})
    text = f"packed for other runtimes (quant_algo {said.get('quant_algo')}); transformers cannot open it, `sim_*` methods measure its quality"
    return dict(Counter(text.partition(", ")[0] for text in layers.values())), Note(code="packed", text=text)


def hold_packed(out: Path, layers: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Hold the tensors of a packed folder against what each layer should be. shapes: of the weights before, [out, in].

    Raises: HarnessError naming the first layer that lies otherwise.
    """
    tensors = read_tensors(out)
    for name, text in layers.items():
        if flaw := _flaw(tensors, name, text, shapes[name]):
            raise HarnessError(f"layer '{name}' should be packed as {text}, but {flaw}; build it again")


def _flaw(tensors: Mapping[str, TensorHeader], name: str, text: str, shape: tuple[int, ...]) -> str | None:
    weight, scale = tensors.get(f"{name}.weight"), tensors.get(f"{name}.weight_scale")
    dtype, count = _STORED.get(text.split(maxsplit=1)[0], ("", 0))
    if weight is None:
        return "its weights lie nowhere"
    if not dtype:
        return None
    if weight.dtype != dtype:
        return f"its weights are {weight.dtype}"
    if _size(weight.shape) * count != _size(shape):
        return f"{_size(weight.shape) * count} weights lie in the file where the model has {_size(shape)}"
    return None if scale is not None else "it has no weight_scale"


def _size(shape: tuple[int, ...]) -> int:
    whole = 1
    for width in shape:
        whole *= width
    return whole


def name_dtype(out: Path, dtype: str) -> None:
    """Write into config.json, in sorted order, in which type the rest is."""
    config = read_json(out / "config.json")
    config.pop("torch_dtype", None)
    (out / "config.json").write_text(f"{json.dumps({**config, 'dtype': dtype}, indent=2, sort_keys=True)}\n", "utf-8")
