"""A graph that computes logits only where they are asked for: the artifact's own, edited in memory, beside its own weight file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.wanted_rows import LEAST_ROWS
from harness.heads.linear import FloatName

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

    from harness.engines.scoring import Indices

ROWS = "harness_score_rows"
"""Input of the view, int64 [rows]: places in the flattened [batch x tokens] whose logits are computed, [1, rows, vocabulary]."""
HIDDEN, HIDDEN_ROWS = "harness_hidden_states", "harness_hidden_rows"
"""Output of the view, [1, hidden rows, hidden], and the input, as ROWS, that says which: what the head would see of those places."""
_LOGITS = "logits"
_HEADS = frozenset({"MatMul", "MatMulNBits", "MatMulBnb4", "Gemm", "FusedMatMul"})
_BY_ELEMENT = frozenset({"Cast", "Mul", "Div", "Add", "Sub", "Tanh", "Identity"})
"""What may stand between the head and the logits, as a cap of the logits: each row on its own, constants beside it."""
_PICKED = frozenset({"Gather", "GatherND", "GatherElements", "Slice", "Squeeze", "Unsqueeze", "Reshape"})
"""What makes of the hidden states something else than [batch, tokens, hidden], as where only the last position is kept."""
FLOATS: Mapping[int, FloatName] = {1: "float32", 10: "float16", 16: "bfloat16"}
"""Float types by ONNX's numbers."""
_FROM_WEIGHTS = frozenset({"DequantizeLinear", "Transpose", "Cast", "Identity"})
_MOST_BYTES = 1 << 30
"""Larger files, with their weights inside, are not edited in memory."""


def row_inputs(places: Indices, output: str, *, hidden: bool) -> dict[str, Indices]:
    """Give the view's inputs for the rows [n] of one output; the other one gets hardly any, since the runtime computes both."""
    few = places[:LEAST_ROWS]
    if not hidden:
        return {ROWS: places}
    return {ROWS: few, HIDDEN_ROWS: places} if output == HIDDEN else {ROWS: places, HIDDEN_ROWS: few}


def view_of(graph: Path) -> bytes | None:
    """Return a graph's scoring view, whose external weights lie in the same folder; None where its head is none that is known.

    The file is only read. `Gather` stands before the head's matrix product, so what is computed for a row is what was computed before.
    """
    model = read_graph(graph)
    head = find_head(model.graph) if model is not None else None
    if model is None or head is None:
        return None
    _gather_before(model, head)
    return bytes(model.SerializeToString())


def read_graph(graph: Path) -> ModelProto | None:
    """Read a graph without its weights; what cannot be read is left to the runtime, which says why."""
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    except ImportError:
        return None
    if graph.stat().st_size > _MOST_BYTES:
        return None
    try:
        return onnx.load(str(graph), load_external_data=False)
    except DecodeError:
        return None


def find_head(graph: GraphProto) -> NodeProto | None:
    """Find the matrix product whose rows become the logits' rows, hidden states on its left, weights on its right."""
    makers = {name: node for node in graph.node for name in node.output}
    weights = {one.name for one in graph.initializer}
    name, readers = _LOGITS, _readers(graph)
    while (node := makers.get(name)) is not None:
        if readers.get(name, 0) > (name != _LOGITS):
            return None
        if node.op_type in _HEADS:
            hidden = makers.get(node.input[0])
            known = hidden is not None and hidden.op_type not in _PICKED and _is_weight(node.input[1], makers, weights)
            return node if known else None
        flowing = [given for given in node.input if given and not _is_weight(given, makers, weights)]
        if node.op_type not in _BY_ELEMENT or len(flowing) != 1:
            return None
        name = flowing[0]
    return None


def _readers(graph: GraphProto) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in (given for node in graph.node for given in node.input):
        found[name] = found.get(name, 0) + 1
    return found


def _is_weight(name: str, makers: dict[str, NodeProto], weights: set[str]) -> bool:
    """Tell whether a value is made of constants alone."""
    while name not in weights:
        node = makers.get(name)
        if node is None:
            return False
        if node.op_type == "Constant":
            return True
        if node.op_type not in _FROM_WEIGHTS:
            return False
        name = node.input[0]
    return True


def _gather_before(model: ModelProto, head: NodeProto) -> None:
    """Put [batch, tokens, hidden] -> [1, batch x tokens, hidden] -> [1, rows, hidden] before the head."""
    from onnx import TensorProto, helper

    graph = model.graph
    shape, flat, rows = (f"{ROWS}/{part}" for part in ("shape", "flat", "picked"))
    graph.initializer.append(helper.make_tensor(shape, TensorProto.INT64, [3], [1, -1, 0]))
    graph.input.append(helper.make_tensor_value_info(ROWS, TensorProto.INT64, ["rows"]))
    nodes = [
        helper.make_node("Reshape", [head.input[0], shape], [flat], name=f"{flat}_node"),
        helper.make_node("Gather", [flat, ROWS], [rows], name=f"{rows}_node", axis=1),
        *_hidden_output(graph, head, flat),
    ]
    place = next(number for number, node in enumerate(graph.node) if node is head or node.name == head.name)
    for number, node in enumerate(nodes):
        graph.node.insert(place + number, node)
    head.input[0] = rows
    made = set(_after(graph, head))
    for info in (*graph.output, *graph.value_info):
        if info.name in made and len(info.type.tensor_type.shape.dim) == 3:
            info.type.tensor_type.shape.dim[0].Clear()
            info.type.tensor_type.shape.dim[0].dim_value = 1
            info.type.tensor_type.shape.dim[1].Clear()
            info.type.tensor_type.shape.dim[1].dim_param = "rows"


def float_type(graph: GraphProto, head: NodeProto) -> FloatName | None:
    """Name the type of the hidden states that a head takes, by its weights or their scales; None where that is not told."""
    known = {one.name: one.data_type for one in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    names = list(head.input[1:])
    for name in names:
        if known.get(name) in FLOATS:
            return FLOATS[known[name]]
        if name in makers:
            names += makers[name].input
    return None


def _hidden_output(graph: GraphProto, head: NodeProto, flat: str) -> list[NodeProto]:
    """Let a graph give what its head sees; none where nobody can tell its type."""
    from onnx import TensorProto, helper

    dtype = float_type(graph, head)
    if dtype is None or dtype == "bfloat16":
        return []
    graph.input.append(helper.make_tensor_value_info(HIDDEN_ROWS, TensorProto.INT64, ["hidden_rows"]))
    kind = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}[dtype]
    graph.output.append(helper.make_tensor_value_info(HIDDEN, kind, [1, "hidden_rows", "hidden"]))
    return [helper.make_node("Gather", [flat, HIDDEN_ROWS], [HIDDEN], name=f"{HIDDEN}_node", axis=1)]


def _after(graph: GraphProto, head: NodeProto) -> Iterator[str]:
    """Yield the names of what is made of the head's rows."""
    made = set(head.output)
    for node in graph.node:
        if made & set(node.input):
            made |= set(node.output)
    yield from made
