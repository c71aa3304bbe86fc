"""A small copy of `tests.benchmarks.database`: two thousand runs, asked by the plans that ten million measurements need."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from harness.core.spec import Labels
from harness.pages import writing
from harness.published.sources import NumberSource, rows_for
from harness.store import configurations, frame, newest
from harness.store.database import Database
from harness.tables.columns import COLUMNS
from harness.tables.rows import TableRow, rows_of
from harness.tables.spec import TableSpec
from harness.tables.table import build
from tests.benchmarks import database as benchmark
from tests.benchmarks import filled_database as filled
from tests.benchmarks.many_runs import nightly
from tests.unit.store.outcomes import measured

NIGHTS = 13
SPECS = {spec.name: spec for spec in writing.specs_in([benchmark.OWN])}
SMALL = frozenset({"quantity", "environment", "configuration"})
"""Tables with a few hundred rows, of which a table asks for most."""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("many") / "bench.db"
    with Database.open(path) as database:
        for night in range(filled.WRITTEN):
            outcomes = nightly(night, NIGHTS, 6)
            assert database.ingest_all([one for number, one in enumerate(outcomes) if night < 2 or number < 20]) > 0
        database.ingest_all(
            measured(number, labels=Labels(sweep=f"other-{number}"), workload={"batch": number})
            for number in range(400)
        )
        for night in range(filled.WRITTEN, 2 * filled.WRITTEN):
            filled.copy_night(database, night, 2 * filled.WRITTEN)
        for night in range(2 * filled.WRITTEN, 4 * filled.WRITTEN, filled.WRITTEN):
            filled.copy_night(database, night, NIGHTS)
            filled.copy_night(database, night + 1, NIGHTS)
        with database._writing() as connection:
            assert configurations.fill(connection) > 0
            newest.settle(connection)
        assert 1900 < database.count() < 2100
    with Database.open(path) as database:
        yield database


@pytest.mark.parametrize("name", SPECS)
def test_a_tables_question_goes_by_indexes(many: Database, name: str) -> None:
    for text, steps in benchmark.plans(many, SPECS[name]):
        scanned = [found[1] for step in steps if (found := re.match(r"SCAN (\w+)$", step))]
        assert set(scanned) <= {*SMALL, "newest", "facts"}, f"{text}\n" + "\n".join(steps)


@pytest.mark.parametrize("name", SPECS)
def test_a_table_does_not_read_history(many: Database, name: str) -> None:
    spec, source = SPECS[name], NumberSource(many)
    whole = rows_of(many.select({"sweep": ["nightly"]}, [column for column in COLUMNS if column in frame.COLUMNS]))
    needed = rows_for(spec, source)
    assert len(needed) < len(whole) / 5
    if name in {"nightly-quality", "nightly-sizes"}:
        assert build(spec, needed) == build(spec, _thinned(spec, whole))


def _thinned(spec: TableSpec, whole: list[TableRow]) -> list[TableRow]:
    """Leave out what no cell asks for, which only takes time."""
    metrics = {*spec.metrics, *(cell.metric for cell in spec.cells)}
    return [row for row in whole if row.metric is None or row.metric in metrics or row.is_build]
