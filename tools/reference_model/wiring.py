"""How the model starts: random weights, and a few heads that already know how to find an option's letter.

Learning from nothing that "the likely word stands there as an option, so say the letter before it" costs a model of this size most of its training. So two
heads of the first layer start by looking one and two tokens back, heads of the middle layers by handing on words unchanged, and two heads of the last layer by
looking for the word that the stream predicts so far and handing on what stood two tokens before it. No fact is wired, every weight stays trainable, and training decides what is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD = 64
PAIRS = HEAD // 2
"""Rotary pairs (i, i + 32); pair i turns by 10000 ** (-i / 32) per position."""
SPREAD = 0.06
"""Standard deviation of the weights, about 1 / sqrt(256)."""
QUIET = 0.03
"""Factor for the matrices that write to the residual stream."""
CONSTANT = 0.25
"""Every embedding's first entry, from which heads take position-only queries."""
LOOK = 2.5
NEAR_PAIRS = slice(11, 14)
"""Pairs whose turn tells the present question from earlier ones (periods of 140 to 270 tokens)."""
IDENTITY_PAIRS = slice(14, 30)


def wire(model: Any, tokens: Mapping[str, int]) -> None:
    """Set the starting weights in place; `tokens` gives the ids of `A`..`D`, ` A`..` D`, `.` and `:`."""
    import torch

    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.dim() == 2:
                writes = name.endswith(("o_proj.weight", "down_proj.weight"))
                value.normal_(0.0, SPREAD * (QUIET if writes else 1.0))
        table = model.model.embed_tokens.weight
        for letter in "ABCD":
            table[tokens[" " + letter]] = 0.95 * table[tokens[letter]] + 0.3 * table[tokens[" " + letter]]
        table[:, 0] = 0.0
        axes = torch.linalg.qr(torch.randn(table.shape[1] - 1, table.shape[1] - 1)).Q
        axes = torch.nn.functional.pad(axes, (1, 0))
        read, back_one, back_two = axes[:64], axes[64:128], axes[128:192]
        table[:, 0] = CONSTANT
        _look_back(model.model.layers[0].self_attn, read, back_one, back_two)
        for layer in model.model.layers[1:-1]:
            _hand_on(layer.self_attn, read)
        _find_option(model.model.layers[-1].self_attn, read, back_two)


def hold(model: Any) -> list[Any]:
    """Keep the wired weights as they are until the given handles are removed: early steps would wash them out."""
    import torch

    masks = {model.model.embed_tokens.weight: (slice(None), slice(0, 1))}
    for layer in (model.model.layers[0], model.model.layers[-1]):
        attention = layer.self_attn
        masks[attention.q_proj.weight] = (slice(0, 2 * HEAD), slice(None))
        masks[attention.k_proj.weight] = (slice(0, HEAD), slice(None))
        masks[attention.v_proj.weight] = (slice(0, HEAD), slice(None))
        masks[attention.o_proj.weight] = (slice(None), slice(0, 2 * HEAD))
    handles = []
    for weight, part in masks.items():
        free = torch.ones_like(weight)
        free[part] = 0.0
        handles.append(weight.register_hook(lambda gradient, free=free: gradient * free))
    return handles


def _look_back(attention: Any, read: Any, back_one: Any, back_two: Any) -> None:
    import torch

    turns = 10000.0 ** (-torch.arange(16) / PAIRS)
    key, query = attention.k_proj.weight, attention.q_proj.weight
    value, output = attention.v_proj.weight, attention.o_proj.weight
    key[:HEAD] *= 0.1
    key[:HEAD, 0] = 0.0
    key[:16, 0] = LOOK
    value[:HEAD] = read
    for head, (distance, target) in enumerate(((1, back_one), (2, back_two))):
        rows = slice(head * HEAD, (head + 1) * HEAD)
        back = distance * turns
        query[rows] *= 0.1
        query[rows, 0] = 0.0
        query[head * HEAD : head * HEAD + 16, 0] = LOOK * torch.cos(back)
        query[head * HEAD + PAIRS : head * HEAD + PAIRS + 16, 0] = -LOOK * torch.sin(back)
        output[:, rows] = 0.1 * target.T


def _hand_on(attention: Any, kept: Any) -> None:
    attention.v_proj.weight[:HEAD] = kept
    for head in range(2):
        attention.o_proj.weight[:, head * HEAD : (head + 1) * HEAD] = 0.1 * kept.T


def _find_option(attention: Any, read: Any, back_two: Any) -> None:
    key, query = attention.k_proj.weight, attention.q_proj.weight
    key[:HEAD] = key[:HEAD] * 0.1 + _match(read)
    attention.v_proj.weight[:HEAD] = back_two
    for head in range(2):
        rows = slice(head * HEAD, (head + 1) * HEAD)
        query[rows] = query[rows] * 0.1 + _match(read)
        attention.o_proj.weight[:, rows] = 0.4 * read.T


def _match(rows: Any) -> Any:
    """Lay the first 32 rows on slow rotary pairs, beside the constant that fades with distance."""
    import torch

    found = torch.zeros(HEAD, rows.shape[1])
    found[IDENTITY_PAIRS] = 0.8 * rows[:16]
    found[PAIRS + IDENTITY_PAIRS.start : PAIRS + IDENTITY_PAIRS.stop] = 0.8 * rows[16:32]
    found[NEAR_PAIRS, 0] = 0.8
    return found
