"""What lm-eval's own records say of a choice."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.seam import Context
from harness.probes.lm_eval import Workload, measure
from harness.probes.lm_eval_results import choice_logprob
from tests.unit.probes.table_scores import TableScores

pytest.importorskip("lm_eval")


def test_the_right_choice_has_its_share_of_the_choices_log_likelihoods(tmp_path: Path) -> None:
    found = measure(TableScores(), Workload(limit=12, shots=1), Context(folder=tmp_path))
    whole = next(one for one in found.values if one.metric == "choice_logprob" and not one.slice)
    table, right = found.arrays["choice_logprobs"], found.arrays
    answers = next(one for one in found.values if one.metric == "lm_eval.acc" and not one.slice)
    shares = table - np.logaddexp.reduce(table, axis=1, keepdims=True)
    kept = np.asarray(whole.samples, dtype=np.float64)
    assert np.abs(shares - kept[:, None]).min(axis=1).max() < 1e-6, "each is the share of one of the choices"
    assert whole.value == pytest.approx(kept.mean(), abs=1e-6)
    assert ((kept > np.log(0.5)) <= (np.asarray(answers.samples) == 1)).all(), "more than half is the right answer"
    assert right["choice_logprob.strata"].tolist() == right["correct.strata"].tolist() == [12] * 8
    assert answers.interval == "wilson 95%, stratified"
    assert whole.interval == "student-t 95%, stratified"
    assert whole.items == answers.items


@pytest.mark.parametrize(
    ("target", "arguments", "logs", "expected"),
    [
        (1, [("q", " a"), ("q", " b")], [-1.0, -1.0], math.log(0.5)),
        ("b", [("q", " a"), ("q", " b")], [-2.0, -1.0], -math.log1p(math.exp(-1.0))),
        ("1", [("q", " a"), ("q", " b")], [-1.0, -1.0], math.log(0.5)),
        (0, [("q one", " c"), ("q two", " c")], [-1.0, -1.0], math.log(0.5)),
        (0, [("q", " a"), ("q", " b"), ("", " a"), ("", " b")], [-1.0, -1.0, 0.0, -9.0], math.log(0.5)),
        (5, [("q", " a"), ("q", " b")], [-1.0, -1.0], None),
        ("c", [("q", " a"), ("q", " b")], [-1.0, -1.0], None),
        (0, [("q", " a")], [-1.0], None),
    ],
)
def test_the_right_choice_is_found_by_place_or_by_text(
    target: Any, arguments: list[tuple[str, str]], logs: list[float], expected: float | None
) -> None:
    row = {"target": target, "arguments": arguments, "filtered_resps": [(value, False) for value in logs]}
    found = choice_logprob(row)
    assert found == (None if expected is None else pytest.approx(expected))
