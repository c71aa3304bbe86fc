"""The GenAI model builder up to 0.13, the newest that DirectML has: its options have other names, it has fewer, and it reads configurations itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from harness.quantizers.ort_genai_options import OrtGenaiOptions

_FIRST = (0, 14)
"""Version from which options have the names that are ours."""
_PREFIXED = frozenset(
    {"algo_config", "block_size", "accuracy_level", "is_symmetric", "op_types_to_quantize", "nodes_to_exclude"}
)
"""Options that were called `int4_...`."""
_LACKING = ("matmul_mixed_precision", "fuse_qk_norm_gqa", "enable_dml_graph")


def refuse_older(options: OrtGenaiOptions, version: str) -> str | None:
    """Say what an older builder cannot do of what is asked, or None. version: of onnxruntime-genai, empty where it is not known."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if len(numbers) < 2 or numbers >= _FIRST:
        return None
    if options.precision == "int8":
        return f"onnxruntime-genai {version} has no precision int8"
    lacking = [name for name in _LACKING if name in options.model_dump(exclude_defaults=True)]
    return f"onnxruntime-genai {version} has no option {lacking[0]}" if lacking else None


def read_options(
    parse: Callable[..., dict[str, Any]], folders: Sequence[str], extra: Sequence[str]
) -> tuple[dict[str, Any], Any]:
    """Let the builder read KEY=VALUE options; return them with the model's configuration as transformers loads it.

    parse: the builder's `parse_extra_options`; folders: model, artifact, precision, provider, cache, as it takes them.
    """
    if len(inspect.signature(parse).parameters) > 2:
        parsed = parse("", *folders, list(extra))
        return parsed, parsed["hf_details"]["hf_config"]
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folders[0], local_files_only=True, trust_remote_code=False)
    return parse([_older(one) for one in extra], folders[3]), config


def _older(option: str) -> str:
    return f"int4_{option}" if option.partition("=")[0] in _PREFIXED else option
