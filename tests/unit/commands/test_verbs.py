"""`harness --help`: every verb is there, in a group, and few enough to be read."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from harness.cli import app
from harness.commands.verbs import GROUPS, RARE
from tests.conftest import ROOT

MOST = 16


@pytest.fixture(scope="module")
def sections() -> dict[str, str]:
    """Return the help's sections by title."""
    ran = subprocess.run(
        [sys.executable, "-m", "harness", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return {part.partition(":\n")[0]: part.partition(":\n")[2] for part in re.split(r"\n\n(?=\w)", ran.stdout)}


def named(section: str) -> list[str]:
    return re.findall(r"^  (\w+) ", section, re.MULTILINE)


def test_at_most_sixteen_verbs_stand_in_the_help_and_none_outside_of_a_group(sections: dict[str, str]) -> None:
    shown = [verb for title in GROUPS for verb in named(sections[title])]
    assert 10 < len(shown) <= MOST, "more than that nobody reads"
    assert "More" not in sections
    assert all(len(named(sections[title])) >= 3 for title in ("Measure", "Tables and pages", "Numbers in and out"))


def test_no_verb_is_kept_from_the_help(sections: dict[str, str]) -> None:
    verbs = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    shown = {verb for title in GROUPS for verb in named(sections[title])}
    rare = set(re.findall(r"\w+", sections["Rarely needed"].split("see ")[0]))
    assert rare == set(RARE)
    assert shown | rare == verbs
