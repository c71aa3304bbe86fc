"""Where tables take their numbers from: the database, or committed text alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.spec import Environment
from harness.report.cells import Reader
from harness.report.columns import COLUMNS, LABELS
from harness.report.published import Published, read_published
from harness.report.spec import TableSpec
from harness.store.database import Database
from harness.store.frame import COLUMNS as STORED

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Source:
    """A database, and for published runs what is kept of their arrays."""

    database: Database
    published: Published = field(default_factory=Published)

    def frame(self, where: Mapping[str, Any], columns: Sequence[str]) -> pd.DataFrame:
        return self.database.frame(where, columns)

    def samples(self, measurement: str) -> Any:
        """Return a measurement's samples, None where they are not at hand."""
        if measurement in self.published.arrays:
            return self.published.arrays[measurement]
        try:
            return self.database.samples(measurement)
        except HarnessError:
            return None

    def reader(self) -> Reader:
        published = self.published
        return Reader(self.samples, published.blocks.get, lambda measurement: published.statistics.get(measurement, {}))

    def environments(self) -> dict[str, Environment]:
        return self.database.environments()


@contextmanager
def from_published(folder: Path) -> Iterator[Source]:
    """Open committed results (`*.yaml`) as a source: a database in memory, so that the same questions get the same answers.

    Raises: ConfigError for a file that is not what `promote` writes.
    """
    published = read_published(folder)
    with Database.open("sqlite://") as database:
        for outcome in published.outcomes:
            database.ingest(outcome, None)
        for session in published.sessions:
            database.place(session)
        yield Source(database, published)


def frame_of(spec: TableSpec, source: Source) -> pd.DataFrame:
    """Ask a source for what a table can need: its sweep's rows, the baselines' and the builds' included.

    Conditions on labels go to the database; the others are applied to its answer, since a build or a failed run does
    not know them.
    """
    free = {name for cell in spec.cells for name in (*cell.baseline, *cell.where)}
    where = {name: list(values) for name, values in spec.where.items() if name in LABELS and name not in free}
    return source.frame(where, [name for name in COLUMNS if name in STORED])
