"""Greedy continuations of many prompts, together where the session can."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.sessions import ContinuesTogether, Scores


def continued(
    session: Scores, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = ()
) -> list[list[int]]:
    """Continue each prompt by so many tokens, in their order; a session that can runs what they begin with alike once."""
    if isinstance(session, ContinuesTogether):
        return session.greedy_all(prompts, tokens, never)
    return [session.greedy(prompt, tokens, never) for prompt in prompts]
