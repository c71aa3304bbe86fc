"""Texts and questions by name, and what is said where they are broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import texts
from harness.core.errors import ConfigError, HarnessError

ROW = "What is it?,one,two,three,four,B\n"


def questions(folder: Path, test: str, dev: str = ROW, subject: str = "birds") -> Path:
    for split, content in (("dev", dev), ("test", test)):
        (folder / split).mkdir(parents=True, exist_ok=True)
        (folder / split / f"{subject}_{split}.csv").write_text(content, encoding="utf-8")
    return folder


def test_a_plain_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("one\r\ntwo\n\nthree ü\n".encode())
    assert texts.read_text(str(path)) == "one\r\ntwo\n\nthree ü\n"
    assert texts.read_documents(str(path)) == ["one\r\ntwo", "three ü\n"]
    assert texts.text_files(str(path)) == {"text": path}


def test_environment_variables_and_home_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("x")
    monkeypatch.setenv("TEXTS", str(tmp_path))
    assert texts.read_text("$TEXTS/a.txt") == "x"


def test_raw_wikitext_is_the_join_of_the_published_rows(tmp_path: Path) -> None:
    path = tmp_path / "wiki.test.raw"
    path.write_bytes(b" \n = A = \n \n Words @-@ here \n")
    assert texts.read_text(str(path)) == "\n\n".join(["", " = A = \n", "", " Words @-@ here \n"])
    assert texts.read_documents(str(path)) == [" = A = \n", " Words @-@ here \n"]


def test_the_official_wikitext_file_gives_its_4358_rows(shared_data: Path) -> None:
    text = texts.read_text(str(shared_data / "wikitext-2" / "wiki.test.raw"))
    raw = (shared_data / "wikitext-2" / "wiki.test.raw").read_bytes().decode()
    rows = raw.split("\n")[:-1]
    assert len(rows) == 4358
    blank = sum(not row.strip() for row in rows)
    assert len(text) == sum(len(row) + 1 for row in rows if row.strip()) + 2 * 4357
    assert blank > 0
    assert text.startswith("\n\n = Robert Boulter = \n\n\n\n\n Robert Boulter is an English film")


def test_json_lines_give_documents_and_name_a_broken_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n\n{"story": "two"}\n')
    assert texts.read_documents(str(path)) == ["one", "two"]
    assert texts.read_text(str(path)) == "one\n\ntwo"
    path.write_text('{"text": "one"}\n{"other": 1}\n')
    with pytest.raises(ConfigError, match=r"a\.jsonl:2: this line has no text"):
        texts.read_documents(str(path))
    path.write_text('{"text": "one"}\n{broken\n')
    with pytest.raises(ConfigError, match=r"a\.jsonl:2: this line is not JSON"):
        texts.read_documents(str(path))


def test_a_text_that_is_not_there_is_named_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"no text 'referense'.*did you mean 'reference'"):
        texts.text_file("referense")
    with pytest.raises(ConfigError, match="comes from the hub"):
        texts.text_file("wikitext-2")


def test_a_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"abc\xff")
    with pytest.raises(ConfigError, match=r"not UTF-8 \(byte 3\)"):
        texts.read_text(str(tmp_path / "a.txt"))


def test_the_hub_out_of_reach_is_an_error_and_no_other_text(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach the hub\nmore")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(HarnessError, match=r"could not be read from the hub \(Couldn't reach the hub\).*local copy"):
        texts.read_text("wikitext-2")


def test_none_and_na_are_text(tmp_path: Path) -> None:
    folder = questions(tmp_path, 'Which?,None,NA,,"a, ""b""\nc",D\n\nNext?,1,2.0,nan,null,A\n')
    found = texts.read_subject(folder, "birds", "test")
    assert [question.choices for question in found] == [
        ("None", "NA", "", 'a, "b"\nc'),
        ("1", "2.0", "nan", "null"),
    ]
    assert [(question.letter, question.answer, question.line) for question in found] == [("D", 3, 1), ("A", 0, 4)]
    assert texts.subjects(folder) == ["birds"]


def test_every_row_with_a_missing_column_is_named_with_its_line(tmp_path: Path) -> None:
    folder = questions(tmp_path, ROW + "Short?,one,two,three,B\n" + ROW + "Odd?,1,2,3,4,E\n")
    with pytest.raises(ConfigError) as caught:
        texts.read_subject(folder, "birds", "test")
    said = str(caught.value).splitlines()
    assert said[0].endswith(
        "birds_test.csv:2: this row has 5 columns, not six (question, A, B, C, D, letter); complete it"
    )
    assert said[1].endswith("birds_test.csv:4: the right answer is 'E', not one of A, B, C, D")


def test_a_folder_in_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dev is not a folder; give 'reference'"):
        texts.questions_folder(str(tmp_path))
    (tmp_path / "dev").mkdir()
    (tmp_path / "test").mkdir()
    with pytest.raises(ConfigError, match=r"holds no <subject>_test\.csv"):
        texts.subjects(texts.questions_folder(str(tmp_path)))
    questions(tmp_path, ROW)
    (tmp_path / "dev" / "birds_dev.csv").unlink()
    with pytest.raises(ConfigError, match=r"birds_dev\.csv is missing"):
        texts.read_subject(tmp_path, "birds", "dev")


def test_question_files_are_listed_for_hashing(tmp_path: Path) -> None:
    questions(tmp_path, ROW)
    assert list(texts.question_files(str(tmp_path))) == ["dev/birds_dev.csv", "test/birds_test.csv"]
    assert texts.question_files(texts.HUB_QUESTIONS) == {}


def test_all_57_subjects_of_mmlu_are_read(shared_data: Path) -> None:
    folder = texts.questions_folder(str(shared_data / "mmlu"))
    names = texts.subjects(folder)
    assert len(names) == 57
    assert sum(len(texts.read_subject(folder, name, "test")) for name in names) == 14042
    assert sum(len(texts.read_subject(folder, name, "dev")) for name in names) == 285


def test_the_role_says_how_the_same_bytes_are_read(tmp_path: Path) -> None:
    from harness.texts import text_files

    roles = set()
    for name in ("wiki.test.raw", "plain.txt", "lines.jsonl"):
        path = tmp_path / name
        path.write_text('{"text": "a"}\n', "utf-8")
        roles |= set(text_files(str(path)))
    assert roles == {"text as wikitext rows", "text", "text as json lines"}


def test_every_row_that_is_no_question_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    folder = questions(tmp_path, ROW + "Short?,one,B\n")
    with pytest.raises(ConfigError, match=r"birds_test\.csv:2: this row has 3 columns, not six"):
        texts.question_files(str(folder))
    questions(tmp_path, ROW)
    assert len(texts.question_files(str(folder))) == 2, "a file that was mended is read again"
