"""What a published number says: its value, how many digits were printed, and so what it may have been before rounding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

HALF = Fraction(1, 2)
"""How many units of the last digit an input may be off: it was rounded to the nearest."""
WHOLE = Fraction(1)
"""How many units of the last digit a derived cell may be off: it may have been rounded to the nearest, up or down."""

MISSING = frozenset({"", "-", "--", "–", "—", "n/a", "na", "nan", "none", "oom", "x", "tbd", "?"})
UNITS = "ns|us|µs|μs|ms|s|sec|min|h|kb|kib|mb|mib|gb|gib|tb|tib|w|kw|j|kj|hz|mhz|ghz|pp|pts|points"
PER_SECOND = r"[a-z]+/s(?:ec)?|[a-z]+ per second|tps|qps"
NUMBER = re.compile(
    r"^[~≈<>]?\s*(?P<times>[x×]\s*)?(?P<sign>[+\-−±]?)\s*(?P<whole>\d{1,3}(?:,\d{3}){1,6}|\d{1,18})?(?P<part>\.\d{1,18})?(?:e(?P<power>[+-]?\d{1,2}))?"
    rf"\s*(?P<suffix>x|×|%|{UNITS}|{PER_SECOND})?(?:\s*(?:±|\+/-)\s*<?[\d.,]+\s*%?)?\s*(?:\([^()]*\)|\[[^\[\]]*\]|\*+|†|‡)?(?:\s*‡)?$",
    re.IGNORECASE,
)


DECADES = {
    "ns": ("time", -9), "us": ("time", -6), "µs": ("time", -6), "μs": ("time", -6), "ms": ("time", -3),
    "s": ("time", 0), "sec": ("time", 0),
    "kb": ("bytes", 3), "kib": ("bytes", 3), "mb": ("bytes", 6), "mib": ("bytes", 6), "gb": ("bytes", 9),
    "gib": ("bytes", 9), "tb": ("bytes", 12), "tib": ("bytes", 12),
    "w": ("power", 0), "kw": ("power", 3), "j": ("work", 0), "kj": ("work", 3),
    "hz": ("frequency", 0), "mhz": ("frequency", 6), "ghz": ("frequency", 9),
}  # fmt: skip
"""Units that differ by powers of ten (of bytes, by 1000 or 1024): what they measure, and which power."""


@dataclass(frozen=True)
class NumberRange:
    """All values between two bounds, both included."""

    low: Fraction
    high: Fraction

    def meets(self, other: NumberRange) -> bool:
        return self.low <= other.high and other.low <= self.high

    def __add__(self, other: NumberRange) -> NumberRange:
        return NumberRange(self.low + other.low, self.high + other.high)

    def __sub__(self, other: NumberRange) -> NumberRange:
        return NumberRange(self.low - other.high, self.high - other.low)

    def __mul__(self, other: NumberRange) -> NumberRange:
        if self.low >= 0 and other.low >= 0:
            return NumberRange(self.low * other.low, self.high * other.high)
        corners = [one * two for one in (self.low, self.high) for two in (other.low, other.high)]
        return NumberRange(min(corners), max(corners))

    def __truediv__(self, other: NumberRange) -> NumberRange | None:
        """Divide, or None where the divisor may be zero."""
        if other.low <= 0 <= other.high:
            return None
        if self.low >= 0 and other.low > 0:
            return NumberRange(self.low / other.high, self.high / other.low)
        return self * NumberRange(1 / other.high, 1 / other.low)


def exactly(value: int | Fraction) -> NumberRange:
    """Take one value as an interval."""
    return NumberRange(Fraction(value), Fraction(value))


@dataclass(frozen=True)
class PrintedNumber:
    """One printed number: `1,234.50x` has value 1234.50, 2 decimals, suffix `x` and commas."""

    text: str
    value: Decimal
    decimals: int
    suffix: str
    commas: bool
    signed: bool
    binary: Fraction = Fraction(1)
    """What the value is smaller by where a step of its unit is 1024 and not 1000: nobody knows which was meant."""

    @cached_property
    def exact(self) -> Fraction:
        return Fraction(self.value)

    @cached_property
    def measured(self) -> NumberRange:
        """What a measured value may have been: half a unit of the last digit to either side."""
        return self.within(HALF)

    @cached_property
    def derived(self) -> NumberRange:
        """What a derived value may have been: one unit of the last digit to either side."""
        return self.within(WHOLE)

    @property
    def unit(self) -> Fraction:
        """One step of the last printed digit."""
        return Fraction(1) / Fraction(10) ** self.decimals

    @property
    def step(self) -> str:
        """One step of the last printed digit, as it would be printed."""
        return f"{Decimal(1).scaleb(-self.decimals):f}"

    def within(self, units: Fraction) -> NumberRange:
        """Give all values that are at most that many units of the last digit away."""
        low, high = self.exact - units * self.unit, self.exact + units * self.unit
        ends = (low, high, low / self.binary, high / self.binary)
        return NumberRange(min(ends), max(ends))

    def as_in(self, unit: str) -> PrintedNumber:
        """Give the same in another unit of the same quantity, as 700 MB in GB; unchanged where the unit is none or no such."""
        here, there = DECADES.get(self.suffix), DECADES.get(unit)
        if here is None or there is None or self.suffix == unit or here[0] != there[0]:
            return self
        steps = here[1] - there[1]
        binary = Fraction(1024, 1000) ** (-steps // 3) if here[0] == "bytes" else Fraction(1)
        value, decimals = self.value.scaleb(steps), self.decimals - steps
        return replace(self, value=value, decimals=decimals, suffix=unit, binary=binary)


def scaled_unit(suffixes: Sequence[str]) -> str:
    """Give the first unit of a column whose cells each name one of several units of one quantity, else nothing."""
    kinds = {DECADES[suffix][0] if suffix in DECADES else suffix for suffix in suffixes}
    return suffixes[0] if len(kinds) == 1 and len(set(suffixes)) > 1 else ""


def is_missing(text: str) -> bool:
    """Tell whether a cell says that there is no value."""
    return text.strip().lower() in MISSING or text.strip().lower().startswith(("todo", "oom", "n/a"))


def number(text: str) -> PrintedNumber | None:
    """Read a cell as one number, or None where it is text, a range or several numbers."""
    found = NUMBER.match(text.strip())
    if found is None or not (found["whole"] or found["part"]):
        return None
    digits = (found["whole"] or "0").replace(",", "") + (found["part"] or "")
    power = int(found["power"] or 0)
    value = Decimal(digits).scaleb(power)
    negative = found["sign"] in {"-", "−"}
    return PrintedNumber(
        text=text.strip(),
        value=-value if negative else value,
        decimals=len(found["part"] or ".") - 1 - power,
        suffix=(found["suffix"] or ("x" if found["times"] else "")).lower().replace("×", "x"),
        commas="," in (found["whole"] or ""),
        signed=found["sign"] in {"+", "-", "−"},
    )


def shown(value: Fraction, digits: int = 4) -> str:
    """Write a value with so many significant digits, never in powers of ten."""
    if value == 0:
        return "0"
    size = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{float(value):.{max(digits - size, 0)}f}"


def span(interval: NumberRange, digits: int = 5) -> str:
    """Write an interval as `1.1664..1.1694`."""
    return f"{shown(interval.low, digits)}..{shown(interval.high, digits)}"
