"""Notes that mark numbers."""

from __future__ import annotations

from harness.core.marks import marking
from harness.core.spec import Note


def test_marking_notes_come_once_and_in_one_order() -> None:
    unverified, unstable = Note(code="unverified", text="needs 280 GB"), Note(code="unstable", text="varied")
    assert marking([unverified, Note(code="floor", text="0.1"), unstable, unverified]) == (unstable, unverified)
