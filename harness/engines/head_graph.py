"""The head cut out of an ONNX graph, with its own copy of its weights; the graph and its files are only read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from harness.core.errors import Unsupported
from harness.engines import scoring_view
from harness.heads.linear import FloatName, save_linear
from harness.heads.record import GRAPH, GRAPH_WEIGHTS, HeadRecord, Step, write_record

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

_STEPS = {"Mul": "mul", "Div": "div", "Add": "add", "Tanh": "tanh"}
_SMALL = 1024
"""Bytes of constants that stay inside the graph."""


def save_head(graph: Path, folder: Path) -> HeadRecord:
    """Write a graph's head into an empty folder: as plain weights where it is one float product, else as a graph.

    Raises: Unsupported where there is no head that is known.
    """
    model = scoring_view.read_graph(graph)
    head = scoring_view.find_head(model.graph) if model is not None else None
    if model is None or head is None:
        raise Unsupported(f"no head that is known stands before the logits of {graph.name}")
    dtype = scoring_view.float_type(model.graph, head)
    if dtype is None:
        raise Unsupported(f"the head of {graph.name} has weights and scales of no float type that is known")
    nodes = _head_nodes(model.graph, head)
    tensors = _tensors(model.graph, nodes)
    steps = _plain_steps(nodes, head, tensors)
    if steps is not None:
        return _save_product(graph.parent, folder, tensors[head.input[1]], dtype, steps)
    return _save_graph(graph.parent, folder, model, head, dtype, nodes, tensors)


def _head_nodes(graph: GraphProto, head: NodeProto) -> list[NodeProto]:
    """Collect in order what makes the logits of the hidden states, and what makes constants for it."""
    makers = {name: node for node in graph.node for name in node.output}
    wanted, kept = ["logits"], {}
    while wanted:
        name = wanted.pop()
        node = makers.get(name)
        if node is None or id(node) in kept:
            continue
        kept[id(node)] = node
        wanted += node.input[1:] if node is head else node.input
    return [node for node in graph.node if id(node) in kept]


def _tensors(graph: GraphProto, nodes: Sequence[NodeProto]) -> dict[str, TensorProto]:
    used = {name for node in nodes for name in node.input}
    found = {one.name: one for one in graph.initializer if one.name in used}
    for node in nodes:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            found[node.output[0]] = node.attribute[0].t
    return found


def _plain_steps(
    nodes: Sequence[NodeProto], head: NodeProto, tensors: Mapping[str, TensorProto]
) -> tuple[Step, ...] | None:
    """Say what follows a plain float product, step by step; None where the head is more than that."""
    weight = tensors.get(head.input[1])
    if (
        head.op_type != "MatMul"
        or weight is None
        or weight.data_type not in scoring_view.FLOATS
        or len(weight.dims) != 2
    ):
        return None
    after = [node for node in nodes if node is not head and node.op_type != "Constant"]
    casts = [node for node in after if node.op_type == "Cast"]
    if casts and (len(casts) < len(after) or casts[0].attribute[0].i != 1):
        return None
    steps: list[Step] = []
    flowing = head.output[0]
    for node in (one for one in after if one.op_type not in {"Cast", "Identity"}):
        by = 0.0
        if node.op_type not in _STEPS or node.input[0] != flowing:
            return None
        if node.op_type != "Tanh":
            constant = _scalar(tensors.get(node.input[1]))
            if constant is None:
                return None
            by = constant
        steps.append(Step(what=cast("Any", _STEPS[node.op_type]), by=by))
        flowing = node.output[0]
    return tuple(steps)


def _scalar(tensor: TensorProto | None) -> float | None:
    from onnx import numpy_helper

    if tensor is None or tensor.external_data:
        return None
    values = numpy_helper.to_array(tensor)
    return float(values.reshape(-1)[0]) if values.size == 1 else None


def _save_product(
    beside: Path, folder: Path, weight: TensorProto, dtype: FloatName, steps: tuple[Step, ...]
) -> HeadRecord:
    import numpy as np

    kind = np.dtype("uint16" if dtype == "bfloat16" else dtype)
    hidden, vocabulary = (int(size) for size in weight.dims)
    held = np.frombuffer(_bytes_of(beside, weight), dtype=kind).reshape(hidden, vocabulary)

    def rows_of(begin: int, end: int) -> Any:
        return np.ascontiguousarray(held[:, begin:end].T)

    return save_linear(folder, rows_of, (vocabulary, hidden), dtype, steps)


def _bytes_of(beside: Path, tensor: TensorProto) -> Any:
    """Give a tensor's bytes, those in a file as a map of it."""
    import numpy as np
    from onnx import numpy_helper

    if not tensor.external_data:
        return tensor.raw_data or numpy_helper.to_array(tensor).tobytes()
    where = {entry.key: entry.value for entry in tensor.external_data}
    return np.memmap(
        beside / where["location"], mode="r", offset=int(where.get("offset", 0)), shape=(int(where["length"]),)
    )


def _save_graph(
    beside: Path, folder: Path, model: ModelProto, head: NodeProto, dtype: FloatName,
    nodes: Sequence[NodeProto], tensors: Mapping[str, TensorProto],
) -> HeadRecord:  # fmt: skip
    """Write `head.onnx` beside the bytes of its weights."""
    import onnx
    from onnx import TensorProto as Types
    from onnx import helper

    vocabulary = _vocabulary(model.graph)
    hidden = _hidden(head, tensors)
    if vocabulary is None or hidden is None:
        raise Unsupported("the head's shape does not stand in the graph")
    hashed, kept = _hashed(nodes, head), []
    with (folder / GRAPH_WEIGHTS).open("wb") as file:
        for name, tensor in tensors.items():
            if any(name in node.output for node in nodes):
                continue
            kept.append(_copied(tensor, _bytes_of(beside, tensor), file))
            hashed.update(repr((tensor.data_type, list(tensor.dims))).encode())
            hashed.update(_bytes_of(beside, tensor))
    feeds = helper.make_tensor_value_info(head.input[0], Types.DataType.Value(_NAMES[dtype]), [1, "rows", hidden])
    logits = next(one for one in model.graph.output if one.name == "logits")
    kind = logits.type.tensor_type.elem_type
    gives = helper.make_tensor_value_info("logits", kind, [1, "rows", vocabulary])
    graph = helper.make_graph(list(nodes), "head", [feeds], [gives], kept)
    made = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    onnx.save(made, str(folder / GRAPH))
    record = HeadRecord(
        kind="onnx", hidden=hidden, vocabulary=vocabulary, dtype=dtype, feeds=head.input[0], gives="logits",
        sha256=hashed.hexdigest(),
    )  # fmt: skip
    write_record(folder, record)
    return record


_NAMES: Mapping[FloatName, str] = {"float32": "FLOAT", "float16": "FLOAT16", "bfloat16": "BFLOAT16"}


def _vocabulary(graph: GraphProto) -> int | None:
    logits = next(one for one in graph.output if one.name == "logits")
    last = logits.type.tensor_type.shape.dim[-1:]
    return int(last[0].dim_value) if last and last[0].dim_value else None


def _hidden(head: NodeProto, tensors: Mapping[str, TensorProto]) -> int | None:
    """Read the size of the hidden states from a quantized product's K, or from weights that are a plain matrix."""
    for attribute in head.attribute:
        if attribute.name == "K":
            return int(attribute.i)
    weights = [one for one in tensors.values() if len(one.dims) == 2]
    largest = max(weights, key=lambda one: int(one.dims[0]) * int(one.dims[1]), default=None)
    return None if largest is None else min(int(size) for size in largest.dims)


def _hashed(nodes: Sequence[NodeProto], head: NodeProto) -> Any:
    """Begin a hash with operators and attributes; values are numbered in order, since their names are the exporter's."""
    numbers: dict[str, int] = {head.input[0]: 0}
    found = hashlib.sha256()
    for node in nodes:
        places = [numbers.setdefault(name, len(numbers)) for name in (*node.input, *node.output) if name]
        attributes = sorted(attribute.SerializeToString(deterministic=True).hex() for attribute in node.attribute)
        found.update(repr((node.op_type, node.domain, places, attributes)).encode())
    return found


def _copied(tensor: TensorProto, content: Any, file: Any) -> TensorProto:
    """Give a tensor for the head's own graph; a large one's bytes go into the file."""
    import onnx

    made = onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    if len(content) <= _SMALL:
        made.raw_data = bytes(content)
        return made
    begin = -(-file.tell() // 4096) * 4096
    file.seek(begin)
    file.write(content)
    made.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", GRAPH_WEIGHTS), ("offset", str(begin)), ("length", str(len(content)))):
        made.external_data.add(key=key, value=value)
    return made
