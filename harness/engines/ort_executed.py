"""What ONNX Runtime really runs of a GenAI artifact: two tokens generated with its profiler on, read node by node.

The artifact is opened as for generating, with the same providers and settings; only the repacking of weights is left out, which comes
after the graph is optimized and would hide their types. The profiler names each node that ran, its provider, and types and shapes of its inputs.
Source: onnxruntime, core/framework/sequential_executor.cc (arguments of a node's event).
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.executed import Executed, executed
from harness.engines.onnx_scores import PROVIDERS
from harness.engines.ort_genai_opening import OrtGenaiEngineOptions, _open_model
from harness.engines.scoring_view import read_graph
from harness.engines.tokens import read_json

if TYPE_CHECKING:
    from onnx import ModelProto

_AS_STORED = {"session.disable_prepacking": "1"}
_PROMPT = (1, 2)
"""Token ids of the pass; every vocabulary has them."""
_TYPES = {"float": "float32", "double": "float64"}
_FLOATS = frozenset({"float32", "float16", "bfloat16", "float64"})
_ATTENTIONS = frozenset(
    {"GroupQueryAttention", "MultiHeadAttention", "Attention", "PagedAttention", "SparseAttention", "DecoderMaskedMultiHeadAttention", "QAttention"}
)  # fmt: skip
_PRODUCTS = frozenset({"MatMul", "FusedMatMul", "TransposeMatMul", "Gemm", "FusedGemm", "GemmFastGelu"})
_INTEGERS = frozenset({"MatMulIntegerToFloat", "DynamicQuantizeMatMul", "MatMulInteger", "QLinearMatMul", "QGemm", "ConvInteger"})  # fmt: skip
_PACKED, _UNPACKS = "MatMulNBits", "DequantizeLinear"
_RESHAPES = frozenset({"Transpose", "Cast", "Identity", "Reshape"})
TypeAndShape = tuple[str, tuple[int, ...]]
"""Type and shape."""


@dataclass(frozen=True)
class RanNode:
    """A node of the optimized graph that ran."""

    name: str
    kind: str
    """Operator, as `MatMulNBits`."""
    provider: str
    """As sweeps call it, else as ONNX Runtime does."""
    inputs: tuple[TypeAndShape, ...]
    outputs: tuple[TypeAndShape, ...]
    constant_bytes: int
    """Of its inputs that are constants."""


@dataclass(frozen=True)
class StoredProduct:
    """What the artifact's own graph says of a product with quantized weights."""

    bits: int
    level: int = 0
    """`accuracy_level`: 4 lets the CPU round activations to 8 bits; 0 where it says none."""


def inspect(folder: Path, options: OrtGenaiEngineOptions) -> Executed:
    """Open an artifact once more and tell what runs. Raises: HarnessError where it cannot be opened, or nothing was profiled."""
    import onnxruntime_genai as og

    with tempfile.TemporaryDirectory() as scratch:
        _generate(og, folder, options, {**_AS_STORED, "enable_profiling": str(Path(scratch) / "profile")})
        nodes = list(ran_nodes(Path(scratch).glob("profile*.json")))
    if not nodes:
        raise HarnessError("onnxruntime's profiler told of no node")
    decoder = read_json(folder / "genai_config.json")["model"]["decoder"]
    graph = read_graph(folder / str(decoder.get("filename", "model.onnx")))
    return executed_of(nodes, stored_products(graph) if graph is not None else {}, options.provider)


def _generate(og: Any, folder: Path, options: OrtGenaiEngineOptions, settings: Mapping[str, str | int]) -> None:
    """Run a prompt and one token more; the profile is written when model and generator are gone."""
    import numpy as np

    model = _open_model(og, folder, options, settings)
    params = og.GeneratorParams(model)
    length = len(_PROMPT) + 2
    params.set_search_options(max_length=length, min_length=length, batch_size=1, do_sample=False)
    generator = og.Generator(model, params)
    generator.append_tokens(np.asarray([_PROMPT], dtype=np.int32))
    generator.generate_next_token()
    generator.generate_next_token()


# ---------------------------------------------------------------- the profile


def ran_nodes(profiles: Iterable[Path]) -> Iterator[RanNode]:
    """Read the nodes of profiles, each once, however often it ran."""
    names = {name: ours for ours, name in PROVIDERS.items()}
    for path in sorted(profiles):
        seen: set[tuple[object, ...]] = set()
        for event in json.loads(path.read_text("utf-8")):
            if event.get("cat") != "Node" or not str(event["name"]).endswith("_kernel_time"):
                continue
            told, name = event["args"], str(event["name"]).removesuffix("_kernel_time")
            if (one := (name, told.get("node_index"), told["op_name"])) in seen:
                continue
            seen.add(one)
            provider = str(told.get("provider", ""))
            yield RanNode(
                name, str(told["op_name"]), names.get(provider, provider), _values(told.get("input_type_shape")),
                _values(told.get("output_type_shape")), int(told.get("parameter_size") or 0),
            )  # fmt: skip


def _values(told: Sequence[Mapping[str, Sequence[int]]] | None) -> tuple[TypeAndShape, ...]:
    return tuple((_TYPES.get(kind, kind), tuple(shape)) for one in told or () for kind, shape in one.items())


# ---------------------------------------------------------------- the artifact's own graph


def stored_products(model: ModelProto) -> dict[str, StoredProduct]:
    """Say by node which bits quantized weights have in a graph; a profile shows them packed into bytes."""
    from onnx import TensorProto

    makers = {name: node for node in model.graph.node for name in node.output}
    types = {one.name: one.data_type for one in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type == _PACKED:
            said = {one.name: one.i for one in node.attribute}
            found[node.name] = StoredProduct(said.get("bits", 4), said.get("accuracy_level", 0))
        elif node.op_type in _PRODUCTS:
            maker = makers.get(node.input[1])
            while maker is not None and maker.op_type in _RESHAPES:
                maker = makers.get(maker.input[0])
            if maker is not None and maker.op_type == _UNPACKS and maker.input[0] in types:
                name = TensorProto.DataType.Name(types[maker.input[0]])
                found[node.name] = StoredProduct(int("".join(filter(str.isdecimal, name)) or 0))
    return found


# ---------------------------------------------------------------- what it comes to


def executed_of(nodes: Sequence[RanNode], stored: Mapping[str, StoredProduct], asked: str) -> Executed:
    """Sum up the nodes that ran. asked: provider."""
    weights: Counter[str] = Counter()
    compute: dict[str, None] = {}
    places: dict[str, Counter[str]] = {}
    elsewhere: dict[str, Counter[str]] = {}
    for node in nodes:
        places.setdefault(node.provider, Counter())[node.kind] += 1
        if node.provider != asked and any(kind in _FLOATS for kind, _ in (*node.inputs, *node.outputs)):
            elsewhere.setdefault(node.provider, Counter())[node.kind] += 1
        if label := _weight(node, stored.get(node.name)):
            weights[label] += 1
        if multiplied := _multiplied_in(node, stored.get(node.name)):
            compute[multiplied] = None
    kinds = {node.kind for node in nodes}
    attention = " + ".join(sorted(kinds & _ATTENTIONS)) or ("Softmax between products" if "Softmax" in kinds else None)
    return executed(weights, sorted(compute), attention, places, elsewhere)


def _weight(node: RanNode, stored: StoredProduct | None) -> str:
    """Name the constant matrix that a node multiplies with; empty where it has none."""
    if node.kind == _PACKED:
        bits, block = _packing(node, stored)
        return f"int{bits} b{block} {node.kind}" if bits else f"packed {node.kind}"
    if node.kind in _PRODUCTS and len(node.inputs) > 1 and _is_constant(node, node.inputs[1]):
        return f"{node.inputs[1][0]} {node.kind}"
    if node.kind in _INTEGERS or node.kind == _UNPACKS:
        matrix = next((one for one in node.inputs if one[0] not in _FLOATS and _is_constant(node, one)), None)
        return f"{matrix[0]} {node.kind}" if matrix else ""
    return f"bnb4 {node.kind}" if node.kind == "MatMulBnb4" else ""


def _is_constant(node: RanNode, value: TypeAndShape) -> bool:
    """Tell a matrix that constants of its node's have room for."""
    kind, shape = value
    bits = int("".join(filter(str.isdecimal, kind)) or 8)
    return len(shape) == 2 and 0 < prod(shape) * bits // 8 <= node.constant_bytes


def _packing(node: RanNode, stored: StoredProduct | None) -> tuple[int, int]:
    """Give bits and block of packed weights [outputs, blocks, bytes of a block]; 0, 0 where nobody tells."""
    packed = next((shape for kind, shape in node.inputs if kind == "uint8" and len(shape) == 3), None)
    if packed is None:
        return 0, 0
    _, blocks, width = packed
    bits = stored.bits if stored else width * 8 * blocks // node.inputs[0][1][-1]
    return (bits, width * 8 // bits) if bits else (0, 0)


def _multiplied_in(node: RanNode, stored: StoredProduct | None) -> str:
    """Name the type in which a node multiplies two matrices; empty for other nodes."""
    if node.kind in _INTEGERS:
        return "int8"
    if node.kind == _PACKED and node.inputs:
        level = f" at accuracy level {stored.level}" if stored and stored.level and node.provider == "cpu" else ""
        return f"{node.inputs[0][0]}{level}"
    return node.inputs[0][0] if node.kind in _PRODUCTS and node.inputs else ""
