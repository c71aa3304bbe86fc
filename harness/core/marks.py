"""Notes that mark a number wherever it is shown: what a reader must know before comparing it with another.

Whoever finds such a thing says it as a `Note` with one of these codes; tables, exports and the end of `run` do the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from harness.core.spec import Note

MARKS: Final = {
    "unstable": "unstable",
    "disturbed": "disturbed",
    "output-differs": "output differs",
    "unverified": "unverified",
    "no-effect": "no effect",
    "rounded-before": "weights rounded before",
    "incomplete": "incomplete",
    "other-session": "other session",
}
"""Code of a note to the words that stand for it in a list."""


def marking(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Return the notes that mark a number, once each, in the order of `MARKS`."""
    places = {code: place for place, code in enumerate(MARKS)}
    found = {(note.code, note.text): note for note in notes if note.code in places}
    return tuple(sorted(found.values(), key=lambda note: (places[note.code], note.text)))
