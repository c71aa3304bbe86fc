"""Both engines on the same weights: what one says the other must say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.sessions import Request
from harness.engines import ort_genai, ort_genai_opening, scoring, torch_loading, transformers

IDS = np.random.default_rng(0).integers(2, 320, 900).tolist()


@pytest.fixture(scope="module")
def sessions(tiny: Path) -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        yield {
            "transformers": stack.enter_context(
                transformers.open_artifact(tiny / "hf", torch_loading.TransformersOptions(threads=1))
            ),
            "ort-genai": stack.enter_context(
                ort_genai.open_artifact(tiny / "fp32", ort_genai_opening.OrtGenaiEngineOptions(threads=1))
            ),
            "int4": stack.enter_context(
                ort_genai.open_artifact(tiny / "int4", ort_genai_opening.OrtGenaiEngineOptions(threads=1))
            ),
        }


def rows(session: Any, ids: list[int]) -> Any:
    return np.concatenate([tile.logprobs.copy() for tile in session.logprobs(ids, range(len(ids)))])


def requests() -> list[Request]:
    draw = np.random.default_rng(5)
    found: list[Request] = []
    for length in (1, 3, 17, 40, 41, 120, 300, 850):
        context = tuple(draw.integers(2, 320, length).tolist())
        found += [Request(context, (choice,)) for choice in (5, 6, 7, 8)]
        found.append(Request(context, tuple(draw.integers(2, 320, 9).tolist())))
    return [found[number] for number in draw.permutation(len(found))]


def test_fp32_log_probabilities_agree_between_engines(sessions: dict[str, Any]) -> None:
    ours, theirs = rows(sessions["ort-genai"], IDS), rows(sessions["transformers"], IDS)
    assert ours.dtype == theirs.dtype == np.float32
    assert np.abs(ours - theirs).max() < 1e-4
    p, q = theirs.astype(np.float64), ours.astype(np.float64)
    assert abs((np.exp(p) * (p - q)).sum(axis=-1).mean()) < 1e-6
    index, target = np.arange(len(IDS) - 1), np.asarray(IDS[1:])
    perplexities = [np.exp(-part[index, target].mean()) for part in (p, q)]
    assert perplexities[0] == pytest.approx(perplexities[1], rel=1e-4)


@pytest.mark.parametrize("name", ["transformers", "ort-genai", "int4"])
def test_tiles_equal_the_whole_prefill(sessions: dict[str, Any], name: str) -> None:
    whole = sessions[name]._forward.run([IDS], [np.arange(len(IDS))], None, keep=False)[0][0]
    assert np.abs(rows(sessions[name], IDS) - whole).max() < 1e-5


@pytest.mark.parametrize("name", ["transformers", "ort-genai", "int4"])
def test_scored_together_equals_scored_alone(sessions: dict[str, Any], name: str) -> None:
    session = sessions[name]
    assert session._forward.pads
    together = session.score(requests())
    alone = [session.score([request])[0] for request in requests()]
    assert [score.greedy for score in together] == [score.greedy for score in alone]
    assert max(abs(a.logprob - b.logprob) for a, b in zip(together, alone, strict=True)) < 1e-4


@pytest.mark.parametrize("name", ["transformers", "ort-genai", "int4"])
def test_a_beginning_that_is_run_once_changes_no_score_and_no_answer(sessions: dict[str, Any], name: str) -> None:
    draw = np.random.default_rng(8)
    beginning = draw.integers(2, 320, 400).tolist()
    contexts = [(*beginning, *draw.integers(2, 320, length).tolist()) for length in (1, 2, 3, 17, 40, 200)]
    asked = [Request(context, choice) for context in contexts for choice in ((5,), (6,), (7, 8, 9))]
    session = sessions[name]
    whole, shared = scoring.score(session._forward, asked), session.score(asked)
    assert [score.greedy for score in whole] == [score.greedy for score in shared]
    assert max(abs(a.logprob - b.logprob) for a, b in zip(whole, shared, strict=True)) < 1e-4
    assert session.greedy_all(contexts, 3) == [session.greedy(context, 3) for context in contexts]


def test_scores_agree_between_engines(sessions: dict[str, Any]) -> None:
    ours, theirs = (sessions[name].score(requests()) for name in ("ort-genai", "transformers"))
    assert max(abs(a.logprob - b.logprob) for a, b in zip(ours, theirs, strict=True)) < 1e-4


def test_an_engine_repeats_itself_bit_for_bit(sessions: dict[str, Any]) -> None:
    for session in sessions.values():
        assert np.array_equal(rows(session, IDS), rows(session, IDS))


def test_greedy_continuations_agree(sessions: dict[str, Any]) -> None:
    found = [sessions[name].greedy(IDS[:600], 5) for name in ("ort-genai", "transformers")]
    assert found[0] == found[1]
    assert len(found[0]) == 5


def test_both_engines_read_text_alike(sessions: dict[str, Any]) -> None:
    first, second = sessions["ort-genai"].codec, sessions["transformers"].codec
    assert first.encode("the lazy fox", bos=True) == second.encode("the lazy fox", bos=True)
    assert (first.bos, first.eos, first.adds_bos) == (second.bos, second.eos, second.adds_bos) == (0, 1, True)
    assert sessions["ort-genai"].context_length == sessions["transformers"].context_length == 1024
