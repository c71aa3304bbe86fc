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
    if cap is None:
        return None if asked == "auto" else asked
    if asked == "sdpa":
        raise HarnessError(
            f"the model caps its attention scores at {cap}, which torch's fused attention does not; "
            "say `attention: eager`, or leave the option out"
        )
    return "eager"


def attention_notes(model: Any, asked: str) -> tuple[Note, ...]:
    """Say where `auto` took plain matrix products, and why."""
    if asked != "auto" or getattr(model.config, "_attn_implementation", None) != "eager":
        return ()
    cap = getattr(model.config.get_text_config(), "attn_logit_softcapping", None)
    why = f"the model caps its attention scores at {cap}" if cap else f"{type(model).__name__} has no other"
    return (Note(code="eager-attention", text=f"attention by plain matrix products: {why}"),)
