"""A plug-in of pytest: processor seconds of each test that passed, its processes with it, as JSON in the file that `MUTANT_TIMES` names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_spent: dict[str, float] = {}
_not_passed: set[str] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Add up the cases of a test."""
    name, before = item.nodeid.partition("[")[0], sum(os.times()[:4])
    try:
        return (yield)
    finally:
        _spent[name] = _spent.get(name, 0.0) + sum(os.times()[:4]) - before


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Leave out what fails or is skipped unchanged: it finds nothing."""
    if not report.passed:
        _not_passed.add(report.nodeid.partition("[")[0])


def pytest_sessionfinish() -> None:
    """Write them."""
    passed = {name: round(spent, 3) for name, spent in _spent.items() if name not in _not_passed}
    Path(os.environ["MUTANT_TIMES"]).write_text(json.dumps(passed), "utf-8")
