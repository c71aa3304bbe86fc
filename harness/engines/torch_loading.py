"""How a transformers folder is loaded, and whether what was loaded is what it promises."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.model_config import load_config
from harness.core.options import Options
from harness.core.spec import Note
from harness.core.weights import weights_unread
from harness.engines import (
    torch_attention,
    torch_generation,
)
from harness.engines.tokens import first_line, read_json
from harness.engines.torch_quantized import Checkpoint

_BUILD = "copy or build the model again"


class TransformersOptions(Options):
    """How torch holds and runs the model."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Type of weights and activations; weights stored in another type are converted, and a note says so. A quantized checkpoint
    computes in its own type: leave this out, or say that one."""
    device: str = Field(default="cpu", pattern=r"^(cpu|cuda(:\d+)?)$")
    """cpu, cuda or cuda:N; the one asked for runs, or the job fails."""
    attention: Literal["auto", "sdpa", "eager"] = "auto"
    """Attention implementation: torch's fused one, or plain matrix products; `auto` takes the latter where the model caps
    its attention scores or has attention sinks, and says so on the record."""
    threads: int | None = Field(default=None, ge=1)
    """Threads within an operator; None leaves it to torch."""


def _weights(folder: Path) -> list[Path]:
    found = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")])
    if not found:
        raise HarnessError(f"{folder} holds no weights (*.safetensors); {_BUILD}")
    index = read_json(folder / "model.safetensors.index.json", optional=True)
    for name in sorted(set(index.get("weight_map", {}).values())):
        if not (folder / name).is_file():
            raise HarnessError(f"{folder / name} is missing, though the index names it; {_BUILD}")
    return found


def _load(
    folder: Path, weights: Sequence[Path], options: TransformersOptions, checkpoint: Checkpoint
) -> tuple[Any, float, tuple[Note, ...]]:
    """Load the model onto its device; weights that are missing must not be made up."""
    import torch
    from transformers import AutoModelForCausalLM

    _check_headers(weights)
    begun = time.perf_counter()
    try:
        config, notes = load_config(folder, read_json(folder / "config.json"))
        attention = torch_attention.attention(config, options.attention)
        placed = checkpoint.load_with(config, options.device)
        model, found = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            trust_remote_code=False,
            dtype=getattr(torch, options.dtype),
            attn_implementation=attention,
            local_files_only=True,
            output_loading_info=True,
            **placed,
        )
    except (ValueError, KeyError, OSError, RuntimeError, ImportError, NameError) as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        raise HarnessError(f"{folder} cannot be opened by transformers: {first_line(error)}; {_BUILD}") from error
    absent = sorted(found["missing_keys"]) + sorted(str(item) for item in found["mismatched_keys"])
    if absent:
        raise HarnessError(f"{folder} lacks weights that its configuration asks for, as {absent[0]}; {_BUILD}")
    told = checkpoint.put(model, folder, options.device)
    torch_generation.settle(options.device)
    unread = weights_unread(checkpoint.unread(found["unexpected_keys"]), type(model).__name__)
    attended = torch_attention.attention_notes(model, options.attention)
    return model, time.perf_counter() - begun, (*notes, *attended, *told, *unread)


def _check_headers(weights: Sequence[Path]) -> None:
    """Open each safetensors file's header, so that a damaged one is named."""
    from safetensors import SafetensorError, safe_open

    for path in weights:
        if path.suffix == ".safetensors":
            try:
                with safe_open(path, framework="pt"):
                    pass
            except (SafetensorError, OSError) as error:
                raise HarnessError(f"{path} is damaged or incomplete ({first_line(error)}); {_BUILD}") from error


def _check(model: Any, options: TransformersOptions, checkpoint: Checkpoint) -> None:
    """See that the model is where and what was asked for."""
    asked = options.device.split(":")[0]
    there = [*model.parameters(), *model.buffers()]
    strays = {str(item.device) for item in there if item.device.type != asked}
    if strays:
        raise HarnessError(f"asked for device {options.device}, but weights lie on {', '.join(sorted(strays))}")
    types = {str(item.dtype).removeprefix("torch.") for item in model.parameters() if item.is_floating_point()}
    if types - checkpoint.types:
        raise HarnessError(f"asked for {options.dtype}, but weights are {', '.join(sorted(types))}")


def _notes(weights: Sequence[Path], options: TransformersOptions) -> tuple[Note, ...]:
    """Say where stored weights had another type than the one asked for."""
    stored = _stored_types(weights)
    if not stored or stored == {options.dtype}:
        return ()
    text = f"weights are stored as {', '.join(sorted(stored))} and were converted to {options.dtype}"
    return (Note(code="weights-converted", text=text),)


def _stored_types(weights: Sequence[Path]) -> set[str]:
    from safetensors import safe_open

    names = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}
    found: set[str] = set()
    for path in weights:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                found |= {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 - not a dict
    return {names[name] for name in found if name in names}


def _vocabulary(model: Any) -> int:
    head = model.get_output_embeddings()
    return int(head.weight.shape[0]) if head is not None else int(model.config.get_text_config().vocab_size)


def _context_length(config: Any, folder: Path) -> int:
    found = getattr(config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(found, int) or found < 1:
        raise HarnessError(f"{folder / 'config.json'} names no max_position_embeddings; add the model's context length")
    return found


def _imports() -> None:
    import safetensors  # noqa: F401
    import tokenizers  # noqa: F401
    import torch  # noqa: F401
    from transformers import AutoModelForCausalLM  # noqa: F401
