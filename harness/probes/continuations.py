"""Greedy continuations of many prompts, together where the session can."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.sessions import ContinuesTogether, Scores
from harness.probes.groups import Finished


def continued(
    session: Scores, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = ()
) -> list[list[int]]:
    """Continue each prompt by so many tokens, in their order; a session that can runs what they begin with alike once."""
    if isinstance(session, ContinuesTogether):
        return session.greedy_all(prompts, tokens, never)
    return [session.greedy(prompt, tokens, never) for prompt in prompts]


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
