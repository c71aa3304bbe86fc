"""Real question sets: every subject of MMLU on the reference model, and what a small context cuts off."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.questions import subjects
from tests.real.machine import RealMachine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
ENGINE = {"ort-genai": {"provider": "cpu"}}
TABLE = {
    "rows": ["model"],
    "cells": {"Accuracy (%)": {"metric": "lm_eval.acc", "format": 1, "uncertainty": "interval"}},
}
FEW = ("abstract_algebra", "anatomy", "high_school_european_history", "professional_law")


@pytest.fixture
def machine(tmp_path: Path) -> RealMachine:
    pytest.importorskip("onnxruntime_genai")
    return RealMachine(tmp_path / "box")


def run_mmlu(machine: RealMachine, questions: Path, limit: int, **keys: Any) -> tuple[Any, str]:
    """Run as many questions of each subject; the rows of the frame and the rendered table."""
    probe = {"task": "mmlu", "questions": str(questions), "shots": 5, "limit": limit}
    machine.sweep("mmlu", engine=ENGINE, method="fp32", verify=False, probes={"lm_eval": probe}, **keys)
    machine.run("mmlu")
    return machine.frame({"metric": "lm_eval.acc"}), machine.tables("mmlu")["mmlu"]


def test_all_subjects_run_five_shot_and_the_table_shows_the_limit(shared_data: Path, machine: RealMachine) -> None:
    folder = shared_data / "mmlu"
    assert len(subjects(folder)) == 57
    rows, table = run_mmlu(machine, folder, 1)
    assert set(rows["slice"]) == {"", *(f"subject:{name}" for name in subjects(folder))}
    whole = rows[rows["slice"] == ""].iloc[0]
    assert (whole["scored"], whole["n"], whole["limit"], whole["shots"]) == (57, 57, 1, 5)
    assert (rows[rows["slice"] != ""]["n"] == 1).all()
    assert whole["truncated"] == 0, "five real examples and a question fit the reference model's positions"
    assert whole["prompt_tokens"] > 512
    assert whole["beyond_trained"] > 0, "most are longer than what the model was trained on, and the record says so"
    print(f"\nlongest prompt {whole['prompt_tokens']:.0f} tokens, {whole['seconds']:.0f} s\n{table}")
    for shown in ("5 shots", "limit 1", "57 scored", f"{whole['beyond_trained']:.0f} beyond the trained positions"):
        assert shown in table


def test_what_a_context_of_512_cuts_off_is_counted_and_shown(
    shared_data: Path, machine: RealMachine, tmp_path: Path
) -> None:
    questions = tmp_path / "questions"
    for split in ("dev", "test"):
        (questions / split).mkdir(parents=True)
        for subject in FEW:
            shutil.copyfile(
                shared_data / "mmlu" / split / f"{subject}_{split}.csv", questions / split / f"{subject}_{split}.csv"
            )
    machine.model("stories", shared_data / "models" / "stories260K")
    rows, table = run_mmlu(machine, questions, 2, model="stories")
    whole = rows[rows["slice"] == ""].iloc[0]
    assert whole["engine"] == "ort-genai"
    assert whole["scored"] == 2 * len(FEW)
    assert 0 < whole["truncated"] <= whole["scored"]
    assert whole["prompt_tokens"] == 512
    print(f"\n{table}")
    assert f"{whole['truncated']:.0f} truncated" in table
    assert "limit 2" in table
