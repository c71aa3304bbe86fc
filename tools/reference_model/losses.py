"""What training descends: the next token, the right word before the last layer, and where the last layer looks."""

from __future__ import annotations

from typing import Any

from tools.reference_model.text import LETTERS

ANSWER_WEIGHT = 6.0
"""How much a letter or word after `Answer:` counts against any other token."""
OPTION_WEIGHT = 0.1
"""How much an option's word counts: which words stand there is chance, and nothing to learn."""
FIRST_OPTION_BACK = 15
"""Tokens from the first option's word to the colon of `Answer:`."""
WORD_WEIGHT = 1.0
"""Weight of a second loss: before the last layer, the stream at `Answer:` should already predict the right word."""
LOOK_WEIGHT = 0.5
"""Weight of a third loss: there, the last layer's first two heads should look at the right option's word."""


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
