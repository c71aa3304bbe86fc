"""Whether an engine works for what it returns: prompts that nobody can have kept take it as long as those that it has seen, and a
model that wants to end a text is not let.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from harness.core.sessions import GenerationWorkload
from harness.core.spec import Note
from harness.probes.trace_check import ended_notes, implausible, watched

TIMES = 2.5
"""How much longer new prompts may take than seen ones; what only reads a prompt again from a cache of its own keeps below it."""
LEAST_SECONDS = 0.001
TRIES = 3
"""New prompts that all have to take that much longer: a machine that others use is slow now and then."""
SEARCHED = 512
"""Tokens among which a place is sought at which the model would end the text."""


def cached_notes(session: Any, work: GenerationWorkload) -> tuple[Note, ...]:
    """Say that seen prompts are answered without work: generates new prompts twice in one call, then `work`, seen before, again."""
    pairs = []
    for _ in range(TRIES):
        _, new = watched(session, replace(_new_prompts(session, work), warmups=0, repetitions=2))
        _, seen = watched(session, replace(work, warmups=0, repetitions=1))
        first, again = new[0] if len(new) == 2 else new[0] / 2, min(*new[1:], *seen)
        if first <= TIMES * again or first - again < LEAST_SECONDS:
            return ()
        pairs.append((first, again))
    first, again = min(pairs)
    text = (
        f"prompts that were seen before took {again:.4f} s and new ones {first:.4f} s: the engine answers from a cache"
    )
    return implausible([text])


def _new_prompts(session: Any, work: GenerationWorkload) -> GenerationWorkload:
    """Draw prompts anew, of the same number and lengths."""
    return replace(work, prompt_ids=tuple(tuple(_any(session, len(prompt))) for prompt in work.prompt_ids))


def _any(session: Any, count: int) -> list[int]:
    special = {session.codec.bos, session.codec.eos, *session.codec.ends}
    ordinary = [token for token in range(session.codec.vocabulary) if token not in special]
    return [secrets.choice(ordinary) for _ in range(count)]


def end_notes(session: Any, work: GenerationWorkload, scored: Sequence[Sequence[int]]) -> tuple[Note, ...]:
    """Seek a place at which the model would end the text, and let it generate from there.

    scored: texts of token ids to seek in; random ones are sought in as well. Nothing is found where the model never wants to end.
    """
    ends = list(session.codec.ends)
    if not ends:
        return ()
    drawn = _any(session, max(2, min(SEARCHED, session.context_length // 2)))
    for text in (*scored, drawn):
        for place in _wants_to_end(session, list(text), ends):
            prompt = tuple(text[: place + 1])
            if len(prompt) + 4 <= session.context_length:
                ending = replace(work, batch=1, prompt_ids=(prompt,), output=4, warmups=0, repetitions=1, sampling=None)
                trace, _ = watched(session, ending)
                return ended_notes(trace, ends)
    return ()


def _wants_to_end(session: Any, ids: list[int], ends: list[int]) -> Iterator[int]:
    """Yield the positions after which a token that ends a text is the likeliest."""
    for tile in session.logprobs(ids, range(len(ids))):
        likeliest = tile.logprobs.argmax(axis=1)
        yield from (
            int(where) for where, token in zip(tile.positions, likeliest, strict=True) if token in ends and where > 0
        )
