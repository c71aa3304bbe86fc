"""Columns that say more of what a row is about: the bits and the group size of its method, the size of its model. Pure.

Such a column is a key whose dimension is an attribute, as `method.bits`: it tells rows apart by the names of their methods, and is shown from what the
published file says of these. Where methods stand in headings, the recipe has them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from harness.adopting.column import Column
from harness.adopting.headings import are_sizes
from harness.adopting.names import seen, slug
from harness.lint.numbers import is_missing
from harness.tables import printed

_MOST_BITS = 64
_RESERVED = frozenset({"title", "link"})
_BITS = re.compile(
    r"(?:[wn#]|weights?|quant(?:i[sz]ation)?|model)?[ _-]?bits?(?:[ -]?widths?)?|bit[ -]?widths?|precision \(bits?\)",
    re.IGNORECASE,
)
_GROUP = re.compile(r"(?:quant(?:i[sz]ation)? )?(?:group|grp|block|gr|g)[ _-]?(?:size|sz|s)?", re.IGNORECASE)
_SIZE = re.compile(r"(?:model )?size|(?:# ?|num(?:ber of)? )?param(?:eter)?s?(?: (?:count|\([bm]\)))?", re.IGNORECASE)


def with_attributes(columns: Sequence[Column]) -> list[Column]:
    """Take columns of bits and group sizes for what they say of each row's method, and sizes as `7B` for what they say of its model.

    Numbers of parameters are taken only where they are needed to tell rows apart: they repeat what most names say.
    """
    found = list(columns)
    for column in columns:
        name = attribute_of(column, found) if "" not in column.cells else ""  # else only before a gap: see `_continued`
        if name and "param" not in column.title.casefold():
            found[column.place] = replace(column, role="key", dimension=name, metric="", unit="")
    return found


def attribute_of(column: Column, columns: Sequence[Column]) -> str:
    """Name the attribute that a column is by its heading and cells, as `method.bits`; empty where it is none, or another column is it."""
    heading = seen(column.title.rpartition(" / ")[2])
    if column.role not in {"number", "text"} or not column.guessed or column.under or column.comparison:
        return ""
    above = {dimension for one in columns for dimension, _ in one.under}
    of_method = "recipe" if "method" in above else "method"
    if _BITS.fullmatch(heading) and _counts(column, _MOST_BITS):
        name = f"{of_method}.bits"
    elif _GROUP.fullmatch(heading) and all(one.value == int(one.value) and not one.unit for one in column.numbers):
        name = f"{of_method}.group_size"
    elif (
        _SIZE.fullmatch(heading) and _has_sizes(column, heading) and _is_key("model", columns) and "model" not in above
    ):
        name = "model.size"
    else:
        return ""
    return "" if any(one.dimension == name for one in columns) else name


def attribute_named(column: Column, taken: Collection[str]) -> str:
    """Name an attribute of the recipe for a column by its heading, for what nobody knows a better place of."""
    base = re.sub(r"\W+", "_", slug(column.title.rpartition(" / ")[2], "more")).strip("_") or "more"
    names = (base, *(f"{base}_{number}" for number in range(2, 10_000)))
    return next(name for one in names if one not in _RESERVED and (name := f"recipe.{one}") not in taken)


def _is_key(dimension: str, columns: Sequence[Column]) -> bool:
    return any(one.role == "key" and one.dimension == dimension for one in columns)


def _has_sizes(column: Column, heading: str) -> bool:
    return are_sizes(column.cells) or ("param" in heading.casefold() and column.role == "number")


def _counts(column: Column, most: int) -> bool:
    said = [printed.read(cell) for cell in column.cells if not is_missing(seen(cell)) and cell]
    return bool(said) and all(
        one is not None and not one.unit and one.value == int(one.value) and 0 <= one.value <= most for one in said
    )
