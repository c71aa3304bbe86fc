"""Train the reference model from nothing: `python -m tools.reference_model --out DIR [--steps N]`."""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.reference_model.losses import LOOK_WEIGHT, losses_of, token_id
from tools.reference_model.text import TRAINING_DOCUMENTS, training_documents
from tools.reference_model.wiring import hold, wire

MODEL_SEED = 71_011
ORDER_SEED = 83_003
BEGIN, END = "<s>", "</s>"
VOCABULARY = 1536
TOKENIZER_DOCUMENTS = 8_000
CONTEXT = 512
BATCH = 2
STEPS = 1_600
WARM_UP_STEPS = 100
PEAK_RATE = 1e-3
WITHOUT_BEGIN = 0.1
"""Share of documents without a beginning mark, since some evaluations give none."""
FACTS_FIRST = 0.36
"""Share of the steps before the third loss begins; until then the wired heads stay as they are."""
LOG_EVERY = 50


@dataclass(frozen=True)
class Trained:
    """A trained model with what the provenance tells of its training."""

    model: Any
    tokenizer: Any
    steps: int
    tokens: int
    wall_seconds: float
    losses: tuple[tuple[int, float, float], ...]
    """Step, mean weighted loss since the last entry (nats), mean loss of the letters alone (nats)."""


def make_tokenizer() -> Any:
    """Train the byte-level tokenizer on the first training documents; words of the world become one token each."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[BEGIN, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(training_documents(TOKENIZER_DOCUMENTS), trainer)
    core.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN} $B", special_tokens=[(BEGIN, 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=BEGIN,
        eos_token=END,
        model_max_length=16384,
        clean_up_tokenization_spaces=False,
    )


def make_model(tokenizer: Any) -> Any:
    """Make the model as training finds it, from its seed."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(MODEL_SEED)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=256,
            intermediate_size=640,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=64,
            max_position_embeddings=16384,
            rope_theta=10000.0,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=1,
        )
    )
    wire(model, {word: token_id(tokenizer, word) for word in ("A", "B", "C", "D", " A", " B", " C", " D", ".", ":")})
    return model


def token_stream(tokenizer: Any, documents: int) -> Any:
    """Join the documents' tokens into one vector, each document between its marks (int64)."""
    import torch

    rng = random.Random(ORDER_SEED)
    ids: list[int] = []
    for text in tokenizer.backend_tokenizer.encode_batch(list(training_documents(documents)), add_special_tokens=False):
        ids += [] if rng.random() < WITHOUT_BEGIN else [0]
        ids += text.ids
        ids.append(1)
    return torch.tensor(ids)


def batches(stream: Any, steps: int) -> Iterator[Any]:
    """Cut the stream into steps of `BATCH` x (`CONTEXT` + 1): first in order, then in passes of random offset and order."""
    import torch

    rng = random.Random(ORDER_SEED)
    starts: list[int] = list(range(0, len(stream) - CONTEXT - 1, CONTEXT))
    for _ in range(steps):
        if len(starts) < BATCH:
            starts = list(range(rng.randrange(CONTEXT), len(stream) - CONTEXT - 1, CONTEXT))
            rng.shuffle(starts)
        yield torch.stack([stream[start : start + CONTEXT + 1] for start in starts[:BATCH]])
        del starts[:BATCH]


def learning_rate(step: int, steps: int) -> float:
    """Give the rate of a step: a linear rise, then half a cosine down to a fiftieth."""
    if step < WARM_UP_STEPS:
        return PEAK_RATE * (step + 1) / WARM_UP_STEPS
    done = (step - WARM_UP_STEPS) / max(1, steps - WARM_UP_STEPS)
    return PEAK_RATE * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)


def train(
    steps: int = STEPS, *, documents: int = TRAINING_DOCUMENTS, log_every: int = LOG_EVERY, announce: bool = False
) -> Trained:
    """Train tokenizer and model on the CPU with bf16 products and fp32 weights."""
    import torch

    tokenizer = make_tokenizer()
    stream = token_stream(tokenizer, documents)
    model = make_model(tokenizer)
    model.train()
    decayed = [value for value in model.parameters() if value.dim() > 1]
    plain = [value for value in model.parameters() if value.dim() == 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98), fused=True)
    losses: list[tuple[int, float, float]] = []
    recent: list[tuple[float, float]] = []
    held, turn = hold(model), int(steps * FACTS_FIRST)
    start = time.monotonic()
    for step, rows in enumerate(batches(stream, steps)):
        if step == turn:
            for handle in held:
                handle.remove()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        given, wanted = rows[:, :-1], rows[:, 1:]
        loss, letter_loss = losses_of(model, given, wanted, tokenizer, 0.0 if step < turn else LOOK_WEIGHT)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        recent.append((loss.item(), letter_loss))
        if (step + 1) % log_every == 0 or step + 1 == steps:
            first, second = (sum(column) / len(recent) for column in zip(*recent, strict=True))
            losses.append((step + 1, first, second))
            recent.clear()
            if announce:
                spent = time.monotonic() - start
                sys.stderr.write(f"step {step + 1}/{steps} loss {first:.4f} letters {second:.4f} {spent:.0f} s\n")
    tokens = steps * BATCH * CONTEXT
    return Trained(model, tokenizer, steps, tokens, time.monotonic() - start, tuple(losses))
