"""Notes that mark numbers."""

from __future__ import annotations

from harness.core.marks import UNDER_IN_SLICES, concerns, marking, merged
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


def test_numbers_are_ordered_as_numbers_and_versions_part_by_part() -> None:
    assert merged(["v 9.0", "v 10.0", "v 1,000"]) == ["v 9.0 to 1,000"]
    assert merged(["v 1.9.0", "v 1.10.0"]) == ["v 1.9.0 to 1.10.0"]
    assert merged(["floor 1.1e-11 nat", "floor 5.0e-12 nat"]) == ["floor 5.0e-12 to 1.1e-11 nat"]
    assert merged(["a 1 b 5", "a 1 b 3", "c 1"]) == ["a 1 b 3 to 5", "c 1"]


def test_notes_of_one_code_are_ordered_by_their_words_and_unknown_codes_left_out() -> None:
    notes = [
        Note(code="noted", text="b"),
        Note(code="noted", text="a"),
        Note(code="strange", text="x"),
        Note(code="unstable", text="z"),
    ]
    assert [(note.code, note.text) for note in marking(notes)] == [("unstable", "z"), ("noted", "a"), ("noted", "b")]


def test_a_mark_of_slices_is_that_of_the_slices_that_it_names() -> None:
    note = Note(code=UNDER_IN_SLICES, text="within 2 times: confidence:0.9-0.99 (1e-7 nat), quantile:p99.9 (2e-7 nat)")
    names = ("confidence:0.9-0.99", "confidence:0.99-1", "confidence:0-0.5", "quantile:p99.9", "quantile:p99", "")
    assert [name for name in names if concerns(note, name)] == ["confidence:0.9-0.99", "quantile:p99.9"]
    assert all(concerns(Note(code="under-floor", text=note.text), name) for name in names)


def test_names_of_slices_are_no_numbers_to_merge() -> None:
    texts = [
        f"{name} ({value} nat)" for name in ("confidence:0.5-0.9", "confidence:0.9-0.99") for value in ("2e-7", "1e-7")
    ]
    assert merged(texts) == ["confidence:0.5-0.9 (1e-7 to 2e-7 nat)", "confidence:0.9-0.99 (1e-7 to 2e-7 nat)"]
