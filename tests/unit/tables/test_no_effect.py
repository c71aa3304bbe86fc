"""Recipes that change nothing are found by their per-item results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.tables.no_effect import no_effect
from harness.tables.question import CellReader
from harness.tables.rows import TableRow
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.conftest import Say
from tests.fake_machine import Bench
from tests.unit.tables.frames import QUALITY, frame, row

KL = np.array([0.25, 0.0, 1.5, 0.125])
LOW = "int4 b128 sym x20; head float32; embedding float32"
FLOAT = "float32 x20; head float32; embedding float32"


def measured(method: str, samples: Any, content: str, **given: Any) -> tuple[TableRow, dict[str, Any]]:
    facts = {"method": method, "items": "h", "artifact_content": content, "scheme": LOW, **QUALITY, **given}
    (made,) = frame(row(facts.pop("metric", "kl_divergence"), float(np.mean(samples)), **facts))
    return made, {str(made.text("measurement_id")): samples}


def found(*given: tuple[TableRow, dict[str, Any]]) -> set[str]:
    rows, arrays = [one for one, _ in given], {key: value for _, one in given for key, value in one.items()}
    notes = no_effect(rows, arrays.get)
    assert {note.code for note in notes.values()} <= {"no-effect"}
    return {str(one.text("method")) for one in rows if one.run in notes}


def test_two_recipes_with_the_same_results_for_every_item_have_no_effect() -> None:
    other = measured("int8", KL[::-1], "c")
    assert found(measured("rtn", KL, "a"), measured("awq", KL.copy(), "b"), other) == {"rtn", "awq"}


def test_the_cells_of_recipes_without_effect_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "demo.tables.yaml"
    path.write_text("t: {rows: [method], cells: {KL: {metric: kl_divergence, format: 3}}}", "utf-8")
    samples = {"rtn": KL, "awq": KL, "other": KL * 2}
    rows = [row("kl_divergence", float(values.mean()), method=name, items="h", measurement_id=name, scheme=LOW, artifact_content=name, **QUALITY)
            for name, values in samples.items()]  # fmt: skip
    made = build(read_specs(path)[0], frame(*rows), reader=CellReader(samples=samples.get))
    assert {line[0].text: bool(line[1].notes) for line in made.sections[0].rows} == {
        "rtn": True,
        "awq": True,
        "other": False,
    }
    assert any("no effect: same results, item by item, as" in note for note in made.notes)


def test_the_same_content_from_two_recipes_is_no_effect_unless_it_is_floats() -> None:
    assert found(measured("rtn", KL, "a"), measured("awq", KL, "a")) == {"rtn", "awq"}
    floats = {"scheme": FLOAT}
    assert found(measured("fp32", KL, "a", **floats), measured("dense", KL, "a", **floats)) == set()


@pytest.mark.parametrize("given", [
    {"items": "other"}, {"engine": "transformers"}, {"model": "other"}, {"slice": "stratum:x"}, {"method": "rtn"},
    {"metric": "perplexity"},
])  # fmt: skip
def test_results_of_other_questions_are_not_held_together(given: dict[str, Any]) -> None:
    assert found(measured("rtn", KL, "a"), measured(given.pop("method", "awq"), KL, "b", **given)) == set()


def test_answers_of_right_and_wrong_tell_nothing() -> None:
    right = np.array([1.0, 1.0, 0.0])
    assert found(*(measured(name, right, name, metric="mmlu_acc") for name in ("rtn", "awq"))) == set()


def test_samples_that_are_not_at_hand_tell_nothing() -> None:
    rows = [measured(name, KL, name)[0] for name in ("rtn", "awq")]
    assert no_effect(rows, lambda _: None) == {}


def test_a_run_ends_with_the_recipes_that_have_no_effect(bench: Bench, say: Say) -> None:
    recipes = {"rtn": {"noise": 0.1, "bytes": 250}, "awq": {"noise": 0.1, "bytes": 300}, "other": {"noise": 0.2}}
    bench.methods({name: {"recipes": {"fake": options}} for name, options in recipes.items()})
    probes = {"perplexity": {"window": 64, "stride": 32, "tokens": 256, "text": str(bench.text)}}
    bench.sweep(method=list(recipes), probes=probes)
    said = say(bench, "run", "s")
    (line,) = [line for line in said.out.splitlines() if line.startswith("no effect (")]
    assert line.startswith("no effect (2 jobs: toy ")
    assert "other" not in line
    assert "no effect: same results, item by item, as" in said.out, "below the table, too"
