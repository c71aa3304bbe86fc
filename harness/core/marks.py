"""Notes that mark a number wherever it is shown: what a reader must know before comparing it with another.

Whoever finds such a thing says it as a `Note` with one of these codes; tables, exports and the end of `run` do the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from harness.core.spec import Note

MARKS: Final = {
    "unstable": "unstable",
    "disturbed": "disturbed",
    "implausible": "implausible",
    "under-floor": "within its floor",
    "slices-under-floor": "slices within their floors",
    "output-differs": "output differs",
    "output-unchecked": "output unchecked",
    "unverified": "unverified",
    "no-effect": "no effect",
    "executed-otherwise": "runs in another form",
    "other-provider": "nodes on another provider",
    "rounded-before": "weights rounded before",
    "weights-unread": "weights not read",
    "undeclared-text": "text of undeclared form",
    "normalized-text": "text normalised",
    "incomplete": "incomplete",
    "other-session": "other session",
    "live": "live comparison",
    "clock": "clock set back",
    "noted": "noted",
}
"""Code of a note to the words that stand for it in a list."""


BY_NIGHT: Final = " by night"
"""Behind a sweep's name: what a night measured in an environment that the sweep does not name."""
LIVE: Final = "live"
"""Code of what marks the rounds of a live comparison."""
UNDER_IN_SLICES: Final = "slices-under-floor"
"""Code of what marks those slices alone that it names."""
PACED: Final = "‡"
"""Stands behind a comparison of rounds at one pace of the machine: it need not be the quotient of what is shown beside it."""


def marking(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Return the notes that mark a number, once each, in the order of `MARKS`."""
    places = {code: place for place, code in enumerate(MARKS)}
    found = {(note.code, note.text): note for note in notes if note.code in places}
    return tuple(sorted(found.values(), key=lambda note: (places[note.code], note.text)))


_NUMBER = re.compile(r"(?<![:.\d])\d+(?:[.,]\d+)*(?:e[-+]\d+)?")
"""A number, but not in the name of a slice (`confidence:0.99-1`)."""
_SLICE = re.compile(r"[a-z]+:[\w.-]+")


def concerns(note: Note, name: str) -> bool:
    """Tell whether a run's note marks its number of a slice; the name of the whole is empty."""
    return note.code != UNDER_IN_SLICES or name in _SLICE.findall(note.text)


def merged(texts: Iterable[str]) -> list[str]:
    """Put texts that differ in numbers alone into one, with the range of each number; the others stay as they are."""
    groups: dict[str, list[list[str]]] = {}
    for text in dict.fromkeys(texts):
        groups.setdefault(_NUMBER.sub("\0", text), []).append(_NUMBER.findall(text))
    found = []
    for pattern, numbers in groups.items():
        ranges = iter([_range(column) for column in zip(*numbers, strict=True)])
        found.append(re.sub("\0", lambda _: next(ranges), pattern))  # noqa: B023 - used before the next turn
    return found


def _range(numbers: Sequence[str]) -> str:
    ordered = sorted(set(numbers), key=_size)
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def _size(text: str) -> tuple[float, ...]:
    """Read a number, or a version part by part, for sorting."""
    plain = text.replace(",", "")
    return (float(plain),) if plain.count(".") < 2 else tuple(map(float, plain.split(".")))
