"""Numbers as somebody printed them: `13,026 ± 2,259`, `**1.04**`, `12.3 ms`, `2.44x`; what each says, and how it is written. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from harness.core.limits import DIGITS
from harness.formats.units import factor, unit_name
from harness.tables.formats import NumberFormat

ADDRESS = r"\((?:<[^<>]*>|(?:[^()\s<]|\([^()\s]*\))*)(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)"
"""Of a link, in parentheses: it may have a pair of them in it, or a title behind it."""
_AROUND = (
    re.compile(r"\*\*\*?(?P<in>[^*]+)\*\*\*?"),
    re.compile(r"\*(?P<in>[^*]+)\*"),
    re.compile(r"__?(?P<in>[^_]+)__?"),
    re.compile(r"~~(?P<in>[^~]+)~~"),
    re.compile(r"`(?P<in>[^`]+)`"),
    re.compile(r"<(?P<tag>b|strong|i|em|u|code|sub|sup)>(?P<in>[^<]+)</(?P=tag)>", re.IGNORECASE),
    re.compile(rf"\[(?P<in>[^\[\]]+)\](?:{ADDRESS}|\[[^\[\]]*\])"),
)
"""Emphasis, code or a link around the whole of a number."""
_MARKS = re.compile(r"(?:\s*(?:<sup>[^<]*</sup>|\[\^[^\]]+\]|\\\*|†|‡|[¹²³⁴-⁹]|(?<!\*)\*))+$")
"""Footnote marks behind a number."""
_NUMBER = re.compile(
    r"(?P<about>[~≈]\s*)?(?P<sign>[-+\u2212])?(?P<digits>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?P<power>[eE][-+]?\d{1,2})?"
    r"(?P<gap>\s?)(?P<unit>[A-Za-zµμ%×°][A-Za-zµμ%×°/·]{0,15})?"
    r"(?:\s*(?P<pm>±|\+/-)\s*(?P<below><)?(?P<spread>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?P<behind>\s?(?:%|[A-Za-zµμ×][A-Za-zµμ×/]{0,15}))?)?"
    r"(?P<more>\s*(?:\([^()]*\)|\[[^\[\]]*\]))?"
)


@dataclass(frozen=True)
class Printed:
    """What a printed number says."""

    value: Decimal
    decimals: int
    comma: bool = False
    signed: bool = False
    unit: str = ""
    gap: str = ""
    """What stands between the number and its unit."""
    spread: Decimal | None = None
    """What stands behind ±."""
    pm: bool = False
    scientific: bool = False
    word: str = field(default="", compare=False)
    """The unit as it is printed."""

    @property
    def half(self) -> Decimal:
        """How far the value may be off: the spread where one is printed, else half a unit of the last digit."""
        return self.spread if self.spread is not None else Decimal(1).scaleb(-self.decimals) / 2


def bare(text: str) -> str:
    """Take emphasis, a link and footnote marks off the whole of a cell, and emphasis off its number."""
    text, before = text.strip(), ""
    while text != before:
        before = text
        text = _MARKS.sub("", text).strip()
        found = next((one for form in _AROUND if (one := form.fullmatch(text))), None)
        text = found["in"].strip() if found else text
    return re.sub(r"\*\*([^*]+)\*\*", r"\1", text)


def read(text: str) -> Printed | None:
    """Read a cell as one number; None where it is a word, a range or several numbers."""
    found = _NUMBER.fullmatch(bare(text))
    if found is None or sum(map(str.isdigit, found[0])) > DIGITS:
        return None
    digits, power = found["digits"], int((found["power"] or "e0")[1:])
    value = Decimal(digits.replace(",", "")).scaleb(power)
    spread = found["spread"]
    return Printed(
        value=-value if found["sign"] in {"-", "\u2212"} else value,
        decimals=len(digits.partition(".")[2]) - power,
        comma="," in digits,
        signed=found["sign"] == "+",
        unit=unit_name(found["unit"] or found["behind"] or ""),
        gap=found["gap"] if found["unit"] else "",
        spread=None if spread is None or found["below"] else Decimal(spread.replace(",", "")).scaleb(power),
        pm=found["pm"] is not None,
        scientific=bool(found["power"]),
        word=(found["unit"] or found["behind"] or "").strip(),
    )


def scale(printed: str, unit: str) -> Decimal | None:
    """Say what a number in a printed unit is times to be in another one; None where it cannot be."""
    return Decimal(1) if not printed else factor(printed, unit)


def format_of(numbers: list[Printed]) -> NumberFormat:
    """Say how most numbers of a column are written: decimals, commas, sign, and `x` or `%` behind."""

    def most(values: list[int]) -> int:
        return max(sorted(set(values), reverse=True), key=values.count) if values else 2

    units = {one.unit for one in numbers}
    suffix = next(iter(units)) if len(units) == 1 and units <= {"x", "%"} else ""
    powers = [one for one in numbers if one.scientific]
    return NumberFormat(
        decimals=min(max(most([one.decimals for one in numbers]), 0), 9),
        sign=any(one.signed for one in numbers),
        comma=any(one.comma for one in numbers),
        suffix="e" if numbers and len(powers) == len(numbers) else suffix,
    )
