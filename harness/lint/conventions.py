"""The ways in which one published number is derived from two others."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from harness.lint.columns import RATIO
from harness.lint.numbers import NumberRange, PrintedNumber, exactly

Form = Literal["times", "percent", "bare"]
"""`1.63x`; `12%`; `-2.0` or a plain number whose header leaves open what it is."""


@dataclass(frozen=True)
class Convention:
    """One formula and the forms that it is printed in; `plain` where it is what a reader takes them for."""

    name: str
    says: str
    forms: tuple[Form, ...]
    plain: bool
    times: int
    plus: int
    """What the ratio of new and old is multiplied by, and what is added; times 0 is their difference."""

    def of(self, new: NumberRange, old: NumberRange) -> NumberRange | None:
        """Derive a value, or None where old may be zero."""
        if not self.times:
            return new - old
        ratio = new / old
        return None if ratio is None else ratio * exactly(self.times) + exactly(self.plus)

    def undone(self, derived: NumberRange) -> NumberRange:
        """Give the ratios, or differences, that a derived value may come from."""
        return (derived - exactly(self.plus)) * exactly(Fraction(1, self.times)) if self.times else derived


CONVENTIONS = (
    Convention("ratio", "{new} / {old}", ("times", "bare"), plain=True, times=1, plus=0),
    Convention(
        "one plus the reduction", "1 + ({old} - {new}) / {old}", ("times", "bare"), plain=False, times=-1, plus=2
    ),
    Convention("per cent change", "100 ({new} / {old} - 1)", ("percent", "bare"), plain=True, times=100, plus=-100),
    Convention("per cent reduction", "100 (1 - {new} / {old})", ("percent", "bare"), plain=True, times=-100, plus=100),
    Convention("per cent of", "100 {new} / {old}", ("percent",), plain=True, times=100, plus=0),
    Convention("difference in points", "{new} - {old}", ("percent",), plain=False, times=0, plus=0),
    Convention("difference", "{new} - {old}", ("bare",), plain=True, times=0, plus=0),
    Convention("relative change", "{new} / {old} - 1", ("bare",), plain=False, times=1, plus=-1),
    Convention("relative reduction", "1 - {new} / {old}", ("bare",), plain=False, times=-1, plus=1),
)


def form_of(printed: list[PrintedNumber], header: str) -> Form:
    """Tell how a derived column is printed."""
    if any(one.suffix == "%" for one in printed) or ("%" in header and not any(one.suffix for one in printed)):
        return "percent"
    if any(one.suffix == "x" for one in printed):
        return "times"
    return "bare" if any(one.signed or one.suffix for one in printed) or not RATIO.search(header) else "times"
