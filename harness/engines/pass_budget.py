"""What one forward pass may hold: by the memory that is free where it runs, between two bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from harness.core.model_record import ModelRecord
from harness.core.spec import Note
from harness.process_memory import free_gpu_bytes


@dataclass(frozen=True)
class PassBudget:
    """The largest pass; what depends on it depends on requests and model alone wherever memory does not cut it."""

    tokens: int = 2048
    """Most tokens of a pass, padding included."""
    logits: int = 256 << 20
    """Most bytes of float32 logits, of the rows that reach the head."""
    free: int | None = None
    """Bytes that were free when that made it smaller; None: it is whole."""

    @property
    def held(self) -> int:
        """Most tokens in the copies of a cache that a pass continues."""
        return 8 * self.tokens

    def holds(self, tokens: int, rows: int, vocabulary: int) -> bool:
        """Tell whether so many tokens, of which so many rows reach the head, are one pass."""
        return tokens <= self.tokens and 4 * vocabulary * rows <= self.logits

    def tile(self, vocabulary: int) -> int:
        """Return how many tokens a pass may hold whose rows all reach the head."""
        return max(LEAST.tokens, min(self.tokens, self.logits // (4 * vocabulary)))


MOST = {"cpu": PassBudget(), "cuda": PassBudget(tokens=8192, logits=1 << 30)}
"""The whole budget of a device; others than these have that of `cpu`."""
LEAST = PassBudget(tokens=256, logits=32 << 20)
"""No budget is smaller than this, however little is free: memory that runs out then halves passes as they come."""
_SHARE = 4
"""The part of what is free that a pass is planned to take is one in so many."""
_ACTIVATIONS = 4
"""What a token takes on its way through the layers, in keys and values of all layers; with room to spare."""


def budget(device: str, vocabulary: int, token_bytes: int, free: int | None) -> PassBudget:
    """Halve a device's budget until a pass takes a quarter of what is free at the most.

    token_bytes: keys and values of one token in all layers; free: bytes, None where nobody knows: then the budget is whole.
    """
    whole = found = MOST.get(device, MOST["cpu"])
    while free is not None and _needs(found, vocabulary, token_bytes) * _SHARE > free and found.tokens > LEAST.tokens:
        found = replace(found, tokens=found.tokens // 2, logits=max(LEAST.logits, found.logits // 2))
    return found if found == whole else replace(found, free=free)


def _needs(one: PassBudget, vocabulary: int, token_bytes: int) -> int:
    """Estimate the bytes of the largest pass: its logits and what is made of them, copies of caches, activations."""
    logits = min(one.logits, 4 * vocabulary * one.tokens)
    return 2 * logits + (one.held + _ACTIVATIONS * one.tokens) * token_bytes


def token_bytes(record: ModelRecord, size: int) -> int:
    """Return the bytes of a token's keys and values in all layers, of numbers of `size` bytes; 0 where the configuration does not say."""
    heads = record.config.get("num_key_value_heads") or record.config.get("num_attention_heads")
    parts = (record.config.get("num_hidden_layers"), heads, record.head_size)
    return 2 * size * math.prod(part if isinstance(part, int) else 0 for part in parts)


def free_memory(device: str) -> int | None:
    """Return the bytes that are free on the host or the first GPU that CUDA shows; None where nobody can say. Of unlike GPUs the fullest counts."""
    if device == "cpu":
        import psutil

        return int(psutil.virtual_memory().available)
    return free_gpu_bytes((0,)) if device == "cuda" else None


def notes(one: PassBudget) -> tuple[Note, ...]:
    """Say that passes are smaller than they might be, since little memory was free."""
    if one.free is None:
        return ()
    text = (
        f"passes held at most {one.tokens:,} tokens and {one.logits >> 20} MiB of logits: "
        f"{one.free / 2**30:.1f} GiB were free when the model was open"
    )
    return (Note(code="smaller-passes", text=text),)
