"""Groups of tasks: all questions together, the tasks as strata."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.comparing.groups import compared_files, groups_of
from harness.numbers import strata
from tests.conftest import ROOT

BEFORE, AFTER = sorted((ROOT / "tests" / "golden" / "lm_eval").glob("*.jsonl"))
PARTS = {"hill": range(20, 45), "star": range(45, 60)}


def results(folder: Path, source: Path, subtasks: dict[str, list[str]]) -> Path:
    """Cut the answers into two tasks of a group, as lm-eval writes a group's."""
    stamp = source.stem.partition("questions_")[2]
    some = [json.loads(line) for line in source.read_text("utf-8").splitlines()]
    for task, numbers in PARTS.items():
        lines = [json.dumps(row) + "\n" for row in some if row["doc_id"] in numbers]
        (folder / f"samples_{task}_{stamp}.jsonl").write_text("".join(lines), "utf-8")
    path = folder / f"results_{stamp}.json"
    path.write_text(json.dumps({"results": {task: {} for task in PARTS}, "group_subtasks": subtasks}), "utf-8")
    return path


def test_a_group_is_compared_as_a_whole_with_its_tasks_as_strata(tmp_path: Path) -> None:
    files = [
        results(tmp_path, path, {"world": ["sky"], "sky": ["hill", "star"], "hill": [], "star": []})
        for path in (BEFORE, AFTER)
    ]
    found, _ = compared_files(*files)
    whole = [one for one in found if one.name == "world (2 tasks together)" and one.metric.name == "lm_eval.acc"]
    assert len(whole) == 1
    assert whole[0].moved == (1, 2)
    assert whole[0].estimate is not None
    assert whole[0].estimate.how == strata.STRATIFIED_PAIRED
    assert whole[0].values == pytest.approx(tuple(
        sum(json.loads(line)["acc"] for line in path.read_text("utf-8").splitlines()) / 40 for path in (BEFORE, AFTER)
    ))  # fmt: skip
    assert {one.name for one in found} >= {"hill", "star", "sky (2 tasks together)"}


def test_a_group_of_which_a_task_is_not_there_is_no_whole(tmp_path: Path) -> None:
    files = [results(tmp_path, path, {"world": ["hill", "star", "gone"]}) for path in (BEFORE, AFTER)]
    assert {one.name for one in compared_files(*files)[0]} == {"hill", "star"}


def test_groups_that_name_each_other_end(tmp_path: Path) -> None:
    path = results(tmp_path, BEFORE, {"a": ["b", "hill"], "b": ["a"]})
    assert groups_of(path)["a"] == {"a", "hill"}
    assert groups_of(BEFORE) == {}
