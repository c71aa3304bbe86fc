"""Known defects of nvidia-modelopt 0.47's INT4 quantizer, met in the open: each repair leaves a note on the record."""

from __future__ import annotations

import contextlib
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.core.spec import Note
from harness.quantizers.modelopt_options import ModeloptOptions


@contextlib.contextmanager
def scale_fusion_without_cupy(options: ModeloptOptions) -> Iterator[list[Note]]:
    """Let awq_lite and awq_full fuse their scales where cupy is not there.

    Without cupy the package computes with numpy, but takes one array out of the device with `.get()`, which numpy's
    have not. For the time of the call its arrays get that method. Fusion, and what is computed, stay as they are.
    """
    from modelopt.onnx.quantization import int4

    searches = options.algo in {"awq_lite", "awq_full"} and not options.awqlite_disable_fuse_nodes
    if int4.has_cupy or not searches:
        yield []
        return
    original = int4.np
    int4.np = _numpy_with_get()
    try:
        yield [Note(code="awq-without-cupy", text="scales were fused with numpy arrays in the place of cupy's")]
    finally:
        int4.np = original


def _numpy_with_get() -> Any:
    import numpy as np

    class Gettable(np.ndarray):
        def get(self) -> Any:
            return np.asarray(self)

    class Module(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            return getattr(np, name)

        @staticmethod
        def asarray(value: Any, *args: Any, **kwargs: Any) -> Any:
            return np.asarray(value, *args, **kwargs).view(Gettable)

    return Module("numpy_with_get")


@contextlib.contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Keep the package's copy of the whole model out of the system's temporary folder."""
    before = tempfile.tempdir
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def repair_graph(model: Any, options: ModeloptOptions) -> list[Note]:
    """Complete the quantize and dequantize nodes so that their scales and zero points fit; return what was done."""
    done: dict[str, str] = {}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    readers = {name: node for node in model.graph.node for name in node.input}
    zero_points: set[str] = set()
    for node in model.graph.node:
        if node.op_type not in {"QuantizeLinear", "DequantizeLinear"} or node.input[1] not in constants:
            continue
        _complete_attributes(node, constants[node.input[1]], readers, options, done)
        if options.use_zero_point and len(node.input) > 2 and node.input[2] not in zero_points:
            zero_points.add(node.input[2])
            _fit_zero_point(constants[node.input[2]], constants[node.input[1]], _is_turned(node, readers), done)
    return [Note(code=code, text=text) for code, text in sorted(done.items())]


def _complete_attributes(
    node: Any, scale: Any, readers: dict[str, Any], options: ModeloptOptions, done: dict[str, str]
) -> None:
    import onnx

    if any(item.name == "block_size" for item in node.attribute):
        return
    if len(scale.dims) == 2:
        reader = _reader(node, readers)
        looked_up = reader is not None and reader.op_type == "Gather"
        axis = options.gather_quantize_axis if looked_up and options.gather_quantize_axis else 0
        size = options.gather_block_size if looked_up else options.block_size
        node.attribute.append(onnx.helper.make_attribute("axis", axis))
        node.attribute.append(onnx.helper.make_attribute("block_size", size))
        done["rtn-block-attributes"] = (
            "axis and block_size were added to the quantize and dequantize nodes, without which ONNX Runtime refuses them"
        )
    elif len(scale.dims) == 1 and _is_turned(node, readers):
        for item in node.attribute:
            if item.name == "axis":
                item.i = 0
        done["column-major-axis"] = (
            "weights with a scale per channel are stored turned (use_column_major); their axis was set to 0 to match"
        )


def _reader(node: Any, readers: dict[str, Any]) -> Any:
    reader = readers.get(node.output[0])
    if reader is not None and reader.op_type == "DequantizeLinear":
        reader = readers.get(reader.output[0])
    return reader


def _is_turned(node: Any, readers: dict[str, Any]) -> bool:
    reader = readers.get(node.output[0])
    return reader is not None and reader.op_type == "Transpose"


def _fit_zero_point(zero_point: Any, scale: Any, turned: bool, done: dict[str, str]) -> None:
    """Give a zero point its scale's shape: one row where scales are per channel, turned where weights are."""
    from onnx import numpy_helper

    per_channel = len(scale.dims) == 1 and len(zero_point.dims) == 2
    if not per_channel and not (turned and len(zero_point.dims) == 2):
        return
    values = numpy_helper.to_array(zero_point)
    fitted = values.reshape(-1) if per_channel else values.T.copy()
    replaced = numpy_helper.from_array(fitted, zero_point.name)
    replaced.data_type = zero_point.data_type
    zero_point.CopyFrom(replaced)
    done["zero-point-shape"] = (
        "zero points were given the shape of their scales, without which ONNX Runtime refuses them"
    )
