"""What two tokenizers must share for their models' distributions to be compared token by token."""

from __future__ import annotations

import hashlib

from harness.core.sessions import TextCodec

_SAMPLE = "The quick brown fox, 12,345.67 and naïve café: 東京 Привет مرحبا \n\n\tdef f(x): return x**2  # fin\n"
_CHARACTERS = 4096
_DECODED = 509
"""Tokens that are decoded one by one, spread over the vocabulary."""


def tokenizer_sha256(codec: TextCodec, text: str, *, bos: bool) -> str:
    """Hash what a tokenizer does: the ids of a sample and of a text's beginning, and the texts of tokens spread over it.

    Its size is left out: padding adds entries that mean nothing. bos: whether BOS is part of what is read.
    """
    found = hashlib.sha256(repr(codec.bos if bos else None).encode())
    for part in (_SAMPLE, text[:_CHARACTERS]):
        found.update(repr(list(codec.encode(part))).encode())
    for token in range(0, min(codec.vocabulary, 32_000), max(1, min(codec.vocabulary, 32_000) // _DECODED)):
        found.update(codec.decode([token], special=True).encode(errors="replace"))
    return found.hexdigest()
