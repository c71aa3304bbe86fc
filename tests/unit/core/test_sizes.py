"""Sizes as people write and read them."""

from __future__ import annotations

import pytest

from harness.core.errors import HarnessError
from harness.core.sizes import size_of, size_text


@pytest.mark.parametrize(
    ("text", "size"), [("200GB", 2 * 10**11), ("1.5 tb", 15 * 10**11), ("64MiB", 2**26), ("5000", 5000)]
)
def test_a_size_is_read_in_the_units_that_people_use(text: str, size: int) -> None:
    assert size_of(text, "--budget") == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1e9", "12 parsecs", "999", "nan"])
def test_what_is_no_size_is_refused_with_the_option_and_an_example(text: str) -> None:
    with pytest.raises(HarnessError, match=r"--budget.*write it as 200GB"):
        size_of(text, "--budget", "200GB")


@pytest.mark.parametrize(
    ("size", "text"), [(12, "12 bytes"), (1500, "1.5 kB"), (2 * 10**11, "200.0 GB"), (3e12, "3.0 TB")]
)
def test_a_size_is_told_in_its_own_unit(size: float, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(("power", "letter"), enumerate("kmgt", start=1))
def test_every_unit_is_a_power_of_its_own_base(power: int, letter: str) -> None:
    assert size_of(f"3{letter}B") == 3 * 1000**power
    assert size_of(f"3{letter}iB") == 3 * 1024**power
    assert size_text(1000.0**power) == f"1.0 {letter if letter == 'k' else letter.upper()}B"
    assert size_text(-(1000.0**power)) == f"-1.0 {letter if letter == 'k' else letter.upper()}B"
    assert not size_text(0.9994 * 1000.0**power).startswith("1.0")
