"""Distances between distributions by their textbook sums, and how rows of two engines are paired."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.sessions import Tile
from harness.numbers.divergence import BLOCK_VALUES, distances
from harness.probes import kl_divergence, output_check, pace, perplexity
from harness.probes.kl_options import Workload
from harness.probes.kl_sources import in_step
from harness.probes.windows import Span


def rows(*chances: list[float]) -> Any:
    with np.errstate(divide="ignore"):
        return np.log(np.array(chances, dtype=np.float64)).astype(np.float32)


def test_a_divergence_is_the_sum_over_the_vocabulary_of_renormalised_rows() -> None:
    one, other = rows([0.5, 0.25, 0.25], [0.2, 0.2, 0.6]), rows([0.25, 0.25, 0.5], [0.4, 0.4, 1.2])
    found = distances(one, other)
    assert found.kl == pytest.approx([0.5 * np.log(2) + 0.25 * np.log(0.5), 0.0], abs=1e-6)
    assert found.abs_log_ratio == pytest.approx([0.5 * np.log(2) + 0.25 * np.log(2), 0.0], abs=1e-6)
    assert found.agrees.tolist() == [0, 1]


@pytest.mark.parametrize(("count", "width"), [(1, 1 << 17), (3, (1 << 17) + 1), (5, 1 << 16), (7, 40_000)])
def test_rows_of_every_block_are_compared(count: int, width: int) -> None:
    """A block holds 131,072 values: one row of more, two of half as many."""
    draw = np.random.default_rng(count)
    logits = draw.standard_normal((2, count, width))
    one, other = (part - np.log(np.exp(part).sum(axis=1, keepdims=True)) for part in logits)
    found = distances(one.astype(np.float32), other.astype(np.float32))
    assert BLOCK_VALUES == 131072
    assert found.kl == pytest.approx((np.exp(one) * (one - other)).sum(axis=1), rel=1e-4)
    assert found.abs_log_ratio == pytest.approx((np.exp(one) * np.abs(one - other)).sum(axis=1), rel=1e-4)
    assert found.agrees.tolist() == (one.argmax(axis=1) == other.argmax(axis=1)).tolist()


def test_what_the_candidate_rules_out_is_infinitely_far_and_is_refused() -> None:
    found = distances(rows([0.5, 0.5], [0.5, 0.5]), rows([0.5, 0.5], [1.0, 0.0]))
    assert np.isinf(found.kl).tolist() == [False, True]
    with pytest.raises(HarnessError, match="at token 107 is not finite"):
        kl_divergence._refuse_not_finite(found, Span(100, 110, 106, 110), np.array([6, 7]))
    good = distances(rows([0.5, 0.5]), rows([0.5, 0.5]))
    kl_divergence._refuse_not_finite(good, Span(0, 1, 0, 1), np.array([0]))


@pytest.mark.parametrize(
    ("widths", "cut", "common"), [((5, 5), False, 5), ((5, 7), True, 5), ((7, 5), True, 5), ((5, 7), False, None)]
)
def test_vocabularies_are_cut_only_where_that_is_asked_for(
    widths: tuple[int, int], cut: bool, common: int | None
) -> None:
    workload = Workload.model_construct(truncate_vocabulary=cut)
    if common is None:
        with pytest.raises(HarnessError, match="a vocabulary of 5 tokens, the candidate one of 7"):
            kl_divergence._common_width(widths, workload)
    else:
        assert kl_divergence._common_width(widths, workload) == common


@pytest.mark.parametrize(
    ("left", "right", "pairs"),
    [([4], [4], [4]), ([3, 1], [1, 3], [1, 2, 1]), ([2, 2], [4], [2, 2]), ([5], [2], [2]), ([], [3], [])],
)
def test_rows_of_two_engines_are_paired_whatever_the_sizes_of_their_tiles(
    left: list[int], right: list[int], pairs: list[int]
) -> None:
    def parts(sizes: list[int], offset: float) -> Any:
        begin = 0
        for size in sizes:
            positions = np.arange(begin, begin + size)
            yield positions, (positions + offset)[:, None]
            begin += size

    found = list(in_step(parts(left, 0.25), parts(right, 0.5)))
    assert [len(positions) for positions, _, _ in found] == pairs
    for positions, reference, candidate in found:
        assert (reference[:, 0] - 0.25).tolist() == (candidate[:, 0] - 0.5).tolist() == positions.tolist()


# ---------------------------------------------------------------- generated tokens scored


class Scorer:
    """Rows of known log-probabilities over five tokens: of position p, token t has -|t - p % 5|."""

    codec = SimpleNamespace(ends=(0,))

    def __init__(self, border: int | None = None, tile: int = 3) -> None:
        self.border, self.tile, self.asked = border, tile, []

    def logprobs(self, ids: list[int], positions: Any) -> Any:
        self.asked.append((len(ids), list(positions)))
        for begin in range(0, len(positions), self.tile):
            there = np.asarray(list(positions)[begin : begin + self.tile])
            yield Tile(there, -np.abs(np.arange(5)[None, :] - (there % 5)[:, None]).astype(np.float32))


def test_each_generated_token_is_held_against_the_likeliest_at_its_place() -> None:
    told: list[float] = []
    ids = np.array([[2, 3, 4, 0], [4, 4, 4, 4]], dtype=np.int32)
    found = output_check.gaps_of(Scorer(), [[9, 9, 9], [9]], ids, told.append)  # type: ignore[arg-type]
    # row 0: positions 2, 3, 4, 5: tokens 2, 3, 4 are likeliest; at 5 it is token 0, which ends a text, and then token 1 a nat below
    assert found.tolist() == [[0, 0, 0, 0], [3.0, 3.0, 2.0, 1.0]]
    assert told == [0.375, 0.5, 0.875, 1.0]


@pytest.mark.parametrize(("border", "asked"), [
    (None, [(7, [3, 4, 5, 6])]), (5, [(5, [3, 4]), (7, [5, 6])]), (3, [(7, [3, 4, 5, 6])]), (4, [(4, [3]), (7, [4, 5, 6])]), (6, [(6, [3, 4, 5]), (7, [6])]),
    (7, [(7, [3, 4, 5, 6])]), (9, [(7, [3, 4, 5, 6])]),
])  # fmt: skip
def test_what_lies_before_a_border_is_scored_as_a_short_sequence(
    border: int | None, asked: list[tuple[int, list[int]]]
) -> None:
    session = Scorer(border)
    list(output_check._as_generated(session, [1, 2, 3, 4], [5, 6, 7, 8]))  # type: ignore[arg-type]
    assert session.asked == asked


@pytest.mark.parametrize(("below", "of", "told"), [(1, 100, False), (2, 100, True), (0, 100, False)])
def test_one_token_of_a_hundred_may_lie_clearly_below(below: int, of: int, told: bool) -> None:
    gaps = np.zeros((2, of // 2), dtype=np.float32)
    gaps[1, 4 : 4 + below] = 0.06
    notes = output_check._differs(gaps, 0.05)
    assert [note.code for note in notes] == ["output-differs"] * told
    assert not told or "2.0% of the greedily generated tokens lie more than 0.05 nat" in notes[0].text
    assert not told or "(most: 0.1 nat; first: token 5 of sequence 2)" in notes[0].text
    gaps[gaps > 0] = 0.05
    assert output_check._differs(gaps, float(np.float32(0.05))) == ()


def test_limits_and_defaults_of_the_check() -> None:
    assert output_check.CLEAR == {"float32": 0.05, "float16": 0.2, "bfloat16": 0.5}
    assert output_check.SHARE == 0.01
    options = output_check.OutputCheckOptions()
    assert (options.batch, options.prompt, options.output, options.text) == (1, 128, 128, None)
    reach = output_check.PROBE.reach(output_check.OutputCheckOptions(batch=3, prompt=5, output=7))
    assert reach is not None
    assert (reach.total, reach.prompt, reach.batch) == (12, 5, 3)
    for name in ("batch", "prompt", "output"):
        assert output_check.OutputCheckOptions.model_validate({name: 1}) is not None
        with pytest.raises(ValueError, match=name):
            output_check.OutputCheckOptions.model_validate({name: 0})


# ---------------------------------------------------------------- perplexity, pace


@pytest.mark.parametrize(("given", "name"), [
    ({}, "ppl-A-w1024-s512"), ({"protocol": "B"}, "ppl-B-w1024-c512"), ({"documents": True}, "ppl-documents"), ({"window": 8, "stride": 4, "protocol": "B"}, "ppl-B-w8-c4"),
])  # fmt: skip
def test_a_protocol_is_called_by_how_the_text_is_cut(given: dict[str, Any], name: str) -> None:
    assert perplexity.protocol_name(perplexity.Workload.model_validate(given)) == name


@pytest.mark.parametrize(("given", "says"), [
    ({"protocol": "B", "window": 8, "stride": 3}, "3 does not divide 8"), ({"limit": 3}, "limit counts documents"), ({"limit": 0, "documents": True}, "limit"),
    ({"documents": True, "tokens": 9}, "documents are scored whole"), ({"documents": True, "protocol": "B"}, "documents are scored whole"),
])  # fmt: skip
def test_what_does_not_belong_together_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        perplexity.Workload.model_validate(given)
    assert perplexity.Workload.model_validate({"documents": True, "limit": 1}).in_windows is False
    assert perplexity.Workload().in_windows


def test_a_pace_is_the_median_of_five_sums_of_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (pace.SQUARES, pace.TIMES, pace.UNIT_SECONDS, pace.LEAST) == (20_000, 5, 1e-3, 5)
    times = iter([5.0, 1.0, 2.0, 9.0, 4.0])
    monkeypatch.setattr(pace, "_once", lambda: next(times))
    assert pace.timed() == 4.0
    monkeypatch.undo()
    moments = iter([2.0, 2.5])
    monkeypatch.setattr(pace.time, "perf_counter", lambda: next(moments))
    assert pace._once() == 0.5
    found = pace.facts([3.0, 1.0, 8.0], {"ttft": 1.5})
    assert (found["fastest"], found["median"], found["slowest"], found["at_1ms"]) == (1.0, 3.0, 8.0, {"ttft": 1.5})
