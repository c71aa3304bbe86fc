"""Notes that mark numbers."""

from __future__ import annotations

from harness.core.marks import marking, merged
from harness.core.spec import Note


def test_marking_notes_come_once_and_in_one_order() -> None:
    unverified, unstable = Note(code="unverified", text="needs 280 GB"), Note(code="unstable", text="varied")
    assert marking([unverified, Note(code="floor", text="0.1"), unstable, unverified]) == (unstable, unverified)


def test_texts_that_differ_in_numbers_alone_become_one() -> None:
    texts = ["used 1.86 of 2 (up to 0.22)", "used 1.9 of 2 (up to 0.22)", "used 1.86 of 2 (up to 0.22)", "throttled"]
    assert merged(texts) == ["used 1.86 to 1.9 of 2 (up to 0.22)", "throttled"]
    assert merged(["9 %", "1,000 %"]) == ["9 to 1,000 %"]
    assert merged(["version 1.2.3", "version 1.2.4"]) == ["version 1.2.3 to 1.2.4"]
    assert merged([]) == []
