"""Two files of lm-eval's answers: real ones, and every way in which two files do not belong together.

The files are lm-eval 0.4.13's own (`--log_samples`), of the shipped model in float32 and with weights rounded to 3 bits: questions 20 to 59.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.comparing.answers import answered
from harness.comparing.comparison import judged_together
from harness.comparing.gate import read_gate
from harness.comparing.groups import compared_files as paired_files
from harness.core.errors import ConfigError
from tests.conftest import ROOT

FOLDER = ROOT / "tests" / "golden" / "lm_eval"
BEFORE, AFTER = sorted(FOLDER.glob("*.jsonl"))
GATE = read_gate([ROOT / "configs"])
Rows = list[dict[str, Any]]


def rows(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def written(folder: Path, found: Rows, name: str = AFTER.name) -> Path:
    path = folder / name
    path.write_text("".join(f"{json.dumps(row)}\n" for row in found), "utf-8")
    return path


def test_answers_are_paired_question_by_question_and_flips_are_shown() -> None:
    found, notes = paired_files(BEFORE, AFTER)
    assert notes == []
    acc = found[0]
    old, new = ({row["doc_id"]: row["acc"] for row in rows(path)} for path in (BEFORE, AFTER))
    assert acc.metric.name == "lm_eval.acc"
    assert acc.moved == (sum(new[one] > old[one] for one in old), sum(new[one] < old[one] for one in old)) == (1, 2)
    assert [flip.name for flip in acc.flips] == [str(one) for one in sorted(old) if old[one] != new[one]]
    assert acc.flips[0].question == "What is the step of the feast of Jonna?"
    assert (acc.flips[0].right, acc.flips[0].answers) == ("gavotte", ("gavotte", "minuet"))


@pytest.mark.parametrize("metric", ["acc", "acc_norm"])
@pytest.mark.parametrize("path", [BEFORE, AFTER])
def test_what_was_answered_is_right_where_lm_eval_says_so(path: Path, metric: str) -> None:
    for row in rows(path):
        right = row["doc"]["choices"][row["doc"]["answer"]]
        assert (answered(row, metric) == right) == (row[metric] == 1.0), row["doc_id"]


def test_a_file_beside_itself_has_no_flips_and_is_not_worse() -> None:
    result = judged_together(("a", "b"), paired_files(BEFORE, BEFORE)[0], GATE)
    assert result.exit_code == 0
    assert set(result.words) <= {"same", "cannot tell"}
    assert all(one.moved == (0, 0) and not one.flips for one, _, _ in result.judged)


def test_many_lost_answers_are_worse_and_the_other_way_better(tmp_path: Path) -> None:
    some = rows(AFTER)
    for row in some[:20]:
        row["acc"] = row["acc_norm"] = 0.0
    other = written(tmp_path, some)
    for one, two, code, said in ((BEFORE, other, 1, "worse"), (other, BEFORE, 0, "better")):
        result = judged_together(("a", "b"), paired_files(one, two)[0], GATE)
        assert (result.exit_code, set(result.words)) == (code, {said})


def test_the_order_of_lines_does_not_matter(tmp_path: Path) -> None:
    found, _ = paired_files(BEFORE, written(tmp_path, rows(AFTER)[::-1]))
    assert [flip.name for flip in found[0].flips] == [flip.name for flip in paired_files(BEFORE, AFTER)[0][0].flips]


def dropped(some: Rows) -> Rows:
    return some[:-3]


def twice(some: Rows) -> Rows:
    return [*some, some[4]]


def not_a_number(some: Rows) -> Rows:
    some[3]["acc"] = float("nan")
    return some


def others(some: Rows) -> Rows:
    some[0]["doc_hash"] = "0" * 64
    return some


def other_answers(some: Rows) -> Rows:
    some[0]["target_hash"] = "0" * 64
    return some


def nothing(some: Rows) -> Rows:
    return [{"model": "x"}]


@pytest.mark.parametrize(("change", "said"), [
    (dropped, "3 stand in one of them alone, as 57"),
    (twice, "question 24 stands there twice; keep one run's answers"),
    (not_a_number, "acc of question 23 is not a finite number (1 of 40)"),
    (others, "1 of 40 have another question than in"),
    (other_answers, "1 of 40 have another right answer than in"),
    (nothing, "holds no answers of lm-eval; run lm_eval with --log_samples"),
])  # fmt: skip
def test_files_that_do_not_belong_together_are_refused(
    tmp_path: Path, change: Callable[[Rows], Rows], said: str
) -> None:
    with pytest.raises(ConfigError) as told:
        paired_files(BEFORE, written(tmp_path, change(rows(AFTER))))
    assert said in str(told.value)
    assert AFTER.name in str(told.value)


def test_an_empty_file_one_of_another_task_and_one_that_is_not_there_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "samples_x_2026-01-01T00-00-00.1.jsonl"
    empty.write_text("", "utf-8")
    other = written(tmp_path, rows(AFTER), AFTER.name.replace("shipped_questions", "arc_easy"))
    for path, said in (
        (empty, "is empty"),
        (other, "holds answers to arc_easy"),
        (tmp_path / "no.jsonl", "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=said):
            paired_files(BEFORE, path)


def test_a_metric_that_one_side_lacks_is_missing_and_no_pass(tmp_path: Path) -> None:
    some = rows(AFTER)
    for row in some:
        row["metrics"] = ["acc"]
        del row["acc_norm"]
    result = judged_together(("a", "b"), paired_files(BEFORE, written(tmp_path, some))[0], GATE)
    assert [one.metric.name for one in result.missing] == ["lm_eval.acc_norm"]
    assert result.exit_code == 3


def test_other_prompts_for_the_same_questions_are_told(tmp_path: Path) -> None:
    some = rows(AFTER)
    for row in some[:7]:
        row["prompt_hash"] = "0" * 64
    _, notes = paired_files(BEFORE, written(tmp_path, some))
    assert "7 of 40 questions were asked with another prompt" in notes[0]


def test_results_files_lead_to_the_answers_beside_them(tmp_path: Path) -> None:
    results = []
    for path in (BEFORE, AFTER):
        stamp = path.stem.partition("questions_")[2]
        shutil.copy(path, tmp_path)
        results.append(tmp_path / f"results_{stamp}.json")
        results[-1].write_text(json.dumps({"results": {"shipped_questions": {}, "other": {}}}), "utf-8")
    found, _ = paired_files(*results)
    assert [one.metric.name for one in found] == ["lm_eval.acc", "lm_eval.acc_norm"]


def test_results_without_answers_have_nothing_that_pairs(shared_data: Path) -> None:
    one, other = sorted((shared_data / "results" / "lm-eval").glob("*.json"))
    found, notes = paired_files(one, other)
    assert found == []
    assert "run lm_eval with --log_samples" in notes[0]
    assert judged_together(("a", "b"), found, GATE, notes).exit_code == 3


def test_a_metric_of_ones_own_is_judged_the_way_the_results_beside_it_say(tmp_path: Path) -> None:
    files = []
    for path, value in ((BEFORE, 0.1), (AFTER, 0.3)):
        some = rows(path)
        for number, row in enumerate(some):
            row["slips"] = value + 0.01 * (number % 5)
            row["metrics"] = ["slips"]
        files.append(written(tmp_path, some, path.name))
    told, _ = paired_files(*files)
    assert (told[0].why, told[0].weight) == ("nobody says which way it is better", "told")
    for file in files:
        stamp = file.stem.partition("questions_")[2]
        said = {"results": {}, "higher_is_better": {"shipped_questions": {"slips": False}}}
        (tmp_path / f"results_{stamp}.json").write_text(json.dumps(said), "utf-8")
    result = judged_together(("a", "b"), paired_files(*files)[0], GATE)
    assert (result.words, result.exit_code) == (["worse"], 1)
