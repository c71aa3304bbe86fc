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


OPEN = ("is torch's to show", "is theirs", "Read `methods.yaml`", "shows it before anything runs")
"""What a line says that promises nothing of ours: whose it is, or what a person must look at."""


def test_every_line_names_its_test_or_says_that_it_promises_nothing() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    lines = [" ".join(part.split("\n\n")[0].split()) for part in text.split("\n- ")[1:]]
    bare = [line[:80] for line in lines if "`test" not in line and not any(word in line for word in OPEN)]
    assert bare == []
