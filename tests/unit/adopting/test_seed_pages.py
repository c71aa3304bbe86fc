"""The published pages of two projects, every Markdown table of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.adopting.conftest import Take
from tests.unit.adopting.test_adopt import MARKERS

TABLES = {"000": 4, "001": 6, "002": 3, "003": 0, "004": 6}
"""Markdown tables of each page; one is a page's text without its tables."""


@pytest.mark.parametrize("page", sorted(name for name, count in TABLES.items() if count))
def test_every_table_of_a_published_page_is_carried(take: Take, published_pages: Path, page: str) -> None:
    (path,) = published_pages.glob(f"{page}_*.txt")
    text = path.read_bytes().decode("utf-8")
    done = take(text)
    words = [one.table.number for one in done.refused if "takes its words" in one.why]
    assert len(done.tables) + len(words) == TABLES[page], [one.why for one in done.refused]
    assert MARKERS.sub(b"", (done.text or text).encode()).decode() == text
    for number in words:
        assert take(text, table=number).made is not None
