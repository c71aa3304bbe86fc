"""Which layers ModelOpt-ONNX makes INT8 and which INT4: its documented strategy, told from the base graph alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.core.errors import HarnessError
from harness.quantizers.graph_check import FLOATS, INT4, INT8, Promise, Weight, block
from harness.quantizers.modelopt_options import ModeloptOptions

_GROUPS = (
    re.compile(r"^/model/layers\.\d+/(?:attn|self_attn)/(qkv_proj|v_proj)/MatMul$"),
    re.compile(r"^/model/layers\.\d+/mlp/(down_proj)/MatMul$"),
)


def promises(options: ModeloptOptions, base: Sequence[Weight]) -> dict[str, Promise]:
    """Tell for each multiplied weight of the base what the options promise of it.

    base: the base graph's weights, in graph order. Raises: HarnessError where a pattern of layers_8bit matches nothing.
    """
    left = {
        weight.node for weight in base if any(re.match(pattern, weight.node) for pattern in options.nodes_to_exclude)
    }
    nodes = [weight.node for weight in base if weight.node not in left]
    eight = eight_bit(options, nodes)
    four = Promise(INT4, block(options.block_size))
    return {
        **{weight.node: Promise(FLOATS) for weight in base},
        **{node: Promise(INT8, "channel") if node in eight else four for node in nodes},
    }


def eight_bit(options: ModeloptOptions, nodes: Sequence[str]) -> set[str]:
    """Select the INT8 layers among the quantized nodes. Raises: HarnessError where a pattern matches nothing."""
    if not options.layers_8bit:
        return default_strategy(nodes) if options.enable_mixed_quant else set()
    chosen: set[str] = set()
    for pattern in options.layers_8bit.split(","):
        found = {node for node in nodes if has_parts(node, pattern)}
        if not found:
            raise HarnessError(
                f"pattern '{pattern}' of layers_8bit matches no layer of the base (whole parts of names count); "
                f"its layers are named like {nodes[0] if nodes else 'nothing'}, with the parts {', '.join(_parts_of(nodes))}"
            )
        chosen |= found
    return chosen


def has_parts(node: str, pattern: str) -> bool:
    """Tell whether a pattern's parts, split at `/` and `.`, stand one after another in a node's name."""
    hay, needle = _split(node), _split(pattern)
    return any(hay[start : start + len(needle)] == needle for start in range(len(hay) - len(needle) + 1))


def default_strategy(nodes: Sequence[str]) -> set[str]:
    """Select per kind of layer the first eighth, the last eighth and every third between, in graph order.

    Kinds are qkv_proj, v_proj and down_proj; all others stay INT4 (nvidia-modelopt, enable_mixed_quant).
    """
    groups: dict[str, list[str]] = {}
    for node in nodes:
        for pattern in _GROUPS:
            if pattern.match(node):
                groups.setdefault("/".join(node.split("/")[-3:-1]), []).append(node)
    chosen: set[str] = set()
    for group in groups.values():
        eighth = len(group) // 8
        between = group[eighth : len(group) - eighth]
        chosen |= {*group[:eighth], *group[len(group) - eighth :], *between[::3]}
    return chosen


def _split(name: str) -> list[str]:
    return name.lstrip("/").replace("/", ".").split(".")


def _parts_of(nodes: Sequence[str]) -> list[str]:
    return sorted({part for node in nodes for part in _split(node) if not part.isdigit()})
