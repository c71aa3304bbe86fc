"""What an ONNX graph's weights are, read from the graph itself and held against what a method promises."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError

FLOAT32 = frozenset({"float32"})
FLOAT16 = frozenset({"float16"})
BFLOAT16 = frozenset({"bfloat16"})
FLOATS = FLOAT32 | FLOAT16 | BFLOAT16
INT4 = frozenset({"int4", "uint4"})
INT8 = frozenset({"int8", "uint8"})
CHANNEL = "channel"

_SUFFIX = re.compile(r"(_matmul)?_Q\d+$")
_LAYER = re.compile(r"(?:^|/)layers\.(\d+)(?:/|$)")
_PASSED_THROUGH = frozenset({"Transpose", "Reshape", "Identity", "Cast"})


@dataclass(frozen=True)
class Weight:
    """One constant matrix that a node multiplies with or looks rows up in."""

    node: str
    """Name of the node, without what a quantizer hung on it: /model/layers.0/attn/o_proj/MatMul."""
    kind: str
    """float32, float16, bfloat16, int8, uint8, int4 or uint4 (unsigned: it has zero points)."""
    grain: str
    """What shares one scale: `b32` (32 weights along the inputs), `channel`, `tensor`; empty for floats."""
    form: str
    """matmul, matmulnbits, dq (stored quantized), qdq (stored as float, rounded while running), gather."""

    @property
    def label(self) -> str:
        return " ".join(part for part in (self.kind, self.grain, self.form) if part)


@dataclass(frozen=True)
class Promise:
    """What a method says a weight will be."""

    kinds: frozenset[str]
    grain: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in ("/".join(sorted(self.kinds)), self.grain) if part)


def block(size: int) -> str:
    """Write a block size as a grain: `b32`; -1 is a scale per output channel."""
    return CHANNEL if size == -1 else f"b{size}"


def load_graph(path: Path) -> Any:
    """Read a graph without its external weights. Raises: HarnessError naming the file where it cannot be parsed."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load(str(path), load_external_data=False)
    except FileNotFoundError:
        raise HarnessError(f"the graph {path.name} is missing in {path.parent}; build or download it again") from None
    except DecodeError as error:
        raise HarnessError(f"{path} is not a readable ONNX file ({error}); build or download it again") from None
    if not model.graph.node:
        raise HarnessError(f"{path} is an ONNX file without nodes; build or download it again")
    return model


def read_weights(model: Any, where: str) -> list[Weight]:
    """List the weight matrices of a graph, in graph order.

    Raises: HarnessError where a node reads what nothing gives, or where scales do not fit their weights.
    """
    graph = Graph(model, where)
    graph.refuse_loose_inputs()
    found = [graph.weight(node) for node in graph.nodes]
    return [weight for weight in found if weight is not None]


def counts(weights: Iterable[Weight]) -> dict[str, int]:
    """Count weight matrices by label, as `int4 b32 matmulnbits`."""
    return dict(sorted(Counter(weight.label for weight in weights).items()))


def matmuls(weights: Iterable[Weight]) -> list[Weight]:
    """Keep the weights that are multiplied with; leave out tables that rows are looked up in."""
    return [weight for weight in weights if weight.form != "gather"]


def decoder_layers(weights: Iterable[Weight]) -> set[int]:
    """Tell which decoder layers have weights, by the number in the nodes' names."""
    return {int(found[1]) for weight in weights if (found := _LAYER.search(weight.node))}


def hold(weights: Iterable[Weight], promise: Callable[[str], Promise | None], where: str) -> None:
    """Hold each multiplied weight against the promise for its node.

    Raises: HarnessError naming the first layer that differs, what was promised and what was found.
    """
    wrong = [
        (weight, promised)
        for weight in matmuls(weights)
        if (promised := promise(weight.node)) is not None
        and (weight.kind not in promised.kinds or weight.grain != promised.grain)
    ]
    if wrong:
        weight, promised = wrong[0]
        more = f" ({len(wrong)} layers differ)" if len(wrong) > 1 else ""
        raise HarnessError(
            f"layer '{weight.node}' of {where} has {weight.label} weights where {promised} was promised{more}; "
            "the artifact is not what its method says and was not kept"
        )


def hold_names(weights: Iterable[Weight], names: Iterable[str], where: str) -> None:
    """Refuse a graph in which a layer of its base is no longer found. Raises: HarnessError naming the first."""
    missing = sorted(set(names) - {weight.node for weight in weights})
    if missing:
        raise HarnessError(f"layer '{missing[0]}' of the base has no weights in {where} ({len(missing)} are missing)")


def hold_layers(weights: Iterable[Weight], number: int, where: str) -> None:
    """Refuse a graph without weights in one of its decoder layers. Raises: HarnessError naming the first."""
    missing = sorted(set(range(number)) - decoder_layers(matmuls(weights)))
    if missing:
        raise HarnessError(f"{where} has no weights in decoder layer {missing[0]} of {number}")


class Graph:
    """Look-ups in one graph."""

    def __init__(self, model: Any, where: str) -> None:
        import onnx

        self.onnx = onnx
        self.where = where
        self.graph = model.graph
        self.nodes = list(model.graph.node)
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        for node in self.nodes:
            if node.op_type == "Constant":
                tensors = [attribute.t for attribute in node.attribute if attribute.name == "value"]
                self.constants.update(dict(zip(node.output, tensors, strict=False)))

    def refuse_loose_inputs(self) -> None:
        given = self.constants.keys() | self.producers.keys() | {value.name for value in self.graph.input}
        for node in self.nodes:
            for name in node.input:
                if name and name not in given:
                    raise HarnessError(
                        f"node '{node.name}' of {self.where} uses undefined input '{name}'; build the artifact again"
                    )

    def weight(self, node: Any) -> Weight | None:
        if node.op_type == "MatMulNBits":
            return self._packed(node, zero_points=3, form="matmulnbits")
        if node.op_type == "GatherBlockQuantized":
            return self._packed(node, zero_points=3, form="gather")
        if node.op_type in {"MatMul", "Gemm"}:
            return self._traced(node, node.input[1], "matmul")
        if node.op_type == "Gather":
            return self._traced(node, node.input[0], "gather")
        return None

    def _packed(self, node: Any, zero_points: int, form: str) -> Weight:
        settings = self.settings(node)
        signed = len(node.input) <= zero_points or not node.input[zero_points]
        kind = f"{'' if signed else 'u'}int{settings.get('bits', 4)}"
        return Weight(_SUFFIX.sub("", node.name), kind, block(settings["block_size"]), form)

    def _traced(self, node: Any, name: str, form: str) -> Weight | None:
        name, producer = self._origin(name)
        bare = _SUFFIX.sub("", node.name)
        if name in self.constants:
            tensor = self.constants[name]
            return Weight(bare, self.kind(tensor), "", form) if len(tensor.dims) == 2 else None
        if producer is None or producer.op_type != "DequantizeLinear":
            return None
        return self._dequantized(bare, producer, form)

    def _origin(self, name: str) -> tuple[str, Any]:
        """Follow a value back through what only reshapes it, to a constant or to the node that computes it."""
        producer = self.producers.get(name)
        while name not in self.constants and producer is not None and producer.op_type in _PASSED_THROUGH:
            name = producer.input[0]
            producer = self.producers.get(name)
        return name, producer

    def constant(self, name: str) -> Any:
        """Return the constant that a value is, also where it is reshaped on its way; None for an input left out."""
        return self.constants.get(self._origin(name)[0]) if name else None

    def stored(self, name: str) -> tuple[Any, Any, Any]:
        """Return a weight's constant with its scale and zero point; these are None for floats, or where there is none."""
        name, producer = self._origin(name)
        if name in self.constants:
            return self.constants[name], None, None
        scale, zero = producer.input[1], producer.input[2] if len(producer.input) > 2 else ""
        source = self.producers.get(producer.input[0])
        kept = producer.input[0] if source is None else source.input[0]
        return self.constants.get(kept), self.constants.get(scale), self.constants.get(zero)

    def _dequantized(self, bare: str, node: Any, form: str) -> Weight | None:
        source, stored = self.producers.get(node.input[0]), "dq"
        tensor = self.constants.get(node.input[0])
        kind = self.kind(tensor) if tensor is not None else ""
        if tensor is None and source is not None and source.op_type == "QuantizeLinear":
            tensor, stored = self.constants.get(source.input[0]), "qdq"
            zero_point = self.constants.get(source.input[2]) if len(source.input) > 2 else None
            kind = self.kind(zero_point) if zero_point is not None else "uint8"
        if tensor is None:
            return None
        return Weight(bare, kind, self._grain(bare, node, tensor), stored if form == "matmul" else form)

    def _grain(self, bare: str, node: Any, tensor: Any) -> str:
        settings = self.settings(node)
        size, axis = settings.get("block_size", 0), settings.get("axis", 1)
        scale = list(self.constants[node.input[1]].dims)
        shape = list(tensor.dims)
        if math.prod(scale) == 1 and len(scale) < 2:
            return "tensor"
        expected = list(shape) if size else [shape[axis]]
        if size:
            expected[axis] = math.ceil(shape[axis] / size)
        if scale != expected:
            raise HarnessError(
                f"layer '{bare}' of {self.where} has scales of shape {scale} for weights of shape {shape}, axis {axis}, "
                f"block size {size}; {expected} would fit"
            )
        return f"b{size}" if size else CHANNEL

    def settings(self, node: Any) -> dict[str, Any]:
        return {item.name: self.onnx.helper.get_attribute_value(item) for item in node.attribute}

    def kind(self, tensor: Any) -> str:
        name: str = self.onnx.TensorProto.DataType.Name(tensor.data_type).lower()
        return "float32" if name == "float" else name
