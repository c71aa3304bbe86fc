"""Which weights an ONNX artifact quantizes and how, read back from its graph: the scheme and the bits per weight."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.outcome import Scheme
from harness.quantizers.graph_check import FLOATS, Graph, Weight, load_graph
from harness.quantizers.scheme_text import Matrices, Matrix, product, written

_EXPERTS = frozenset({"MoE", "QMoE"})
_FLOAT_ZERO = 8.0
"""Zero points of MatMulNBits may be floats; this one is the middle of four bits."""


def scheme_of(folder: Path, form: str, dtype: str | None = None) -> Scheme | None:
    """Read the scheme of a complete folder; None where nothing here can read its format, or what is in it is unusual.

    dtype: type that an engine computes with, where it converts the floats of a `hf` folder.
    """
    try:
        return _scheme_of(folder, form, dtype)
    except _UNUSUAL:  # a description is no reason to lose what was built or measured
        return None


_UNUSUAL = (HarnessError, OSError, struct.error, ValueError, KeyError, IndexError, TypeError, AttributeError)


def step_bytes(folder: Path, form: str, dtype: str | None = None) -> int | None:
    """Count the bytes of a complete folder's weights that one token is multiplied with; None where `scheme_of` knows no scheme.

    dtype: as there.
    """
    try:
        found = _matrices_of(folder, form, dtype)
    except _UNUSUAL:
        return None
    return found.step_bytes if found else None


def _scheme_of(folder: Path, form: str, dtype: str | None) -> Scheme | None:
    if form == "hf":
        from harness.quantizers.scheme_hf import folder_scheme

        return folder_scheme(folder, dtype)
    found = _matrices_of(folder, form, dtype)
    return written(found) if found else None


def _matrices_of(folder: Path, form: str, dtype: str | None) -> Matrices | None:
    import importlib.util

    if form == "hf":
        from harness.quantizers.scheme_hf import folder_matrices

        return folder_matrices(folder, dtype)
    if form == "ort-genai" and importlib.util.find_spec("onnx") is not None:
        from harness.quantizers.folders import graph_file

        return graph_matrices(graph_file(folder))
    return None


def graph_scheme(path: Path) -> Scheme:
    """Read the scheme of a decoder graph: multiplied weights by kind, then LM head and token embedding."""
    return written(graph_matrices(path))


def graph_matrices(path: Path) -> Matrices:
    """Read the weight matrices of a decoder graph."""
    graph = Graph(load_graph(path), path.name)
    weights = [(node, weight) for node in graph.nodes if (weight := graph.weight(node)) is not None]
    head, embedding = _head(graph), _embedding(graph)
    found = {id(node): _matrix(graph, node, weight, path.parent) for node, weight in weights}
    body = [found[id(node)] for node, weight in weights if weight.form != "gather" and node is not head]
    first, last = (found.get(id(node)) for node in (embedding, head))
    unread = None in body or any(node.op_type in _EXPERTS for node in graph.nodes)
    return Matrices([matrix for matrix in body if matrix is not None], last, first, not unread)


# ---------------------------------------------------------------- which node is which


def _head(graph: Graph) -> Any:
    """Find the node that makes the logits: the nearest one with weights before the output."""
    outputs = [value.name for value in graph.graph.output]
    waiting = deque(["logits"] if "logits" in outputs else outputs[:1])
    seen = set(waiting)
    while waiting:
        node = graph.producers.get(waiting.popleft())
        if node is None:
            continue
        weight = graph.weight(node)
        if weight is not None and weight.form != "gather":
            return node
        for name in node.input:
            if name and name not in seen:
                seen.add(name)
                waiting.append(name)
    return None


def _embedding(graph: Graph) -> Any:
    """Find the node that looks token ids up."""
    ids = {"input_ids"}
    for node in graph.nodes:
        if not ids.intersection(node.input):
            continue
        weight = graph.weight(node)
        if weight is not None and weight.form == "gather":
            return node
        if node.op_type in {"Cast", "Reshape", "Identity", "Unsqueeze", "Squeeze", "Flatten"}:
            ids.update(node.output)
    return None


# ---------------------------------------------------------------- one matrix


def _matrix(graph: Graph, node: Any, weight: Weight, folder: Path) -> Matrix | None:
    """Describe the weights of a node; None where they are stored in a way that is not known here."""
    if node.op_type in {"MatMulNBits", "GatherBlockQuantized"}:
        return _packed(graph, node, weight, folder)
    tensor, scale, zero = graph.stored(node.input[0 if node.op_type == "Gather" else 1])
    if tensor is None:
        return None
    count, kind = _count(tensor), weight.kind
    if kind in FLOATS:
        return Matrix(kind, tensor.name, count, count * _width(kind))
    if scale is None:
        return None
    symmetric = (
        _is_middle(zero, 1 << (_width(kind) - 1), folder) if kind.startswith("u") else _is_middle(zero, 0, folder)
    )
    bits = count * _width(kind) + _bits(scale) + (_bits(zero) if zero is not None else 0)
    return Matrix(_text(kind, weight.grain, symmetric=symmetric), tensor.name, count, bits)


def _packed(graph: Graph, node: Any, weight: Weight, folder: Path) -> Matrix | None:
    settings = graph.settings(node)
    width = settings.get("bits", 4)
    packed, scale, zero = (graph.constant(name) for name in _packed_inputs(node))
    if packed is None or scale is None:
        return None
    exact = settings["N"] * settings["K"] if node.op_type == "MatMulNBits" else None
    count = exact or _count(packed) * max(1, _width(graph.kind(packed)) // width)
    blocks = -(-settings["K"] // settings["block_size"]) if exact else 0
    symmetric = zero is None or _is_packed_middle(zero, width, blocks, folder)
    bits = sum(_bits(tensor) for tensor in (packed, scale, zero) if tensor is not None)
    return Matrix(_text(weight.kind, weight.grain, symmetric=symmetric), packed.name, count, bits)


def _packed_inputs(node: Any) -> Iterator[str]:
    places = (1, 2, 3) if node.op_type == "MatMulNBits" else (0, 2, 3)
    yield from (node.input[place] if place < len(node.input) else "" for place in places)


def _text(kind: str, grain: str, *, symmetric: bool) -> str:
    return " ".join(part for part in (kind.removeprefix("u"), grain, "sym" if symmetric else "asym") if part)


def _is_middle(zero: Any, middle: int, folder: Path) -> bool:
    """Say whether zero points, or their absence, leave zero in the middle of the range."""
    return middle == 0 if zero is None else bool((_values(zero, folder).astype("int64") == middle).all())


def _is_packed_middle(zero: Any, width: int, blocks: int, folder: Path) -> bool:
    values = _values(zero, folder)
    if values.dtype.kind == "f":
        return bool((values == _FLOAT_ZERO).all())
    import numpy as np

    fields = 8 // width
    masks = np.arange(fields, dtype=np.uint8) * width
    unpacked = (values.reshape(-1, 1).view(np.uint8) >> masks) & ((1 << width) - 1)
    if blocks and values.size * fields % blocks and values.size % -(-blocks // fields) == 0:  # padded rows
        unpacked = unpacked.reshape(-1, -(-blocks // fields) * fields)[:, :blocks]
    return bool((unpacked == 1 << (width - 1)).all())


def _values(tensor: Any, folder: Path) -> Any:
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor, base_dir=str(folder))


def _count(tensor: Any) -> int:
    return product(tensor.dims)


def _bits(tensor: Any) -> int:
    from onnx import TensorProto

    kind = str(TensorProto.DataType.Name(tensor.data_type)).lower()
    return product(tensor.dims) * _width(kind)


_WIDTHS = {"float": 32, "double": 64, "half": 16, "bool": 8}


def _width(kind: str) -> int:
    """Return the bits of an ONNX type by its name, as `uint4` or `float8e4m3fn`."""
    if kind in _WIDTHS:
        return _WIDTHS[kind]
    digits = "".join(letter if letter.isdigit() else " " for letter in kind).split()
    return int(digits[0])
