"""Several continuations of one cache in one row of tokens: it is neither copied for each nor are they padded; a mask hides each from the others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from harness.engines.scoring import Indices

TOKENS = {"cpu": 256, "cuda": 2048}
"""Tokens of a row for which a device's products are as fast as for more: what each does with the others' keys is for nothing."""


def begins(batch: Sequence[Sequence[int]]) -> list[int]:
    """Say where each continuation begins in the row."""
    return [0, *accumulate(len(ids) for ids in batch)][:-1]


def inputs(
    batch: Sequence[Sequence[int]], before: int, kind: torch.dtype, device: torch.device
) -> dict[str, torch.Tensor]:
    """Lay continuations of `before` tokens out: ids and positions [1, tokens], and what is added to attention scores.

    attention_mask: [1, 1, tokens, before + tokens], 0 where a token sees another, else the least number of the type `kind`.
    """
    import torch

    [row], _ = joined(batch, [])
    mask = torch.full((len(row), before + len(row)), torch.finfo(kind).min, dtype=kind)
    mask[:, :before] = 0
    for begin, ids in zip(begins(batch), batch, strict=True):
        own = slice(begin, begin + len(ids))
        mask[own, before + begin : before + begin + len(ids)].triu_(1)
    positions = torch.cat([torch.arange(before, before + len(ids)) for ids in batch])
    made = {"input_ids": torch.tensor([row]), "attention_mask": mask[None, None], "position_ids": positions[None]}
    return {name: value.to(device) for name, value in made.items()}


def joined(batch: Sequence[Sequence[int]], wanted: Sequence[Indices]) -> tuple[list[list[int]], list[Indices]]:
    """Give the row as a batch of one sequence, and the wanted places in it."""
    import numpy as np

    found = [asked + begin for begin, asked in zip(begins(batch), wanted, strict=False)]
    return [[token for ids in batch for token in ids]], [np.concatenate(found)] if found else []
