"""Which tokens several sequences begin with alike, as a tree of stretches that are each run once; integers in, integers out."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LEAST_SHARED = 32
"""Tokens that a stretch must have to be run for several sequences at once: a pass costs about as much as so many tokens."""
LEAST_REST = 2
"""Tokens that each sequence has to have left behind a shared stretch: kernels that round activations take one token alone otherwise."""

TokenIds = tuple[int, ...]


@dataclass(frozen=True)
class Stretch:
    """Tokens `begin` to `end` of the sequences `first` to `last` (half open), all the same, run after those of `parent`."""

    parent: int | None
    """Place of the parent in the list of stretches; None: from the start."""
    begin: int
    end: int
    first: int
    last: int
    shared: bool
    """Whether other stretches follow it. One that does not is the rest of a single sequence."""


def grow(sequences: Sequence[TokenIds], least: int = LEAST_SHARED, *, ends_inside: bool = True) -> list[Stretch]:
    """Cut sorted, distinct sequences into stretches, each after its parent, so that long common beginnings occur once.

    Of a parent's children the largest stands last, so that whoever drops a parent's cache when its last child begins holds at most
    about log2(sequences) caches. Shared stretches have at least `least` tokens.

    ends_inside: a sequence may end where a shared stretch ends; otherwise each has a rest of its own.
    """
    found: list[Stretch] = []
    waiting: list[_Range] = [_Range(None, 0, 0, len(sequences))] if sequences else []
    while waiting:
        here = waiting.pop()
        if here.last - here.first == 1:
            end = len(sequences[here.first])
            found.append(Stretch(here.parent, here.begin, end, here.first, here.last, shared=False))
            continue
        fork = common(sequences[here.first], sequences[here.last - 1])
        end = _cut(sequences[here.first : here.last], fork, ends_inside=ends_inside)
        parent, begin = here.parent, here.begin
        if end - here.begin >= least:
            found.append(Stretch(here.parent, here.begin, end, here.first, here.last, shared=True))
            parent, begin = len(found) - 1, end
        parts = [_Range(parent, begin, *part) for part in _parts(sequences, here.first, here.last, fork)]
        parts = [part for part in parts if begin < len(sequences[part.first]) or part.last - part.first > 1]
        waiting += sorted(parts, key=lambda part: part.first - part.last)  # popped from the end: small ones first
    return found


def tokens(stretches: Sequence[Stretch]) -> int:
    """Count the tokens that are run."""
    return sum(stretch.end - stretch.begin for stretch in stretches)


def common(one: TokenIds, other: TokenIds) -> int:
    """Count the tokens with which two sequences begin alike."""
    most = min(len(one), len(other))
    if one[:most] == other[:most]:
        return most
    return bisect.bisect_left(range(most), True, key=lambda count: one[: count + 1] != other[: count + 1])


@dataclass(frozen=True)
class _Range:
    """Sequences that are alike up to `begin` at least, which lies where their parent ends."""

    parent: int | None
    begin: int
    first: int
    last: int


def _cut(members: Sequence[TokenIds], fork: int, *, ends_inside: bool) -> int:
    """Move a fork to the left where a member would be left with too short a rest."""
    rests = [len(ids) - fork for ids in members]
    short = max((LEAST_REST - rest for rest in rests if rest or not ends_inside), default=0)
    if short <= 0:
        return fork
    return min(len(ids) for ids in members) - LEAST_REST


def _parts(sequences: Sequence[TokenIds], first: int, last: int, fork: int) -> Iterator[tuple[int, int]]:
    """Split a range by the token at the fork; a sequence that ends there stands first, alone."""
    while first < last:
        ids = sequences[first]
        end = first + 1
        if len(ids) > fork:
            end = bisect.bisect_right(sequences, ids[fork], first, last, key=lambda other: other[fork])
        yield first, end
        first = end
