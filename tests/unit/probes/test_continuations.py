from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from harness.core.seam import Context
from harness.core.sessions import Scores
from harness.probes.continuations import continued, continued_or_kept
from harness.probes.groups import Finished
from tests.unit.probes.table_scores import TableScores


class Alone:
    """Continues one prompt at a time."""

    def greedy(self, prompt: Sequence[int], tokens: int, never: Sequence[int] = ()) -> list[int]:
        return [sum(prompt) + len(never)] * tokens


class Together(Alone):
    """Continues all at once, and says so."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def greedy_all(self, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = ()) -> list[list[int]]:
        self.calls.append((prompts, tokens, never))
        return [self.greedy(prompt, tokens, never) for prompt in prompts]


def test_a_session_of_somebodys_own_that_knows_one_prompt_at_a_time_is_asked_for_each() -> None:
    assert continued(cast("Scores", Alone()), [[1, 2], [3]], 2, (9,)) == [[4, 4], [4, 4]]


def test_a_session_that_can_is_asked_once_for_all() -> None:
    session = Together()
    assert continued(cast("Scores", session), [[1, 2], [3]], 2) == [[3, 3], [3, 3]]
    assert session.calls == [([[1, 2], [3]], 2, ())]


def test_what_an_interrupted_attempt_continued_is_not_continued_again(tmp_path: Path) -> None:
    context = Context(folder=tmp_path / "one", resume=tmp_path / "kept")
    first, second = Table(), Table()
    prompts = [[1, 2], [3]]
    made = continued_or_kept(Finished(first, context), first, prompts, 2, (9,))
    assert made == continued(TableScores(), prompts, 2, (9,))
    assert continued_or_kept(Finished(second, context), second, prompts, 2, (9,)) == made
    assert (first.together, second.together) == ([(2, 2)], [])
    assert continued_or_kept(Finished(second, context), second, [], 2) == []


class Table(TableScores):
    """A table that continues prompts together, and notes which."""

    def __init__(self) -> None:
        super().__init__()
        self.together: list[tuple[int, int]] = []

    def greedy_all(self, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = ()) -> list[list[int]]:
        self.together.append((len(prompts), tokens))
        return [self.greedy(prompt, tokens, never) for prompt in prompts]


def test_generation_of_a_few_shot_task_begins_together_and_ends_as_each_alone(tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    from lm_eval.api.instance import Instance

    from harness.probes.lm_eval_generation import generate
    from harness.probes.lm_eval_model import ScoresModel
    from harness.probes.lm_eval_prompts import Encoder, Tally

    asked = [
        Instance("generate_until", {}, (f"Q: {letter}{at}\nA:", {"until": ["\n"], "max_gen_toks": most}), at)
        for at, (letter, most) in enumerate([("a", 40), ("b", 40), ("c", 5), ("a", 40)])
    ]
    session = Table()
    finished = Finished(session, Context(folder=tmp_path))
    model = ScoresModel(session, Tally(), finished, lambda share: None, bos=False)
    found = model.generate_until(asked)
    assert sorted(session.together) == [(1, 5), (3, 16)]
    alone = TableScores()
    assert found == [generate(alone, Encoder(alone.codec, bos=False), Tally(), *one.args) for one in asked]
    assert any(len(text) > 16 for text in found), "one goes on beyond the first step"
