"""Rules for duplicated rows, formats, units, versions and bold."""

from __future__ import annotations

import pytest

from tests.unit.lint.linting import found, places, table


def test_a_row_that_is_there_twice_is_found() -> None:
    (one,) = found(table("Method/Batch Size/Tok per second", "A/1/10.0", "B/1/20.0", "A/1/10.0"))
    assert (one.rule, one.row, one.message) == ("duplicate-row", 3, "the same as row 1 in every cell (A, 1)")


def test_a_row_about_the_same_with_other_numbers_is_found() -> None:
    (one,) = found(table("Method/Batch Size/Tok per second", "A/1/10.0", "/1/20.0"))
    assert one.rule == "duplicate-row"
    assert "10.0 and 20.0 in 'Tok per second'" in one.message


def test_rows_that_differ_in_a_column_of_unknown_meaning_are_no_duplicates() -> None:
    assert found(table("Method/Alpha/Loss", "A/1.5/10.0", "A/2.5/10.0")) == []
    assert found(table("Feature/Supported", "A/yes", "A/yes")) == []


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["1.20", "1.43", "1.4"], "mixed decimals: 1.4 (row 3) where most have 2; trailing zeros are kept (1.20)"),
        (["1,020.5", "1020.6", "2,020.6"], "mixed thousands separators: 1020.6 (row 2)"),
        (["12.3%", "45.1%", "13.2"], "mixed suffixes: 13.2 (row 3) where most have '%', as 12.3%"),
        (["1.12", "2.34", "3.4", "5.67", "6.7", "7.89", "8.9", "9.1", "4.45", "3.3", "2.2", "1.1"], "too many cells are short"),
    ],
)  # fmt: skip
def test_mixed_formats_of_a_column_are_found(cells: list[str], says: str) -> None:
    (one,) = found(table("Model/Loss", *[f"m{at}/{cell}" for at, cell in enumerate(cells)]))
    assert one.rule == "mixed-format"
    assert says in one.message


@pytest.mark.parametrize(
    "cells",
    [
        ["68.45", "68.9", "61.76", "60.8", "37.01"],  # trailing zeros left off
        ["66.1", "65.7", "60.73", "57.71", "37.2"],
        ["0.00016", "0.0234", "0.132", "1.02"],  # fewer decimals for larger numbers
        ["9,000.1", "999.9", "OOM", "-"],
        ["0", "0.336", "0.228"],
        ["0.721", "2.724", "1.01"],
    ],
)
def test_styles_are_no_mixed_formats(cells: list[str]) -> None:
    assert found(table("Model/Validation loss", *[f"m{at}/{cell}" for at, cell in enumerate(cells)])) == []


def test_a_row_of_ratios_below_rows_of_values_is_no_mixed_format() -> None:
    assert found(table("Length/256/512", "FP16/0.031/0.055", "INT4/0.021/0.033", "Ratio/1.52x/1.68x")) == []


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Latency", ["1.5", "2.5"]),
        ("Throughput", ["1.5", "2.5"]),
        ("GPU Memory", ["1.5 GB", "2.5"]),
        ("Power", ["1", "2"]),
    ],
)
def test_a_measured_column_without_a_unit_is_found(header: str, cells: list[str]) -> None:
    text = table(f"Model/{header}", *[f"m{at}/{cell}" for at, cell in enumerate(cells)])
    assert places(text, "unit-missing") == [("unit-missing", None, header)]


@pytest.mark.parametrize(
    "header", ["Latency (ms)", "Throughput (tokens per second)", "Peak memory, GB", "Loss", "time_us", "TPS"]
)
def test_a_unit_in_the_header_is_enough(header: str) -> None:
    assert found(table(f"Model/{header}", "A/1.5", "B/2.5")) == []


def test_a_unit_in_every_cell_is_enough() -> None:
    assert found(table("Model/Latency", "A/1.5 ms", "B/2.5 ms")) == []


def versions(configuration: str, *labels: str) -> str:
    head = " | ".join(["Method", *[f"Tokens/s <sub>{label}</sub>" for label in labels]])
    row = " | ".join(["A", *[f"{at}0.0" for at in range(1, len(labels) + 1)]])
    return f"{configuration}\n\n| {head} |\n|{'---|' * (len(labels) + 1)}\n| {row} |\n"


def test_labels_that_the_configuration_does_not_name_are_found() -> None:
    (one,) = found(versions("**Configuration**: H100, mylib v0.45.0", "v0.45.0", "v0.44.1"))
    assert (one.rule, one.line) == ("configuration-versions", 3)
    assert "the versions 0.45.0 and 0.44.1; its one configuration (line 1) names mylib 0.45.0" in one.message


def test_a_configuration_that_names_one_package_twice_is_found() -> None:
    (one,) = found(versions("Config: mylib==0.45.0, mylib==0.44.1", "new", "old"))
    assert "the configuration names mylib 0.45.0 and 0.44.1; no label tells" in one.message
    (pins,) = found(versions("* `mylib==0.45.0`\n* `mylib==0.44.1`", "new", "old"))
    assert pins.rule == "configuration-versions"


@pytest.mark.parametrize("rows", [("v0.44.1", "v0.43.0"), ("mylib 0.45.0", "mylib v0.44.1")])
def test_rows_are_held_against_the_package_above_them(rows: tuple[str, str]) -> None:
    text = table("Mylib version/Tok per second", *[f"{row}/{at}0.0" for at, row in enumerate(rows, start=1)])
    (one,) = found("Environment: PyTorch 2.5.1, mylib 0.45.0\n\n" + text)
    assert (one.rule, "its configuration (line 1) names 0.45.0" in one.message) == ("configuration-versions", True)


def test_a_label_with_another_version_of_a_configured_package_is_found() -> None:
    assert places(versions("Config: mylib 0.45.0", "mylib v0.44.1")) == [("configuration-versions", None, None)]


@pytest.mark.parametrize(
    "text",
    [
        versions("Config: mylib==0.45.0, mylib==0.44.1", "v0.45.0", "v0.44.1"),
        versions("Config: H100, mylib v0.45.0, torch 2.5.1", "Llama 3.1", "Phi-3.5"),
        versions("This was measured with mylib 0.45.0.", "v0.44.1", "v0.45.0"),
        versions("Config: H100", "v0.45.0", "v0.44.1"),
        versions("Config: PyTorch 2.5.1, CUDA 12.4, Python 3.11", "v0.1", "v0.2"),
        versions("Config: PyTorch 2.5.1, CUDA 12.4", "othertool v0.1", "othertool v0.2"),
        versions("Config: mylib 0.6.3", "mylib v0.6", "mylib v0.6.3.post1"),
    ],
)
def test_versions_that_contradict_nothing_are_no_finding(text: str) -> None:
    assert found(text) == []


def test_a_bold_value_that_is_best_of_nothing_is_found() -> None:
    (one,) = found(table("Method/Perplexity", "A/6.50", "B/**6.60**", "C/6.90"))
    assert (one.rule, one.row) == ("bold-not-best", 2)
    assert one.message == "6.60 is bold, 6.50 (row 1) is better: lower is better here"
    assert places(table("Method/Tok per second", "A/**6.50**", "B/6.60")) == [("bold-not-best", 1, "Tok per second")]


@pytest.mark.parametrize(
    "text",
    [
        table("Method/Loss", "FP8 (baseline)/0.721", "no tuning/2.724", "tuned/**1.010**"),
        table("Method/Dataset/Loss - PTQ/Loss - QAT (lower is better)", "A/x/1.059/**1.044**", "B/x/3.321/**1.294**"),
        table("Model/Method/Loss", "A/p/1.5", "A/q/**1.4**", "B/p/**2.4**", "B/q/2.5"),
        table("Model/Loss PTQ/Loss QAT", "A/**1.5**/1.6", "B/1.6/**1.4**"),
        table("Model/Loss/Perplexity", "A/1.5/1.5", "**B**/**1.6**/**1.6**"),
        table("Model/Value", "A/1.5", "B/**1.6**", "C/1.7"),
        table("Model/Tok per second", "A/**1.6**", "B/**1.6**", "C/1.5"),
    ],
)
def test_bold_that_is_best_or_a_style_is_no_finding(text: str) -> None:
    assert found(text) == []
