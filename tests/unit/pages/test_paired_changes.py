"""A change between two runs over the same documents or questions is judged by what moved, not by what both have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest

from harness.numbers.documents import interval, sums_of, value_of
from harness.numbers.pairing import Items
from harness.pages.noise import CellInterval, noise
from harness.pages.paired import between_items
from harness.store.result import ResultSet
from harness.tables.question import CellReader
from harness.tables.result import Cell, CellTrace, Side

DRAW = np.random.default_rng(4)
COUNTS = np.ceil(DRAW.lognormal(4.0, 0.6, 120)).astype(int)
KL = np.abs(DRAW.normal(0, 1, COUNTS.sum())) * np.repeat(DRAW.lognormal(-4.5, 0.6, 120), COUNTS)


@dataclass
class Results:
    """What a source tells of measurements by id."""

    rows: dict[str, dict[str, Any]]
    kept: dict[str, Items] = field(default_factory=dict)

    def select(self, where: dict[str, Any], columns: Any) -> ResultSet:
        row = self.rows.get(where["measurement_id"])
        return ResultSet(tuple(columns), [] if row is None else [tuple(row.get(name) for name in columns)])

    def reader(self) -> CellReader:
        return CellReader(items=lambda measurement: self.kept[measurement])


def of_kl(samples: Any, items: str = "same") -> Results:
    sums = sums_of(samples, COUNTS)
    row = {"metric": "kl_divergence", "items": items, "value": value_of(sums, "kl_divergence")}
    return Results({"m": row}, {"m": Items(documents=sums)})


def cell(*sides: str, comparison: str = "value") -> Cell:
    roles: tuple[Literal["value", "baseline"], ...] = ("value", "baseline")
    made = tuple(Side(role, "run", one, Decimal(1)) for role, one in zip(roles, sides, strict=False))
    return Cell("x", trace=CellTrace("kl_divergence", comparison, "", "raw", made, Decimal(1)))


def judged(old: Results, new: Results, **more: Any) -> Any:
    both = cell(*more.pop("sides", ("m",)), **more)
    return between_items(both, old, both, new)  # type: ignore[arg-type]


def test_a_rise_far_inside_both_intervals_is_no_noise_where_the_documents_are_the_same() -> None:
    old, new = of_kl(KL), of_kl(KL * 1.05)
    halves = []
    for results in (old, new):
        sums = results.kept["m"].documents
        assert sums is not None
        found = interval(sums, "kl_divergence")
        assert found.low is not None
        assert found.high is not None
        halves.append(CellInterval(*(Decimal(one) for one in (results.rows["m"]["value"], found.low, found.high))))
    assert noise(*halves) == "inside", "as if other documents had been drawn"
    assert judged(old, new) == judged(new, old) == ("outside", ""), "a fall as well as a rise"


def test_what_moves_at_random_from_token_to_token_is_noise() -> None:
    moved = KL * (1 + 0.02 * DRAW.normal(0, 1, KL.size))
    assert judged(of_kl(KL), of_kl(moved)) == ("inside", "")


def test_other_documents_are_not_paired() -> None:
    assert judged(of_kl(KL), of_kl(KL * 1.05, items="others")) is None
    assert judged(of_kl(KL), Results({})) is None


@pytest.mark.parametrize(
    ("base", "verdict"),
    [(1.0, ("outside", "")), (1.01, ("unknown", "number and baseline both moved"))],
)
def test_a_difference_moves_as_its_number_does_while_its_baseline_stays(base: float, verdict: tuple[str, str]) -> None:
    sides = []
    for number, baseline in ((1.0, 1.0), (1.05, base)):
        one, other = of_kl(KL * number), of_kl(KL * 0.5 * baseline)
        sides.append(Results({"m": one.rows["m"], "b": other.rows["m"]}, {"m": one.kept["m"], "b": other.kept["m"]}))
    assert judged(*sides, sides=("m", "b"), comparison="difference") == verdict
    assert judged(*sides, sides=("m", "b"), comparison="ratio") == ("unknown", "a ratio of the same items")


def test_a_percentile_is_not_judged_by_the_means() -> None:
    asked = Cell("x", trace=cell("m").trace, asked=SimpleNamespace(stat="p99"))  # type: ignore[arg-type]
    found = between_items(asked, of_kl(KL), asked, of_kl(KL * 1.05))  # type: ignore[arg-type]
    assert found == ("unknown", "p99 of the same items")


def test_few_documents_and_damaged_samples_are_said() -> None:
    few = [
        Results({"m": {**results.rows["m"], "value": value_of(sums, "kl_divergence")}}, {"m": Items(documents=sums)})
        for results in (of_kl(KL), of_kl(KL * 1.05))
        for sums in [results.kept["m"].documents[:20]]
    ]  # type: ignore[index]
    assert judged(*few) == ("unknown", "20 documents are too few, 50 are needed")
    old, new = of_kl(KL), of_kl(KL * 1.05)
    new.rows["m"]["value"] *= 2
    assert judged(old, new) == ("unknown", "the samples do not give the number")
