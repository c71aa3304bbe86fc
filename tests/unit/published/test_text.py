from __future__ import annotations

import pytest

from harness.published.text import line_of

TEXT = "a: 1\nb:\n  c: [x, y]\n  d:\n  - e: 1\n  - {f: 2,\n     g: 3}\n"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ([], 1), (["a"], 1), (["b"], 2), (["b", "c"], 3), (["b", "c", 1], 3), (["b", "d", 0], 5), (["b", "d", 1], 6),
        (["b", "d", 1, "g"], 7), (["b", "d", 9], 4), (["b", "none", "c"], 2), (["none"], 1), (["a", 0], 1),
    ],
)  # fmt: skip
def test_a_part_stands_in_the_line_of_its_name_as_far_as_it_is_there(place: list[str | int], line: int) -> None:
    assert line_of(TEXT, place) == line


def test_an_empty_text_has_one_line() -> None:
    assert line_of("", ["a"]) == 1
