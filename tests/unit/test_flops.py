"""The formula of the accuracy benchmark, held against matrix products that are counted one by one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.engines.prefix_tree import grow
from tests.benchmarks.flops import Decoder, read_decoder

SMALL = Decoder(layers=2, hidden=8, inner=12, queries=8, keys=4, vocabulary=20)


def counted(decoder: Decoder, begin: int, end: int, rows: int) -> int:
    """Count multiplications and additions product by product, token by token."""
    total = 0
    for place in range(begin, end):
        for _ in range(decoder.layers):
            shapes = [(decoder.hidden, decoder.queries), (decoder.queries, decoder.hidden)]
            shapes += [(decoder.hidden, decoder.keys)] * 2 + [(decoder.hidden, decoder.inner)] * 3
            total += sum(2 * rows_ * columns for rows_, columns in shapes)
            total += 2 * (2 * decoder.queries * (place + 1))  # scores, then values, of all that it sees
    return total + rows * 2 * decoder.hidden * decoder.vocabulary


@pytest.mark.parametrize(("begin", "end", "rows"), [(0, 1, 1), (0, 9, 9), (5, 9, 1), (3, 4, 0)])
def test_operations_are_those_of_the_products(begin: int, end: int, rows: int) -> None:
    assert SMALL.run(begin, end) + SMALL.head(rows) == counted(SMALL, begin, end, rows)


def test_a_rest_still_attends_to_all_that_it_shares() -> None:
    sequences = sorted((*([0] * 100), number, number) for number in range(1, 5))
    tree = grow(sequences)
    shared = SMALL.of_tree(tree, len(sequences))
    assert shared == SMALL.run(0, 100) + 4 * SMALL.run(100, 102) + SMALL.head(4)
    whole = SMALL.of_whole(sequences, every_row=False)
    assert whole / shared < 4 * 102 / (100 + 4 * 2)
    assert SMALL.of_whole(sequences, every_row=True) - whole == SMALL.head(4 * 102 - 4)


def test_widths_are_read_from_a_configuration(tmp_path: Path) -> None:
    config = {"num_hidden_layers": 2, "hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 4,
              "num_key_value_heads": 2, "vocab_size": 20}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert read_decoder(tmp_path) == SMALL
