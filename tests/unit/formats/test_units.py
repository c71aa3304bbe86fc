"""Units: what can be converted, what is kept as it is written, and which one a heading names."""

from __future__ import annotations

from decimal import Decimal

import pytest

from harness.formats.units import factor, in_heading, scale, why_not
from harness.tables.formats import factor as shown_in
from harness.tables.printed import read


@pytest.mark.parametrize(("unit", "other", "times"), [
    ("mJ", "J", "0.001"), ("J", "mJ", "1000"), ("kWh", "J", "3600000"), ("kW", "W", "1000"), ("GiB", "MiB", "1024"), ("TB", "GB", "1000"),
    ("mJ/token", "J/token", "0.001"), ("GB/s", "MB/s", "1000"), ("min", "s", "60"), ("%", "fraction", "0.01"), ("zorks", "zorks", "1"),
])  # fmt: skip
def test_known_pairs_are_converted(unit: str, other: str, times: str) -> None:
    assert factor(unit, other) == Decimal(times)
    assert scale(unit, other) == float(times)
    assert shown_in(unit, other) == Decimal(times)


@pytest.mark.parametrize(("unit", "other"), [
    ("zorks", "J"), ("J", "zorks"), ("mW", "MW"), ("mJ/token", "J/s"), ("zorks", "kzorks"), ("W", "J"), ("", "s"), ("tok/s", "req/s"),
])  # fmt: skip
def test_all_others_are_not_and_the_words_name_both(unit: str, other: str) -> None:
    assert factor(unit, other) is None
    assert f"'{unit}' cannot be converted to '{other}'" in why_not(unit, other)


@pytest.mark.parametrize(("heading", "unit", "rest"), [
    ("Energy (mJ/token)", "mJ/token", "Energy"), ("Size [GiB] \u2193", "GiB", "Size \u2193"), ("Latency in milliseconds", "ms", "Latency"),
    ("Power, W", "W", "Power"), ("latency_ms", "ms", "latency"), ("Time / ns", "ns", "Time"), ("Cost ($/1M tokens)", "$/1M tokens", "Cost"),
    ("TTFT (ms, lower is better)", "ms", "TTFT lower is better"), ("Latency (max, ms)", "ms", "Latency max"), ("Throughput (tok/s/GPU)", "tok/s/GPU", "Throughput"), ("Energy (J per token)", "J/token", "Energy"),
    ("Accuracy %", "%", "Accuracy"), ("Latency(s)", "s", "Latency"), ("Weights on disk (GB)", "GB", "Weights on disk"),
    ("GPU(s)", "", "GPU(s)"), ("Latency (min)", "", "Latency (min)"), ("Quantization time (min)", "min", "Quantization time"), ("TTFT min", "", "TTFT min"), ("Params (B)", "", "Params (B)"),
    ("Memory (B)", "B", "Memory"), ("bits/weight", "", "bits/weight"), ("t/s", "", "t/s"), ("WikiText2 (7B / 13B)", "", "WikiText2 (7B / 13B)"),
    ("PPL (INT4)", "", "PPL (INT4)"), ("MMLU (5-shot)", "", "MMLU (5-shot)"), ("Tokens in prompt", "", "Tokens in prompt"), ("ms", "", "ms"),
])  # fmt: skip
def test_a_heading_names_its_unit_or_none(heading: str, unit: str, rest: str) -> None:
    found, left = in_heading(heading)
    assert (found, " ".join(left.split())) == (unit, rest)


def test_a_unit_behind_a_number_has_one_name() -> None:
    assert [one.unit for text in ("12 joules", "12 J", "3 kWh", "5 zorks", "250 watts") if (one := read(text))] == [
        "J",
        "J",
        "kWh",
        "zorks",
        "W",
    ]
