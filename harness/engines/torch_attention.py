"""Which attention implementation a model runs on in torch, and what is said of it."""

from __future__ import annotations

from typing import Any

from harness.core.errors import HarnessError
from harness.core.spec import Note


def attention(config: Any, asked: str) -> str | None:
    """Choose the attention implementation; None leaves it to transformers, which takes sdpa where the class has it.

    Raises: HarnessError where torch's fused attention was asked for and the model is another one with it.
    """
    cap = getattr(config.get_text_config(), "attn_logit_softcapping", None)
    if asked == "sdpa" and (cap is not None or _has_no_fused(config)):
        why = (
            f"transformers has none for {type(config).__name__.removesuffix('Config')}"
            if cap is None
            else f"the model caps its attention scores at {cap}, which that does not"
        )
        raise HarnessError(f"torch's fused attention: {why}; say `attention: eager`, or leave the option out")
    if cap is not None:
        return "eager"
    return None if asked == "auto" else asked


def _has_no_fused(config: Any) -> bool:
    """Tell whether transformers' class for a model cannot take torch's fused attention, as one with attention sinks."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    found = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    return not getattr(found, "_supports_sdpa", True)


def attention_notes(model: Any, asked: str) -> tuple[Note, ...]:
    """Say where `auto` took plain matrix products, and why."""
    if asked != "auto" or getattr(model.config, "_attn_implementation", None) != "eager":
        return ()
    cap = getattr(model.config.get_text_config(), "attn_logit_softcapping", None)
    why = f"the model caps its attention scores at {cap}" if cap else f"{type(model).__name__} has no other"
    return (Note(code="eager-attention", text=f"attention by plain matrix products: {why}"),)
