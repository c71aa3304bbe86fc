"""Numbers of a database or of published files, compared: which evidence each pair of them has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from harness.comparing import evidence
from harness.comparing.comparison import ComparedNumber, Flip, MissingWeight
from harness.comparing.pairs import NumberPair, NumberPairs, is_counted, pairs_of, weight_of
from harness.comparing.questions import texts_of
from harness.comparing.sides import ComparedSide, is_single
from harness.comparing.verdict import ChangeEstimate
from harness.core.errors import HarnessError
from harness.core.marks import LIVE
from harness.core.metric import Direction, Metric
from harness.core.metric import metric as metric_named
from harness.numbers import pairing, rounds
from harness.numbers.pairing import Items
from harness.pages.history import SERIES, Histories
from harness.published.sources import NumberSource
from harness.store.sittings import notes_of
from harness.tables.rows import TableRow
from harness.tables.sitting import marks_of, measure_of, paced, rounds_of


def compared_sides(
    one: ComparedSide, other: ComparedSide, *, disturbed: bool = False
) -> tuple[list[ComparedNumber], list[str]]:
    """Compare all that two sides have; also return what must be told. Raises: HarnessError where nothing tells what is meant.

    disturbed: count rounds of a live comparison that other processes disturbed, too.
    """
    found = pairs_of(one, other)
    judge = _Evidence(one, other, found, disturbed=disturbed)
    return [judge.of(pair) for pair in found.pairs], [*_differing(found), *_failures(one), *_failures(other)]


def _differing(found: NumberPairs) -> Iterator[str]:
    for name, (before, after) in found.differs.items():
        if name not in {"method", "recipe"}:
            yield f"{name}: {before} and {after}"
    if found.elsewhere:
        yield f"only one of the two was measured with {'; '.join(found.elsewhere)}"


def _failures(side: ComparedSide) -> Iterator[str]:
    runs = {row.run: row for row in side.failed}
    if runs:
        first = next(iter(runs.values()))
        yield f"{side.called}: {len(runs)} runs gave no number, as {first.run} ({first.text('status')}: {first.text('reason') or 'no reason given'})"


class _Evidence:
    """What the two sides of a pair say of each other."""

    def __init__(self, one: ComparedSide, other: ComparedSide, found: NumberPairs, *, disturbed: bool) -> None:
        self.sides = (one, other)
        self.disturbed = disturbed
        self.sources = [one.source] if one.source is other.source else [one.source, other.source]
        self.histories = Histories(self.sources)
        self.paced = paced([row for pair in found.pairs for row in pair.rows if row is not None])

    def of(self, pair: NumberPair) -> ComparedNumber:
        """Compare a pair."""
        row = pair.there
        metric = metric_named(row.metric or "")
        better: Direction = next(
            (way for way in ("higher", "lower", "none") if way == row.text("better")), metric.better
        )
        found = self._compared(pair, metric, better)
        return replace(found, measurement=str(row.get("measurement_id")))

    def _compared(self, pair: NumberPair, metric: Metric, better: Direction) -> ComparedNumber:
        before, after = pair.rows
        row = pair.there
        values = (_value(before), _value(after))
        weight: MissingWeight = "missing" if weight_of(row) == "missing" else "told"
        if before is None or after is None:
            lacking = self.sides[0 if before is None else 1]
            return ComparedNumber(
                pair.name, metric, better, values, why=f"{lacking.called} does not have it", weight=weight
            )
        if better == "none":
            return ComparedNumber(
                pair.name, metric, better, values, why="nobody says which way it is better", weight="told"
            )
        marks = tuple(
            dict.fromkeys(
                f"{note.code}: {note.text}"
                for side in pair.rows
                if side
                for note in marks_of(side)
                if note.code != LIVE  # what the interval is says it
            )
        )
        try:
            estimate, items = self._estimate(before, after)
        except HarnessError as error:
            disturbed = isinstance(error, evidence.DisturbedRounds)
            return ComparedNumber(
                pair.name, metric, better, values, why=str(error), weight=weight, marks=marks, disturbed=disturbed
            )
        moved = pairing.discordant(items[1], items[0]) if items else None
        flips = tuple(_flips(items, before)) if items and moved else ()
        return ComparedNumber(pair.name, metric, better, values, estimate, flips=flips, moved=moved, marks=marks)

    def _estimate(self, before: TableRow, after: TableRow) -> tuple[ChangeEstimate, tuple[Items, Items] | None]:
        values = (float(before.get("value")), float(after.get("value")))
        if is_counted(before):
            return evidence.counted(values), None
        if before.get("rounds") is not None and not before.is_build:
            return self._speed(before, after), None
        if before.is_build:
            raise HarnessError("one build of each; nothing is known of how far builds differ")
        if not before.text("items") or not after.text("items"):
            raise HarnessError("nothing is kept by which it pairs")
        if before.text("items") != after.text("items"):
            raise HarnessError(
                "measured on other items (text, tokenizer, questions or limit); measure both on the same"
            )
        items = tuple(
            side.source.items(str(row.get("measurement_id")))
            for side, row in zip(self.sides, (before, after), strict=True)
        )
        return evidence.of_items(before.metric or "", (items[0], items[1]), values), (items[0], items[1])

    def _speed(self, before: TableRow, after: TableRow) -> ChangeEstimate:
        if any(is_single(side, before.metric or "") for side in self.sides):
            raise HarnessError(
                "a run is one process, and nothing of how far processes differ; compare its session or method"
            )
        if before.text("session") == after.text("session"):
            sides = (rounds_of(before), rounds_of(after))
            if before.text("sitting") == after.text("sitting"):
                raise HarnessError("both sides are the same rounds")
            if is_live(before) and is_live(after):
                return evidence.of_blocks(sides, self._left_out(before, after))
            return evidence.of_rounds(sides, before.text("unit") or "", self._at_pace(before, after))
        series = [self._series(side, row) for side, row in zip(self.sides, (before, after), strict=True)]
        judged = after.text("session") or after.run
        known = [
            [value for session, value in self.histories.of_series(key).items() if session != judged]
            for key in dict.fromkeys(series)
        ]
        return evidence.of_sessions((_mean(before), _mean(after)), known)

    def _left_out(self, before: TableRow, after: TableRow) -> frozenset[int]:
        """Number the rounds of a live comparison in which others used the machine."""
        if self.disturbed:
            return frozenset()
        pairs = zip(self.sides, (before, after), strict=True)
        return frozenset().union(*(disturbed_rounds(side.source, row.text("sitting")) for side, row in pairs))

    def _at_pace(self, before: TableRow, after: TableRow) -> bool:
        measure = measure_of(before)
        return measure == measure_of(after) and measure in self.paced

    def _series(self, side: ComparedSide, row: TableRow) -> tuple[Any, ...]:
        record = next(iter(side.source.select({"measurement_id": str(row.get("measurement_id"))}, SERIES)))
        return tuple("" if name == "slice" and record[name] is None else record[name] for name in SERIES)


def is_live(row: TableRow) -> bool:
    """Say whether a number is of rounds that were compared while they ran."""
    return any(note.code == LIVE for note in marks_of(row))


def disturbed_rounds(source: NumberSource, sitting: str | None) -> frozenset[int]:
    """Number the rounds of a sitting that are marked as disturbed."""
    runs = source.select({"sitting": sitting}, ["run", "round", "notes"]).rows
    return frozenset(
        int(number) for _, number, notes in runs if any(note.code == "disturbed" for note in notes_of(notes))
    )


def _value(row: TableRow | None) -> float | None:
    return None if row is None else _mean(row)


def _mean(row: TableRow) -> float:
    mean = row.get("summary_value") if rounds.is_over_rounds(row.metric or "") else None
    return float(row.get("value") if mean is None else mean)


def _flips(items: Sequence[Items], row: TableRow) -> Iterator[Flip]:
    """Name the questions that only one side answered rightly, with their texts where these are at hand."""
    import numpy as np

    before, after = (np.asarray(side.samples).ravel() for side in items)
    counts = items[0].strata if items[0].strata is not None else items[1].strata
    texts = texts_of(row.text("task"), counts, before.size)
    for place in np.flatnonzero(before != after):
        number = int(place)
        name, question, right = texts[number] if texts else (f"question {number + 1} of {before.size}", "", "")
        yield Flip(name, bool(after[number] > before[number]), question, right)
