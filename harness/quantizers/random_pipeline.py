"""A Stable Diffusion pipeline with random weights: image jobs without a download."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.core.errors import HarnessError
from harness.core.spec import JsonObject

PARTS = ("unet", "vae", "text_encoder")
"""What a configuration describes, each by the names of its own class."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz,.0123456789"
_WORDS = ("<|startoftext|>", "<|endoftext|>", *_LETTERS, *(f"{letter}</w>" for letter in _LETTERS))
_NOISE = {"clip_sample": False, "set_alpha_to_one": False, "beta_schedule": "scaled_linear", "steps_offset": 1,
          "beta_start": 0.00085, "beta_end": 0.012}  # fmt: skip
"""As Stable Diffusion's scheduler has it."""


def write_pipeline(made_of: Mapping[str, JsonObject], vocabulary: int, seed: int, dtype: str, out: Path) -> int:
    """Write a pipeline whose UNet, decoder and text encoder are drawn as their classes do; each letter is a token. Returns: parameters.

    made_of: for each of `PARTS` what its class is made with; vocabulary: tokens. Raises: HarnessError for a part that cannot be made.
    """
    if vocabulary < len(_WORDS):
        raise HarnessError(f"vocab_size {vocabulary} is too small for letters as tokens, which need {len(_WORDS)}")
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(sys.stderr), TemporaryDirectory() as scratch:
        torch.manual_seed(seed)
        parts = {name: _part(name, made_of[name], vocabulary) for name in PARTS}
        pipeline = StableDiffusionPipeline(
            **parts, tokenizer=_tokenizer(Path(scratch), made_of["text_encoder"]), scheduler=DDIMScheduler(**_NOISE), safety_checker=None,
            feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
        pipeline.to(dtype=getattr(torch, dtype)).save_pretrained(out)
    return sum(weight.numel() for part in parts.values() for weight in part.parameters())


def _part(name: str, said: JsonObject, vocabulary: int) -> Any:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    try:
        if name == "text_encoder":
            ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
            return CLIPTextModel(CLIPTextConfig(**said, vocab_size=vocabulary, **ends))
        return (UNet2DConditionModel if name == "unet" else AutoencoderKL)(**said)
    except (ValueError, TypeError, KeyError) as error:
        raise HarnessError(f"diffusers cannot make the {name} ({error}); correct it in models.yaml") from None


def _tokenizer(folder: Path, said: JsonObject) -> Any:
    from transformers import CLIPTokenizer

    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(_WORDS)}), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    longest = said.get("max_position_embeddings", 77)
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=longest)
