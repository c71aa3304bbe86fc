"""Tokenizers are told apart by what they do: ids of texts, texts of tokens, and whether BOS is read; padding does not count."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.probes.fingerprint import tokenizer_sha256
from tests.unit.probes.table_scores import ByteCodec

TEXT = "Some words of a text, long enough to be read. " * 200


class Other(ByteCodec):
    """Bytes, but for one text that is encoded and one token that is decoded otherwise."""

    def __init__(self, *, encodes: str = "", decodes: int = -1, vocabulary: int = 258) -> None:
        super().__init__()
        self.encodes, self.decodes, self.vocabulary = encodes, decodes, vocabulary

    def encode(self, text: str, *, bos: bool = False) -> list[int]:
        found = super().encode(text, bos=bos)
        return [*found, 7] if self.encodes and self.encodes in text else found

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        return "?!" if list(ids) == [self.decodes] else super().decode(ids, special=special)


def plain(text: str = TEXT, *, bos: bool = False) -> str:
    return tokenizer_sha256(ByteCodec(), text, bos=bos)


def test_the_same_tokenizer_has_the_same_hash() -> None:
    assert plain() == plain()
    assert len(plain()) == 64
    assert tokenizer_sha256(Other(), TEXT, bos=False) == plain()


@pytest.mark.parametrize(
    "codec",
    [Other(encodes="naïve"), Other(encodes="東京"), Other(encodes="Some words"), Other(decodes=65), Other(decodes=256)],
    ids=["accents of the sample", "another script", "the text", "a token", "a special token"],
)
def test_a_difference_in_ids_or_texts_is_another_hash(codec: Other) -> None:
    assert tokenizer_sha256(codec, TEXT, bos=False) != plain()


def test_bos_counts_where_it_is_read() -> None:
    assert plain(bos=True) != plain(bos=False)
    without = ByteCodec(has_bos=False)
    assert tokenizer_sha256(without, TEXT, bos=True) != plain(bos=True)
    assert tokenizer_sha256(without, TEXT, bos=False) == plain(bos=False)


def test_only_the_beginning_of_a_text_is_read() -> None:
    assert plain(TEXT[:4096]) == plain(TEXT)
    assert plain(TEXT[:4095]) != plain(TEXT)
    assert plain("x" + TEXT[1:]) != plain(TEXT)


def test_entries_beyond_those_that_are_decoded_do_not_count() -> None:
    large = tokenizer_sha256(Other(vocabulary=32_000), TEXT, bos=False)
    assert tokenizer_sha256(Other(vocabulary=32_064, decodes=32_001), TEXT, bos=False) == large
    assert tokenizer_sha256(Other(vocabulary=32_064, decodes=62), TEXT, bos=False) != large


def test_a_token_that_is_half_a_character_can_be_hashed() -> None:
    class Halves(ByteCodec):
        def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
            return "\ud800"

    assert len(tokenizer_sha256(Halves(), TEXT, bos=False)) == 64
