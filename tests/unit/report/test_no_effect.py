"""Recipes that change nothing are found by their per-item results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.report.no_effect import no_effect, said
from harness.report.rows import Row, rows_of
from tests.unit.report.frames import QUALITY, frame, row

KL = np.array([0.25, 0.0, 1.5, 0.125])
LOW = "int4 b128 sym x20; head float32; embedding float32"
FLOAT = "float32 x20; head float32; embedding float32"


def measured(method: str, samples: Any, content: str, **given: Any) -> tuple[Row, dict[str, Any]]:
    facts = {"method": method, "items": "h", "artifact_content": content, "scheme": LOW, **QUALITY, **given}
    (made,) = rows_of(frame(row(facts.pop("metric", "kl_divergence"), float(np.mean(samples)), **facts)))
    return made, {str(made.text("measurement_id")): samples}


def found(*given: tuple[Row, dict[str, Any]]) -> tuple[set[str], list[str]]:
    rows, arrays = [one for one, _ in given], {key: value for _, one in given for key, value in one.items()}
    notes = no_effect(rows, arrays.get)
    assert {note.code for note in notes.values()} <= {"no-effect"}
    return {str(one.text("method")) for one in rows if one.run in notes}, said(rows, arrays.get, lambda _, name: name)


def test_two_recipes_with_the_same_results_for_every_item_have_no_effect() -> None:
    other = measured("int8", KL[::-1], "c")
    names, lines = found(measured("rtn", KL, "a"), measured("awq", KL.copy(), "b"), other)
    assert names == {"rtn", "awq"}
    assert lines == [
        "No effect: rtn of ort-genai, awq of ort-genai gave the same results as another recipe, item by item."
    ]


def test_the_same_content_from_two_recipes_is_no_effect_unless_it_is_floats() -> None:
    assert found(measured("rtn", KL, "a"), measured("awq", KL, "a"))[0] == {"rtn", "awq"}
    floats = {"scheme": FLOAT}
    assert found(measured("fp32", KL, "a", **floats), measured("dense", KL, "a", **floats)) == (set(), [])


@pytest.mark.parametrize("given", [
    {"items": "other"}, {"engine": "transformers"}, {"model": "other"}, {"part": "stratum:x"}, {"method": "rtn"},
    {"metric": "perplexity"},
])  # fmt: skip
def test_results_of_other_questions_are_not_held_together(given: dict[str, Any]) -> None:
    assert found(measured("rtn", KL, "a"), measured(given.pop("method", "awq"), KL, "b", **given))[0] == set()


def test_answers_of_right_and_wrong_tell_nothing() -> None:
    right = np.array([1.0, 1.0, 0.0])
    assert found(*(measured(name, right, name, metric="mmlu_acc") for name in ("rtn", "awq")))[0] == set()


def test_samples_that_are_not_at_hand_tell_nothing() -> None:
    rows = [measured(name, KL, name)[0] for name in ("rtn", "awq")]
    assert no_effect(rows, lambda _: None) == {}
