"""Whether an engine works for what it returns: prompts that nobody can have kept take it as long as those that it has seen, and a
model that wants to end a text is not let.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from harness.core.sessions import Generates, GeneratesAndScores, GenerationWorkload, Scores, Trace
from harness.core.spec import Note
from harness.probes.trace_check import ended_notes, implausible, watched

TIMES = 2.5
"""How much longer new prompts may take than seen ones; what only reads a prompt again from a cache of its own keeps below it."""
LEAST_SECONDS = 0.001
TRIES = 6
"""New prompts of which the quickest has to take that much longer: a machine that others use is slow now and then."""
SEARCHED = 512
"""Tokens among which a place is sought at which the model would end the text."""


def cached_notes(session: Generates, work: GenerationWorkload) -> tuple[Note, ...]:
    """Say that seen prompts are answered without work, or that the work is done before or after the repetitions.

    It generates new prompts twice in one call, then `work`, which was seen before, again; the artifact has to be open.
    """
    firsts, agains, besides = [], [], []
    for _ in range(TRIES):
        _, new, whole = watched(session, replace(_new_prompts(session, work), warmups=0, repetitions=2))
        _, seen, _ = watched(session, replace(work, warmups=0, repetitions=1))
        firsts.append(new[0] if len(new) == 2 else new[0] / 2)
        agains.append(min(*new[1:], *seen))
        besides.append((whole - sum(new), sum(new)))
        cached, beside = _longer(min(firsts), min(agains)), _longer(sum(min(besides)), min(besides)[1])
        if not cached and not beside:
            return ()
    texts = []
    if cached:
        texts.append(
            f"prompts that were seen before took {min(agains):.4f} s and new ones {min(firsts):.4f} s: the engine answers from a cache"
        )
    if beside:
        texts.append(
            f"generating took {sum(min(besides)):.4f} s, its repetitions {min(besides)[1]:.4f} s of it: the engine works outside its clock"
        )
    return implausible(texts)


def _longer(seconds: float, than: float) -> bool:
    return seconds > TIMES * than and seconds - than >= LEAST_SECONDS


def _new_prompts(session: Generates, work: GenerationWorkload) -> GenerationWorkload:
    """Draw prompts anew, of the same number and lengths."""
    return replace(work, prompt_ids=tuple(tuple(_any(session, len(prompt))) for prompt in work.prompt_ids))


def _any(session: Generates, count: int) -> list[int]:
    special = {session.codec.bos, session.codec.eos, *session.codec.ends}
    ordinary = [token for token in range(session.codec.vocabulary) if token not in special]
    return [secrets.choice(ordinary) for _ in range(count)]


def end_notes(
    session: GeneratesAndScores,
    work: GenerationWorkload,
    scored: Sequence[Sequence[int]],
    differs: Callable[[GenerationWorkload, Trace], tuple[Note, ...]],
) -> tuple[Note, ...]:
    """Seek a place at which the model would end the text, and let it generate from there.

    scored: texts of token ids to seek in; random ones are sought in as well. Nothing is found where the model never wants to end.
    differs: says where tokens are not those that the artifact ranks first.
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
                trace, _, _ = watched(session, ending)
                return ended_notes(trace, ends) or differs(ending, trace)
    return ()


def _wants_to_end(session: Scores, ids: list[int], ends: list[int]) -> Iterator[int]:
    """Yield the positions after which a token that ends a text is the likeliest."""
    for tile in session.logprobs(ids, range(len(ids))):
        likeliest = tile.logprobs.argmax(axis=1)
        yield from (
            int(where) for where, token in zip(tile.positions, likeliest, strict=True) if token in ends and where > 0
        )
