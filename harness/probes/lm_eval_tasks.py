"""lm-eval tasks: question folders as a group in lm-eval's own 5-shot MMLU form, YAML files, and hub tasks by name."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import ConfigError, HarnessError
from harness.core.paths import workspace_folder
from harness.core.spelling import unknown
from harness.questions import LETTERS, Question, questions_folder, read_subject, subjects


@dataclass(frozen=True)
class Loaded:
    """Tasks and groups as `lm_eval.evaluator.evaluate` takes them."""

    tasks: dict[str, Any]
    groups: dict[str, Any]
    whole: str | None
    """Group or task whose value stands for all; None where several stand side by side."""
    subjects: dict[str, str]
    """Task name to subject, for question folders."""

    @property
    def evaluated(self) -> dict[str, Any]:
        """Give what lm-eval's `evaluate` reads."""
        children = {name: list(group.child_names) for name, group in self.groups.items()}
        return {"tasks": self.tasks, "groups": self.groups, "group_map": children}


def from_questions(source: str, group_name: str, shots: int) -> Loaded:
    """Make a group with one task per subject from a folder in Hendrycks' layout.

    Prompt, choices and aggregation are those of lm-eval's task `mmlu` (description, four lettered choices, the
    log-likelihoods of " A" to " D", micro average); the templates are plain functions, because compiling a template
    per prompt takes longer than a small model's answer.
    """
    from lm_eval.api.group import Group
    from lm_eval.config.group import GroupConfig

    folder = questions_folder(source)
    names = {f"{group_name}_{subject}": subject for subject in subjects(folder)}
    tasks = {name: _subject_task(folder, name, subject, shots) for name, subject in names.items()}
    metrics = [{"metric": "acc", "weight_by_size": True}]
    group = Group.from_config(
        GroupConfig(group=group_name, task=list(tasks), aggregate_metric_list=metrics, metadata={"version": 2})
    )
    for task in tasks.values():
        group.add(task)
    return Loaded(tasks, {group_name: group}, group_name, names)


def _subject_task(folder: Path, name: str, subject: str, shots: int) -> Any:
    import datasets
    from lm_eval.api.task import ConfigurableTask

    examples = read_subject(folder, subject, "dev") if shots else []
    if len(examples) < shots:
        raise ConfigError(f"{subject} has {len(examples)} dev questions, fewer than the {shots} shots; ask for fewer")
    rows = {"dev": examples, "test": read_subject(folder, subject, "test")}
    splits = {
        split: datasets.Dataset.from_list([_row(entry) for entry in found]) for split, found in rows.items() if found
    }

    class Subject(ConfigurableTask):  # type: ignore[misc]
        def download(self, *_: Any, **__: Any) -> None:
            self.dataset = splits

    config: dict[str, Any] = {
        "task": name, "task_alias": subject, "test_split": "test", "output_type": "multiple_choice",
        "num_fewshot": shots, "description": f"{_HEADER} {subject.replace('_', ' ')}.\n\n",
        "doc_to_text": _prompt, "doc_to_choice": list(LETTERS), "doc_to_target": "answer",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0},
    }  # fmt: skip
    if shots:
        config |= {"fewshot_split": "dev", "fewshot_config": {"sampler": "first_n"}}
    return Subject(config=config)


_HEADER = "The following are multiple choice questions (with answers) about"


def _row(question: Question) -> dict[str, Any]:
    return {"question": question.text, "choices": list(question.choices), "answer": question.answer}


def _prompt(row: Mapping[str, Any]) -> str:
    choices = "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, row["choices"], strict=True))
    return f"{row['question'].strip()}\n{choices}\nAnswer:"


def by_name(task: str, shots: int | None, include: Path | None = None) -> Loaded:
    """Load a task of lm-eval by name, or a YAML file by its whole path.

    Raises: HarnessError for an unknown name, with the nearest right one, or data that cannot be reached.
    """
    from lm_eval.tasks import TaskManager

    is_file = include is not None
    manager = TaskManager(include_path=str(include.parent) if include else None, include_defaults=not is_file)
    try:
        with contextlib.chdir(workspace_folder()):  # files that a task names are seen from there
            found = manager.load([str(include) if include else task])
    except KeyError:
        raise HarnessError(unknown("lm-eval task", task, _near(task, manager))) from None
    except (OSError, ValueError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise HarnessError(f"lm-eval could not load '{task}': {reason}; check its data files or the hub") from error
    for loaded in found["tasks"].values():
        fixed = loaded.get_config("num_fewshot")
        if shots is not None and fixed != 0:
            loaded.set_config(key="num_fewshot", value=shots)
        elif fixed is None:
            loaded.set_config(key="num_fewshot", value=0)
        loaded.set_fewshot_seed(seed=1234)
    groups = found.get("groups", {})
    tops = [name for name in groups if not any(name in other.child_names for other in groups.values())]
    lone = list(found["tasks"]) if len(found["tasks"]) == 1 else []
    whole = (tops or lone)[0] if len(tops or lone) == 1 else None
    return Loaded(found["tasks"], groups, whole, {})


@functools.lru_cache(maxsize=64)
def task_refusal(task: str, version: str | None) -> str | None:
    """Say that lm-eval has no task or group of that name; None where it has, or another version than the job's is installed here."""
    try:
        own = importlib.metadata.version("lm-eval")
    except importlib.metadata.PackageNotFoundError:
        return None
    if own != version or _in_a_file_of_its_own(task):
        return None
    from lm_eval.tasks import TaskManager

    manager = TaskManager()
    return None if task in manager.all_tasks else unknown("lm-eval task", task, _near(task, manager))


def _in_a_file_of_its_own(task: str) -> bool:
    """Tell whether a file or folder of lm-eval's that is called after a task defines it.

    Most are found so in a tenth of a second; lm-eval reads thousands of files for it, and imports pandas.
    """
    spec = importlib.util.find_spec("lm_eval")
    says = re.compile(rf"^[\"']?(task|group)[\"']?:\s*[\"']?{re.escape(task)}[\"']?\s*$", re.MULTILINE)
    for top in spec.submodule_search_locations or () if spec else ():
        for folder, _, names in os.walk(Path(top) / "tasks"):
            mine = (name for name in names if name.endswith(".yaml") and task in {Path(name).stem, Path(folder).name})
            if any(says.search((Path(folder) / name).read_text("utf-8")) for name in mine):
                return True
    return False


def _near(task: str, manager: Any) -> list[str]:
    import difflib

    return difflib.get_close_matches(task, manager.all_tasks, n=5, cutoff=0.5) or ["reference", "mmlu", "wikitext"]
