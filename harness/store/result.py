"""What the database answers, as plain values; a data frame is made of it only where somebody asks for one.

None is absent. Texts are `str`, numbers `float`, flags `bool`, moments aware `datetime`. Labels that nobody gave are "".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

ValueKind = Literal["text", "number", "flag", "time"]


@dataclass(frozen=True)
class ResultSet:
    """Columns by name, and rows of as many values."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield each row as values by column."""
        for row in self.rows:
            yield dict(zip(self.columns, row, strict=True))

    def column(self, name: str) -> list[object]:
        """Return the values of one column. Raises: ValueError for one that was not asked for."""
        place = self.columns.index(name)
        return [row[place] for row in self.rows]

    def tuples(self, names: Sequence[str]) -> list[tuple[object, ...]]:
        """Return the rows with these columns alone, in this order."""
        places = [self.columns.index(name) for name in names]
        return [tuple(row[place] for place in places) for row in self.rows]


def result_of(rows: Iterable[Sequence[object]], columns: Sequence[str], kinds: Mapping[str, ValueKind]) -> ResultSet:
    """Make a result of what a driver returns: every number is a float, whatever the column's own type."""
    numbers = [place for place, name in enumerate(columns) if kinds[name] == "number"]
    return ResultSet(tuple(columns), [_floats(row, numbers) for row in rows])


def _floats(row: Sequence[Any], numbers: Sequence[int]) -> tuple[Any, ...]:
    values = list(row)
    for place in numbers:
        if values[place] is not None:
            values[place] = float(values[place])
    return tuple(values)


def to_frame(result: ResultSet, kinds: Mapping[str, ValueKind]) -> pd.DataFrame:
    """Turn a result into a frame whose types do not depend on what the rows happen to hold.

    Absence is `pandas.isna`: NaN in texts (`str`) and numbers (float64), None in flags, NaT in moments (datetime64 in UTC).
    """
    import pandas as pd

    columns = result.columns
    values: Sequence[Sequence[Any]] = list(zip(*result.rows, strict=True)) if result.rows else [()] * len(columns)
    arrays = [_array(kinds[name], cells) for name, cells in zip(columns, values, strict=True)]
    frame = pd.DataFrame(dict(enumerate(arrays)), index=pd.RangeIndex(len(result)), copy=False)
    frame.columns = pd.Index(list(columns), dtype="str")
    return frame


def _array(kind: ValueKind, cells: Sequence[Any]) -> Any:
    import numpy as np
    import pandas as pd

    match kind:
        case "number":
            return np.array(cells, dtype="float64")
        case "time":
            return pd.Series(pd.to_datetime(list(cells), utc=True)).astype("datetime64[us, UTC]").array
        case "flag":
            return np.array(cells, dtype="object")
        case _:
            return pd.array(np.array(cells, dtype="object"), dtype="str")
