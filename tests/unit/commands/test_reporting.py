"""Words of `report` that contradict each other are refused before anything is looked for."""

from __future__ import annotations

import ast

import pytest
from rich.console import Console

from harness.commands.reporting import ReportAsked, report_asked
from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from tests.conftest import ROOT

MOST = 14
"""Statements of a verb's function, imports aside: it names its options, calls what does the work, and prints."""


def nowhere() -> Workspace:
    raise AssertionError("looked for a workspace")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (ReportAsked(write=True, check=True), "only one of --write, --check, --diff"),
        (ReportAsked(max_change="5%"), "need --write"),
        (ReportAsked(check=True, accept=True), "need --write"),
        (ReportAsked(base="HEAD~1"), "--base needs --diff"),
        (ReportAsked(write=True, strict=True), "--strict needs --diff"),
        (ReportAsked(against="reported"), "needs a table"),
        (ReportAsked(["quickstart-speed"], against="others"), "the word reported"),
        (ReportAsked(check=True, where=["batch=1"]), "leave out --write, --check and --diff"),
        (ReportAsked(diff=True, chosen={"method": ["int8"]}), "leave out --write, --check and --diff"),
    ],
)
def test_words_that_contradict_each_other_are_refused(asked: ReportAsked, said: str) -> None:
    with pytest.raises(HarnessError, match=said):
        report_asked(asked, Console(), nowhere, None)


def test_the_command_line_declares_and_calls() -> None:
    found = {}
    for path in sorted((ROOT / "harness" / "cli").glob("[a-z]*.py")):
        for one in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(one, ast.FunctionDef):
                body = [part for part in ast.walk(one) if isinstance(part, ast.stmt) and part is not one]
                found[f"{path.name}:{one.name}"] = sum(
                    not isinstance(part, ast.Import | ast.ImportFrom) for part in body
                )
    assert len(found) > 20
    assert {name: count for name, count in found.items() if count > MOST} == {}
