"""A Stable Diffusion pipeline of random weights, small enough to be made and run in a test."""

from __future__ import annotations

import json
from pathlib import Path


def make(folder: Path) -> Path:
    """Make one in a folder: UNet, decoder, text encoder of a few thousand weights each; pictures of 32 x 32 and more."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(3)
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=16, in_channels=4, out_channels=4, cross_attention_dim=32,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), attention_head_dim=8,
    )  # fmt: skip
    decoder = AutoencoderKL(
        block_out_channels=(32, 64), in_channels=3, out_channels=3, latent_channels=4, down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    text = CLIPTextModel(CLIPTextConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, vocab_size=1000, max_position_embeddings=77, bos_token_id=0,
        eos_token_id=1, pad_token_id=1,
    ))  # fmt: skip
    scheduler = DDIMScheduler(
        clip_sample=False,
        set_alpha_to_one=False,
        beta_schedule="scaled_linear",
        steps_offset=1,
        beta_start=0.00085,
        beta_end=0.012,
    )
    made = StableDiffusionPipeline(
        vae=decoder, text_encoder=text, tokenizer=_tokenizer(folder.parent / f"{folder.name}.words"), unet=unet, scheduler=scheduler, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    made.save_pretrained(folder)
    return folder


def _tokenizer(folder: Path) -> object:
    """Letters alone, each a token."""
    from transformers import CLIPTokenizer

    folder.mkdir()
    letters = "abcdefghijklmnopqrstuvwxyz,.0123456789"
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)
