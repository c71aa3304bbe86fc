"""The check of a float export against its model, with tables for models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import Differs, HarnessError
from harness.core.sessions import Score
from harness.probes.verify import LEAST_KL, MAX_DLOGP, TIMES_OWN, Workload
from harness.worker.failures import status_of
from tests.unit.probes.export_check import held, truth_of
from tests.unit.probes.table_scores import TableScores


class Model(TableScores):
    """A table that offers whole passes, and says where it changes with length."""

    def __init__(self, *, switches: tuple[int, ...] = (), **more: Any) -> None:
        super().__init__(**more)
        self.switches = switches
        self.off = 0.0
        """What is wrong with its scores of batches."""

    def whole(self, token_ids: Sequence[int], positions: Sequence[int]) -> Any:
        return self.rows(token_ids, positions)

    def score(self, requests: Any) -> list[Score]:
        return [Score(one.logprob + self.off, one.greedy) for one in super().score(requests)]


def test_a_model_is_itself(tmp_path: Path) -> None:
    found = held(Model(), truth_of(Model(switches=(500,)), tmp_path / "truth"))
    assert {reading.metric: reading.value for reading in found.values}["verify_top1"] == 1.0
    assert found.protocol.facts["verdict"] == "right"
    assert [piece["tokens"] for piece in found.protocol.facts["pieces"]] == [320, 500, 508, 0]


def test_another_model_is_told_with_what_was_measured_and_allowed(tmp_path: Path) -> None:
    with pytest.raises(
        Differs, match=r"the fp32 export differs from its model \(KL 0\.\d+, top-1 \d+ %, over 320 tokens\)"
    ) as told:
        held(Model(noise=0.5), truth_of(Model(), tmp_path / "truth"))
    facts = told.value.protocol.facts
    assert facts["verdict"] == "differs"
    assert facts["pieces"][0]["max_dlogp"] > facts["pieces"][0]["allowed"]["max_dlogp"] == MAX_DLOGP


def test_a_difference_just_above_the_limit_is_told_and_one_below_is_not(tmp_path: Path) -> None:
    truth = truth_of(Model(), tmp_path / "truth")
    for far, right in ((0.5, True), (2.0, False)):
        session = Model()
        session.table[:, 7] += far * MAX_DLOGP
        if right:
            held(session, truth)
        else:
            with pytest.raises(Differs):
                held(session, truth)


def test_what_is_wrong_in_batches_alone_is_told(tmp_path: Path) -> None:
    session = Model()
    session.off = 0.02
    with pytest.raises(Differs, match=r"a log-probability in a ragged batch is off by 0\.0067"):
        held(session, truth_of(Model(), tmp_path / "truth"))


def test_an_export_that_cannot_be_scored_is_not_its_model(tmp_path: Path) -> None:
    class Broken(Model):
        def logprobs(self, token_ids: Any, positions: Any) -> Any:
            raise HarnessError("non-finite logits at position 3")

    with pytest.raises(Differs, match="the fp32 export cannot be scored: non-finite logits at position 3"):
        held(Broken(), truth_of(Model(), tmp_path / "truth"))


@pytest.mark.parametrize(
    "said",
    [
        "std::bad_alloc",
        "CUDA failure 2: out of memory ; GPU=0",
        "Failed to allocate memory for requested buffer of size 8",
    ],
)
def test_running_out_of_memory_says_nothing_of_the_export(tmp_path: Path, said: str) -> None:
    class Full(Model):
        def logprobs(self, token_ids: Any, positions: Any) -> Any:
            raise HarnessError(f"onnxruntime failed while scoring 1 x 320 tokens: {said}")

    with pytest.raises(HarnessError, match="onnxruntime failed") as told:
        held(Full(), truth_of(Model(), tmp_path / "truth"))
    assert not isinstance(told.value, Differs)
    assert status_of(told.value)[0] == "oom"


def test_a_16_bit_export_may_be_a_few_times_as_far_off_as_its_model(tmp_path: Path) -> None:
    truth, native = truth_of(Model(), tmp_path / "truth"), truth_of(Model(noise=0.03), tmp_path / "native")
    half = Workload(dtype="float16")
    held(Model(noise=0.03 * 0.9 * TIMES_OWN**0.5), truth, half, native)
    with pytest.raises(Differs, match="the fp16 export differs"):
        held(Model(noise=0.03 * 1.5 * TIMES_OWN**0.5), truth, half, native)


def test_a_16_bit_export_of_a_model_without_rounding_may_have_a_little(tmp_path: Path) -> None:
    truth = truth_of(Model(), tmp_path / "truth")
    found = held(Model(), truth, Workload(dtype="float16"), truth)
    assert found.protocol.facts["pieces"][0]["allowed"]["kl"] == LEAST_KL["float16"]


def test_a_padded_vocabulary_is_no_difference(tmp_path: Path) -> None:
    class Padded(Model):
        def rows(self, ids: Sequence[int], positions: Any) -> Any:
            rows = super().rows(ids, positions)
            return np.concatenate([rows, np.full((len(rows), 6), -np.inf, dtype=rows.dtype)], axis=1)

    held(Padded(), truth_of(Model(), tmp_path / "truth"))


def test_lengths_beyond_the_engines_context_are_left_out_and_told(tmp_path: Path) -> None:
    truth = truth_of(Model(switches=(500,)), tmp_path / "truth")
    found = held(Model(context_length=400), truth)
    assert found.protocol.facts["left_out"] == [500, 508]


def test_the_ragged_batch_of_a_16_bit_export_is_held_to_its_own_limit_where_lengths_are_left_out(
    tmp_path: Path,
) -> None:
    truth = truth_of(Model(switches=(500,)), tmp_path / "truth")
    session = Model(context_length=400)
    session.off = 5.0
    for native in (truth, None):
        with pytest.raises(Differs, match="a log-probability in a ragged batch is off by"):
            held(session, truth, Workload(dtype="float16"), native)
