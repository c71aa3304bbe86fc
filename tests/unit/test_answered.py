"""Records with answers: styles, what is refused with its line, and how rows are packed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.answered import Answered, answered_files, packed, read_answered
from harness.core.errors import ConfigError, HarnessError


def written(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines), "utf-8")
    return str(path)


def test_three_styles_are_read(tmp_path: Path) -> None:
    name = written(
        tmp_path / "d.jsonl",
        '{"id": 7, "dialogue": "A: hi", "summary": "They greet."}',
        "",
        '{"instruction": "Add", "context": "1 and 2", "response": "3", "category": "math"}',
        '{"instruction": "Say {x}", "response": "x"}',
        '{"prompt": "One, two,", "answer": " three"}',
    )
    assert read_answered(name) == [
        Answered("Summarize this dialog:\nA: hi\n---\nSummary:\n", "They greet."),
        Answered("Add\n1 and 2\n", "3"),
        Answered("Say {x}\n\n", "x"),
        Answered("One, two,", " three"),
    ]
    assert answered_files(name) == {"data": tmp_path / "d.jsonl"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"dialogue": "A: hi"}', "no answer: 'summary' is missing, empty or no text"),
        ('{"dialogue": "A: hi", "summary": " "}', "no answer: 'summary'"),
        ('{"dialogue": "", "summary": "x"}', "no prompt: 'dialogue'"),
        ('{"instruction": "x", "response": 3}', "no answer: 'response'"),
        ('{"text": "x"}', "this one has none of these"),
        ("[1]", "this one has none of these"),
        ("{", "not a JSON object"),
    ],
)
def test_a_record_without_prompt_or_answer_is_refused_with_its_line(line: str, told: str, tmp_path: Path) -> None:
    name = written(tmp_path / "d.jsonl", '{"prompt": "a", "answer": "b"}', line)
    with pytest.raises(ConfigError, match=rf"d\.jsonl:2: .*{told}"):
        read_answered(name)


def test_files_that_hold_no_records_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no record"):
        read_answered(written(tmp_path / "d.jsonl", "", ""))
    with pytest.raises(ConfigError, match=r"is no \.jsonl file"):
        read_answered(written(tmp_path / "d.txt", "x"))
    with pytest.raises(ConfigError, match="no text"):
        read_answered(str(tmp_path / "nowhere.jsonl"))


def test_texts_that_ship_are_halved_without_loss() -> None:
    records = read_answered("reference-calibration")
    assert len(records) > 100
    assert all(record.prompt and record.answer for record in records)


def test_rows_hold_all_records_one_after_another_and_count_answers_alone() -> None:
    records = [Answered("ab", "c"), Answered("d", "ef")]
    rows = packed(records, lambda text: [ord(letter) for letter in text], 1, 2, 5)
    assert rows.ids.tolist() == [[1, 97, 98, 99, 2], [1, 100, 101, 102, 2]]
    assert rows.counts.tolist() == [[False, False, False, True, True], [False, False, True, True, True]]
    assert packed(records, lambda text: [ord(letter) for letter in text], None, None, 3).ids.tolist() == [
        [97, 98, 99],
        [100, 101, 102],
    ]
    with pytest.raises(HarnessError, match="2 records are 10 tokens, fewer than a row of 11"):
        packed(records, lambda text: [ord(letter) for letter in text], 1, 2, 11)
