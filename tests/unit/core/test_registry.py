"""Adapters by name."""

from __future__ import annotations

import pytest

from harness.core.errors import HarnessError
from harness.core.registry import load

ROWS = {"json-loads": "json:loads", "json-dumps": "json:dumps"}


def test_a_name_gives_what_its_row_says() -> None:
    import json

    assert load(ROWS, "reader", "json-loads") is json.loads


def test_a_wrong_name_is_told_with_the_nearest_right_one() -> None:
    with pytest.raises(HarnessError, match="unknown reader 'json-loasd'; did you mean 'json-loads'"):
        load(ROWS, "reader", "json-loasd")
