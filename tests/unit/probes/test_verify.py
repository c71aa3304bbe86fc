"""The check of a float export against its model, with tables for models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import Differs, HarnessError
from harness.core.sessions import Score
from harness.probes import verify
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


# ---------------------------------------------------------------- what is allowed


def test_limits_are_those_of_the_record() -> None:
    """Of right exports and wrong ones (tests/benchmarks/README.md)."""
    assert (MAX_DLOGP, TIMES_OWN) == (1e-3, 4.0)
    assert LEAST_KL == {"float16": 1e-5, "bfloat16": 1e-3}
    assert verify.NATIVE_KL == {"float16": 2e-3, "bfloat16": 2e-2}


def piece(tokens: int = 9, far: float = 0.0, kl: float = 0.0, top1: float = 1.0) -> verify.Piece:
    return verify.Piece(tokens, 3, far, kl, top1)


@pytest.mark.parametrize(("limit", "found", "passes"), [
    (verify.Limit(1e-3, None), piece(far=1e-3, kl=9.0), True), (verify.Limit(1e-3, None), piece(far=1.01e-3), False),
    (verify.Limit(None, 1e-5), piece(far=9.0, kl=1e-5), True), (verify.Limit(None, 1e-5), piece(kl=1.01e-5), False),
    (verify.Limit(1e-3, 1e-5), piece(far=1e-3, kl=1e-5), True), (verify.Limit(1e-3, 1e-5), piece(far=1.0), False), (verify.Limit(None, None), piece(9, 9.0, 9.0), True),
])  # fmt: skip
def test_a_piece_keeps_within_both_limits(limit: verify.Limit, found: verify.Piece, passes: bool) -> None:
    assert limit.passed(found) is passes


@pytest.mark.parametrize(("bad", "says"), [
    ([piece(kl=0.5, top1=0.126)], "KL 0.5, top-1 13 %, over 9 tokens"), ([piece(kl=0.1), piece(12, kl=0.2, top1=0.5)], "KL 0.2, top-1 50 %, over 12 tokens"),
    ([piece(0, far=0.25)], "a log-probability in a ragged batch is off by 0.25"),
])  # fmt: skip
def test_the_worst_piece_is_told(bad: list[verify.Piece], says: str) -> None:
    assert verify._said(bad) == says


def rows(*chances: list[float]) -> Any:
    return np.log(np.array(chances)).astype(np.float32)


def test_differences_are_those_of_distributions_cut_to_what_both_have() -> None:
    model, engine = rows([0.5, 0.25, 0.25], [0.2, 0.3, 0.5]), rows([0.4, 0.1, 0.1, 0.4], [0.1, 0.15, 0.25, 0.5])
    far, kl, agrees = verify._compared(model, engine)
    there = np.array([2 / 3, 1 / 6, 1 / 6])
    here = np.array([0.5, 0.25, 0.25])
    assert far == pytest.approx([np.abs(np.log(here / there)).max(), 0.0], abs=1e-6)
    assert kl == pytest.approx([(here * np.log(here / there)).sum(), 0.0], abs=1e-6)
    assert agrees.tolist() == [1, 1]
    ruled_out = rows([1.0, 1e-45])
    ruled_out[0, 1] = -np.inf
    assert verify._compared(ruled_out, ruled_out)[0].tolist() == [0.0]


def test_a_ragged_batch_is_told_per_token_and_only_where_it_fits() -> None:
    asked = [verify.Asked((1, 2), (3, 4), -2.0), verify.Asked((1,), (2,), -1.0), verify.Asked((1, 2, 3), (4, 5), -9.0)]

    class Scorer:
        context_length = 4

        def score(self, requests: Any) -> list[Score]:
            assert [(one.context, one.continuation) for one in requests] == [((1, 2), (3, 4)), ((1,), (2,))]
            return [Score(-2.5, True), Score(-1.125, True)]

    found = verify.compare_ragged(Scorer(), asked)  # type: ignore[arg-type]
    assert found == verify.Piece(0, 2, 0.25, 0.0, 1.0)


@pytest.mark.parametrize(("dtype", "native", "number", "limit"), [
    ("float32", False, 0, verify.Limit(1e-3, None)), ("float32", True, None, verify.Limit(1e-3, None)),
    ("float16", False, 0, verify.Limit(None, 2e-3)), ("bfloat16", False, None, verify.Limit(4 * 0.04**0.5, 2e-2)),
    ("float16", True, None, verify.Limit(4 * 0.25, None)), ("bfloat16", True, None, verify.Limit(4 * 0.25, None)),
])  # fmt: skip
def test_what_is_allowed_follows_from_the_type_and_what_the_model_itself_has(
    dtype: str, native: bool, number: int | None, limit: verify.Limit
) -> None:
    class Told:
        def __init__(self, logprob: float, first: Any) -> None:
            self.ragged = [verify.Asked((1,), (2, 3), logprob), verify.Asked((1,), (2,), -1.0)]
            self.sequences = [verify.Sequenced((1, 2), (0,), first)]

    truth, other = Told(-2.0, rows([0.5, 0.5])), Told(-2.5, rows([0.6, 0.4]))
    found = verify._limit(dtype, truth, other if native else None, number)  # type: ignore[arg-type]
    assert found.max_dlogp == (None if limit.max_dlogp is None else pytest.approx(limit.max_dlogp))
    assert found.kl == limit.kl
    first = verify._limit("float16", truth, other, 0)  # type: ignore[arg-type]
    assert first.max_dlogp is None
    assert first.kl == pytest.approx(4 * 0.5 * (np.log(0.5 / 0.6) + np.log(0.5 / 0.4)), rel=1e-4)
    same = verify._limit("bfloat16", truth, truth, 0)  # type: ignore[arg-type]
    assert same.kl == 1e-3
    assert verify._limit("float16", truth, truth, None).max_dlogp == pytest.approx(4 * (2e-5) ** 0.5)  # type: ignore[arg-type]


def test_metrics_are_the_largest_difference_and_means_by_position() -> None:
    pieces = [verify.Piece(10, 3, 0.1, 0.4, 1.0), verify.Piece(20, 1, 0.2, 0.8, 0.0), verify.Piece(0, 5, 0.7, 0.0, 1.0)]
    found = verify._metric_values(pieces)
    assert [(value.metric, value.n) for value in found] == [
        ("verify_max_dlogp", 4),
        ("verify_kl", 4),
        ("verify_top1", 4),
    ]
    assert [value.value for value in found] == pytest.approx([0.7, 0.5, 0.75])
