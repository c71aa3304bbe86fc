"""What was quantized, with one layer back in floats: whoever checks layers must find it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "vocab_size": 512,
    "max_position_embeddings": 1024,
}
"""Of the model that all contracts share."""


def float_product(folder: Path) -> None:
    """Put the weights of a graph's first quantized product back into floats."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    path = folder / "model.onnx"
    model = onnx.load(str(path))
    makers = {name: node for node in model.graph.node for name in node.output}
    node = next(
        one
        for one in model.graph.node
        if one.op_type == "MatMulNBits" or (one.op_type == "MatMul" and _unpacks(makers.get(one.input[1])))
    )
    if node.op_type == "MatMulNBits":
        said = {one.name: one.i for one in node.attribute}
        inputs, outputs = said["K"], said["N"]
    else:
        packed = {one.name: one for one in model.graph.initializer}
        inputs, outputs = packed[makers[node.input[1]].input[0]].dims
    weights = np.random.default_rng(0).standard_normal((inputs, outputs)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "back_in_floats"))
    node.CopyFrom(helper.make_node("MatMul", [node.input[0], "back_in_floats"], list(node.output), name=node.name))
    for file in folder.glob("model.onnx*"):
        file.unlink()
    onnx.save(model, str(path))


def _unpacks(node: Any) -> bool:
    return node is not None and node.op_type == "DequantizeLinear"


def _rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the tensors of a folder's only weights file."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def without_scale(folder: Path) -> None:
    """Take the quantizer of one layer out of a simulated checkpoint: its scale is gone, and it says that it stays in floats."""

    def change(tensors: dict[str, Any]) -> None:
        del tensors[next(name for name in sorted(tensors) if "_quantizer." in name)]

    _rewrite(folder, change)


def float_tensor(folder: Path) -> None:
    """Store one layer of an FP8 checkpoint in floats."""
    import torch

    def change(tensors: dict[str, Any]) -> None:
        name = next(name for name in sorted(tensors) if name.endswith(".weight_scale"))
        weight = name.removesuffix("_scale")
        tensors[weight] = tensors[weight].to(torch.float32)

    _rewrite(folder, change)


def dense_layer(folder: Path) -> None:
    """Make one layer of a sparse model dense again."""

    def change(tensors: dict[str, Any]) -> None:
        tensors["model.layers.0.mlp.up_proj.weight"].fill_(0.5)

    _rewrite(folder, change)


def found_by(folder: Path, form: str, layers: dict[str, int], sparse: bool) -> str:
    """Return what the checks of layers say of a folder: those that the worker holds every build against, or opening it; empty where nothing."""
    from harness.core.errors import HarnessError
    from harness.engines.torch_loading import TransformersOptions
    from harness.engines.transformers import open_artifact
    from harness.worker.made import layer_notes

    if form == "ort-genai":
        return "; ".join(note.text for note in layer_notes(folder, form, layers))
    try:
        if sparse:
            from harness.quantizers.hf_checkpoint import loaded
            from harness.quantizers.sparsity import hold_sparse

            hold_sparse(loaded(folder, "float32")[0])
        with open_artifact(folder, TransformersOptions(threads=1)):
            return ""
    except HarnessError as error:
        return str(error)
