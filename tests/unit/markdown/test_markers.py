from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.markdown.markers import bodies, code_lines, marked_places, replaced

PATH = Path("page.md")
TABLE = "<!-- table: a -->\nold\n<!-- end: a -->\n"


@pytest.mark.parametrize(
    "before",
    [
        "- item\n\n  ```\n  code\n  ```\n\n",
        "> ```\n> quoted, ended by the quotation's end\n\n",
        "<!-- a comment\n```\nwith half a fence -->\n\n",
        "<pre>\n```\n</pre>\n\n",
        "    ```\n    indented code\n\n",
        "``` a`b\n\n",
        "a lone \r in a line\n\n",
    ],
)
def test_what_ends_no_later_than_a_marker_hides_it_not(before: str) -> None:
    text = before + TABLE
    assert bodies(text, PATH) == {"a": "old"}
    assert replaced(text, {"a": "new"}, PATH) == before + "<!-- table: a -->\n\nnew\n\n<!-- end: a -->\n"


@pytest.mark.parametrize(
    "text",
    [
        f"```\n{TABLE}```\n",
        f"```\n{TABLE}",
        f"1. one\n\n   ~~~text\n   {TABLE.replace(chr(10), chr(10) + '   ')}~~~\n",
        f"> ```\n> {TABLE.replace(chr(10), chr(10) + '> ')}```\n",
        f"```\n{TABLE}    ```\n~~~\n",
    ],
)
def test_markers_in_a_fence_are_examples_wherever_the_fence_stands(text: str) -> None:
    assert marked_places(text, PATH) == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_page_is_cut_at_the_same_bytes_whatever_its_line_ends(end: str) -> None:
    text = f"\ufeff# T{end}a\rb{end}```{end}<!-- table: x -->{end}```{end}{TABLE.replace(chr(10), end)}last"
    (place,) = marked_places(text, PATH)
    assert (place.name, place.begin, place.end) == ("a", 5, 7)
    assert code_lines(text) == {2, 3, 4}
    new = replaced(text, {"a": "n"}, PATH)
    assert new == text.replace(f"{end}old{end}", f"{end}{end}n{end}{end}")


def test_every_marker_that_fits_nothing_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        marked_places("<!-- table: a -->\n<!-- table: b -->\nx <!-- end: b -->\n", PATH)
    assert [problem.line for problem in caught.value.problems] == [2, 3, 2]
