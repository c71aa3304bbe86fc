"""Greedy continuations of many prompts, together where the session can."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.sessions import ContinuesTogether, Enough, Scores
from harness.probes.groups import Finished

_STEP = 16
"""Tokens after which a session that continues one prompt at a time is asked whether they are enough; twice as many each time after."""


def continued(
    session: Scores, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = (), ended: Enough | None = None
) -> list[list[int]]:  # fmt: skip
    """Continue each prompt by so many tokens, in their order; a session that can runs what they begin with alike once.

    ended: told the new tokens of a prompt from time to time; where it says that they are enough, no more are asked for.
    """
    if isinstance(session, ContinuesTogether):
        return session.greedy_all(prompts, tokens, never, ended)
    if ended is None:
        return [session.greedy(prompt, tokens, never) for prompt in prompts]
    return [_in_steps(session, prompt, tokens, never, ended) for prompt in prompts]


def _in_steps(session: Scores, prompt: Sequence[int], tokens: int, never: Sequence[int], ended: Enough) -> list[int]:
    made: list[int] = []
    step, over = _STEP, False
    while len(made) < tokens and not over:
        made += session.greedy([*prompt, *made], min(step, tokens - len(made)), never)
        step, over = 2 * step, ended(made)
    return made


def continued_or_kept(
    finished: Finished, session: Scores, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = ()
) -> list[list[int]]:
    """Do what `continued` does, as one group of a job: it is taken from an interrupted attempt where that had finished it."""
    import numpy as np

    def find() -> dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        made = continued(session, prompts, tokens, never)
        joined = np.asarray([token for ids in made for token in ids], dtype=np.int64)
        return {"tokens": joined, "counts": np.asarray([len(ids) for ids in made], dtype=np.int64)}

    found = finished.group([(tokens,), never, *prompts], find)
    parts = np.split(found["tokens"], np.cumsum(found["counts"])[:-1]) if len(prompts) else []
    return [[int(token) for token in part] for part in parts]
