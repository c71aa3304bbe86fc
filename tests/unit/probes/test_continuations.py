from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from harness.core.seam import Context
from harness.core.sessions import Enough, Scores
from harness.engines import decoding, shared_scoring
from harness.probes.continuations import continued, continued_or_kept
from harness.probes.groups import Finished
from tests.unit.engines.sharing_fake import Shares
from tests.unit.probes.table_scores import EOS, ByteCodec, TableScores


class Alone:
    """Continues one prompt at a time."""

    def greedy(self, prompt: Sequence[int], tokens: int, never: Sequence[int] = ()) -> list[int]:
        return [sum(prompt) + len(never)] * tokens


class Together(Alone):
    """Continues all at once, and says so."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def greedy_all(
        self, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = (), ended: Enough | None = None
    ) -> list[list[int]]:
        assert ended is None
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

    def greedy_all(
        self, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = (), ended: Enough | None = None
    ) -> list[list[int]]:
        self.together.append((len(prompts), tokens))
        alone = TableScores()
        return [continued(alone, [prompt], tokens, never, ended)[0] for prompt in prompts]


def test_what_is_enough_is_asked_of_a_session_that_knows_one_prompt_at_a_time_in_growing_steps() -> None:
    session, told = TableScores(), list[int]()

    def enough(made: Sequence[int]) -> bool:
        told.append(len(made))
        return len(made) >= 40

    [made] = continued(session, [[1, 2]], 200, (), enough)
    assert (told, made) == ([16, 48], session.greedy([1, 2], 48))
    assert len(continued(session, [[1, 2]], 20, (), lambda made: False)[0]) == 20


class OverPasses:
    """A session over a forward pass that counts its tokens."""

    def __init__(self) -> None:
        self.codec = ByteCodec()
        self.forward = Shares()
        self.forward.vocabulary = self.codec.vocabulary
        self.context_length = self.forward.context_length

    def greedy(self, prompt: Sequence[int], tokens: int, never: Sequence[int] = ()) -> list[int]:
        return decoding.greedy(self.forward, prompt, tokens, never)

    def greedy_all(
        self, prompts: Sequence[Sequence[int]], tokens: int, never: Sequence[int] = (), ended: Enough | None = None
    ) -> list[list[int]]:
        return shared_scoring.greedy(self.forward, prompts, tokens, never, ended)


def test_a_few_shot_task_that_writes_long_texts_runs_each_token_once_and_none_behind_a_stop() -> None:
    pytest.importorskip("lm_eval")
    from harness.probes.lm_eval_generation import Wish, texts_of
    from harness.probes.lm_eval_prompts import Encoder

    session = cast("Any", OverPasses())
    encode = Encoder(session.codec, bos=False).encode
    shots = "".join(f"Q: how many are {at} and {at}?\nA: {2 * at}\n\n" for at in range(5, 12))
    prompts = [tuple(encode(f"{shots}Q: how many are {at} and {at + 1}?\nA:")) for at in range(30, 34)]
    fork = len(shots) + len("Q: how many are 3")
    rests = sum(len(prompt) - fork for prompt in prompts)
    free = [decoding.greedy(fresh(session), prompt, 100) for prompt in prompts]
    told: list[int] = []
    texts = texts_of(session, [Wish(prompt, ("no such text",), 100) for prompt in prompts], told.append)
    kept = [made[: made.index(EOS) + 1] if EOS in made else made for made in free]
    assert texts == [session.codec.decode(made) for made in kept]
    assert max(map(len, kept)) == 100
    assert session.forward.tokens == fork + rests + sum(len(made) - 1 for made in kept)
    assert told == [1, 2, 3, 4]


def fresh(session: OverPasses) -> Shares:
    """Give a forward pass like a session's, that has run nothing."""
    forward = Shares()
    forward.vocabulary = session.forward.vocabulary
    return forward


def test_generation_of_a_few_shot_task_is_together_and_ends_as_each_alone(tmp_path: Path) -> None:
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
    assert sorted(session.together) == [(1, 5), (3, 40)]
    alone = TableScores()
    assert found == [generate(alone, Encoder(alone.codec, bos=False), Tally(), *one.args) for one in asked]
    assert any(len(text) > 16 for text in found), "one is long"
