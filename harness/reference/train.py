"""Train the reference model from nothing: `python -m harness.reference.train --out DIR [--steps N]`."""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.reference.text import LETTERS, TRAINING_DOCUMENTS, training_documents
from harness.reference.wiring import hold, wire

MODEL_SEED = 71_011
ORDER_SEED = 83_003
BEGIN, END = "<s>", "</s>"
VOCABULARY = 1536
TOKENIZER_DOCUMENTS = 8_000
CONTEXT = 512
BATCH = 2
STEPS = 2_400
WARM_UP_STEPS = 100
PEAK_RATE = 1e-3
ANSWER_WEIGHT = 6.0
"""How much a letter or word after `Answer:` counts against any other token."""
OPTION_WEIGHT = 0.1
"""How much an option's word counts: which words stand there is chance, and nothing to learn."""
WITHOUT_BEGIN = 0.1
"""Share of documents without a beginning mark, since some evaluations give none."""
FIRST_OPTION_BACK = 15
"""Tokens from the first option's word to the colon of `Answer:`."""
WORD_WEIGHT = 1.0
"""Weight of a second loss: before the last layer, the stream at `Answer:` should already predict the right word."""
LOOK_WEIGHT = 0.5
"""Weight of a third loss: there, the last layer's first two heads should look at the right option's word."""
FACTS_FIRST = 0.35
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


def token_id(tokenizer: Any, word: str) -> int:
    """Give the id of a word that is one token."""
    (found,) = tokenizer(word, add_special_tokens=False).input_ids
    return int(found)


def loss_weights(given: Any, wanted: Any, tokenizer: Any) -> tuple[Any, Any, Any]:
    """Give each target's weight in the loss, and which targets follow `Answer:` and are letters there (like `wanted`)."""
    import torch

    before = torch.roll(given, 1, dims=1)
    answers = (given == token_id(tokenizer, ":")) & (before == token_id(tokenizer, "Answer"))
    letters = answers & torch.isin(wanted, torch.tensor([token_id(tokenizer, " " + letter) for letter in LETTERS]))
    labels = torch.tensor([token_id(tokenizer, letter) for letter in LETTERS])
    options = (given == token_id(tokenizer, ".")) & torch.isin(before, labels)
    return 1.0 + (ANSWER_WEIGHT - 1.0) * answers + (OPTION_WEIGHT - 1.0) * options, answers, letters


def right_places(wanted: Any, letters: Any, tokenizer: Any) -> Any:
    """Give the position of the option word that each target letter names, -1 elsewhere (like `wanted`).

    An option takes four tokens (letter, period, word, line break), so that the words stand at fixed distances.
    """
    import torch

    first = torch.arange(wanted.shape[1]).expand_as(wanted) - FIRST_OPTION_BACK
    places = torch.full_like(wanted, -1)
    for place, letter in enumerate(LETTERS):
        named = letters & (wanted == token_id(tokenizer, " " + letter)) & (first + 4 * place >= 0)
        places = torch.where(named, first + 4 * place, places)
    return places


def look_loss(model: Any, stream: Any, places: Any) -> Any:
    """Give how surprised the last layer's first two heads are by where they should look (nats).

    `stream` is the input of the last layer (batch, length, width); `places` comes from `right_places`.
    """
    import torch
    from torch.nn.functional import cross_entropy
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    row, place = (places >= 0).nonzero(as_tuple=True)
    layer = model.model.layers[-1]
    normed = layer.input_layernorm(stream)
    shape = (*stream.shape[:2], -1, layer.self_attn.head_dim)
    query = layer.self_attn.q_proj(normed).view(shape).transpose(1, 2)
    key = layer.self_attn.k_proj(normed).view(shape).transpose(1, 2)
    cosine, sine = model.model.rotary_emb(stream, torch.arange(stream.shape[1])[None])
    query, key = apply_rotary_pos_emb(query, key, cosine, sine)
    scores = torch.einsum("nhd,nld->nhl", query[row, :2, place], key[row, 0]).float() * layer.self_attn.head_dim**-0.5
    later = torch.arange(stream.shape[1]) > place[:, None]
    scores = scores.masked_fill(later[:, None], -torch.inf)
    return cross_entropy(scores.flatten(0, 1), places[row, place].repeat_interleave(2))


def losses_of(model: Any, given: Any, wanted: Any, tokenizer: Any, look_weight: float) -> tuple[Any, float]:
    """Give the loss of a batch to descend, and the mean loss of its letters alone (nats)."""
    import torch
    from torch.nn.functional import cross_entropy

    weight, answers, letters = loss_weights(given, wanted, tokenizer)
    places = right_places(wanted, letters, tokenizer)
    words = torch.where(places >= 0, given.gather(1, places.clamp(min=0)), wanted)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(given, output_hidden_states=True)
        stream = output.hidden_states[-2]
        early = model.lm_head(model.model.norm(stream[answers])).float()
        look = look_loss(model, stream, places) if look_weight and (places >= 0).any() else 0.0
    each = cross_entropy(output.logits.float().flatten(0, 1), wanted.flatten(), reduction="none").view_as(wanted)
    loss = (each * weight).sum() / weight.sum() + look_weight * look
    if answers.any():
        loss = loss + WORD_WEIGHT * cross_entropy(early, words[answers])
    return loss, (each * letters).sum().item() / max(1, int(letters.sum()))


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


def main() -> None:
    """Train, evaluate and write everything that the package ships."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write, made if absent")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"optimizer steps (default {STEPS})")
    given = parser.parse_args()
    from harness.reference.ship import ship

    trained = train(given.steps, announce=True)
    ship(trained, given.out)


if __name__ == "__main__":
    main()
