"""What the GenAI builder's options promise of each layer, and the check of what it made."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.spec import Note
from harness.quantizers import graph_check
from harness.quantizers.blocks import short_blocks, widths
from harness.quantizers.folders import graph_file, read_json
from harness.quantizers.graph_check import BFLOAT16, FLOAT16, FLOAT32, FLOATS, INT4, INT8, Promise, block
from harness.quantizers.ort_genai_options import OrtGenaiOptions

_LAST = {"rtn_last", "k_quant_last", "k_quant_mixed", "k_quant_linear"}
_MIXED_NODE = re.compile(r"^/model/layers\.(\d+)/(?:attn/(?:qkv_proj|v_proj)|mlp/down_proj)/MatMul$")
_FLOAT_KINDS = {"fp32": FLOAT32, "fp16": FLOAT16, "bf16": BFLOAT16}


def check_built(out: Path, options: OrtGenaiOptions) -> tuple[dict[str, int], list[Note]]:
    """Count the weights of what the builder made and hold each layer against the options.

    Raises: HarnessError naming the first layer that is not what was promised.
    """
    graph = graph_file(out)
    weights = graph_check.read_weights(graph_check.load_graph(graph), graph.name)
    number = read_json(out / "genai_config.json")["model"]["decoder"]["num_hidden_layers"]
    graph_check.hold_layers(weights, number, graph.name)
    graph_check.hold(weights, lambda node: promise(node, options, number), graph.name)
    notes = []
    if options.use_qdq and options.precision == "int4" and not any(weight.form == "dq" for weight in weights):
        text = f"option 'use_qdq' has no effect: the installed builder ignores it for algo_config {options.algo_config}"
        notes.append(Note(code="no-effect", text=text))
    return graph_check.counts(weights), notes


def promise(node: str, options: OrtGenaiOptions, layers: int) -> Promise | None:
    """Tell what the options promise of one node's weights; None where they promise nothing (linear attention).

    The mixed placements are the builder's own documentation of its selectors, after llama.cpp's.
    """
    if options.precision in _FLOAT_KINDS:
        return Promise(_FLOAT_KINDS[options.precision])
    quantizes = not options.op_types_to_quantize or "MatMul" in options.op_types_to_quantize
    if node in options.nodes_to_exclude or not quantizes:
        return Promise(FLOATS)
    kinds = _placed(node, options, layers) or (INT8 if options.precision == "int8" else INT4)
    return (
        None
        if "linear_attn" in placement(options) and "lm_head" not in node
        else Promise(kinds, block(options.block_size))
    )


def placement(options: OrtGenaiOptions) -> dict[str, str]:
    """Spell the mixed algorithms out as selector and type; what the options say outright wins."""
    placed = {"last_matmul": "int8"} if options.algo_config in _LAST else {}
    if options.algo_config == "k_quant_mixed":
        placed["mixed_layers"] = "int8"
    if options.algo_config == "k_quant_linear":
        placed["linear_attn"] = "int8"
    for pair in options.matmul_mixed_precision.split(",") if options.matmul_mixed_precision else ():
        selector, _, kind = pair.partition(":")
        placed[selector.strip()] = kind.strip()
    return placed


def _placed(node: str, options: OrtGenaiOptions, layers: int) -> frozenset[str] | None:
    placed = placement(options)
    kinds = {"int4": INT4, "int8": INT8}
    if node == "/lm_head/MatMul":
        return kinds[placed["last_matmul"]] if "last_matmul" in placed else None
    found = _MIXED_NODE.match(node)
    if found and "mixed_layers" in placed and sensitive(int(found[1]), layers):
        return kinds[placed["mixed_layers"]]
    return None


def sensitive(layer: int, layers: int) -> bool:
    """Tell whether `mixed_layers` selects a layer: first and last eighth, and every third between."""
    eighth = layers / 8
    return layer < eighth or layer >= 7 * eighth or (layer - round(eighth)) % 3 == 2


def even_blocks(options: OrtGenaiOptions, config: Mapping[str, Any]) -> str | None:
    """Tell where an algorithm packs zero points in pairs and the model makes an odd number of blocks, or None."""
    pads = options.algo_config == "default" or (options.algo_config.startswith("rtn") and options.is_symmetric)
    if options.precision != "int4" or pads:
        return None
    for name, size in widths(config):
        blocks = math.ceil(size / options.block_size)
        if blocks % 2:
            return (
                f"algo_config {options.algo_config} packs zero points in pairs and needs an even number of blocks, but the "
                f"model's {name} {size} makes {blocks} blocks of {options.block_size}; "
                "choose another block_size or algo_config default"
            )
    return None


def partial_blocks(options: OrtGenaiOptions, config: Mapping[str, Any]) -> list[Note]:
    """Say what becomes of a width that blocks do not divide: the last block of each row is a shorter one."""
    return [Note(code="partial-blocks", text=text) for text in foretold(options, config)]


def foretold(options: OrtGenaiOptions, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Say the same before anything is built."""
    return short_blocks(options.block_size, config) if options.precision in {"int4", "int8"} else ()
