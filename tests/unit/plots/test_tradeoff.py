"""Size or speed against quality: where points and their intervals stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.core.spec import Labels
from harness.plots.specfile import PlotEntry, PlotSpec
from harness.plots.svg import to_svg
from harness.plots.tradeoff import tradeoff_plot
from harness.store.database import Database
from tests.unit.store.outcomes import measured, measurement

SPEC = PlotSpec("t", PlotEntry(quality="perplexity", against="artifact_bytes"), Path("t.plots.yaml"), 3)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(tmp_path / "bench.db") as opened:
        yield opened


def put(database: Database, number: int, method: str, size: float, perplexity: float, window: int = 64) -> None:
    """Take in one run with both numbers, perplexity with an interval."""
    values = [
        measurement("artifact_bytes", size, unit="B"),
        measurement(
            "perplexity", perplexity, unit="", low=perplexity - 0.5, high=perplexity + 0.5, interval="bootstrap 95%"
        ),
    ]
    labels = Labels(sweep="s", model="tiny", method=method)
    database.ingest(measured(number, values, kind="quality", labels=labels, workload={"window": window}), None)


def test_a_method_is_a_point_with_the_intervals_of_its_newest_numbers(database: Database) -> None:
    put(database, 1, "fp32", 4000, 9.0)
    put(database, 2, "int4", 1000, 12.0, window=32)
    put(database, 3, "fp32", 4000, 10.0)
    plot = tradeoff_plot(SPEC, database)
    (line,) = plot.lines
    points = {point.label: (point.x, point.y, point.y_range) for point in line.points}
    assert points == {"fp32": (4000, 10.0, (9.5, 10.5)), "int4": (1000, 12.0, (11.5, 12.5))}
    assert line.joined is False
    assert plot.y_title == "perplexity, lower is better"
    assert to_svg(plot).count('class="bar s0"') == 2


def test_a_method_of_which_one_number_is_missing_is_no_point(database: Database) -> None:
    labels = Labels(sweep="s", model="tiny", method="int8")
    database.ingest(measured(1, [measurement("perplexity", 9.0, unit="")], kind="quality", labels=labels), None)
    assert tradeoff_plot(SPEC, database).lines == ()


def test_numbers_of_two_batches_of_one_method_are_refused(database: Database) -> None:
    labels = Labels(sweep="s", model="tiny", method="int8")
    for batch in (1, 8):
        values = [measurement("artifact_bytes", 1000, unit="B"), measurement("perplexity", 9.0, unit="")]
        database.ingest(measured(batch, values, labels=labels, workload={"batch": batch}), None)
    with pytest.raises(ConfigError, match=r"int8 of tiny has several numbers of artifact_bytes, of batch 1, 8"):
        tradeoff_plot(SPEC, database)
