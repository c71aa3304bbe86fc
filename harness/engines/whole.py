"""What a model itself computes: one plain forward pass of transformers over all tokens, and where that changes with length."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.engines import scoring

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EAGER_BYTES = 4 << 30
"""Most bytes of attention scores, softmax included, that plain matrix products may make; longer sequences run fused."""
_WINDOWS = ("sliding_window", "attention_chunk_size", "window_size")
_TRAINED = "original_max_position_embeddings"


def logprobs(model: Any, token_ids: Sequence[int], positions: Sequence[int]) -> NDArray[np.float32]:
    """Run token ids without cache, mask or positions of our own; return float32 [positions, vocabulary], natural log."""
    import numpy as np
    import torch

    asked = np.asarray(positions, dtype=np.int64)
    ids = torch.as_tensor(list(token_ids), device=model.device)[None]
    index = torch.as_tensor(asked, device=model.device)
    slices = "logits_to_keep" in inspect.signature(model.forward).parameters
    with torch.inference_mode(), _affordable(model, len(token_ids)):
        logits = model(input_ids=ids, use_cache=False, **({"logits_to_keep": index} if slices else {})).logits[0]
    rows = logits if slices else logits[index]
    return scoring.log_softmax(rows.float().cpu().numpy(), asked)


def switches(config: Any) -> tuple[int, ...]:
    """Collect the lengths, in tokens, beyond which a loaded configuration says that the model computes otherwise."""
    inner = config.get_text_config() if hasattr(config, "get_text_config") else config
    return tuple(sorted(set(lengths(inner.to_dict()))))


def lengths(config: Mapping[str, Any]) -> Iterator[int]:
    """Yield sliding windows, attention chunks, and the lengths that scaled rotary embeddings were trained on, however deep."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from lengths(value)
        elif isinstance(value, int) and not isinstance(value, bool) and value > 0:
            off = name == "sliding_window" and config.get("use_sliding_window") is False
            if name == _TRAINED or (name in _WINDOWS and not off):
                yield value


@contextmanager
def _affordable(model: Any, length: int) -> Iterator[None]:
    """Let torch's fused attention take a sequence whose plain scores would not fit, where the model allows it."""
    config = model.config.get_text_config()
    heads = int(getattr(config, "num_attention_heads", 1) or 1)
    if 8 * heads * length**2 <= EAGER_BYTES or config._attn_implementation != "eager" or _demands_eager(model, config):  # noqa: SLF001 - transformers has no other name for it
        yield
        return
    model.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        model.set_attn_implementation("eager")


def _demands_eager(model: Any, config: Any) -> bool:
    """Tell whether a model caps its attention scores or has attention sinks, which the fused form leaves out."""
    capped = getattr(config, "attn_logit_softcapping", None)
    return bool(capped) or any(name.endswith("sinks") for name, _ in model.named_parameters())
