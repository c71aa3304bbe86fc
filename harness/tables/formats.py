"""Numbers as text: formats such as `2x` or `+1%`, units, and one rounding rule. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from harness.core.errors import HarnessError
from harness.core.spelling import unknown
from harness.formats import units

PATTERN = r"^\s*\+?[0-9],?(x|%|e)?( stripped)?( printed)?\s*$"
"""The formats as other tools' regular expressions have it, for the JSON Schema."""
_FORMAT = re.compile(
    r"(?P<sign>\+)?(?P<decimals>\d)(?P<comma>,)?(?P<suffix>x|%|e)?(?P<stripped> stripped)?(?P<printed> printed)?"
)

_PATH = re.compile(r"(?<![\w.:/<])(?:~|[A-Za-z]:)?(?:[/\\][\w.+@-]+)*[/\\]([\w.+@-]+)")

DEFAULT_UNIT = {"fraction": "%"}
"""How a stored unit is shown where the spec does not say: accuracies are read in percent."""


@dataclass(frozen=True)
class NumberFormat:
    """How a number is written: decimals, sign, thousands comma, suffix, trailing zeros."""

    decimals: int
    sign: bool = False
    comma: bool = False
    suffix: str = ""
    stripped: bool = False
    printed: bool = False
    """A number of others keeps the text that it was printed with; the rest is for those that were measured."""


PLAIN = NumberFormat(2)


def parse_format(text: object) -> NumberFormat:
    """Read `3`, `2 stripped`, `2 printed`, `2x`, `1%`, `1e`, `+1`, `+1%`, `2,` or a mix. Raises: HarnessError with the grammar."""
    found = _FORMAT.fullmatch(str(text).strip())
    if found is None or isinstance(text, bool):
        raise HarnessError(
            f"format '{text}' is not understood; write decimals from 0 to 9, before them + for a sign, "
            "behind them a comma for thousands, x, % or e (scientific), 'stripped' to drop trailing zeros, and 'printed' to keep the text of published numbers, as `2x` or `+1%`"
        )
    return NumberFormat(
        decimals=int(found["decimals"]),
        sign=bool(found["sign"]),
        comma=bool(found["comma"]),
        suffix=found["suffix"] or "",
        stripped=bool(found["stripped"]),
        printed=bool(found["printed"]),
    )


def factor(stored: str, shown: str | None) -> Decimal:
    """Return what a stored value is multiplied with. Raises: HarnessError for a unit that cannot be reached."""
    wanted = shown if shown is not None else DEFAULT_UNIT.get(stored, stored)
    if wanted == stored:
        return Decimal(1)
    if wanted == "%" and not stored:  # shares that carry no unit, as lm-eval's accuracies
        return Decimal(100)
    found = units.factor(stored, wanted)
    if found is None:
        raise HarnessError(f"{unknown('unit', wanted, units.alike(stored))} (it is stored in '{stored}')")
    return found


def decimal(value: float) -> Decimal:
    """Take a float as the shortest decimal that prints it, so that 2.675 rounds as people read it."""
    return Decimal(repr(float(value)))


def rounded(value: Decimal, decimals: int) -> Decimal:
    """Round half to even, as IEEE 754 and every published table that we could check."""
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)


def written(value: Decimal, form: NumberFormat) -> str:
    """Write a scaled number in a format; a zero never carries a minus."""
    if form.suffix == "e":
        return f"{value:{'+' if form.sign else ''}.{form.decimals}e}" if value else "0"
    number = rounded(value, form.decimals)
    if number.is_zero():
        number = abs(number)
    text = f"{number:{',' if form.comma else ''}f}"
    if form.stripped and "." in text:
        text = text.rstrip("0").rstrip(".")
    sign = "+" if form.sign and number > 0 else ""
    return f"{sign}{text}{form.suffix}"


def without_paths(text: str) -> str:
    """Cut absolute paths in a sentence to their last name, so that no page tells how somebody's folders are called."""
    return _PATH.sub(r"\1", text)


def thousands(value: int) -> str:
    """Write a count with commas, on any locale."""
    return f"{value:,}"
