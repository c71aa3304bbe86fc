"""What was meant: the known name nearest to one that is not known, and the new word for an old one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable

RENAMED = {
    "again": "rerun", "--again": "--rerun", "box": "machine", "grey": "inconclusive", "part": "slice",
}  # fmt: skip
"""Words of version 0.1.0 in sweeps, table specs, conditions and options, and what each is called now."""
_LEAST = 4
"""Letters from which on a name that differs by one is a slip and not another name, as `nf4` and `sf4` are."""


def unknown(what: str, name: object, known: Iterable[str], inside: str = "") -> str:
    """Say that a name is not known, with its new word or the nearest right spelling, else the list of what there is."""
    names = sorted(known)
    said = f"unknown {what} '{name}'{f' in {inside}' if inside else ''}"
    if (new := RENAMED.get(str(name))) in names:
        return f"{said}; it is called '{new}' now"
    close = meant_by(str(name), names)
    return f"{said}; did you mean '{close}'?" if close else f"{said}; there is {', '.join(names) if names else 'none'}"


def meant_by(name: str, known: Iterable[str]) -> str | None:
    """Return the name that was probably meant, or None."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)), None)


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that another one misspells; None for a known name and for one of its own."""
    return None if name in known else next((other for other in sorted(known) if _is_slip(name, other)), None)


def _is_slip(name: str, known: str) -> bool:
    """Tell a slip: case and signs aside the same, or one letter dropped, added, replaced or swapped; digits are meant."""
    if re.findall(r"\d+", name) != re.findall(r"\d+", known):
        return False
    one, other = (re.sub(r"[\W_]", "", text.casefold()) for text in (name, known))
    start = next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    one, other = one[start:], other[start:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    swapped = len(one) == 2 and one == other[::-1]
    return not (one or other) or (min(len(name), len(known)) >= _LEAST and (swapped or max(len(one), len(other)) == 1))
