"""Which measurement of one side meets which of the other: the same number of the same work, but for what is compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.comparing.sides import ComparedSide
from harness.core.errors import HarnessError
from harness.core.metric import metric as metric_named
from harness.core.spec import WORKLOAD_NUMBERS, WORKLOAD_TEXTS
from harness.numbers import pairing, rounds
from harness.tables.columns import DIMENSIONS
from harness.tables.rows import TableRow

WHAT = ("metric", "slice", "source", "metric_version", "protocol", "protocol_version", "probe", "reference", "workload",
        *WORKLOAD_NUMBERS, *WORKLOAD_TEXTS)  # fmt: skip
"""In which two numbers must agree: another version or workload is another number."""
WHO = (
    "model",
    "method",
    "recipe",
    "environment",
    "engine",
    "engine_options",
    "provider",
    "dtype",
    "gpu",
    "gpu_count",
    "machine",
)
"""In which they agree, but where all of one side differ from all of the other: that is what is compared."""
_NONE = {"gpu": "none"}
"""What an absent value means, where it means something; others are absent where a number has no such thing, as a build no engine."""
_OPEN = {"method": ("method", "recipe"), "environment": ("environment",)}
"""What a kind of side compares in any case."""
_AROUND = ("model", "environment", "gpu", "machine")
_FIRST = ("model", "method", "task", "batch", "prompt", "output", "depth", "concurrency", "window", "text", "environment", "gpu", "engine",
          "recipe", "source")  # fmt: skip
"""Dimensions that name numbers, before all others."""
_PLAIN = frozenset({"model", "method", "task", "environment", "gpu", "engine"})
PairKey = tuple[str | None, ...]


@dataclass(frozen=True)
class NumberPair:
    """A number of both sides, or of one of them."""

    name: str
    """In the dimensions in which the numbers of this call differ."""
    rows: tuple[TableRow | None, TableRow | None]

    @property
    def there(self) -> TableRow:
        """A row that there is."""
        row = self.rows[0] or self.rows[1]
        assert row is not None
        return row


@dataclass(frozen=True)
class NumberPairs:
    """All numbers of both sides, and what is compared."""

    pairs: tuple[NumberPair, ...]
    differs: Mapping[str, tuple[str, str]]
    """Dimensions in which all of one side differ from all of the other."""
    elsewhere: tuple[str, ...] = ()
    """Surroundings in which only one of two methods was measured."""


def pairs_of(one: ComparedSide, other: ComparedSide) -> NumberPairs:
    """Bring together what two sides have. Raises: HarnessError where several measurements of a side fit one place."""
    sides = [[row for row in side.rows if _counts(row)] for side in (one, other)]
    differs = _differs(*sides)
    free = {*differs, *_OPEN.get(one.kind, ()), *(_OPEN.get(other.kind, ()))}
    names = (*WHAT, *(name for name in WHO if name not in free))
    groups = [_grouped(rows, names) for rows in sides]
    keys = list(dict.fromkeys([*groups[0], *groups[1]]))
    apart = _elsewhere(groups, names) if one.kind == other.kind == "method" else {}
    kept = [key for key in keys if key not in apart]
    called = _called(kept, names)
    found = [
        NumberPair(called[key], _chosen(groups[0].get(key, []), groups[1].get(key, []), free, (one, other)))
        for key in kept
    ]
    return NumberPairs(tuple(found), differs, tuple(dict.fromkeys(apart.values())))


def _elsewhere(groups: Sequence[Mapping[PairKey, Sequence[TableRow]]], names: Sequence[str]) -> dict[PairKey, str]:
    """Name the numbers of methods in surroundings where the other method never ran at all, if there are some where both did."""
    places = [names.index(name) for name in _AROUND if name in names]
    around = [{tuple(key[place] for place in places) for key in side} for side in groups]
    if not around[0] & around[1]:
        return {}
    apart = around[0] ^ around[1]
    known = {key: tuple(key[place] for place in places) for side in groups for key in side}
    return {key: " ".join(str(part) for part in here if part) for key, here in known.items() if here in apart}


def _counts(row: TableRow) -> bool:
    """Say whether a number is compared: of a whole, and of a metric that is known to be worse or better."""
    return not row.text("slice") or rounds.is_over_rounds(row.metric or "", row.text("origin") or "measured")


def _differs(one: Sequence[TableRow], other: Sequence[TableRow]) -> dict[str, tuple[str, str]]:
    found = {}
    for name in WHO:
        values = [{row.text(name) or _NONE.get(name) for row in side} - {None} for side in (one, other)]
        if len(values[0]) == len(values[1]) == 1 and values[0] != values[1]:
            found[name] = (str(next(iter(values[0]))), str(next(iter(values[1]))))
    return found


def _grouped(rows: Iterable[TableRow], names: Sequence[str]) -> dict[PairKey, list[TableRow]]:
    found: dict[PairKey, list[TableRow]] = {}
    for row in rows:
        found.setdefault(tuple(row.text(name) for name in names), []).append(row)
    return found


def _called(keys: Sequence[PairKey], names: Sequence[str]) -> dict[PairKey, str]:
    """Name numbers by as few dimensions as tell those of one metric apart."""
    order = [names.index(name) for name in (*_FIRST, *(name for name in names if name not in _FIRST)) if name in names]
    chosen: list[int] = []
    for place in order:
        if place and _groups(keys, [*chosen, place]) > _groups(keys, chosen):
            chosen.append(place)
    return {key: ", ".join(_told(names[place], key[place]) for place in chosen if key[place]) for key in keys}


def _groups(keys: Sequence[PairKey], places: Sequence[int]) -> int:
    return len({(key[0], *(key[place] for place in places)) for key in keys})


def _told(name: str, value: str | None) -> str:
    return str(value) if name in _PLAIN else f"{DIMENSIONS.get(name, name).lower()} {value}"


def _chosen(
    one: list[TableRow], other: list[TableRow], free: set[str], sides: tuple[ComparedSide, ComparedSide]
) -> tuple[TableRow | None, TableRow | None]:
    """Choose the newest of each side: of the newest session that both have, where there is one."""
    shared = {row.text("session") for row in one} & {row.text("session") for row in other} - {None}
    found = []
    for rows, side in zip((one, other), sides, strict=True):
        some = sorted((row for row in rows if not shared or row.text("session") in shared), key=lambda row: row.age)
        some = [row for row in some if row.text("session") == some[-1].text("session")]
        for name in free:
            values = sorted({row.text(name) or "none" for row in some})
            if len(values) > 1:
                raise HarnessError(
                    f"several measurements of {side.called} fit, with {name} {', '.join(values)}; say which with --where {name}={values[0]}"
                )
        found.append(some[-1] if some else None)
    return found[0], found[1]


def weight_of(row: TableRow) -> str:
    """Say what a number that gives no estimate counts for: `missing` where others of its kind do, else `told`."""
    name = row.metric or ""
    metric = metric_named(name)
    way = row.text("better") or metric.better
    drawn = rounds.is_over_rounds(name) and not row.is_build
    paired = pairing.by_document(name) or name.startswith("lm_eval.") or name == "choice_logprob"
    return "missing" if way != "none" and (drawn or paired or is_counted(row)) else "told"


def is_counted(row: TableRow) -> bool:
    """Say whether a number is counted, not drawn: bytes on disk."""
    return metric_named(row.metric or "").kind == "size" and row.text("unit") == "B"
