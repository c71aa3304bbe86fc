"""Errors say what, where and the nearest right name."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError, HarnessError, Problem, Trouble, is_out_of_memory


def test_a_problem_names_its_place_as_far_as_it_is_known() -> None:
    assert str(Problem("no", Path("a.yaml"), 3)) == "a.yaml:3: no"
    assert str(Problem("no", "a.yaml")) == "a.yaml: no"
    assert str(Problem("no")) == "no"
    assert repr(Problem("no")) == "Problem('no')"


def test_a_mistaken_file_tells_all_its_mistakes() -> None:
    error = ConfigError([Problem("one", "a", 1), Problem("two", "a", 2)])
    assert str(error) == "a:1: one\na:2: two"
    assert [problem.line for problem in error.problems] == [1, 2]
    assert str(ConfigError("only words")) == "only words"
    assert isinstance(error, HarnessError)


def test_trouble_ends_with_code_2_and_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        raise Trouble("there is no such sweep")
    assert ended.value.code == 2
    assert str(ended.value) == "there is no such sweep"
    assert capsys.readouterr().err == "there is no such sweep\n"


class OutOfMemoryError(Exception):
    """As torch calls it."""


@pytest.mark.parametrize("error", [
    MemoryError(), OutOfMemoryError("x"), RuntimeError("CUDA failure 2: out of memory ; GPU=0"),
    HarnessError("opening failed: std::bad_alloc"), RuntimeError("Failed to allocate memory for requested buffer of size 4"),
])  # fmt: skip
def test_a_failed_allocation_is_known_by_its_type_or_its_words(error: Exception) -> None:
    assert is_out_of_memory(error)


def test_other_words_about_memory_are_none() -> None:
    assert not is_out_of_memory(ValueError("memory_bytes must be positive"))


@pytest.mark.parametrize("words", [
    "CUDA out of memory. Tried to allocate 2 GiB", "CUDA failure 2: out of memory", "Failed to allocate memory for requested buffer of size 9",
    "cudaErrorMemoryAllocation", "std::bad_alloc", "bad allocation",
])  # fmt: skip
def test_every_library_says_in_its_own_words_that_memory_ran_out(words: str) -> None:
    assert is_out_of_memory(RuntimeError(f"opening: {words}"))


def test_a_line_without_a_file_is_told_too() -> None:
    assert str(Problem("no", line=0)) == "0: no"
