"""A sweep that ran once."""

from __future__ import annotations

import shutil
from copy import copy
from pathlib import Path

import pytest

from tests.again.week import METHODS
from tests.fake_machine import Bench


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A sweep of two methods with three rounds that ran once."""
    bench = Bench(tmp_path_factory.mktemp("once"))
    bench.sweep(method=METHODS, rounds=3)
    bench.run()
    return bench


@pytest.fixture
def measured(once: Bench, tmp_path: Path) -> Bench:
    """Its results in a folder of the test's own."""
    bench = copy(once)
    bench.results = tmp_path / "results"
    shutil.copytree(once.results, bench.results)
    return bench
