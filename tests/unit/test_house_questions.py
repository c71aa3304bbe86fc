"""Questions of a newcomer to the names of files: each answer is a file or folder that is there, and holds what was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

QUESTIONS: list[dict[str, str]] = yaml.safe_load(Path(__file__).with_name("house_questions.yaml").read_text("utf-8"))


def test_there_are_eight() -> None:
    assert len(QUESTIONS) == 8
    assert len({one["opens"] for one in QUESTIONS}) == 8


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one["opens"])
def test_an_answer_is_there_and_holds_what_was_asked_for(question: dict[str, str]) -> None:
    place = ROOT / question["opens"]
    files = [place] if place.is_file() else list(place.glob("*.py"))
    assert any(question["holds"] in file.read_text("utf-8") for file in files)
