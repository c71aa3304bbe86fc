"""How a worker's process is started and asked: with our package, and words for what cannot be asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.executors import process


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)
    return path


def test_our_own_environment_is_described_without_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "describe", lambda *_: pytest.fail("it started one"))
    assert process.described(Path(sys.executable), "here").name == "here"


@pytest.mark.parametrize(("text", "told"), [
    ("echo 'no module named harness' >&2; exit 1", "cannot run the worker: no module named harness; it needs Python 3.11"),
    ("exit 5", "cannot run the worker: it printed nothing and exited with code 5"),
    ("echo '{}'", "cannot run the worker"),
    ("echo hello", "cannot run the worker"),
])  # fmt: skip
def test_an_interpreter_that_cannot_say_what_it_holds_is_told_with_its_last_words(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(HarnessError) as error:
        process.describe(script(tmp_path / "python", text), "theirs")
    assert told in str(error.value)
    assert "environment theirs" in str(error.value)


def test_an_interpreter_that_is_none_is_told_with_the_key_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("not a program", "utf-8")
    (tmp_path / "python").chmod(0o644)
    with pytest.raises(HarnessError, match=r"cannot be started .*; its `python:` must name an interpreter"):
        process.describe(tmp_path / "python", "theirs")


def test_one_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "DESCRIBE_SECONDS", 0.3)
    with pytest.raises(HarnessError, match=r"did not say within 0\.3 s what it holds"):
        process.describe(script(tmp_path / "python", "exec sleep 30"), "theirs")


def test_what_a_worker_is_given_wins_over_what_stands_around_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/theirs")
    given = process.variables({"HARNESS_ENVIRONMENT": "x"})
    assert given["HARNESS_ENVIRONMENT"] == "x"
    assert given["PYTHONPATH"].endswith("/theirs")
    assert given["PYTHONPATH"] != "/theirs", "our package stands before it"
