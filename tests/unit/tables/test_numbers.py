from __future__ import annotations

from decimal import Decimal

import pytest

from harness.core.errors import HarnessError
from harness.tables.compare import COMPARISONS, Operand, compared
from harness.tables.formats import decimal, factor, parse_format, without_paths, written


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        ("3", 0.2275, "0.228"), ("2", 2.675, "2.68"), ("2", 2.665, "2.66"), ("2 stripped", 66.1, "66.1"), ("2 stripped", 60.0, "60"),
        ("2x", 2.4449, "2.44x"), ("2%", 32.4, "32.40%"), ("+1", 1.5, "+1.5"), ("+1", -2.0, "-2.0"), ("+1", -0.01, "0.0"),
        ("2,", 2479.19, "2,479.19"), ("+1%", 1.5, "+1.5%"), ("1e", 1.26e-10, "1.3e-10"), ("1e", 0.0, "0"), ("2e", 1234.5, "1.23e+3"), ("0", 1e7, "10000000"), ("0,", 1e7, "10,000,000"),
    ],
)  # fmt: skip
def test_numbers_are_written_in_their_format(form: str, value: float, text: str) -> None:
    assert written(decimal(value), parse_format(form)) == text


@pytest.mark.parametrize("form", ["", "x", "2y", "-1", "12", True, "2 strip", None])
def test_a_format_that_is_not_one_is_refused(form: object) -> None:
    with pytest.raises(HarnessError, match="is not understood"):
        parse_format(form)


def test_units_are_scaled_and_fractions_are_read_in_percent() -> None:
    assert factor("B", "MB") * 13_560_000 == Decimal("13.56")
    assert factor("s", "ms") == 1000
    assert factor("fraction", None) == 100
    assert factor("tok/s", None) == 1
    with pytest.raises(HarnessError, match="unknown unit 'GiB'"):
        factor("s", "GiB")


@pytest.mark.parametrize(
    ("name", "value", "baseline", "result"),
    [
        ("ratio", "2.5", "2", "1.25"), ("inverse_ratio", "2", "5", "2.5"), ("loss_percent", "70.3", "70.4", "0.14"),
        ("difference", "33.9", "32.4", "1.5"), ("one_plus_reduction", "0.03", "0.04", "1.25"), ("value", "3", "9", "3"),
    ],
)  # fmt: skip
def test_comparisons_compute_what_they_say(name: str, value: str, baseline: str, result: str) -> None:
    found = compared(COMPARISONS[name], Operand(Decimal(value)), Operand(Decimal(baseline)))
    assert round(found.value, 2) == Decimal(result)


def test_a_ratio_per_gpu_divides_both_sides_by_their_gpus() -> None:
    value, base = Operand(Decimal(30), gpus=1), Operand(Decimal(40), gpus=2)
    assert compared(COMPARISONS["ratio_per_gpu"], value, base).value == Decimal("1.5")


@pytest.mark.parametrize("name", [name for name, item in COMPARISONS.items() if item.divides_by != "nothing"])
def test_division_by_zero_is_refused(name: str) -> None:
    with pytest.raises(HarnessError, match="is zero"):
        compared(COMPARISONS[name], Operand(Decimal(0)), Operand(Decimal(0)))


def test_a_ratio_of_independent_means_carries_both_uncertainties() -> None:
    found = compared(
        COMPARISONS["ratio"],
        Operand(Decimal(20), Decimal(19), Decimal(21)),
        Operand(Decimal(10), Decimal("9.5"), Decimal("10.5")),
    )
    assert found.high is not None
    assert float(found.high - found.value) == pytest.approx(2 * (0.05**2 + 0.05**2) ** 0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("cannot read /home/a/x/model.onnx: gone", "cannot read model.onnx: gone"),
        (r"cannot read C:\Users\me\model.onnx", "cannot read model.onnx"),
        ("~/models/x is gone", "x is gone"),
        ("128 tok/s and 3/4 of https://example.org/a/b", "128 tok/s and 3/4 of https://example.org/a/b"),
        ("quant/llama has no tokenizer", "quant/llama has no tokenizer"),
        ("failed: signal 9", "failed: signal 9"),
        ("/a/b and /c/d", "b and d"),
    ],
)
def test_paths_in_sentences_are_cut_to_their_last_name(text: str, cut: str) -> None:
    assert without_paths(text) == cut
