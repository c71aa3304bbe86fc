"""The engine that is worse by a known size: as much slower and as much worse as it says, and nothing of it stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ConfigError
from harness.core.reports import FixedWork
from harness.core.sessions import GenerationWorkload, GivesLogits, LogitTile, Tile
from harness.engines import ENGINES, fake, optimum_benchmark
from harness.engines.canary import CanaryOptions, canary_engine, damaged, normalized, slowed, work, worse
from harness.engines.torch_quantized import Checkpoint
from harness.worker.inputs import engine_of

IDS = [5, 9, 40, 41, 42, 43]
PLACES = list(range(len(IDS)))


def rows(**options: Any) -> Any:
    engine, asked = canary_engine({"engine": "fake", **options})
    with engine.open(Path("nowhere"), asked) as session:
        return np.concatenate([tile.logprobs for tile in session.logprobs(IDS, PLACES)])  # type: ignore[attr-defined]


def test_the_token_that_follows_loses_what_was_asked_on_average_and_all_stays_a_distribution() -> None:
    """A loss that is the same everywhere has no noise, and any gate finds it."""
    draw = np.random.default_rng(3)
    honest, ids = normalized(3 * draw.normal(size=(4000, 50))), draw.integers(0, 50, 4001)
    options = CanaryOptions(engine="fake", lost=0.25)
    worse = damaged(honest, np.arange(4000), list(ids), options)
    lost = (honest - worse)[np.arange(4000), ids[1:]]
    assert (lost.mean(), lost.std()) == (pytest.approx(0.25, rel=0.1), pytest.approx(0.25, rel=0.1))
    assert lost.min() >= 0
    assert np.logaddexp.reduce(worse, axis=1) == pytest.approx(np.zeros(4000), abs=1e-5)
    assert np.array_equal(worse, damaged(honest, np.arange(4000), list(ids), options)), (
        "a second measurement sees the same"
    )
    assert rows(lost=0.25)[-1] == pytest.approx(rows()[-1]), "nothing follows the last"


@pytest.mark.parametrize("sharpness", [3.0, 6.0, 12.0])
def test_a_divergence_grows_by_what_was_asked_however_sure_the_model_is(sharpness: float) -> None:
    """Noise on log-probabilities, which this was once, does next to nothing where a model is sure of what follows."""
    draw = np.random.default_rng(3)
    logprobs = normalized(sharpness * draw.normal(size=(4000, 300)))
    truth = normalized(logprobs + 0.05 * draw.normal(size=logprobs.shape))
    options = CanaryOptions(engine="fake", moved=0.02)
    worse = damaged(logprobs, np.arange(4000), [], options)
    assert np.logaddexp.reduce(worse, axis=1) == pytest.approx(np.zeros(4000), abs=1e-9)
    grown = (np.exp(truth) * (logprobs - worse)).sum(axis=1)
    assert grown.mean() == pytest.approx(0.02, rel=0.1)
    assert grown.std() == pytest.approx(0.02, rel=0.2), "positions differ"
    assert np.array_equal(worse, damaged(logprobs, np.arange(4000), [], options)), "a second measurement sees the same"


class BothWays:
    """A session that gives logits, which a comparison then takes, and log-probabilities."""

    def rows(self, positions: Any) -> Any:
        return np.random.default_rng(5).normal(3, 2, (len(IDS), 50)).astype(np.float32)[list(positions)]

    def logprobs(self, token_ids: Any, positions: Any) -> Any:
        yield Tile(np.array(positions), normalized(self.rows(positions)).astype(np.float32))

    def logits(self, token_ids: Any, positions: Any) -> Any:
        yield LogitTile(np.array(positions), self.rows(positions))


@pytest.mark.parametrize("given", [{"moved": 0.3}, {"lost": 0.25}])
def test_logits_are_damaged_as_log_probabilities_are(given: dict[str, float]) -> None:
    session: Any = worse(BothWays(), CanaryOptions(engine="fake", **given))  # type: ignore[arg-type]
    assert isinstance(session, GivesLogits)
    (scored,), (raw,) = session.logprobs(IDS, PLACES), session.logits(IDS, PLACES)
    assert normalized(raw.logits) == pytest.approx(scored.logprobs, abs=1e-4)
    assert np.abs(scored.logprobs - normalized(BothWays().rows(PLACES))).max() > 0.1


def generated(slower: float) -> Any:
    work_ = GenerationWorkload(1, ((1, 2, 3),), 12, 1, 3)
    engine, asked = canary_engine({"engine": "fake", "options": {"step_seconds": 0.004}, "slower": slower})
    with engine.open(Path("nowhere"), asked) as session:
        return [session.generate(work_, lambda share: None) for _ in range(2)]  # type: ignore[attr-defined]


@pytest.mark.alone
def test_every_step_takes_longer_and_the_tokens_are_the_same() -> None:
    honest, slow = generated(0.0), generated(2.0)
    assert np.array_equal(honest[0].ids, slow[0].ids)
    for one in slow:
        assert one.steps.min() >= 0.012
        assert np.median(one.steps) < 0.030, "a second workload of one session is not slowed twice"
    assert fake.FakeSession.generate.__module__ == "harness.engines.fake", "nothing stays when the session is closed"


def test_a_program_that_times_itself_is_told_to_be_slower() -> None:
    work_ = FixedWork(1, 8, 16, 1, 2)
    given = (Path("m"), optimum_benchmark.OptimumBenchmarkOptions(), work_, Checkpoint({}, "float32"))
    honest = optimum_benchmark.asked_of(*given)
    with slowed("optimum-benchmark", 0.5):
        assert optimum_benchmark.asked_of(*given) == {**honest, "canary": {"slower": 0.5}}
    assert optimum_benchmark.asked_of(*given) == honest


def test_work_is_work_and_lasts_as_long_as_it_was_asked() -> None:
    assert work(0.002) > 0
    assert work(0.0) == 0


def test_it_is_reached_by_the_worker_alone_and_no_sweep_can_name_it() -> None:
    assert "canary" not in ENGINES
    engine, _ = engine_of("canary", {"engine": "fake"})
    assert (engine.name, engine.offers) == ("canary", fake.ENGINE.offers)


@pytest.mark.parametrize(("given", "said"), [
    ({"engine": "fake", "slowr": 1}, "slower"), ({"engine": "fake", "options": {"step_second": 1}}, "step_seconds"), ({}, "needs 'engine'"),
])  # fmt: skip
def test_options_of_neither_engine_are_refused(given: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        canary_engine(given)
