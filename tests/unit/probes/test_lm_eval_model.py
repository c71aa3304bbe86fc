"""Rounds of requests that end with tasks, and what of them an interrupted attempt leaves for the next one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

from lm_eval.api.instance import Instance

from harness.core.seam import Context
from harness.core.sessions import Request
from harness.probes import lm_eval_model
from harness.probes.groups import Finished
from harness.probes.lm_eval import Workload, measure
from harness.probes.lm_eval_model import ScoresModel
from harness.probes.lm_eval_prompts import Tally
from tests.unit.probes.table_scores import TableScores
from tests.unit.probes.test_groups import resumed, same

LETTERS = "ABCD"


def model(tmp_path: Path, run: str) -> tuple[TableScores, ScoresModel]:
    session = TableScores(context_length=200)
    finished = Finished(session, Context(folder=tmp_path / run, resume=tmp_path / "kept"))
    return session, ScoresModel(session, Tally(), finished, lambda share: None, bos=False)


def questions(*counts: int) -> tuple[list[Request], list[str]]:
    """Give four requests for each question of so many tasks, and their tasks."""
    asked = [(task, number) for task, count in enumerate(counts) for number in range(count)]
    requests = [Request((task, number), (letter,)) for task, number in asked for letter in range(4)]
    return requests, [str(task) for task, _ in asked for _ in range(4)]


@pytest.mark.parametrize(
    ("counts", "ends"),
    [
        ((3, 3, 3), [12, 24]),  # each task is long enough
        ((1, 1, 1, 1, 1), [12]),  # several together are
        ((12, 1), [32, 48]),  # one is too long for a round
        ((2,), []),
    ],
)
def test_a_round_ends_with_its_task_once_it_is_long_enough_and_never_inside_a_question(
    monkeypatch: pytest.MonkeyPatch, counts: tuple[int, ...], ends: list[int]
) -> None:
    monkeypatch.setattr(lm_eval_model, "_LEAST", 10)
    monkeypatch.setattr(lm_eval_model, "_ROUND", 30)
    assert lm_eval_model._ends(*questions(*counts)) == ends


def test_without_names_of_tasks_a_round_ends_where_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm_eval_model, "_LEAST", 10)
    monkeypatch.setattr(lm_eval_model, "_ROUND", 30)
    assert lm_eval_model._ends(questions(20)[0], ()) == [32, 64]


def test_an_interrupted_task_goes_on_at_its_last_finished_subject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lm_eval_model, "_LEAST", 8)
    rows = "".join(f"Question {number}?,a,b,c,d,{LETTERS[number % 4]}\n" for number in range(5))
    for split in ("dev", "test"):
        (tmp_path / split).mkdir()
        for subject in ("birds", "stars", "towns", "winds"):
            (tmp_path / split / f"{subject}_{split}.csv").write_text(rows.replace("Question", subject))
    workload = Workload(task="mmlu", questions=str(tmp_path))
    expected, found, saved = resumed(measure, workload, tmp_path, 70)
    assert same(expected, found)
    assert expected.arrays["choice_logprobs"].tobytes() == found.arrays["choice_logprobs"].tobytes()
    assert saved == 60  # three subjects of five questions
    assert [note.code for note in found.notes] == ["resumed"]
    assert "3 of 4 groups" in found.notes[0].text


def generated(ours: ScoresModel) -> Any:
    settings = {"until": ["\n"], "max_gen_toks": 20}
    return ours.generate_until(
        [Instance("generate_until", {}, (f"Q: {at}\nA:", dict(settings)), at) for at in range(6)]
    )


def rolled(ours: ScoresModel) -> Any:
    texts = [chr(97 + at) * (150 + 90 * at) for at in range(4)]
    return ours.loglikelihood_rolling([Instance("loglikelihood_rolling", {}, (text,), 0) for text in texts])


@pytest.mark.parametrize("work", [generated, rolled])
def test_written_texts_and_whole_texts_go_on_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[ScoresModel], Any]
) -> None:
    monkeypatch.setattr(lm_eval_model, "_PROMPTS", 4)
    monkeypatch.setattr(lm_eval_model, "_ROUND", 3)
    (_, first), (again, second) = model(tmp_path, "run-1"), model(tmp_path, "run-2")
    expected = work(first)
    kept = sorted((tmp_path / "kept").iterdir())
    assert len(kept) > 1
    kept[-1].unlink()
    asked: list[Any] = []
    whole = again.rows
    monkeypatch.setattr(again, "rows", lambda ids, positions: asked.append(ids) or whole(ids, positions))
    assert work(second) == expected
    assert asked, "the last group is computed"
    assert second.finished.taken == {"run-1": list(range(1, len(kept)))}


def test_texts_of_other_stops_are_not_taken(tmp_path: Path) -> None:
    (_, first), (_, second) = model(tmp_path, "run-1"), model(tmp_path, "run-2")
    for ours, stop in ((first, "\n"), (second, "e")):
        ours.generate_until([Instance("generate_until", {}, ("Q", {"until": [stop], "max_gen_toks": 4}), 0)])
    assert (second.finished.taken, second.finished.spoilt) == ({}, [1])


def test_a_question_that_stands_twice_counts_twice_with_one_answer(tmp_path: Path) -> None:
    rows = [f"Question {number}?,a,b,c,d,{LETTERS[number % 4]}\n" for number in range(5)]
    for split, lines in (("dev", rows), ("test", [*rows, rows[2], rows[2]])):
        (tmp_path / split).mkdir()
        (tmp_path / split / f"birds_{split}.csv").write_text("".join(lines))
    found = measure(TableScores(), Workload(task="mmlu", questions=str(tmp_path)), Context(folder=tmp_path))
    table = found.arrays["choice_logprobs"]
    assert found.protocol.scored == len(table) == 7
    assert table[2].tobytes() == table[5].tobytes() == table[6].tobytes()
    right = table.argmax(axis=1) == [0, 1, 2, 3, 0, 2, 2]
    assert found.values[0].value == pytest.approx(right.mean(), abs=1e-12)
