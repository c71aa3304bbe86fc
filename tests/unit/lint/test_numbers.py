"""What a cell says."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from harness.lint.columns import meaning_of
from harness.lint.numbers import HALF, NumberRange, is_missing, number, shown, span


@pytest.mark.parametrize(
    ("text", "value", "decimals", "suffix"),
    [
        ("2,479.19", "2479.19", 2, ""),
        ("1.63x", "1.63", 2, "x"),
        ("×1.75", "1.75", 2, "x"),
        ("4.60%", "4.60", 2, "%"),
        ("-2.0 (lower is better)", "-2.0", 1, ""),
        ("−0.5", "-0.5", 1, ""),
        ("12.5 ms", "12.5", 1, "ms"),
        ("115 ± 12", "115", 0, ""),
        ("0.39 ± 0.02", "0.39", 2, ""),
        ("+0.006 [+0.004, +0.007]", "0.006", 3, ""),
        ("1.5e-3", "0.0015", 4, ""),
        (".5", "0.5", 1, ""),
    ],
)
def test_a_number_is_read_with_its_digits(text: str, value: str, decimals: int, suffix: str) -> None:
    read = number(text)
    assert read is not None
    assert (read.value, read.decimals, read.suffix) == (Decimal(value), decimals, suffix)


@pytest.mark.parametrize(
    "text", ["N/A", "-", "", "32 , 64", "1.2.3", "A 12", "(128, 256)", "12-14", "1,23", "9" * 400, "1e999"]
)
def test_what_is_no_single_number_is_none(text: str) -> None:
    assert number(text) is None


def test_missing_is_said_in_many_ways() -> None:
    assert all(is_missing(text) for text in ("N/A", "-", "", "–", "OOM", "TODO(later)", "TBD"))
    assert not is_missing("Phi-3")


def test_a_printed_value_stands_for_half_a_step_around_it() -> None:
    read = number("0.0608")
    assert read is not None
    assert read.within(HALF) == NumberRange(Fraction("0.06075"), Fraction("0.06085"))
    assert read.step == "0.0001"


def test_division_by_what_may_be_zero_is_unknown() -> None:
    assert NumberRange(Fraction(1), Fraction(2)) / NumberRange(Fraction(-1), Fraction(1)) is None


def test_bounds_are_written_without_powers_of_ten() -> None:
    assert shown(Fraction(1, 3)) == "0.3333"
    assert shown(Fraction(12345678)) == "12345678"
    assert span(NumberRange(Fraction("1.16603"), Fraction("1.16954"))) == "1.1660..1.1695"


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("Mean Latency (s) v0.45", "latency"),
        ("triton_us", "latency"),
        ("time_s_bsz_1", "latency"),
        ("Latency, batch 1 (ms)", "latency"),
        ("Throughput", "throughput"),
        ("Tokens/sec", "throughput"),
        ("Batch Size", "batch"),
        ("Output tokens length", "length"),
        ("block_size", "length"),
        ("GPU Memory", "memory"),
        ("GPU Memory Saving", "derived"),
        ("Speedup (INT8 v.s. FP16)", "derived"),
        ("MMLU loss FP8", "derived"),
        ("Val loss - QAT (lower is better)", "loss"),
        ("KL vs FP16", "kl"),
        ("MMLU", "accuracy"),
        ("INT4 RTN", "other"),
    ],
)
def test_a_header_says_what_its_numbers_are(header: str, kind: str) -> None:
    assert meaning_of(header, ["1.0", "2.0"]).kind == kind


def test_a_column_of_text_is_a_key_whatever_its_header() -> None:
    assert meaning_of("Latency", ["fast", "slow", "1.0"]).kind == "key"


def test_the_header_says_which_way_is_better() -> None:
    assert meaning_of("Score (lower is better)", ["1"]).better == "lower"
    assert meaning_of("Loss ↑", ["1"]).better == "higher"
    assert meaning_of("Tokens/s", ["1"]).better == "higher"
    assert meaning_of("Speedup", ["1"]).better == "higher"
    assert meaning_of("INT4", ["1"]).better is None
