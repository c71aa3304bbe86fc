"""A model's configuration as the installed transformers must have it, held against what config.json says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.rope import TRANSLATED, as_version_4, hold_rope
from harness.core.spec import Note
from harness.engines.tokens import read_json


def load_config(folder: Path) -> tuple[Any, tuple[Note, ...]]:
    """Load a folder's configuration; one written by transformers 5 is translated for transformers 4, with a note.

    Raises: Unsupported where transformers 4 cannot hold what it says, HarnessError where a key of the rotary embeddings
    does not arrive.
    """
    import transformers
    from transformers import AutoConfig

    written = read_json(folder / "config.json")
    translated = as_version_4(written) if int(transformers.__version__.partition(".")[0]) < 5 else written
    notes: tuple[Note, ...] = ()
    if translated == written:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    else:
        config = AutoConfig.for_model(translated.pop("model_type"), **translated)
        notes = (TRANSLATED,)
    hold_rope(written, config)
    return config, notes


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
