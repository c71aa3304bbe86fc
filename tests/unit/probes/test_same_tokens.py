"""Tokenizers are told apart by what they make of the whole text: ids, and texts of the ids that occur; padding does not count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.probes.same_tokens import refuse_other, texts_sha256
from harness.probes.streams import Stream, StreamOptions, encoded
from tests.unit.probes.table_scores import ByteCodec

TEXT = "Some words of a text, long enough to be read. " * 200 + "At its end: Zebra."


class Swapped(ByteCodec):
    """Bytes, but for two entries that stand in each other's place, and one that has another text."""

    def __init__(self, *pair: str, decodes: int = -1, vocabulary: int = 258) -> None:
        super().__init__()
        self.pair, self.decodes, self.vocabulary = pair, decodes, vocabulary

    def encode(self, text: str, *, bos: bool = False) -> list[int]:
        table = str.maketrans(*map("".join, (self.pair, self.pair[::-1]))) if self.pair else {}
        return super().encode(text.translate(table), bos=bos)

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        return "?!" if list(ids) == [self.decodes] else super().decode(ids, special=special)


def read(codec: ByteCodec, text: str = TEXT) -> Stream:
    ids = np.asarray(codec.encode(text))
    return Stream(ids, np.zeros_like(ids), 1, "text", "0" * 64, bos=False, limit=None)


def held(codec: ByteCodec, text: str = TEXT) -> None:
    reference = read(ByteCodec())
    refuse_other(read(codec, text), codec, reference.ids, texts_sha256(ByteCodec(), reference.ids))


@pytest.mark.parametrize(
    "codec", [ByteCodec(), Swapped(vocabulary=300), Swapped("Q", "X"), Swapped(decodes=ord("Q")), Swapped(decodes=257)]
)
def test_what_does_not_occur_in_the_text_as_padding_does_not_count(codec: ByteCodec) -> None:
    held(codec)


def test_an_entry_that_occurs_once_at_the_end_of_a_long_text_is_told_by_its_place() -> None:
    with pytest.raises(HarnessError, match=r"token 9,212 of the text is 89 for it and 90 for the reference; compare"):
        held(Swapped("Y", "Z"))


def test_another_number_of_tokens_and_other_texts_of_the_same_ids_are_told() -> None:
    with pytest.raises(HarnessError, match="has 9,217 tokens for it and 9,218 for the reference"):
        held(ByteCodec(), TEXT[:-1])
    with pytest.raises(HarnessError, match="the same ids stand for other texts"):
        held(Swapped(decodes=ord("Z")))


def test_a_reference_that_keeps_no_texts_is_held_by_its_ids_alone() -> None:
    refuse_other(read(ByteCodec()), Swapped(decodes=ord("Z")), read(ByteCodec()).ids, "")
    with pytest.raises(HarnessError, match="another tokenizer"):
        refuse_other(read(Swapped("Y", "Z")), ByteCodec(), read(ByteCodec()).ids, "")


def test_texts_are_those_of_each_id_once_in_their_order_with_borders() -> None:
    class Words(ByteCodec):
        def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
            return {1: "ab", 2: "c", 3: "a", 4: "bc", 5: "\ud800"}[ids[0]]

    def of(*ids: int) -> str:
        return texts_sha256(Words(), np.asarray(ids))

    assert of(1, 2) == of(2, 1, 1)
    assert of(1, 2) != of(3, 4)
    assert len(of(5)) == 64, "half a character has a text, too"


def test_a_session_encodes_a_text_once_for_all_its_probes(tmp_path: Path) -> None:
    class Counting(ByteCodec):
        count = 0

        def located(self, text: str, *, bos: bool = False) -> tuple[list[int], list[int]]:
            self.count += 1
            return super().located(text, bos=bos)

    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    codec, kept = Counting(), dict[str, object]()
    first = encoded(codec, StreamOptions(text=str(path), window=64, stride=64), kept)
    assert encoded(codec, StreamOptions(text=str(path), window=128, stride=32), kept) is first
    assert codec.count == 1
    for change in (StreamOptions(text=str(path), tokens=2000), StreamOptions(text=str(path), bos=True)):
        other = encoded(codec, change, kept)
        assert other.sha256 != first.sha256
    path.write_text(TEXT + "!")
    assert len(encoded(codec, StreamOptions(text=str(path)), kept).ids) == len(first.ids) + 1
    assert codec.count == 4
