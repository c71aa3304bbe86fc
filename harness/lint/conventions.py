"""The ways in which one published number is derived from two others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.lint.numbers import Interval, Number, exactly

Form = Literal["times", "percent", "signed"]


@dataclass(frozen=True)
class Convention:
    """One formula; `plain` where it is what a reader takes the form for, `relative` where it is scale-free."""

    name: str
    says: str
    form: Form
    plain: bool
    relative: bool
    of: Callable[[Interval, Interval], Interval | None]
    """From new and old."""


def _ratio(new: Interval, old: Interval) -> Interval | None:
    return new / old


def _one_plus_reduction(new: Interval, old: Interval) -> Interval | None:
    ratio = new / old
    return None if ratio is None else exactly(2) - ratio


def _percent_of(new: Interval, old: Interval) -> Interval | None:
    ratio = new / old
    return None if ratio is None else ratio * exactly(100)


def _percent_change(new: Interval, old: Interval) -> Interval | None:
    percent = _percent_of(new, old)
    return None if percent is None else percent - exactly(100)


def _percent_reduction(new: Interval, old: Interval) -> Interval | None:
    percent = _percent_of(new, old)
    return None if percent is None else exactly(100) - percent


def _difference(new: Interval, old: Interval) -> Interval | None:
    return new - old


CONVENTIONS = (
    Convention("ratio", "{new} / {old}", "times", plain=True, relative=True, of=_ratio),
    Convention(
        "one plus the reduction", "1 + ({old} - {new}) / {old}", "times", plain=False, relative=True,
        of=_one_plus_reduction,
    ),
    Convention("per cent change", "100 ({new} / {old} - 1)", "percent", plain=True, relative=True, of=_percent_change),
    Convention(
        "per cent reduction", "100 (1 - {new} / {old})", "percent", plain=True, relative=True, of=_percent_reduction
    ),
    Convention("per cent of", "100 {new} / {old}", "percent", plain=True, relative=True, of=_percent_of),
    Convention("difference in points", "{new} - {old}", "percent", plain=False, relative=False, of=_difference),
    Convention("difference", "{new} - {old}", "signed", plain=True, relative=False, of=_difference),
)  # fmt: skip


def form_of(printed: list[Number], header: str) -> Form:
    """Tell how a derived column is printed: `1.63x` or `1.63`, `12%`, `-2.0`."""
    if any(one.suffix == "%" for one in printed) or ("%" in header and not any(one.suffix for one in printed)):
        return "percent"
    if any(one.suffix == "x" for one in printed):
        return "times"
    return "signed" if any(one.signed for one in printed) else "times"
