"""Answers as records: whatever is no answer is None, and no clock of the worker's is taken for ours."""

from __future__ import annotations

import json

import pytest

from harness.core.spec import Status
from harness.worker.answer import answer_of


@pytest.mark.parametrize("line", [
    "", "a library speaks", "[1, 2]", "3", "null", '{"done": "r0"}', '{"done": "r0", "status": "splendid"}', '{"progress": "half", "run": "r0", "what": ""}',
    '{"progress": 0.5}', '{"ready": true}', '{"begin": "r0", "now": "noon"}', '{"else": 1}', b"\xff\xfe", "[" * 100_000, '{"failed": "b"}', '{"put_back": "b"}',
])  # fmt: skip
def test_what_is_no_answer_is_none(line: str | bytes) -> None:
    assert answer_of(line, 1.0) is None


def test_how_long_a_process_took_to_be_ready_is_told_whatever_its_clock_says() -> None:
    for clock in (0.0, 1e9):
        said = {"ready": True, "entered": clock, "imported": clock + 0.5, "now": clock + 0.75}
        answer = answer_of(json.dumps(said), heard=100.0)
        assert answer is not None
        assert (answer.heard, answer.seconds, dict(answer.spans)) == (100.0, 0.75, {"import": 0.5, "ready": 0.25})


def test_what_a_queues_worker_adds_is_an_answer_too() -> None:
    said = {"failed": "b.jsonl", "run": "r1", "status": "oom", "why": "no memory", "seconds": 3}
    answer = answer_of(json.dumps(said), 1.0)
    assert answer is not None
    assert (answer.what, answer.run, answer.status, answer.text, answer.seconds) == (
        "ended", "r1", Status.OOM, "no memory", 3.0,
    )  # fmt: skip
    for line, text in (
        ('{"waiting": "for the machine"}', "for the machine"),
        ('{"put_back": "b", "why": "its worker was told to end"}', "put back: its worker was told to end"),
        ('{"taken_over_from": "w1", "why": "still"}', "taken over from w1: still"),
    ):
        answer = answer_of(line, 1.0)
        assert answer is not None
        assert (answer.what, answer.text) == ("waiting", text)
