"""Byte-level BPE in a few plain lines, from nothing but vocabulary, merges and patterns: what a tokenizer is checked against."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.errors import HarnessError


@dataclass(frozen=True)
class Merger:
    """Tokenizes by vocabulary and merges alone; special tokens are text like any other."""

    ids: dict[str, int]
    ranks: dict[tuple[str, str], int]
    patterns: tuple[Any, ...]
    whole_words: bool
    letters: tuple[str, ...]
    _known: dict[str, list[int]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, tokens: Sequence[str], merges: Sequence[str], patterns: Iterable[str], *, whole_words: bool) -> Merger:
        """Prepare: each merge is `LEFT RIGHT`, its place is its rank; patterns cut one after another."""
        import regex

        pairs = (merge.partition(" ") for merge in merges)
        return cls(
            {token: number for number, token in enumerate(tokens)},
            {(left, right): rank for rank, (left, _, right) in enumerate(pairs)},
            tuple(regex.compile(pattern) for pattern in patterns),
            whole_words,
            letters(),
        )

    def encode(self, text: str) -> list[int]:
        """Give a text's ids. Raises: HarnessError for a piece that the vocabulary lacks."""
        pieces = [text]
        for pattern in self.patterns:
            pieces = [part for piece in pieces for part in _cut(pattern, piece)]
        return [number for piece in pieces for number in self._piece(piece)]

    def _piece(self, piece: str) -> list[int]:
        if piece not in self._known:
            word = "".join(self.letters[byte] for byte in piece.encode())
            parts = [word] if self.whole_words and word in self.ids else self._merged(list(word))
            missing = [part for part in parts if part not in self.ids]
            if missing:
                raise HarnessError(f"the GGUF's vocabulary has no token for {missing[0]!r}: its tokenizer is not whole")
            self._known[piece] = [self.ids[part] for part in parts]
        return self._known[piece]

    def _merged(self, parts: list[str]) -> list[str]:
        """Join the neighbours of lowest rank, leftmost first, until none are left that may be joined."""
        while len(parts) > 1:
            ranked = [
                (self.ranks[pair], place) for place, pair in enumerate(itertools.pairwise(parts)) if pair in self.ranks
            ]
            if not ranked:
                break
            _, place = min(ranked)
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        return parts


def _cut(pattern: Any, text: str) -> list[str]:
    """Cut a text into what a pattern finds and what lies between."""
    found, end = [], 0
    for match in pattern.finditer(text):
        found += [text[end : match.start()], match.group()]
        end = match.end()
    return [part for part in (*found, text[end:]) if part]


def letters() -> tuple[str, ...]:
    """Give the letter that stands for each byte: itself where it can be printed, else one from 256 on (GPT-2)."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = iter(range(256, 512))
    return tuple(chr(byte) if byte in printable else chr(next(others)) for byte in range(256))
