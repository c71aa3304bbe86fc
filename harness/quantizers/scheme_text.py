"""A scheme as it is written: `int4 b128 sym x20; head float32; embedding float32`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.core.outcome import Scheme


@dataclass(frozen=True)
class Matrix:
    """A weight matrix as it is stored."""

    text: str
    """`int4 b128 sym`, `int8 channel asym`, `float32`."""
    tensor: str
    """Name of what is stored; two nodes may read the same."""
    weights: int
    bits: int
    """Of the weights with their scales and zero points."""


@dataclass(frozen=True)
class Matrices:
    """The weight matrices of a model."""

    body: Sequence[Matrix]
    head: Matrix | None
    embedding: Matrix | None
    complete: bool = True
    """Whether all were read, which of a graph's mixture of experts they are not."""
    routed: bool = False
    """Whether a token takes its way through some of them alone, as through a few of many experts."""

    @property
    def step_bytes(self) -> int | None:
        """Bytes that one token is multiplied with: all matrices but an embedding of its own, of which it takes a row.

        None where they are not all known, or a token is multiplied with some of them alone.
        """
        read = {matrix.tensor: matrix.bits for matrix in (*self.body, *([self.head] if self.head else []))}
        return -(-sum(read.values()) // 8) if self.complete and self.head and not self.routed else None


def written(matrices: Matrices) -> Scheme:
    """Write a scheme; one that is not complete has no bits per weight."""
    body, head, embedding, complete = matrices.body, matrices.head, matrices.embedding, matrices.complete
    kinds = Counter(matrix.text for matrix in body).most_common()
    parts = [" + ".join(f"{text} x{count}" for text, count in sorted(kinds, key=lambda kind: (-kind[1], kind[0])))]
    parts += [f"head {head.text}"] if head else []
    parts += [f"embedding {embedding.text}"] if embedding else []
    parts += [] if complete else ["others not read"]
    stored = {matrix.tensor: matrix for matrix in (embedding, head, *body) if matrix is not None}.values()
    weights = sum(matrix.weights for matrix in stored)
    bits = round(sum(matrix.bits for matrix in stored) / weights, 3) if weights and complete else None
    return Scheme(text="; ".join(part for part in parts if part), bits_per_weight=bits)


def product(sizes: Iterable[int]) -> int:
    """Multiply the sizes of a shape."""
    product = 1
    for size in sizes:
        product *= int(size)
    return product
