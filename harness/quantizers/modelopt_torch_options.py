"""Options of Model Optimizer in torch, and what each of its configurations promises of a linear layer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from harness.core.options import Options
from harness.core.seam import FloatType
from harness.core.simulated_layers import SCALED
from harness.core.spec import JsonObject
from harness.quantizers.modelopt_export import PACKED
from harness.quantizers.modelopt_layers import default_strategy
from harness.quantizers.modelopt_options import DATASETS

Config = Literal[
    "INT8_DEFAULT_CFG", "INT8_SMOOTHQUANT_CFG", "INT8_WEIGHT_ONLY_CFG", "INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "INT4_AWQ_CFG",
    "FP8_DEFAULT_CFG", "FP8_PER_CHANNEL_PER_TOKEN_CFG", "W4A8_AWQ_BETA_CFG", "NVFP4_DEFAULT_CFG", "NVFP4_AWQ_LITE_CFG",
    "W4A8_NVFP4_FP8_CFG", "MXFP4_DEFAULT_CFG", "MXFP6_DEFAULT_CFG", "MXFP8_DEFAULT_CFG", "MXINT8_DEFAULT_CFG",
]  # fmt: skip
ScaleSearch = Literal["max", "smoothquant", "awq_lite", "awq_clip", "awq_full"]
_SCALES = frozenset({"smoothquant", "awq_lite", "awq_full"})
_BLOCK = 128


@dataclass(frozen=True)
class Preset:
    """A configuration of Model Optimizer: how it rounds weights and inputs, and how it finds the scales."""

    weights: str
    inputs: str = ""
    algorithm: ScaleSearch | None = "max"
    cuda: bool = False
    """Its numbers exist in CUDA kernels alone."""


PRESETS: Mapping[str, Preset] = {
    "INT8_DEFAULT_CFG": Preset("int8 channel", "int8 tensor"),
    "INT8_SMOOTHQUANT_CFG": Preset("int8 channel", "int8 tensor", "smoothquant"),
    "INT8_WEIGHT_ONLY_CFG": Preset("int8 channel"),
    "INT4_BLOCKWISE_WEIGHT_ONLY_CFG": Preset("int4 b128"),
    "INT4_AWQ_CFG": Preset("int4 b128", "", "awq_lite"),
    "FP8_DEFAULT_CFG": Preset("fp8 tensor", "fp8 tensor"),
    "FP8_PER_CHANNEL_PER_TOKEN_CFG": Preset("fp8 channel", "fp8 token"),
    "W4A8_AWQ_BETA_CFG": Preset("int4 b128 > fp8 tensor", "fp8 tensor", "awq_lite"),
    "NVFP4_DEFAULT_CFG": Preset("nvfp4 b16", "nvfp4 b16", cuda=True),
    "NVFP4_AWQ_LITE_CFG": Preset("nvfp4 b16", "nvfp4 b16", "awq_lite", cuda=True),
    "W4A8_NVFP4_FP8_CFG": Preset("nvfp4 b32", "fp8 tensor", cuda=True),
    "MXFP4_DEFAULT_CFG": Preset("mxfp4 b32", "mxfp4 b32", None, cuda=True),
    "MXFP6_DEFAULT_CFG": Preset("mxfp6 b32", "mxfp6 b32", None, cuda=True),
    "MXFP8_DEFAULT_CFG": Preset("mxfp8 b32", "mxfp8 b32", None, cuda=True),
    "MXINT8_DEFAULT_CFG": Preset("mxint8 b32", "mxint8 b32", None, cuda=True),
}
_ROUTERS = re.compile(
    r"(^|\.)(block_sparse_moe\.gate|mlp\.gate|mlp\.shared_expert_gate|linear_attn\.in_proj_[ab])$|router"
)
"""Layers that every configuration leaves in floats beside the head: they choose experts, or are tiny."""


class ModeloptTorchOptions(Options):
    """A configuration of `modelopt.torch.quantization` by its own name, what is changed in it, and what it is calibrated on."""

    config: Config
    """Model Optimizer's name of the types and blocks."""
    algorithm: ScaleSearch | None = None
    """How scales are found, in the place of the configuration's own: max takes the largest number, the others search."""
    block_size: int | None = Field(default=None, ge=2)
    """INT4 weights that share a scale, along the inputs; where it is not said, 128."""
    bits: Literal[2, 3] | None = None
    """Fewer bits in the place of INT4."""
    int8_layers: Literal["channel", "block"] | None = None
    """INT8 in the place of INT4 for the layers that modelopt-onnx's enable_mixed_quant chooses, with a scale per output channel or
    per block: query, key, value and down projections of the first and last eighth and of every third layer between."""
    activations: Literal["int8"] | None = None
    """Round the inputs of each layer to INT8, too, with one scale a layer."""
    export: bool = False
    """Pack the weights for other runtimes (Model Optimizer's unified format) in the place of a simulation that transformers opens."""
    dtype: FloatType = "float32"
    """Type of weights and of what is computed; the rounded numbers lie in it."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where it is calibrated; the engine's, where the recipe does not say it."""
    dataset: str = "reference"
    """Calibration texts: reference, cnn (cnn_dailymail) or pilevel (pile-val) from the hub, or a file."""
    calib_size: int = Field(default=32, ge=1, le=1024)
    """Number of calibration texts."""
    batch_size: int = Field(default=1, ge=1)
    """Texts per pass; shorter ones are padded and masked, and what stands in the padding counts for scales of inputs."""
    use_random_calib: bool = False
    """Random token ids instead of texts."""

    @model_validator(mode="after")
    def _together(self) -> ModeloptTorchOptions:
        four = "int4" in self.preset.weights
        for name in ("block_size", "bits", "int8_layers"):
            if getattr(self, name) is not None and not four:
                raise ValueError(f"'{name}' is about INT4 weights, which {self.config} has none of")
        if self.activations and self.preset.inputs:
            raise ValueError(f"'activations' rounds inputs, which {self.config} does itself; leave it out")
        if self.algorithm and self.preset.algorithm is None:
            raise ValueError(f"'algorithm' finds scales, and {self.config} takes them from each block; leave it out")
        if self.algorithm == "smoothquant" and not self.preset.weights.startswith("int8"):
            raise ValueError("algorithm smoothquant is for INT8 weights and inputs; take INT8_DEFAULT_CFG")
        if (self.algorithm or "").startswith("awq") and self.preset.weights.startswith(("int8", "fp8")):
            raise ValueError(f"algorithm {self.algorithm} needs weights in blocks, which {self.config} does not have")
        if self.export and (self.config not in PACKED or self.bits or self.int8_layers or self.activations):
            raise ValueError(f"'export' packs {', '.join(sorted(PACKED))} as they are; leave it out to simulate others")
        if self.batch_size > self.calib_size:
            raise ValueError(f"batch_size {self.batch_size} exceeds calib_size {self.calib_size}")
        return self

    @property
    def preset(self) -> Preset:
        """What the configuration is by itself."""
        return PRESETS[self.config]

    @property
    def searched(self) -> ScaleSearch | None:
        """How scales are found."""
        return self.algorithm or self.preset.algorithm

    @property
    def block(self) -> int:
        """INT4 weights that share a scale."""
        return self.block_size or _BLOCK

    @property
    def calibrated(self) -> bool:
        """Whether texts change the artifact: inputs have scales of their own, or scales are searched by what comes out."""
        static = bool(self.activations) or self.preset.inputs in {"int8 tensor", "fp8 tensor", "nvfp4 b16"}
        return self.searched is not None and (static or self.searched != "max")

    @property
    def text(self) -> str | None:
        """Name of the calibration text; None where none is read."""
        return None if not self.calibrated or self.use_random_calib else DATASETS.get(self.dataset, self.dataset)


def promises(options: ModeloptTorchOptions, layers: Sequence[str]) -> dict[str, str]:
    """Say what the options promise of each linear layer, in the words of `simulated_label`; those left in floats too."""
    eight = eight_bit(layers) if options.int8_layers else set()
    return {name: options.dtype if _ROUTERS.search(name) else _promise(options, name in eight) for name in layers}


def _promise(options: ModeloptTorchOptions, eight: bool) -> str:
    weights = options.preset.weights.replace("int4 b128", f"int{options.bits or 4} b{options.block}")
    if eight:
        weights = "int8 channel" if options.int8_layers == "channel" else f"int8 b{options.block}"
    inputs = "int8 tensor" if options.activations else options.preset.inputs
    scaled = options.searched in _SCALES
    return ", ".join([weights, *([f"inputs {inputs}"] if inputs else []), *([SCALED] if scaled else [])])


def eight_bit(layers: Sequence[str]) -> set[str]:
    """Choose the INT8 layers as modelopt-onnx does on the builder's graph, where query, key and value are one product."""
    nodes: dict[str, list[str]] = {}
    for name, match in ((name, _MIXED.search(name)) for name in layers):
        if match:
            kind = "mlp/down_proj" if match[2] == "down_proj" else "attn/qkv_proj"
            nodes.setdefault(f"/model/layers.{match[1]}/{kind}/MatMul", []).append(name)
    return {name for node in default_strategy(list(nodes)) for name in nodes[node]}


_MIXED = re.compile(r"layers\.(\d+)\.(?:self_attn|attn|mlp)\.(q_proj|k_proj|v_proj|qkv_proj|down_proj)$")


def quantize_config(options: ModeloptTorchOptions, preset: Mapping[str, object], layers: Sequence[str]) -> JsonObject:
    """Write what `mtq.quantize` is told. preset: the configuration by the options' name; layers: names of all linear layers."""
    import copy

    told: Any = copy.deepcopy(dict(preset))
    for entry in told["quant_cfg"]:
        for part in entry["cfg"] if isinstance(entry.get("cfg"), list) else [entry.get("cfg") or {}]:
            if part.get("num_bits") == 4 and -1 in (part.get("block_sizes") or {}):
                part["num_bits"] = options.bits or 4
                part["block_sizes"][-1] = options.block
    eight = {"num_bits": 8, "axis": 0} if options.int8_layers == "channel" else _blocks(options.block)
    for name in sorted(eight_bit(layers)) if options.int8_layers else ():
        told["quant_cfg"].append({"quantizer_name": f"{name}.weight_quantizer", "cfg": eight})
    for name in layers if options.activations else ():
        if not _ROUTERS.search(name):
            told["quant_cfg"].append(
                {"quantizer_name": f"{name}.input_quantizer", "cfg": {"num_bits": 8, "axis": None}}
            )
    if options.algorithm:
        told["algorithm"] = options.algorithm
    done: JsonObject = told
    return done


def _blocks(size: int) -> dict[str, Any]:
    return {"num_bits": 8, "block_sizes": {-1: size, "type": "static"}}
