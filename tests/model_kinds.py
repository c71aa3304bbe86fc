"""Small random models of kinds that were once read wrongly, made anew for a test, and their right log-probabilities."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.tiny_model import VOCABULARY, write_tokenizer

CONTEXT = 640
_LLAMA: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 3,
    "num_attention_heads": 6, "num_key_value_heads": 3, "max_position_embeddings": CONTEXT, "initializer_range": 0.25,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None, "tie_word_embeddings": False,
}  # fmt: skip
_CAPPED: dict[str, Any] = {
    "head_dim": 32, "num_attention_heads": 3, "num_key_value_heads": 1, "query_pre_attn_scalar": 20, "sliding_window": 37,
    "attn_logit_softcapping": 4.0, "final_logit_softcapping": 6.0, "num_hidden_layers": 4, "pad_token_id": 0,
}  # fmt: skip
_LONG: dict[str, Any] = {
    "original_max_position_embeddings": 90, "pad_token_id": 0,
    "rope_scaling": {
        "type": "longrope", "short_factor": [1.0, 1.1, 1.0, 1.2, 1.1, 1.3, 1.2, 1.4],
        "long_factor": [1.0, 2.5, 3.0, 4.2, 5.1, 6.0, 8.0, 9.0],
    },
}  # fmt: skip

MOE: dict[str, Any] = {"num_local_experts": 4, "num_experts_per_tok": 2}
SINKS: dict[str, Any] = {
    **MOE, "head_dim": 64, "sliding_window": 30, "hidden_size": 128, "intermediate_size": 128, "pad_token_id": 0,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A model of transformers 4 and what is changed in its configuration."""

    name: str
    config: dict[str, Any] = field(default_factory=dict)


KINDS: dict[str, Kind] = {
    "plain": Kind("Llama"),
    "theta": Kind("Llama", {"rope_theta": 70_000.0}),
    "linear": Kind("Llama", {"rope_scaling": {"rope_type": "linear", "factor": 3.0}}),
    "linear, Qwen3": Kind("Qwen3", {"rope_scaling": {"rope_type": "linear", "factor": 2.5}, "head_dim": 32}),
    "dynamic": Kind("Llama", {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}),
    "yarn": Kind("Llama", {"rope_scaling": {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 32}}),
    "yarn with all keys": Kind("Qwen2", {
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 16.0,
                         "beta_slow": 2.0, "attention_factor": 1.3},
        "rope_theta": 50_000.0,
    }),
    "llama3": Kind("Llama", {"rope_scaling": {
        "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 3.0,
        "original_max_position_embeddings": 50}}),
    "longrope": Kind("Phi3", _LONG),
    "partial rotation": Kind("Phi", {"partial_rotary_factor": 0.5, "hidden_size": 192, "num_key_value_heads": 6}),
    "sliding": Kind("Mistral", {"sliding_window": 40, "head_dim": 16}),
    "sliding in some layers": Kind("Qwen2", {"use_sliding_window": True, "sliding_window": 33, "max_window_layers": 1}),
    "a window that nothing reads": Kind("Llama", {"sliding_window": 30}),
    "soft caps": Kind("Gemma2", _CAPPED),
    "soft caps, other layers": Kind("Gemma2", {
        **_CAPPED, "hidden_size": 120, "layer_types": ["full_attention", "sliding_attention"] * 2}),
    "local rotation": Kind("Gemma3Text", {
        **_CAPPED, "attn_logit_softcapping": None, "rope_theta": 90_000.0, "rope_local_base_freq": 5_000.0,
        "rope_scaling": {"rope_type": "linear", "factor": 4.0},
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]}),
    "partial rotation of few": Kind("Nemotron", {"head_dim": 32, "partial_rotary_factor": 0.25}),
    "Nemotron": Kind("Nemotron", {"head_dim": 32}),
    "Ernie 4.5": Kind("Ernie4_5", {"head_dim": 16}),
    "Gemma": Kind("Gemma", {"head_dim": 32, "num_attention_heads": 3, "num_key_value_heads": 1, "pad_token_id": 0}),
    "Granite": Kind("Granite", {
        "embedding_multiplier": 3.0, "logits_scaling": 2.0, "residual_multiplier": 0.7, "attention_multiplier": 0.2}),
    "Hunyuan": Kind("HunYuanDenseV1", {"head_dim": 16, "pad_token_id": 0}),
    "OLMo": Kind("Olmo", {"pad_token_id": 0}),
}  # fmt: skip


HYBRID: dict[str, Kind] = {
    "short convolutions": Kind("Lfm2", {"layer_types": ["conv", "full_attention", "conv"], "block_multiple_of": 32}),
    "Mamba": Kind("Jamba", {
        "num_experts": 1, "num_experts_per_tok": 1, "attn_layer_period": 3, "attn_layer_offset": 1, "pad_token_id": 0,
        "use_mamba_kernels": False, "initializer_range": 0.1}),
    "delta rule": Kind("Qwen3Next", {
        "layer_types": ["linear_attention", "full_attention", "linear_attention"], "head_dim": 32, "num_experts": 0,
        "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 16, "linear_value_head_dim": 16}),
}  # fmt: skip
"""Kinds whose layers keep a state instead of keys and values, which transformers continues token by token alone."""


def write_kind(folder: Path, kind: str, *, seed: int = 0) -> Path:
    """Save a model of a kind as transformers 4 does, with a tokenizer of bytes."""
    import torch
    import transformers

    torch.manual_seed(seed)
    known = (KINDS | HYBRID)[kind]
    config = getattr(transformers, f"{known.name}Config")(**{**_LLAMA, **known.config})
    model = getattr(transformers, f"{known.name.removesuffix('Text')}ForCausalLM")(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:  # norms at one hide what a wrong scale does
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def as_version_5(folder: Path, to: Path) -> Path:
    """Copy a folder with its config.json as transformers 5 writes it."""
    import shutil

    shutil.copytree(folder, to)
    path = to / "config.json"
    config = json.loads(path.read_text("utf-8"))
    scaling = config.pop("rope_scaling", None) or {"rope_type": "default"}
    rope = {
        "rope_type": scaling.pop("type", None) or scaling.get("rope_type"),
        **scaling,
        "rope_theta": config.pop("rope_theta"),
    }
    if "partial_rotary_factor" in config:
        rope["partial_rotary_factor"] = config.pop("partial_rotary_factor")
    if rope["rope_type"] == "longrope":
        rope["original_max_position_embeddings"] = config["original_max_position_embeddings"]
    if "rope_local_base_freq" in config:
        local = {"rope_type": "default", "rope_theta": config.pop("rope_local_base_freq")}
        rope = {"full_attention": rope, "sliding_attention": local}
    path.write_text(json.dumps({**config, "rope_parameters": rope, "transformers_version": "5.3.0"}), "utf-8")
    return to


class Whole:
    """Log-probabilities of a model by one eager pass over each sequence, without a cache."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        self.model: Any = loaded.eval()

    def rows(self, ids: Sequence[int]) -> Any:
        """Return float64 [tokens, vocabulary] natural log-probabilities of what follows each token."""
        import torch

        with torch.inference_mode():
            logits = self.model(torch.tensor([list(ids)]), use_cache=False).logits[0]
        return torch.log_softmax(logits.double(), dim=-1).numpy()


def token_ids(count: int, seed: int = 5) -> list[int]:
    """Draw token ids that are not special."""
    import numpy as np

    return [int(token) for token in np.random.default_rng(seed).integers(2, VOCABULARY, count)]
