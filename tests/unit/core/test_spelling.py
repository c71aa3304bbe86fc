"""What was meant by a name that is not known."""

from __future__ import annotations

import pytest

from harness.core.spelling import RENAMED, meant_by, nearest, unknown


def test_an_unknown_name_comes_with_the_nearest_right_one_else_with_all() -> None:
    assert unknown("engine", "transformer", ["transformers", "fake"]) == (
        "unknown engine 'transformer'; did you mean 'transformers'?"
    )
    assert unknown("engine", "xyz", ["b", "a"]) == "unknown engine 'xyz'; there is a, b"
    assert unknown("key", "xyz", [], "probes") == "unknown key 'xyz' in probes; there is none"
    assert meant_by("bitz", ["bits", "blocks"]) == "bits"
    assert meant_by("q", ["bits"]) is None


@pytest.mark.parametrize("old", sorted(RENAMED))
def test_a_word_of_version_0_1_is_told_with_its_new_word_where_that_is_known(old: str) -> None:
    assert unknown("key", old, [RENAMED[old], "model"]) == f"unknown key '{old}'; it is called '{RENAMED[old]}' now"
    assert "is called" not in unknown("key", old, ["model"])


def test_a_slip_is_one_letter_and_never_a_digit() -> None:
    assert nearest("int4_aqw", {"int4_awq", "int8"}) == "int4_awq"
    assert nearest("sf4", {"nf4"}) is None
    assert nearest("int8", {"int4"}) is None
    assert nearest("int4", {"int4"}) is None


@pytest.mark.parametrize(("name", "known", "is_meant"), [
    ("Batch", "batch", True), ("max_len", "max-len", True), ("batc", "batch", True), ("bathc", "batch", True), ("batxh", "batch", True), ("batchh", "batch", True),
    ("abc", "abd", False), ("abcd", "abce", True), ("abc", "abcd", False), ("bac", "abc", False), ("abdc", "abcd", True), ("abcde", "abdec", False),
    ("abxy", "abcd", False), ("q4bits", "q8bits", False), ("ab", "AB", True), ("step1x", "step1y", True), ("abcdef", "abcd", False),
])  # fmt: skip
def test_what_counts_as_a_slip(name: str, known: str, is_meant: bool) -> None:
    assert nearest(name, {known, "entirely_other"}) == (known if is_meant else None)


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [("abcxyz", "abcdef", None), ("abcdxy", "abcdef", "abcdef"), ("abcx", "abyz", None), ("abcde", "abcxy", "abcxy")],
)
def test_a_name_is_meant_from_six_tenths_alike_on(name: str, known: str, meant: str | None) -> None:
    """difflib's ratio: twice the letters in common over all letters."""
    assert meant_by(name, [known]) == meant
