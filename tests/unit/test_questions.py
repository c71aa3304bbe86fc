"""Questions as their files hold them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import questions
from harness.core.errors import ConfigError

ROW = "What is it?,one,two,three,four,B\n"


def write_questions(folder: Path, test: str, dev: str = ROW, subject: str = "birds") -> Path:
    for split, content in (("dev", dev), ("test", test)):
        (folder / split).mkdir(parents=True, exist_ok=True)
        (folder / split / f"{subject}_{split}.csv").write_text(content, encoding="utf-8")
    return folder


def test_none_and_na_are_text(tmp_path: Path) -> None:
    folder = write_questions(tmp_path, 'Which?,None,NA,,"a, ""b""\nc",D\n\nNext?,1,2.0,nan,null,A\n')
    found = questions.read_subject(folder, "birds", "test")
    assert [question.choices for question in found] == [
        ("None", "NA", "", 'a, "b"\nc'),
        ("1", "2.0", "nan", "null"),
    ]
    assert [(question.letter, question.answer, question.line) for question in found] == [("D", 3, 1), ("A", 0, 4)]
    assert questions.subjects(folder) == ["birds"]


def test_every_row_with_a_missing_column_is_named_with_its_line(tmp_path: Path) -> None:
    folder = write_questions(tmp_path, ROW + "Short?,one,two,three,B\n" + ROW + "Odd?,1,2,3,4,E\n")
    with pytest.raises(ConfigError) as caught:
        questions.read_subject(folder, "birds", "test")
    said = str(caught.value).splitlines()
    assert said[0].endswith(
        "birds_test.csv:2: this row has 5 columns, not six (question, A, B, C, D, letter); complete it"
    )
    assert said[1].endswith("birds_test.csv:4: the right answer is 'E', not one of A, B, C, D")


def test_a_folder_in_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dev is not a folder; give 'reference'"):
        questions.questions_folder(str(tmp_path))
    (tmp_path / "dev").mkdir()
    (tmp_path / "test").mkdir()
    with pytest.raises(ConfigError, match=r"holds no <subject>_test\.csv"):
        questions.subjects(questions.questions_folder(str(tmp_path)))
    write_questions(tmp_path, ROW)
    (tmp_path / "dev" / "birds_dev.csv").unlink()
    with pytest.raises(ConfigError, match=r"birds_dev\.csv is missing"):
        questions.read_subject(tmp_path, "birds", "dev")


def test_question_files_are_listed_for_hashing(tmp_path: Path) -> None:
    write_questions(tmp_path, ROW)
    assert list(questions.question_files(str(tmp_path))) == ["dev/birds_dev.csv", "test/birds_test.csv"]
    assert questions.question_files(questions.HUB_QUESTIONS) == {}


def test_all_57_subjects_of_mmlu_are_read(shared_data: Path) -> None:
    folder = questions.questions_folder(str(shared_data / "mmlu"))
    names = questions.subjects(folder)
    assert len(names) == 57
    assert sum(len(questions.read_subject(folder, name, "test")) for name in names) == 14042
    assert sum(len(questions.read_subject(folder, name, "dev")) for name in names) == 285


def test_every_row_that_is_no_question_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    folder = write_questions(tmp_path, ROW + "Short?,one,B\n")
    with pytest.raises(ConfigError, match=r"birds_test\.csv:2: this row has 3 columns, not six"):
        questions.question_files(str(folder))
    write_questions(tmp_path, ROW)
    assert len(questions.question_files(str(folder))) == 2, "a file that was mended is read again"
