"""What adapters know of where they run, and how far work goes into a context."""

from __future__ import annotations

import pytest

from harness.core.sessions import GenerationWorkload, Reach


@pytest.mark.parametrize(("prompt", "total", "border", "crosses"), [
    (10, 20, 9, False), (10, 20, 10, True), (10, 20, 18, True), (10, 20, 19, False), (0, 20, 10, False), (1, 3, 1, True), (1, 2, 1, False),
])  # fmt: skip
def test_generation_crosses_a_length_that_it_feeds_a_token_beyond(
    prompt: int, total: int, border: int, crosses: bool
) -> None:
    """Of 20 tokens the last is never fed: 19 are."""
    assert Reach(total, prompt).crosses(border) is crosses


def test_work_reaches_as_far_as_its_prompt_and_output() -> None:
    work = GenerationWorkload(batch=2, prompt_ids=((1, 2, 3), (4, 5, 6)), output=4, warmups=0, repetitions=1)
    assert work.reach == Reach(total=7, prompt=3, batch=2)
    assert (Reach(5).prompt, Reach(5).batch) == (0, 1)
