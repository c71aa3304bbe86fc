"""Multiple-choice questions: of the shipped model, of the hub, and of files as MMLU's authors publish them."""

from __future__ import annotations

import csv
import functools
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import hub_data
from harness.core.errors import ConfigError, Problem
from harness.core.paths import placed
from harness.core.privacy import cache_folder
from harness.texts import REFERENCE, _decoded

LETTERS = "ABCD"


Split = Literal["dev", "test"]


HENDRYCKS = "question, A, B, C, D, letter"


HUB_QUESTIONS = "cais/mmlu"


_HUB_QUESTIONS_REVISION = "c30699e8356da336a370243923dbaf21066bb9fe"


@dataclass(frozen=True)
class Question:
    """One multiple-choice question; `line` is where it begins in its file."""

    text: str
    choices: tuple[str, str, str, str]
    letter: str
    line: int

    @property
    def answer(self) -> int:
        """Give the index of the right choice."""
        return LETTERS.index(self.letter)


def questions_refusal(name: str, packages: Mapping[str, str]) -> str | None:
    """Say why questions cannot be had by an environment with these packages, as far as that is known beforehand."""
    return (
        hub_data.refusal(HUB_QUESTIONS, packages)
        if name == HUB_QUESTIONS and not written_questions().is_dir()
        else None
    )


def questions_folder(name: str) -> Path:
    """Give the folder behind a question set's name: `reference`, `cais/mmlu` (hub), or a folder in Hendrycks' layout.

    Raises: ConfigError where it lacks `dev` or `test`.
    """
    from harness import reference

    if name == HUB_QUESTIONS:
        return _hub_questions()
    folder = reference.questions_folder() if name == REFERENCE else placed(name)
    for split in ("dev", "test"):
        if not (folder / split).is_dir():
            raise ConfigError(
                f"no questions '{name}': {folder / split} is not a folder; give '{REFERENCE}', '{HUB_QUESTIONS}' or a "
                f"folder with dev/<subject>_dev.csv and test/<subject>_test.csv"
            )
    return folder


def question_files(name: str) -> dict[str, Path]:
    """Give the files whose content decides a question set, by role; none for the pinned hub revision.

    Raises: ConfigError with the line of every row that is no question.
    """
    if name == HUB_QUESTIONS:
        return {}
    folder = questions_folder(name)
    check_questions(folder)
    found = {f"{split}/{path.name}": path for split in ("dev", "test") for path in (folder / split).glob("*.csv")}
    return dict(sorted(found.items()))


def subjects(folder: Path) -> list[str]:
    """List the subjects of a folder, in alphabetical order. Raises: ConfigError where there is none."""
    found = sorted(path.name.removesuffix("_test.csv") for path in (folder / "test").glob("*_test.csv"))
    if not found:
        raise ConfigError(f"{folder / 'test'} holds no <subject>_test.csv; questions lie one file per subject there")
    return found


def read_subject(folder: Path, subject: str, split: Split) -> list[Question]:
    """Read the questions of one subject; every field is text as written, "None" and "NA" too.

    Raises: ConfigError with the line of every row that has not six columns or no letter from A to D.
    """
    path = folder / split / f"{subject}_{split}.csv"
    problems, found = [], []
    for line, row in csv_rows(path):
        if len(row) != 6:
            problems.append(Problem(f"this row has {len(row)} columns, not six ({HENDRYCKS}); complete it", path, line))
        elif row[5].strip() not in tuple(LETTERS):
            problems.append(Problem(f"the right answer is '{row[5]}', not one of A, B, C, D", path, line))
        else:
            found.append(Question(row[0], (row[1], row[2], row[3], row[4]), row[5].strip(), line))
    if problems:
        raise ConfigError(problems)
    return found


def check_questions(folder: Path) -> None:
    """Read every question of a folder. Raises: ConfigError with every row of every file that is no question."""
    problems: list[Problem] = []
    splits: tuple[Split, ...] = ("dev", "test")
    for split in splits:
        for path in sorted((folder / split).glob(f"*_{split}.csv")):
            subject, facts = path.stem.removesuffix(f"_{split}"), path.stat()
            problems += _question_problems(folder, subject, split, facts.st_size, facts.st_mtime_ns)
    if problems:
        raise ConfigError(problems)


@functools.lru_cache(maxsize=1024)
def _question_problems(folder: Path, subject: str, split: Split, _size: int, _mtime_ns: int) -> tuple[Problem, ...]:
    try:
        read_subject(folder, subject, split)
    except ConfigError as error:
        return tuple(error.problems)
    return ()


def csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Read a CSV file without a header as (line at which the row begins, fields); blank lines are left out."""
    if not path.is_file():
        raise ConfigError(f"the question file {path} is missing; every subject has a file in both dev and test")
    begun, found = 1, []
    reader = csv.reader(io.StringIO(_decoded(path).removeprefix("\ufeff"), newline=""))
    try:
        for row in reader:
            if row:
                found.append((begun, row))
            begun = reader.line_num + 1
    except csv.Error as error:
        raise ConfigError([Problem(f"this is not CSV ({error})", path, reader.line_num)]) from None
    return found


def written_questions() -> Path:
    """Name the folder of our cache into which the hub's questions are written."""
    return cache_folder() / f"mmlu-{_HUB_QUESTIONS_REVISION[:12]}"


def _hub_questions() -> Path:
    """Write the hub's questions in Hendrycks' layout into our cache, once, and give the folder."""
    folder = written_questions()
    if folder.is_dir():
        return folder
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    for split in ("dev", "test"):
        (partial / split).mkdir(parents=True, exist_ok=True)
        by_subject: dict[str, list[list[str]]] = {}
        for row in hub_data.load(HUB_QUESTIONS, "all", _HUB_QUESTIONS_REVISION, split):
            fields = [row["question"], *row["choices"], LETTERS[row["answer"]]]
            by_subject.setdefault(row["subject"], []).append(fields)
        for subject, rows in by_subject.items():
            path = partial / split / f"{subject}_{split}.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(rows)
    os.replace(partial, folder)
    return folder
