"""Units of numbers: their names, which can be converted into which, and which one a heading names. What nobody knows is kept as it is written."""

from __future__ import annotations

import re
from decimal import Decimal

_MANY = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal(10**3), "M": Decimal(10**6),
         "G": Decimal(10**9), "T": Decimal(10**12), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40)}  # fmt: skip
_TAKEN = {
    "s": " n u m",
    "B": " k M G T Ki Mi Gi Ti",
    "B/s": " M G T",
    "J": " u m k M",
    "W": " m k",
    "Wh": "m  k",
    "Hz": " k M G",
    "g": " m k",
}
"""Units that are counted in others, and the prefixes that they have; an empty one for themselves."""
SIZES: dict[str, tuple[str, Decimal]] = {
    **{f"{many}{unit}": (unit, _MANY[many]) for unit, taken in _TAKEN.items() for many in taken.split(" ")},
    "min": ("s", Decimal(60)), "h": ("s", Decimal(3600)), "fraction": ("fraction", Decimal(1)), "%": ("fraction", Decimal("0.01")),
}  # fmt: skip
"""Unit -> the one that it is counted in, and how many of those it is."""
_CURRENCIES = {
    "$": "$",
    "US$": "$",
    "USD": "$",
    "\u20ac": "\u20ac",
    "EUR": "\u20ac",
    "\u00a3": "\u00a3",
    "GBP": "\u00a3",
    "CA$": "CA$",
    "A$": "A$",
    "\u00a5": "\u00a5",
    "\u20b9": "\u20b9",
}
"""Ways to write a currency, and the one name for each."""
SIZES |= {name: (currency, Decimal(1)) for name, currency in _CURRENCIES.items()}
_WH = Decimal(3600)
"""Joules."""
SIZES |= {unit: ("J", size * _WH) for unit, (base, size) in SIZES.items() if base == "Wh"}

_NAMES = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("msec", "msecs", "milliseconds", "millisecond"), "ms"),
    **dict.fromkeys(("\u03bcs", "\u00b5s", "usec", "microseconds", "microsecond"), "us"),
    **dict.fromkeys(("nanoseconds", "nanosecond"), "ns"),
    **dict.fromkeys(("mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("joule", "joules"), "J"),
    **dict.fromkeys(("watt", "watts"), "W"),
    **dict.fromkeys(("byte", "bytes"), "B"),
    **dict.fromkeys(("percent", "per cent"), "%"),
    **dict.fromkeys(
        ("t/s", "tok/s", "tok/sec", "toks/s", "tokens/s", "tokens/sec", "token/s", "tps", "tokens/second"), "tok/s"
    ),
    **dict.fromkeys(("req/s", "reqs/s", "requests/s", "request/s", "req/sec", "requests/sec", "qps"), "req/s"),
    **{name.casefold(): name for name in ("kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB")},
    "\u00d7": "x",
}
"""Ways to write a unit, in lower case, and the one name that it has here."""
_OTHERS = frozenset(
    [
        "tok/s",
        "req/s",
        "FPS",
        "fps",
        "IPS",
        "FLOPS",
        "GFLOPS",
        "TFLOPS",
        "PFLOPS",
        "FLOP",
        "GFLOP",
        "GFLOPs",
        "TFLOPs",
        "FLOPs",
        "TOPS",
        "GOPS",
        "MACs",
        "GMACs",
        "USD",
        "EUR",
        "GBP",
        "cents",
        "gCO2",
        "gCO2e",
        "gCO2eq",
        "kgCO2",
        "kgCO2e",
        "kgCO2eq",
        "°C",
        "°F",
        "dB",
        "mAh",
        "Ah",
        "mV",
        "mA",
        "nat",
        "nats",
        "bit",
        "bits",
        "bpw",
        "bpt",
        "pp",
        "pts",
        "points",
        "rpm",
    ]
)
"""Further units that headings name, none of which is counted in another."""
_WITH_WORDS = {
    "B": r"mem|disk|bytes|vram|\bram\b|traffic|footprint", "s": r"time|latency|ttft|tpot|itl|duration|elapsed|seconds|^\W*$", "min": r"time|duration|elapsed",
    "g": r"carbon|co2|co\u2082|emission|weight\b|mass",
}  # fmt: skip
"""Units that are other words, too, and what a heading must say beside them: parameters, a plural, the least, a group."""
_COUNTED = frozenset(
    [
        "tok",
        "toks",
        "token",
        "tokens",
        "sample",
        "samples",
        "image",
        "images",
        "img",
        "imgs",
        "step",
        "steps",
        "it",
        "iter",
        "req",
        "reqs",
        "request",
        "requests",
        "$",
    ]
)
"""What is counted in rates."""
_BRACKETS = re.compile(r"[(\[]([^()\[\]]{1,40})[)\]]")
CURRENCY = r"(?:US|CA|A)?\$|[\u20ac\u00a3\u00a5\u20b9]"
"""Signs of currencies that stand before numbers."""
_MONEY = re.compile(r"(?:(?:US|CA|A)?\$|[\u20ac\u00a3\u00a5\u20b9]|USD|EUR|GBP)(?:\s?(?:/|per )\s?[\w ]{1,24})?")
_WORD = re.compile(r"[a-z\u00b5\u03bc][A-Za-z]{0,15}")
_COMPOUND = re.compile(r"([A-Za-z\u00b5\u03bc\u00b0%$]{1,12})(?:/| per )([A-Za-z0-9][A-Za-z0-9 /]{0,20})")
_BEHIND = re.compile(
    r"(?:\bin (?P<word>\w+)|(?:[,|_]\s*|\s/\s*)(?P<after>[A-Za-z\u00b5\u03bc%]{1,8})|\s(?P<bare>(?:[A-Za-z\u00b5\u03bc]+|[$\u20ac\u00a3\u00a5\u20b9])/[A-Za-z]+|[A-Za-z\u00b5\u03bc]{2,6}|%)|(?<=energy)\s(?P<energy>J)"
    r"|(?<=power)\s(?P<power>W)|(?<=time)\s(?P<time>s))\s*[\u2191\u2193]?\s*$",
    re.IGNORECASE,
)


def unit_name(text: str) -> str:
    """Write a unit by the one name that it has here; one that nobody knows as it is written."""
    text = text.strip()
    return _NAMES.get(text.casefold(), text)


def factor(unit: str, other: str) -> Decimal | None:
    """Say what a number of a unit is times to be one of another; None where it cannot be. `mJ/token` is to `J/token` as `mJ` to `J`."""
    (base, size), (to, by) = _counted(unit), _counted(other)
    if base != to:
        return None
    ratio = size / by
    return Decimal(int(ratio)) if ratio == int(ratio) else ratio


def _counted(unit: str) -> tuple[str, Decimal]:
    """Give the unit in which this one is counted, and how many of those it is."""
    head, slash, behind = unit.partition("/")
    base, size = SIZES.get(head, (head, Decimal(1)))
    return f"{base}{slash}{behind}", size


def factor_printed(printed: str, unit: str) -> Decimal | None:
    """Say what a number with a printed unit is times to be in another one: a currency alone is of whatever the other is by, as `$/hr`."""
    by = re.match(rf"{CURRENCY}|USD|EUR|GBP", unit)
    return factor(printed, by[0] if by and re.fullmatch(CURRENCY, printed) else unit)


def without_currency(text: str) -> tuple[str, str]:
    """Part a printed amount, as `-$0.52`, into its number and the sign of its currency; empty where there is none."""
    found = re.match(rf"(?P<sign>[~\u2248]?\s*[-+\u2212]?)(?P<money>{CURRENCY})\s?(?=[\d.])", text)
    return (f"{found['sign']}{text[found.end() :]}", found["money"]) if found else (text, "")


def alike(unit: str) -> list[str]:
    """List the units into which one can be converted, itself among them."""
    _, slash, behind = unit.partition("/")
    return sorted({unit, *(one for name in SIZES if factor(one := f"{name}{slash}{behind}", unit) is not None)})


def why_not(unit: str, own: str) -> str:
    """Say why a unit cannot be converted; empty where it can."""
    if factor(unit, own) is not None:
        return ""
    return f"'{unit}' cannot be converted to '{own}'; write one of {', '.join(alike(own))}"


def scale(unit: str, own: str) -> float:
    """Return what a number of a unit is times to be in the metric's own."""
    found = factor(unit, own)
    return 1.0 if found is None else float(found)


# ---------------------------------------------------------------- headings


def in_heading(heading: str) -> tuple[str, str]:
    """Find the unit that a heading names, as `Size [GiB]`, `Energy (mJ/token)`, `Latency in ms` or `Power, W`, and what is left without it."""
    for found in _BRACKETS.finditer(heading):
        rest = f"{heading[: found.start()]} {heading[found.end() :]}"
        attached = found.start() > 0 and heading[found.start() - 1].isalnum()
        parts = re.split(r"[,;]", found[1])
        for part in parts:
            unit = _known(part.strip().removeprefix("in ").strip(), rest, attached=attached)
            if unit:
                others = " ".join(other.strip() for other in parts if other != part)
                return unit, f"{heading[: found.start()]} {others} {heading[found.end() :]}"
    behind = _BEHIND.search(heading)
    said = next((text for text in behind.groups() if text), "") if behind else ""
    if behind and said and heading[: behind.start()].strip() and (behind["word"] or said.casefold() != "min"):
        unit = _known(said, heading[: behind.start()], attached=False)
        if unit:
            return unit, heading[: behind.start()]
    return "", heading


def is_compound(heading: str) -> bool:
    """Say whether a heading is nothing but a unit by another, as `ms/tok` or `$/hr`."""
    found = _COMPOUND.fullmatch(heading.strip())
    head = unit_name(found[1]) if found else ""
    return head in SIZES or head in _OTHERS or head.casefold() in _COUNTED or bool(_MONEY.fullmatch(heading.strip()))


def a_word_in_brackets(heading: str) -> tuple[str, str]:
    """Find a word in brackets that may be a unit which nobody knows, and what is left of the heading without it."""
    for found in _BRACKETS.finditer(heading):
        if _WORD.fullmatch(found[1].strip()):
            return found[1].strip(), f"{heading[: found.start()]} {heading[found.end() :]}"
    return "", heading


def _known(text: str, beside: str, *, attached: bool) -> str:
    """Tell a unit by its name. beside: the other words of the heading. attached: it stands right behind a word, as the plural in `GPU(s)`."""
    if _MONEY.fullmatch(text):
        return text
    unit = unit_name(text)
    if (
        unit in _WITH_WORDS
        and unit == text
        and (attached or unit != "s")
        and not re.search(_WITH_WORDS[unit], beside, re.IGNORECASE)
    ):
        return ""
    if unit in SIZES or unit in _OTHERS:
        return unit if unit != "fraction" else ""
    compound = _COMPOUND.fullmatch(text)
    return (
        f"{unit_name(compound[1])}/{compound[2]}" if compound and text.casefold() not in {"w/o", "n/a", "k/v"} else ""
    )
