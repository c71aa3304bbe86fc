from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.store.database import Database


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def database(results: Path) -> Iterator[Database]:
    with Database.open(results / "bench.db") as opened:
        yield opened
