"""What the first heading says of those beside it, as `Seq Len` of `256 | 512`, and `Model` of the names of models. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from harness.adopting.column import Column
from harness.adopting.headings import counted_dimension
from harness.adopting.names import seen
from harness.adopting.reading import PageTable

NUMBER_ALONE = re.compile(r"\d[\d.,]*\s*[kK]?(?:\s*[/x]\s*\d[\d.,]*\s*[kK]?)?")
_SEVERAL = 2
"""Headings that are needed to be sure."""


def counted_over(table: PageTable, places: Collection[int]) -> str:
    """Give the first heading where it names a count, and those of all columns of numbers are numbers alone; empty where it does not.

    places: of the columns of numbers, by index.
    """
    corner, named = table.heads[-1][0], [seen(table.heads[-1][place]) for place in places]
    alone = len(table.heads) == 1 and 0 not in places and len(named) >= _SEVERAL
    return corner if alone and counted_dimension(seen(corner)) and all(map(NUMBER_ALONE.fullmatch, named)) else ""


def with_corner(columns: Sequence[Column], table: PageTable, is_model: Callable[[str], bool]) -> list[Column]:
    """Take a first column called `Model` for the methods where the headings beside it are the models, and none of its cells is one.

    is_model: whether a heading, or a cell, is the name of a model alone.
    """
    first, *others = columns
    if first.role != "key" or first.dimension != "model" or not first.guessed:
        return list(columns)
    models = [one for one in others if one.role == "number" and is_model(table.heads[-1][one.place])]
    methods = any(one.role == "key" and one.dimension == "method" for one in others)
    if len(models) < _SEVERAL or methods or any(map(is_model, first.cells)):
        return list(columns)
    return [replace(first, dimension="method"), *others]
