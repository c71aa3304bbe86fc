"""Prompts of lm-eval's tasks as token ids: special tokens, what is cut to fit, and what happened to them on their way."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.core.errors import HarnessError
from harness.core.sessions import Request, TextCodec


@dataclass
class Tally:
    """What happened to the prompts on their way."""

    truncated: set[str] = field(default_factory=set)
    """Prompts that were cut on the left to fit the context."""
    longest: int = 0
    """Tokens of the longest prompt that was run, special tokens included."""
    trained: int | None = None
    """Positions that the model was trained on, where known."""
    beyond: set[str] = field(default_factory=set)
    """Prompts that reach positions which the model was not trained on."""


class Encoder:
    """Token ids of prompts; the choices of one question share the encoding of their context."""

    def __init__(self, codec: TextCodec, *, bos: bool) -> None:
        self.codec = codec
        self.bos = bos
        self.context = functools.lru_cache(maxsize=64)(self._context)

    def encode(self, text: str, *, special: bool | None = None) -> list[int]:
        """Encode a text; `special` None means as the workload says."""
        return list(self.codec.encode(text, bos=self.bos if special is None else special))

    def _context(self, text: str) -> tuple[int, ...]:
        return tuple(self.encode(text))

    def pair(self, context: str, continuation: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Encode context and continuation together and split where the context alone ends, as lm-eval does."""
        kept = context.rstrip()
        continuation = context[len(kept) :] + continuation
        before = self.context(kept)
        whole = self.encode(kept + continuation)
        return before, tuple(whole[len(before) :])


def fit(most: int, tally: Tally, key: Sequence[str] | None, context: Sequence[int], wanted: Sequence[int]) -> Request:
    """Cut a context on the left so that context and continuation, less its last token, fit. Raises: HarnessError."""
    if not wanted:
        raise HarnessError(f"the continuation {key!r} has no token of its own after its context; it cannot be scored")
    room = most + 1 - len(wanted)
    if room < 1:
        raise HarnessError(f"a continuation of {len(wanted)} tokens does not fit the context of {most} tokens")
    name = key[0] if key else ""
    if len(context) > room:
        tally.truncated.add(name)
        context = context[-room:]
    length = len(context) + len(wanted) - 1
    tally.longest = max(tally.longest, length)
    if tally.trained is not None and length > tally.trained:
        tally.beyond.add(name)
    return Request(context if isinstance(context, tuple) else tuple(context), tuple(wanted))
