"""Numbers as others printed them, rows of a page that keep their bytes, and where a new row stands."""

from __future__ import annotations

from decimal import Decimal

import pytest

from harness.core.errors import HarnessError
from harness.markdown.rows import as_before, row_cells
from harness.tables import printed
from harness.tables.compare import COMPARISONS, WORSE, Operand, better_way, compared, directed
from harness.tables.formats import parse_format
from harness.tables.quoted import in_place


@pytest.mark.parametrize(
    ("text", "value", "decimals", "unit", "spread"),
    [
        ("25.66", "25.66", 2, "", None),
        ("13,026 ± 2,259", "13026", 0, "", "2259"),
        ("**1.044**", "1.044", 3, "", None),
        ("**80.35** ± 0.11", "80.35", 2, "", "0.11"),
        ("12.3 ms", "12.3", 1, "ms", None),
        ("1.5GB", "1.5", 1, "GB", None),
        ("2.44×", "2.44", 2, "x", None),
        ("-0.596 ± 0.014 %", "-0.596", 3, "%", "0.014"),
        ("−55.2%", "-55.2", 1, "%", None),
        ("1.2e-3", "0.0012", 4, "", None),
        ("66.1 (-1.2)", "66.1", 1, "", None),
        ("[**12.3**](https://example.org) <sup>1,2</sup>", "12.3", 1, "", None),
        ("<b>7.5</b>*", "7.5", 1, "", None),
        ("06.83 tokens/s", "6.83", 2, "tok/s", None),
        ("0.5 +/- <0.1", "0.5", 1, "", None),
        ("$0.52", "0.52", 2, "$", None),
        ("-US$1,204.50", "-1204.50", 2, "US$", None),
        ("€3 / 1M tokens", "3", 0, "€/ 1M tokens", None),
        ("1.9k tok/s", "1900", -2, "tok/s", None),
        ("17k", "17", 0, "k", None),
        ("12h47m", "46020", 0, "s", None),
        ("1m 25.5s", "85.5", 1, "s", None),
        ("🥇 **13.38** ⚠️", "13.38", 2, "", None),
    ],
)
def test_a_printed_number_is_read_with_its_digits_unit_and_spread(
    text: str, value: str, decimals: int, unit: str, spread: str | None
) -> None:
    found = printed.read(text)
    assert found is not None
    assert (found.value, found.decimals, found.unit) == (Decimal(value), decimals, unit)
    assert found.spread == (None if spread is None else Decimal(spread))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "N/A",
        "OOM",
        "12-15",
        "204–211 t/s",
        "5.47 / 4.88",
        "INT4",
        "2024-01-31",
        "1.2.3",
        "9" * 80,
        "✅",
        "$",
        "5 m 3",
        "↓ 5.1",
    ],
)
def test_words_ranges_and_pairs_are_no_number(text: str) -> None:
    assert printed.read(text) is None


def test_a_column_is_written_as_most_of_its_numbers_are() -> None:
    def form(*texts: str) -> str:
        return str(printed.format_of([one for text in texts if (one := printed.read(text)) is not None]))

    assert form("1.20x", "2.44x") == str(parse_format("2x"))
    assert form("1,054.35", "83.4", "12.10") == str(parse_format("2,"))
    assert form("+1.5%", "-0.2%") == str(parse_format("+1%"))
    assert form("1.5 GB", "700 MB", "2.5 GB") == str(parse_format("1"))
    assert printed.scale("MB", "GB") == Decimal("0.001")
    assert printed.scale("ms", "GB") is None
    assert (printed.scale("$", "$/hr"), printed.scale("$", "USD"), printed.scale("$", "€")) == (1, 1, None)
    assert (printed.scale("k", "tok/s"), printed.scale("k", ""), printed.scale("m", "s")) == (1000, None, 60)


PAGE = ["| Method | PPL  |", "|:-------|-----:|", "| FP16   | 5.47 |", "| a\\|b   |  5.6 |"]


def test_rows_with_the_same_cells_keep_their_bytes_and_new_ones_are_as_wide() -> None:
    fresh = [
        "| Method | PPL |",
        "| :--- | ---: |",
        "| FP16 | 5.47 |",
        "| INT4 | 5.5 |",
        "| a\\|b | 5.6 |",
        "",
        "- note",
    ]
    assert as_before(fresh, PAGE) == [*PAGE[:3], "| INT4   |  5.5 |", PAGE[3], "", "- note"]
    ragged = [line.replace("  ", " ") for line in PAGE]
    assert as_before(fresh, ragged)[3] == "| INT4 | 5.5 |"


def test_another_cell_or_another_alignment_is_another_row() -> None:
    assert as_before(["| FP16 | 5.48 |"], PAGE)[0] == "| FP16   | 5.48 |"
    assert as_before(["| ---: | ---: |"], PAGE[:2])[0] != PAGE[1]
    assert row_cells("a | b\\|c |") == ("a", "b\\|c")


def test_a_new_row_stands_behind_its_block_and_otherwise_last() -> None:
    by_batch = [("fp16", "1"), ("nf4", "1"), ("fp16", "8"), ("nf4", "8")]
    assert in_place([*by_batch, ("new", "1")], [1, 2, 3, 4, None]) == [0, 1, 4, 2, 3]
    assert in_place([*by_batch, ("nf4", "1")], [1, 2, 3, 4, None]) == [0, 1, 4, 2, 3]
    assert in_place([*by_batch, ("fp16", "1")], [1, 2, 3, 4, None]) == [0, 4, 1, 2, 3]
    by_model = [("a", "fp16"), ("a", "int4"), ("b", "fp16"), ("b", "int4")]
    assert in_place([*by_model, ("c", "fp16")], [1, 2, 3, 4, None]) == [0, 1, 2, 3, 4]
    assert in_place([*by_model, ("a", "new")], [1, 2, 3, 4, None]) == [0, 1, 4, 2, 3]
    assert in_place([("x",), ("y",)], [2, 1]) == [1, 0]


def test_percent_of_worse_is_positive_where_a_number_got_worse_whichever_way_that_is() -> None:
    worse = COMPARISONS[WORSE]
    value, base = Operand(Decimal(9)), Operand(Decimal(10))
    assert compared(directed(worse, "higher"), value, base).value == 10
    assert compared(directed(worse, "lower"), value, base).value == -10
    assert (better_way(WORSE, "higher"), better_way(WORSE, "lower"), better_way(WORSE, "none")) == (
        "lower",
        "lower",
        "none",
    )
    with pytest.raises(HarnessError, match="nobody says which way the metric is better"):
        directed(worse, "none")
