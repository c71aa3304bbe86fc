"""Checkpoints in which Model Optimizer packed INT4 weights, exported by the GenAI model builder without rounding anything again.

The builder of 0.15.2 knows nothing of Model Optimizer, and the loader of 0.18 (models/loaders/modelopt.py) reads FP8 and NVFP4, on CUDA and of one family of
models. Both read Olive's layout. So integers and scales are laid out as Olive has them, and what AWQ multiplies a layer's inputs with becomes a node before the
layer, where Model Optimizer could not move it into the norm before. Afterwards each layer of the graph is held against the checkpoint, number by number.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.core.errors import HarnessError
from harness.core.model_record import ModelRecord
from harness.core.options import Options
from harness.core.seam import Base, Built, Context, Facts, Quantizer
from harness.core.spec import Note
from harness.quantizers import ort_genai, ort_genai_models
from harness.quantizers.folders import graph_file, read_json
from harness.quantizers.graph_check import load_graph
from harness.quantizers.ort_genai_options import OrtGenaiOptions, Provider

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Floats = NDArray[np.float32]

_NODE = re.compile(r"^/model/layers\.(\d+)/(attn|mlp)/(\w+)/MatMul(?:NBits)?$")
_FUSED = {"qkv_proj": ("q_proj", "k_proj", "v_proj")}
_HEAD = "/lm_head/MatMul"
_WEIGHTS = (".safetensors", ".safetensors.index.json")
_MIDDLE = 8
"""Of four bits without a sign: what stands for zero."""


class ModeloptGenaiOptions(Options):
    """What the graph is made for; types and blocks are the checkpoint's."""

    provider: Provider = "cpu"
    """Execution provider that the graph is made for; the engine's, where the recipe does not say it."""
    accuracy_level: Literal[0, 1, 2, 3, 4] | None = None
    """Type in which products are computed: 1 fp32, 2 fp16, 3 bf16, 4 int8; the builder takes 4 on CPU, 0 elsewhere."""


@dataclass(frozen=True)
class PackedLayer:
    """Weights of one linear layer as they lie in a packed checkpoint."""

    values: Bytes
    """[out, in], 0 to 15, where 8 stands for zero."""
    scales: Floats
    """[out, blocks of inputs]."""
    before: Floats | None
    """[in]: what inputs are multiplied with first; None where nothing is."""

    @property
    def block(self) -> int:
        """Weights that share a scale."""
        return int(self.values.shape[1] // self.scales.shape[1])


@dataclass(frozen=True)
class PackedCheckpoint:
    """What lies in a packed checkpoint."""

    layers: Mapping[str, PackedLayer]
    """INT4 layers by name."""
    others: Mapping[str, object]
    """All other tensors of torch by name."""

    @property
    def block(self) -> int:
        """Weights that share a scale, in every layer."""
        return next(iter(self.layers.values())).block


def build(base: Base, options: ModeloptGenaiOptions, out: Path, context: Context) -> Built:
    """Export a packed checkpoint as a graph, and hold each layer of it against the checkpoint.

    Raises: HarnessError where the base is no checkpoint of packed INT4 weights, or a layer of the graph is not what lies in it.
    """
    packed = read_packed(base.path)
    staged = _write_olive(base.path, context.folder / "unpacked", packed)
    given = OrtGenaiOptions.model_validate(
        {
            "precision": "int4", "provider": options.provider, "block_size": packed.block, "nodes_to_exclude": [_HEAD],
            "shared_embeddings": False, "accuracy_level": options.accuracy_level,
        }
    )  # fmt: skip
    try:
        built = ort_genai.build(Base(staged, "hf", base.model), given, out, context)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    scaled = scale_inputs(graph_file(out), packed.layers)
    hold_graph(graph_file(out), packed.layers)
    return Built("ort-genai", built.layers, (*built.notes, *_note(scaled)), built.facts)


def _note(scaled: Sequence[str]) -> Iterator[Note]:
    if scaled:
        text = f"AWQ's scales of the inputs of {len(scaled)} layers, as {scaled[0]}, are products of their own before these"
        yield Note(code="scaled-inputs", text=text)


def read_packed(folder: Path) -> PackedCheckpoint:
    """Read a checkpoint in Model Optimizer's unified format.

    Raises: HarnessError where it is none, or where what it packs is not INT4 with a scale per block.
    """
    from safetensors.torch import load_file

    said = read_json(folder / "config.json").get("quantization_config") or {}
    if said.get("quant_method") != "modelopt":
        raise HarnessError(
            f"{folder} is no checkpoint that Model Optimizer packed; start from a method of modelopt-torch with `export: true`"
        )
    tensors: dict[str, Any] = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(file)
    names = [name.removesuffix(".weight_scale") for name in tensors if name.endswith(".weight_scale")]
    layers = {name: _layer(tensors, name, str(said.get("quant_algo"))) for name in sorted(names)}
    if not layers or len({layer.block for layer in layers.values()}) != 1:
        raise HarnessError(f"{folder} has no INT4 layers of one block size")
    return PackedCheckpoint(layers, tensors)


def _layer(tensors: dict[str, Any], name: str, algorithm: str) -> PackedLayer:
    """Take one layer's tensors out. Two rows of outputs lie in one byte of the file, signed, the first in its lower half."""
    import numpy as np
    import torch

    weight, scale = tensors.pop(f"{name}.weight"), tensors.pop(f"{name}.weight_scale")
    before = tensors.pop(f"{name}.pre_quant_scale", None)
    more = [key for key in tensors if key.startswith(f"{name}.") and not key.endswith(".bias")]
    if weight.dtype != torch.uint8 or scale.ndim != 2 or len(scale) != 2 * len(weight) or more:
        raise HarnessError(
            f"layer '{name}' is packed as {algorithm}, and the model builder takes INT4 weights with a scale per block alone; "
            "take INT4_AWQ_CFG or INT4_BLOCKWISE_WEIGHT_ONLY_CFG"
        )
    halves = np.stack([weight.numpy() & 15, weight.numpy() >> 4], axis=1).reshape(2 * len(weight), -1)
    moved = None if before is None else before.float().numpy()
    return PackedLayer(halves ^ np.uint8(_MIDDLE), scale.float().numpy(), moved)


def _write_olive(folder: Path, to: Path, packed: PackedCheckpoint) -> Path:
    """Write a folder in the layout of Olive's quantized checkpoints, with the other files of a packed one."""
    import torch
    from safetensors.torch import save_file

    to.mkdir(parents=True)
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.endswith(_WEIGHTS):
            shutil.copyfile(path, to / path.name)
    said = {"quant_method": "olive", "bits": 4, "group_size": packed.block, "symmetric": True, "overrides": {}}
    config = {**read_json(folder / "config.json"), "quantization_config": said}
    (to / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True), "utf-8")
    laid_out = {
        f"{name}.{part}": torch.from_numpy(value)
        for name, layer in packed.layers.items()
        for part, value in _laid_out(layer).items()
    }
    save_file({**packed.others, **{name: one.contiguous() for name, one in laid_out.items()}}, to / "model.safetensors")
    return to


def _laid_out(layer: PackedLayer) -> dict[str, Any]:
    """Give the tensors of Olive's layout: two neighbours along the inputs in a byte, the first in its lower half."""
    import numpy as np

    zeros = np.full((len(layer.values), -(-layer.scales.shape[1] // 2)), _MIDDLE | _MIDDLE << 4, np.uint8)
    return {"qweight": layer.values[:, ::2] | layer.values[:, 1::2] << 4, "scales": layer.scales, "qzeros": zeros}


def layers_of(node: str) -> list[str]:
    """Name the layers of a model that a node of the builder multiplies with, in the order of their rows; none for other nodes."""
    found = _NODE.match(node)
    if found is None:
        return []
    place = f"model.layers.{found[1]}.{'self_attn' if found[2] == 'attn' else 'mlp'}"
    return [f"{place}.{name}" for name in _FUSED.get(found[3], (found[3],))]


def scale_inputs(path: Path, layers: Mapping[str, PackedLayer]) -> list[str]:
    """Put a product before each node of a graph whose layer's inputs are to be multiplied first. Returns: their names.

    Raises: HarnessError where one product stands for layers that want different ones.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = load_graph(path)
    types = {one.name: one.data_type for one in model.graph.initializer}
    nodes, scaled = [], []
    for node in model.graph.node:
        names = layers_of(node.name) if node.op_type == "MatMulNBits" else []
        before = [one for name in names if name in layers and (one := layers[name].before) is not None]
        if before:
            if len(names) != 1:
                raise HarnessError(f"'{node.name}' is one product of {', '.join(names)}, whose inputs are scaled apart")
            dtype = helper.tensor_dtype_to_np_dtype(types[node.input[2]])
            model.graph.initializer.append(numpy_helper.from_array(before[0].astype(dtype), f"{node.name}.before"))
            nodes.append(
                helper.make_node(
                    "Mul", [node.input[0], f"{node.name}.before"], [f"{node.name}/scaled"], name=f"{node.name}/Scale"
                )
            )
            node.input[0] = f"{node.name}/scaled"
            scaled.append(names[0])
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, str(path))
    return scaled


def hold_graph(path: Path, layers: Mapping[str, PackedLayer]) -> None:
    """Hold a graph's quantized products against a checkpoint: integers, scales, and what inputs are multiplied with.

    Raises: HarnessError naming the first layer that is something else, or that no product has.
    """
    import numpy as np
    from onnx import numpy_helper

    model = load_graph(path)
    stored = {one.name: one for one in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}

    def read(name: str) -> Any:
        return numpy_helper.to_array(stored[name], base_dir=str(path.parent))

    left = dict(layers)
    for node in model.graph.node:
        names = layers_of(node.name) if node.op_type == "MatMulNBits" else []
        taken = [left.pop(name) for name in names if name in left]
        if not taken:
            continue
        if len(taken) != len(names):
            packed = ", ".join(name for name in names if name in layers)
            raise HarnessError(
                f"'{node.name}' of {path.name} is one product of {', '.join(names)}, and the checkpoint packs only {packed}; "
                "pack all of them, or none"
            )
        values, scales = read(node.input[1]), read(node.input[2])
        wanted = np.concatenate([_laid_out(layer)["qweight"] for layer in taken]).reshape(values.shape)
        exact = np.concatenate([layer.scales for layer in taken]).astype(scales.dtype).reshape(scales.shape)
        maker = makers.get(node.input[0])
        there = read(maker.input[1]) if maker is not None and maker.name == f"{node.name}/Scale" else None
        before = None if taken[0].before is None else taken[0].before.astype(scales.dtype)
        same = np.array_equal(values, wanted) and np.array_equal(scales, exact) and _equal(there, before)
        if not same or any(read(zero).tobytes().strip(b"\x88") for zero in node.input[3:4] if zero):
            raise HarnessError(f"'{node.name}' of {path.name} is not what the checkpoint has of {', '.join(names)}")
    if left:
        raise HarnessError(f"layer '{min(left)}' of the checkpoint is no quantized product of {path.name}")


def _equal(one: Any, other: Any) -> bool:
    import numpy as np

    return one is other if one is None or other is None else np.array_equal(one, other)


def _like(options: ModeloptGenaiOptions) -> OrtGenaiOptions:
    return OrtGenaiOptions(precision="int4", provider=options.provider, accuracy_level=options.accuracy_level)


def refuse(options: ModeloptGenaiOptions, facts: Facts) -> str | None:
    """Say why the builder cannot be had in an environment, or a graph not be made for a provider."""
    return ort_genai.refuse(_like(options), facts)


def refuse_model(options: ModeloptGenaiOptions, facts: Facts, record: ModelRecord) -> str | None:
    """Say why the builder cannot export a model."""
    return ort_genai_models.refuse_model(_like(options), facts, record)


QUANTIZER = Quantizer(
    name="modelopt-genai",
    version=1,
    consumes=("hf",),
    produces="ort-genai",
    options=ModeloptGenaiOptions,
    packages=ort_genai.PACKAGES,
    build=build,
    refuse=refuse,
    refuse_model=refuse_model,
    provider_field="provider",
    imports=ort_genai.imports,
)
