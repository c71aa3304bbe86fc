"""A tiny random Llama with a byte-level tokenizer, as a transformers folder and as ONNX exports of it."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
from pathlib import Path

VOCABULARY = 320
CONTEXT = 1024
BOS, EOS = "<s>", "</s>"

_EXPORT = """
import json, sys
from onnxruntime_genai.models.builder import create_model, parse_extra_options
model, cache, provider, jobs = sys.argv[1:]
for out, precision, extra in json.loads(jobs):
    options = parse_extra_options("", model, out, precision, provider, cache, extra)
    create_model("", model, out, precision, provider, cache, **options)
"""


def write_model(folder: Path, *, seed: int = 0, dtype: str = "float32") -> Path:
    """Save the model as transformers does, with tokenizer.json and tokenizer_config.json."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=CONTEXT,
        initializer_range=0.15,  # wide enough that the distributions are far from uniform
        bos_token_id=0,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).to(getattr(torch, dtype)).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def write_tokenizer(folder: Path, *, template: bool = True) -> None:
    """Save a byte-level tokenizer; with `template` its post-processor puts BOS first by itself."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[BOS, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([string.printable, "the quick brown fox and the lazy dog and the end " * 9], trainer)
    if template:
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, 0)])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"bos_token": BOS, "eos_token": EOS, "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def export(model: Path, *jobs: tuple[Path, str, list[str]], provider: str = "cpu") -> None:
    """Build ONNX artifacts (folder, precision, builder options) in a process of its own: the builder changes sys.path."""
    written = json.dumps([[str(out), precision, extra] for out, precision, extra in jobs])
    command = [sys.executable, "-c", _EXPORT, str(model), str(model.parent / "cache"), provider, written]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr[-2000:]
