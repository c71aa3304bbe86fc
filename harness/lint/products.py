"""Latency times throughput: the batch size, or one multiple of it in all rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations

from harness.lint.columns import seconds_per_unit
from harness.lint.numbers import NumberRange, PrintedNumber, exactly, shown, span
from harness.lint.tables import LintColumn, LintRow, LintTable


@dataclass(frozen=True)
class Product:
    """One checked pair; `message` is None where latency times throughput is what it should be."""

    row: LintRow
    column: LintColumn
    message: str | None


@dataclass(frozen=True)
class Sample:
    row: LintRow
    latency: PrintedNumber
    throughput: PrintedNumber
    batch: PrintedNumber
    seconds: NumberRange
    """Latency times throughput."""
    tokens: tuple[PrintedNumber, ...] = ()
    """How many tokens each request is of, where columns say so: those that add up."""

    @property
    def size(self) -> Fraction:
        """The batch size, times the tokens of each request."""
        return self.batch.exact * (sum(one.exact for one in self.tokens) or 1)

    def times(self) -> NumberRange:
        """How many such sizes latency times throughput is."""
        return self.seconds * exactly(1 / self.size)


def products(table: LintTable) -> Iterator[Product]:
    """Check every pair of a latency and a throughput column that belong together."""
    batches = [column for column in table.columns if column.meaning.kind == "batch"]
    if len(batches) != 1:
        return
    for latency, throughput in _pairs(table):
        plain = list(_samples(table, latency, throughput, batches[0]))
        readings = [(samples, multiple) for samples in _readings(table, plain) if (multiple := _multiple(samples))]
        if readings:
            samples, multiple = max(readings, key=lambda reading: _agreeing(*reading))
            for sample in samples:
                yield Product(sample.row, throughput, _message(sample, multiple))


def _readings(table: LintTable, samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    """Give what latency times throughput may be counted in: requests, or tokens of one length column or of two."""
    yield list(samples)
    lengths = [column for column in table.columns if column.meaning.kind == "length"]
    for columns in [*combinations(lengths, 1), *combinations(lengths, 2)]:
        counted = [replace(sample, tokens=_tokens(table, sample.row, columns)) for sample in samples]
        if all(len(sample.tokens) == len(columns) for sample in counted):
            yield counted


def _tokens(table: LintTable, row: LintRow, columns: Sequence[LintColumn]) -> tuple[PrintedNumber, ...]:
    found = (row.values[column.index] or _above(table, row, column) for column in columns)
    return tuple(value for value in found if value is not None and value.value > 0)


def _pairs(table: LintTable) -> Iterator[tuple[LintColumn, LintColumn]]:
    latencies = [column for column in table.columns if column.meaning.kind == "latency"]
    throughputs = [column for column in table.columns if column.meaning.kind == "throughput"]
    if len(latencies) == 1 == len(throughputs):
        yield latencies[0], throughputs[0]
        return
    for throughput in throughputs:
        same = [one for one in latencies if (one.group, one.labels) == (throughput.group, throughput.labels)]
        rivals = [one for one in throughputs if (one.group, one.labels) == (throughput.group, throughput.labels)]
        if len(same) == 1 == len(rivals):
            yield same[0], throughput


def _samples(table: LintTable, latency: LintColumn, throughput: LintColumn, batch: LintColumn) -> Iterator[Sample]:
    for row in table.rows:
        first, second = row.values[latency.index], row.values[throughput.index]
        size = row.values[batch.index] or _above(table, row, batch)
        if first is None or second is None or size is None or size.value <= 0:
            continue
        scale = seconds_per_unit(latency.words, first.suffix)
        if scale is not None:
            seconds = first.measured * second.measured * exactly(Fraction(str(scale)))
            yield Sample(row, first, second, size, seconds)


def _above(table: LintTable, row: LintRow, column: LintColumn) -> PrintedNumber | None:
    """Read a batch size that is blank because it repeats the row above."""
    return next(
        (one.values[column.index] for one in reversed(table.rows[: row.number]) if one.values[column.index]), None
    )


def _multiple(samples: Sequence[Sample]) -> Fraction | None:
    """Find what latency times throughput is in batch sizes: one, or what most rows have in common."""
    if len(samples) >= 2 and 2 * _agreeing(samples, Fraction(1)) >= len(samples):
        return Fraction(1)
    middles = sorted((one.times().low + one.times().high) / 2 for one in samples)
    if len(samples) >= 3:
        middle = middles[len(middles) // 2]
        if 3 * _agreeing(samples, middle) >= 2 * len(samples):
            return middle
    return None


def _agreeing(samples: Sequence[Sample], multiple: Fraction) -> int:
    return sum(one.times().meets(exactly(multiple)) for one in samples)


def _message(sample: Sample, multiple: Fraction) -> str | None:
    if sample.times().meets(exactly(multiple)):
        return None
    tokens = " + ".join(one.text for one in sample.tokens)
    should = f"the batch size {sample.batch.text}" + (f" times {tokens} tokens" if tokens else "")
    if multiple != 1:
        should = f"{shown(multiple)} times {should} as in the other rows"
    return (
        f"latency {sample.latency.text} times throughput {sample.throughput.text} is {span(sample.seconds)} with rounding "
        f"of half a unit of the last digit of each, not {should}"
    )
