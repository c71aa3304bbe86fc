"""Numbers as somebody printed them: `13,026 ± 2,259`, `**1.04**`, `12.3 ms`, `2.44x`; what each says, and how it is written. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from harness.core.limits import DIGITS
from harness.formats.units import CURRENCY, factor, factor_printed, unit_name
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
_SIGNS = "[\u2600-\u27bf\u2b50\u2b55\ufe0f\U0001f000-\U0001faff]"
_BESIDE = re.compile(rf"^(?:{_SIGNS}\s*)+|(?:\s*(?:{_SIGNS}|[\u2191\u2193\u25b2\u25bc]))+$")
"""Medals, ticks and such around a number; an arrow before one may say by how much it fell, and is none of them."""
_NUMBER = re.compile(
    rf"(?P<about>[~≈]\s*)?(?P<sign>[-+\u2212])?(?:(?P<money>{CURRENCY})\s?)?(?P<digits>(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?|\.\d+)"
    r"(?P<power>[eE][-+]?\d{1,2})?(?P<many>[kKM](?=\s?[A-Za-z]+/s))?"
    rf"(?P<gap>\s?)(?P<unit>(?(money)(?:/\s?|per )[\w ]{{1,24}}|(?:{CURRENCY}|[A-Za-zµμ%×°])[A-Za-zµμ%×°/·]{{0,15}}))?"
    r"(?:\s*(?P<pm>±|\+/-)\s*(?P<below><)?(?P<spread>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?P<behind>\s?(?:%|[A-Za-zµμ×][A-Za-zµμ×/]{0,15}))?)?"
    r"(?P<more>\s*(?:\([^()]*\)|\[[^\[\]]*\]))?"
)


_DURATION = re.compile(
    r"(?P<about>[~≈]\s*)?(?:(?P<h>\d{1,4})\s?h(?:rs?|ours?)?)?\s*(?:(?P<min>\d{1,4})\s?m(?:ins?|inutes?)?)?\s*"
    r"(?:(?P<s>\d{1,4}(?:\.\d{1,9})?)\s?s(?:ecs?|econds?)?)?"
)
"""A time in two or three parts, as `1m25s`, `3h 58m 10s` and `12h47m`."""
_SECONDS = {"h": 3600, "min": 60, "s": 1}
_THOUSANDS = {"k": 1000, "K": 1000, "M": 1_000_000}


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
    """The unit as it is printed behind the number."""
    before: str = field(default="", compare=False)
    """The sign of a currency, where it stands before the number."""
    step: Decimal | None = None
    """What its last part counts, where that is no decimal, as the minutes of `12h47m` in seconds."""

    @property
    def half(self) -> Decimal:
        """How far the value may be off: the spread where one is printed, else half a unit of the last digit."""
        step = self.step if self.step is not None else Decimal(1).scaleb(-self.decimals)
        return self.spread if self.spread is not None else step / 2


def bare(text: str) -> str:
    """Take emphasis, a link, footnote marks, medals and such off the whole of a cell, and emphasis off its number."""
    text, before = text.strip(), ""
    while text != before:
        before = text
        text = _BESIDE.sub("", _MARKS.sub("", text)).strip()
        found = next((one for form in _AROUND if (one := form.fullmatch(text))), None)
        text = found["in"].strip() if found else text
    return re.sub(r"\*\*([^*]+)\*\*", r"\1", text)


def read(text: str) -> Printed | None:
    """Read a cell as one number; None where it is a word, a range or several numbers."""
    plain = bare(text)
    found = _NUMBER.fullmatch(plain)
    if sum(map(str.isdigit, plain)) > DIGITS:
        return None
    return _duration(plain) if found is None else _number(found)


def _number(found: re.Match[str]) -> Printed:
    digits, power = found["digits"], int((found["power"] or "e0")[1:])
    many = _THOUSANDS.get(found["many"] or "", 1)
    value = Decimal(digits.replace(",", "")).scaleb(power) * many
    spread = found["spread"]
    word = " ".join((found["unit"] or found["behind"] or "").split())
    return Printed(
        value=-value if found["sign"] in {"-", "\u2212"} else value,
        decimals=len(digits.partition(".")[2]) - power - len(str(many)) + 1,
        comma="," in digits,
        signed=found["sign"] == "+",
        unit=f"{found['money']}{word}" if found["money"] else unit_name(word),
        gap=found["gap"] if found["unit"] else "",
        spread=None if spread is None or found["below"] else Decimal(spread.replace(",", "")).scaleb(power) * many,
        pm=found["pm"] is not None,
        scientific=bool(found["power"]),
        word=word,
        before=found["money"] or "",
    )


def _duration(text: str) -> Printed | None:
    """Read a time in several parts, in seconds; None where it is none."""
    found = _DURATION.fullmatch(text)
    parts = {name: found[name] for name in _SECONDS if found[name]} if found else {}
    if len(parts) < 2:
        return None
    last = parts.get("s", "")
    return Printed(
        value=sum((Decimal(part) * _SECONDS[name] for name, part in parts.items()), Decimal(0)),
        decimals=len(last.partition(".")[2]),
        unit="s",
        word="s",
        step=None if last else Decimal(60),
    )


def scale(printed: str, unit: str) -> Decimal | None:
    """Say what a number in a printed unit is times to be in another one; None where it cannot be.

    A currency alone is of whatever the other unit is by, `k` a thousand of what is counted by the second, and `m` beside times a minute.
    """
    if not printed:
        return Decimal(1)
    if printed in _THOUSANDS and unit.endswith("/s"):
        return Decimal(_THOUSANDS[printed])
    return factor_printed("min" if printed == "m" and factor("s", unit) is not None else printed, unit)


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
