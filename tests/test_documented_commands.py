"""Every command line of the documentation is one that the command line takes: verb, options, number of words."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from typer.main import get_command

from harness.cli import app
from tests.conftest import ROOT
from tests.test_prose import PAGES

COMMAND = re.compile(r"(?:^|[\\/ ])harness (?P<words>[a-z][^#`|]*)")
CODE = re.compile(r"`([^`\n]+)`|^    (\S.*)$", re.MULTILINE)
INVENTED = {"VERB"}
"""Stands for any verb."""


def documented() -> list[tuple[str, str]]:
    """List page and words after `harness` of every command line, in blocks of code and in running text."""
    found = []
    for page in PAGES:
        for match in CODE.finditer((ROOT / page).read_text("utf-8")):
            line = " ".join((match[1] or match[2]).split())
            command = COMMAND.search(line)
            if command and not line.startswith("python -m harness.") and not INVENTED & set(line.split()):
                found.append((page, command["words"].strip()))
    return sorted(set(found))


@pytest.mark.parametrize(("page", "words"), documented())
def test_a_command_of_the_documentation_is_taken(page: str, words: str) -> None:
    group: Any = get_command(app)
    verb, *rest = shlex.split(words.translate({ord("["): None, ord("]"): None}))
    assert verb in group.commands, f"{page}: harness {words}: there is no such verb"
    if rest:  # a verb alone is spoken of, and need not be a whole command
        above = group.make_context("harness", [verb])
        group.commands[verb].make_context(verb, rest, parent=above)
