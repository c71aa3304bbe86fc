"""Each promise of SECURITY.md has a test that exists."""

from __future__ import annotations

import re

from tests.conftest import ROOT


def test_every_test_that_is_named_is_there() -> None:
    said = (ROOT / "SECURITY.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", said))
    assert len(named) >= 8
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    assert named <= there, named - there
    for path in re.findall(r"`(tests/\S+\.py)`", said):
        assert (ROOT / path).is_file(), path
