"""Decoder graphs in fp32 made into quantized ones by hand: the forms that a runtime keeps, fuses or folds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def edited(source: Path, folder: Path, edit: Callable[[Any], None]) -> Path:
    """Copy an export and edit its graph; its weights lie inside the file then."""
    import onnx

    shutil.copytree(source, folder)
    model = onnx.load(str(folder / "model.onnx"))
    for file in folder.glob("model.onnx*"):
        file.unlink()
    edit(model)
    onnx.save(model, str(folder / "model.onnx"))
    return folder


def stored_in_int8(model: Any) -> None:
    """Store each multiplied weight as INT8 with one scale, which a DequantizeLinear makes floats of."""
    _quantize(model, activations=False)


def rounded_activations(model: Any) -> None:
    """Store weights as INT8 and round activations to UINT8 with one scale (QDQ), which runtimes fuse into integer products."""
    _quantize(model, activations=True)


def _quantize(model: Any, *, activations: bool) -> None:
    import numpy as np
    from onnx import NodeProto, helper, numpy_helper

    graph = model.graph
    constants = {one.name: one for one in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in constants:
            base = node.name.strip("/").replace("/", "_")
            values = numpy_helper.to_array(constants[node.input[1]])
            scale = np.float32(np.abs(values).max() / 127)
            kept = {
                "w": np.rint(values / scale).astype(np.int8), "ws": np.asarray(scale), "wz": np.int8(0),
                "xs": np.float32(0.05), "xz": np.uint8(128),
            }  # fmt: skip
            graph.initializer.extend(numpy_helper.from_array(value, f"{base}_{name}") for name, value in kept.items())
            w, ws, wz, xs, xz = (f"{base}_{name}" for name in kept)
            if activations:
                nodes.append(
                    helper.make_node("QuantizeLinear", [node.input[0], xs, xz], [f"{base}_xq"], name=f"{base}_Q")
                )
                nodes.append(
                    helper.make_node("DequantizeLinear", [f"{base}_xq", xs, xz], [f"{base}_xd"], name=f"{base}_D")
                )
                node.input[0] = f"{base}_xd"
            nodes.append(helper.make_node("DequantizeLinear", [w, ws, wz], [f"{base}_wd"], name=f"{base}_DW"))
            node.input[1] = f"{base}_wd"
        nodes.append(node)
    kept_nodes = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept_nodes)
