"""Two printed numbers and what may have been made of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from harness.lint.numbers import NumberRange, PrintedNumber, exactly
from harness.lint.tables import LintRow


@dataclass(frozen=True)
class InputPair:
    """The two numbers that a derived cell may come from; `factor` is old's GPUs over new's."""

    row: LintRow
    printed: PrintedNumber
    new: PrintedNumber
    old: PrintedNumber
    factor: Fraction = Fraction(1)

    @cached_property
    def scaled(self) -> NumberRange:
        """New as if on as many GPUs as old."""
        return self.new.measured if self.factor == 1 else self.new.measured * exactly(self.factor)

    @cached_property
    def ratio(self) -> NumberRange | None:
        return self.scaled / self.old.measured

    @cached_property
    def difference(self) -> NumberRange:
        return self.scaled - self.old.measured


@dataclass(frozen=True)
class InputSource:
    """One candidate for a column's inputs, in words, with its pairs."""

    says: str
    pairs: tuple[InputPair, ...]
    rows: bool = False
    """Other rows are compared to, not other columns."""
    anchored: bool = False
    """The row that is compared to prints that it is as itself, as in 1.00x, so that no other row can be meant."""
    normalized: bool = False
    """Text says that numbers are per GPU and no header says of how many: a small whole factor is to be found."""
    declared: bool = False
    """Headers say how many GPUs each number is of."""
