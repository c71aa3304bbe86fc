"""Fixtures of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.outcome import Outcome
from harness.published.sources import NumberSource, rows_for
from harness.store.database import Database
from harness.tables.result import Table
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.unit.tables.frames import CATALOGUE, frame


@pytest.fixture
def table(tmp_path: Path) -> Any:
    """Build the only table of a spec from rows."""

    def made(text: str, *rows: dict[str, Any], **more: Any) -> Table:
        path = tmp_path / "demo.tables.yaml"
        path.write_text(text, encoding="utf-8")
        return build(read_specs(path)[0], frame(*rows), CATALOGUE, **more)

    return made


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(tmp_path / "bench.db") as opened:
        yield opened


@pytest.fixture
def shown(database: Database, tmp_path: Path) -> Callable[..., Table]:
    """Take outcomes in and build the table of a spec."""

    def make(spec: str, *outcomes: Outcome) -> Table:
        database.ingest_all(outcomes)
        path = tmp_path / "demo.tables.yaml"
        path.write_text(spec, "utf-8")
        found = read_specs(path, {})[0]
        source = NumberSource(database)
        return build(found, rows_for(found, source), reader=source.reader())

    return make
