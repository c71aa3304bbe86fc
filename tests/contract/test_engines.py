"""Every registered engine's sessions do what the seam says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.executed import NOT_REPORTED
from harness.core.registry import load
from harness.core.seam import Engine
from harness.core.sessions import GenerationWorkload, Request
from harness.engines import ENGINES
from tests.contract.cases import ENGINE_CASES
from tests.contract.serving import Bench

IDS = [5, 17, 200, 33, 42, 7, 99, 120, 64, 3] * 3


@pytest.fixture(
    scope="module", params=[name for name in ENGINES if "generates" in load(ENGINES, "engine", name).offers]
)
def session(request: pytest.FixtureRequest, artifacts: dict[str, Path]) -> Any:
    engine: Engine = load(ENGINES, "engine", request.param)
    with engine.open(artifacts[engine.consumes[0]], engine.options()) as opened:
        yield opened


def test_a_session_says_what_it_stands_on(session: Any) -> None:
    assert session.provider == "cpu"
    assert session.context_length >= 256
    assert session.codec.vocabulary > 250
    assert session.load_seconds >= 0


def test_text_survives_the_codec(session: Any) -> None:
    text = "the quick brown fox"
    assert session.codec.decode(session.codec.encode(text)).strip() == text
    if session.codec.bos is not None:
        assert session.codec.encode(text, bos=True) == [session.codec.bos, *session.codec.encode(text)]


def test_log_probabilities_are_distributions_at_the_positions_asked_for(session: Any) -> None:
    positions = [0, 3, 4, 29]
    tiles = [(tile.positions.copy(), tile.logprobs.copy()) for tile in session.logprobs(IDS, positions)]
    assert np.concatenate([tile[0] for tile in tiles]).tolist() == positions
    rows = np.concatenate([tile[1] for tile in tiles])
    assert rows.dtype == np.float32
    assert len(rows) == 4
    assert rows.shape[1] >= session.codec.vocabulary
    assert np.exp(rows.astype(np.float64)).sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_a_score_is_the_sum_of_the_log_probabilities(session: Any) -> None:
    context, continuation = tuple(IDS[:20]), (12, 40)
    rows = _rows(session, [*context, *continuation], [19, 20])
    expected = rows[0][12] + rows[1][40]
    score = session.score([Request(context, continuation)])[0]
    assert score.logprob == pytest.approx(float(expected), abs=1e-4)
    assert score.greedy == (rows[0].argmax() == 12 and rows[1].argmax() == 40)


def test_scores_come_in_the_order_of_the_requests_and_do_not_depend_on_company(session: Any) -> None:
    requests = [Request(tuple(IDS[:length]), (choice,)) for length in (25, 3, 12, 25) for choice in (1, 2, 3, 4)]
    together = session.score(requests)
    alone = [session.score([request])[0] for request in requests]
    assert [score.logprob for score in together] == pytest.approx([score.logprob for score in alone], abs=1e-4)


def test_greedy_follows_the_argmax(session: Any) -> None:
    found = session.greedy(IDS, 3)
    ids = list(IDS)
    for token in found:
        assert token == int(_rows(session, ids, [len(ids) - 1])[0].argmax())
        ids.append(token)


def test_generation_does_fixed_work_and_keeps_every_step(session: Any) -> None:
    workload = GenerationWorkload(
        batch=2, prompt_ids=(tuple(IDS), tuple(IDS[::-1])), output=5, warmups=1, repetitions=3
    )
    trace = session.generate(workload, lambda share: None)
    assert trace.prefill.shape == trace.first_token.shape == trace.total.shape == (3,)
    assert trace.steps.shape == (3, 4)
    assert (trace.steps > 0).all()
    assert (trace.total >= trace.prefill + trace.first_token + trace.steps.sum(axis=1) - 1e-4).all()


@pytest.mark.parametrize("name", ENGINE_CASES)
def test_it_says_what_ran_and_prints_into_the_jobs_log(
    name: str, contract_bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    probe, case = ENGINE_CASES[name]
    capfd.readouterr()
    served = contract_bench.measure(probe, case, "-engine")
    heard = capfd.readouterr()
    assert (heard.out, heard.err) == ("", "")
    assert served.outcome.status == "ok", served.outcome.reason
    assert served.outcome.executed is not None
    told = served.outcome.executed.text
    assert (told == NOT_REPORTED.text) is (name in {"program", "fake"}), told
    if name in {"ort-genai", "transformers", "optimum-benchmark"}:
        assert served.outcome.executed.weights
        assert served.outcome.executed.compute == ("float32",)
        assert served.outcome.executed.attention


def _rows(session: Any, ids: list[int], positions: list[int]) -> np.ndarray:
    return np.concatenate([tile.logprobs.copy() for tile in session.logprobs(ids, positions)])
