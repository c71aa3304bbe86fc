"""One column of a page's table, and what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from harness.adopting.reading import PageTable
from harness.core.metric import METRICS, Direction
from harness.core.spec import WORKLOAD_NUMBERS
from harness.tables import printed

Role = Literal["key", "number", "text", "spacer", "metric"]
"""`metric`: its cells name what each row measures."""

KEYS = ("model", "method", "recipe", "gpu", "engine", "task", "text", "reference", *WORKLOAD_NUMBERS)
"""Dimensions that a column can be."""


@dataclass(frozen=True)
class Column:
    """One column and what it is."""

    place: int
    title: str
    """Group and name, as messages and `--column` call it."""
    cells: tuple[str, ...]
    role: Role
    dimension: str = ""
    metric: str = ""
    unit: str = ""
    """In which the numbers are printed; empty for plain ones."""
    better: Direction = "none"
    under: tuple[tuple[str, str], ...] = ()
    """What its heading or that of its group says of all its numbers: dimension and value, as the method, or a batch size."""
    comparison: str = ""
    """Which one of its metric, where the numbers compare; with the baseline's method, as the page or the catalogue calls it."""
    baseline: str = ""
    guessed: bool = True
    """Not said on the command line."""

    @property
    def numbers(self) -> list[printed.Printed]:
        return [one for one in map(printed.read, self.cells) if one is not None]

    @property
    def words(self) -> list[str]:
        """What stands in it and is no number, each once."""
        return list(dict.fromkeys(cell for cell in self.cells if not self.reads(cell)))

    def reads(self, cell: str) -> bool:
        """Say whether a cell holds a number in a unit that can be the column's."""
        one = printed.read(cell)
        if one is None:
            return False
        if self.comparison:
            return True
        if one.value < 0 and self.metric in METRICS and METRICS[self.metric].kind != "quality":
            return False
        return self.in_its_unit(one)

    def in_its_unit(self, one: printed.Printed) -> bool:
        """Say whether a number is printed in the column's unit, in one that can be converted, or in none."""
        return one.unit in {"", self.unit} or printed.scale(one.unit, self.unit) is not None


@dataclass(frozen=True)
class Understood:
    """A table with its columns, and what tells its rows apart."""

    table: PageTable
    columns: tuple[Column, ...]
    keys: tuple[Column, ...]
    """Columns that tell rows apart, in the order of the table."""
    blank: frozenset[int] = frozenset()
    """Places of columns in which an empty cell means the one above."""
    values: tuple[tuple[str, ...], ...] = field(default=())
    """Of each row the Markdown of its keys, blank ones filled."""
    turned: bool = False
    """Its rows are metrics: `columns` and `values` are of the table with a row for each method instead."""

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What tells its rows apart; an attribute stands for what it is one of."""
        return tuple(dict.fromkeys(key.dimension.partition(".")[0] for key in self.keys))

    @property
    def leading(self) -> int:
        """How many keys stand before everything else."""
        return next((at for at, key in enumerate(self.keys) if key.place != at), len(self.keys))
