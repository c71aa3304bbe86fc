"""Operations that scoring needs by arithmetic alone: what a factor from fewer tokens can be at most.

A token at place p (from 0) takes `2 x weights` of the layers and `4 x query width x (p + 1)` in each layer's attention, since it attends to
itself and all before it, whether these are run or come from a cache; a row of logits takes `2 x hidden x vocabulary`.
Norms, rotary embeddings and softmax are left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.engines.prefix_tree import Stretch, TokenIds


@dataclass(frozen=True)
class Decoder:
    """Widths of a Llama-like decoder."""

    layers: int
    hidden: int
    inner: int
    queries: int
    """Width of all query heads together."""
    keys: int
    """Width of all key heads together; that of the values is the same."""
    vocabulary: int

    @property
    def weights(self) -> int:
        """Weights of the layers' products: queries and output, keys and values, gate, up and down."""
        return self.layers * self.hidden * (2 * self.queries + 2 * self.keys + 3 * self.inner)

    def run(self, begin: int, end: int) -> float:
        """Operations of the tokens at places `begin` to `end`, head left out."""
        attended = (end * (end + 1) - begin * (begin + 1)) / 2
        return 2.0 * self.weights * (end - begin) + 4.0 * self.queries * self.layers * attended

    def head(self, rows: int) -> float:
        """Operations of so many rows of logits."""
        return 2.0 * self.hidden * self.vocabulary * rows

    def of_whole(self, sequences: Sequence[TokenIds], *, every_row: bool) -> float:
        """Operations of whole sequences; one row of logits for each, or one for each token."""
        rows = sum(map(len, sequences)) if every_row else len(sequences)
        return sum(self.run(0, len(ids)) for ids in sequences) + self.head(rows)

    def of_tree(self, tree: Sequence[Stretch], rows: int) -> float:
        """Operations of stretches that are run once each."""
        return sum(self.run(one.begin, one.end) for one in tree) + self.head(rows)


def read_decoder(folder: Path) -> Decoder:
    """Read the widths from a model's config.json."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    return Decoder(
        layers=config["num_hidden_layers"], hidden=config["hidden_size"], inner=config["intermediate_size"],
        queries=heads * size, keys=config.get("num_key_value_heads", heads) * size, vocabulary=config["vocab_size"],
    )  # fmt: skip
