"""Seconds to ask a database of 100,000 runs with 10,000,000 measurements for each table, and to render all pages.

python -m tests.benchmarks.database [--runs N] [--measurements N] [--parts N] [--at FOLDER]

There are as many nights as either number needs: what is published is run again each night, and has few measurements.

Ten nights go through `harness ingest`; what follows them is copied inside the database, night by night, with other
names, times and environments, since ten million measurements would take minutes to write and read as files.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.commands.pages import _rendered
from harness.commands.workspace import pages_of, read_workspace, spec_files
from harness.core.errors import ConfigError
from harness.environments import ROOT
from harness.host import load_average
from harness.pages import writing
from harness.published.reading import read_published
from harness.published.records import Published
from harness.published.sources import NumberSource, from_published, rows_for
from harness.store import models
from harness.store.database import Database
from harness.tables.catalogue import TableCatalogue, catalogue_of
from harness.tables.markdown import to_markdown
from harness.tables.spec import TableSpec
from harness.tables.table import build
from tests.benchmarks.facts import headline, result
from tests.benchmarks.filled_database import WRITTEN, fill
from tests.benchmarks.many_runs import nightly

TABLE_SECONDS, PAGES_SECONDS = 0.100, 1.0
VIEW_SECONDS = 0.100
VIEWS = (
    "SELECT method, value, low, high FROM latest WHERE metric = 'decode_tps' AND gpu LIKE '%4090%'",
    "SELECT method, value, low, high FROM latest WHERE metric = 'decode_tps' AND gpu LIKE '%H200%'",
    "SELECT model, method, value FROM latest WHERE metric = 'perplexity' AND slice = ''",
    "SELECT started, value FROM results WHERE metric = 'decode_tps' AND model = 'model-1' AND method = 'int4_awq' AND batch = 8",
)
"""What people ask the views; the second has a page full of rows and more."""
OWN = Path(__file__).parent / "nightly.tables.yaml"


def main() -> None:
    """Make the database, print its rates and sizes, then time every table and all pages."""
    given = argparse.ArgumentParser()
    given.add_argument("--runs", type=int, default=100_000)
    given.add_argument("--measurements", type=int, default=10_000_000)
    given.add_argument("--parts", type=int, default=375)
    given.add_argument("--at", type=Path)
    arguments = given.parse_args()
    headline(" ".join(["python -m tests.benchmarks.database", *sys.argv[1:]]))
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.at or Path(name)
        published = read_published(read_workspace(ROOT).published)
        nights = nights_for(published, arguments.runs, arguments.measurements, arguments.parts)
        if not (folder / "bench.db").exists():
            fill(folder, published, nights, arguments.parts)
        with Database.open(folder / "bench.db") as database:
            sizes(database)
            source = NumberSource(database, of_night(published, nights - 1))
            holds = [timed_views(database), timed_tables(source), timed_pages(source)]
    print(
        f"load average at the end: {load_average()}; by processor seconds: {'holds' if all(one.cpu for one in holds) else 'DOES NOT HOLD'}"
    )
    sys.exit(result(all(one.wall for one in holds)))


def nights_for(published: Published, runs: int, measurements: int, parts: int) -> int:
    """Count the nights in which there are so many runs and so many measurements."""
    night = [*nightly(0, WRITTEN, parts), *published.outcomes]
    counted = sum(len(one.measurements) for one in night)
    return max(WRITTEN, math.ceil(runs / len(night)), math.ceil(measurements / counted))


def of_night(published: Published, night: int) -> Published:
    """Call the samples of the published runs as those of their last repetition."""
    named: dict[str, Any] = {
        name: {f"{night:05d}-{key}": value for key, value in getattr(published, name).items()}
        for name in ("items", "statistics")
    }
    return replace(published, **named)


def sizes(database: Database) -> None:
    """Print rows and bytes of each table with its indexes."""
    with database._reading() as connection:
        total = 0
        for name in models.Row.metadata.tables:
            count = connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            found = _bytes(connection, name)
            own = found.get(name, 0)
            indexes = sum(found.values()) - own
            total += own + indexes
            if count and count >= 1000:
                print(f"{name}: {count:,} rows, {own / count:.0f} bytes each and {indexes / count:.0f} in indexes")
        pages_ = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        print(f"file: {pages_ * connection.exec_driver_sql('PRAGMA page_size').scalar_one() / 1e6:,.0f} MB", flush=True)


def _bytes(connection: Any, name: str) -> dict[str, int]:
    """Return the bytes of a table and its indexes; nothing where this SQLite cannot count them."""
    if "dbstat" not in connection.exec_driver_sql("PRAGMA module_list").scalars().all():
        return {}
    text = (
        "SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE "
        "AND name IN (SELECT name FROM sqlite_master WHERE tbl_name = ?)"
    )
    return {str(row[0]): int(row[1]) for row in connection.exec_driver_sql(text, (name,))}


def plans(database: Database, spec: TableSpec) -> list[tuple[str, list[str]]]:
    """Return the query plan of each statement that a table's question needs."""
    from sqlalchemy import event

    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, text: str, parameters: Any, *_: Any) -> None:
        asked.append((text, parameters))

    event.listen(database._engine, "before_cursor_execute", note)
    try:
        rows_for(spec, NumberSource(database))
    finally:
        event.remove(database._engine, "before_cursor_execute", note)
    with database._reading() as connection:
        return [
            (text, [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)])
            for text, given in asked
        ]


@dataclass(frozen=True)
class Taken:
    """Seconds of this process: as they passed, and of its processor, which others on the machine leave alone."""

    wall: float
    cpu: float

    def __sub__(self, before: Taken) -> Taken:
        return Taken(self.wall - before.wall, self.cpu - before.cpu)

    def best(self, other: Taken) -> Taken:
        """The lesser of both, apart."""
        return Taken(min(self.wall, other.wall), min(self.cpu, other.cpu))

    def within(self, limit: float) -> Within:
        return Within(self.wall <= limit, self.cpu <= limit)


@dataclass(frozen=True)
class Within:
    """Whether a limit holds by each clock."""

    wall: bool
    cpu: bool


NEVER = Taken(math.inf, math.inf)


def now() -> Taken:
    """Read both clocks."""
    return Taken(time.perf_counter(), time.process_time())


def together(found: Sequence[Within]) -> Within:
    """Say whether all limits hold."""
    return Within(all(one.wall for one in found), all(one.cpu for one in found))


def timed_views(database: Database) -> Within:
    """Time what people ask the views, best of five."""
    held = []
    for query in VIEWS:
        best = NEVER
        for _ in range(5):
            begun = now()
            with database._reading() as connection:
                rows = len(connection.exec_driver_sql(query).all())
            best = best.best(now() - begun)
        print(f"{1000 * best.wall:.0f} ms ({1000 * best.cpu:.0f} of the processor), {rows} rows: {query}", flush=True)
        held.append(best.within(VIEW_SECONDS))
    return together(held)


def timed_tables(source: NumberSource) -> Within:
    """Time the query, the filling and the writing of each table, best of five; print the plan of one."""
    catalogue = catalogue_of(read_workspace(ROOT).configs)
    specs = [*writing.specs_in(spec_files(read_workspace(ROOT)), catalogue), *writing.specs_in([OWN])]
    shown = next(spec for spec in specs if spec.name == "nightly-speed")
    for text, steps in plans(source.database, shown):
        print(f"plan of {' '.join(text.split())[:60]}...")
        print("\n".join(f"    {step}" for step in steps))
    held = {}
    print("table: rows of the frame, milliseconds of query + filling + Markdown (of the processor), rows of the table")
    for spec in specs:
        rows, steps_taken, lines = timed(spec, source, catalogue)
        whole = Taken(sum(one.wall for one in steps_taken), sum(one.cpu for one in steps_taken))
        print(f"  {spec.name}: {rows}, {' + '.join(f'{1000 * one.wall:.0f}' for one in steps_taken)} = {1000 * whole.wall:.0f} ms ({1000 * whole.cpu:.0f}), {lines}", flush=True)  # fmt: skip
        held[spec.name] = whole.within(TABLE_SECONDS)
    slow = [f"{name}{' (not by the processor)' if one.cpu else ''}" for name, one in held.items() if not one.wall]
    print(f"over {1000 * TABLE_SECONDS:.0f} ms: {', '.join(slow) or 'none'}")
    return together(list(held.values()))


def timed(spec: TableSpec, source: NumberSource, catalogue: TableCatalogue) -> tuple[int, Sequence[Taken], str]:
    """Return rows of the frame, the best seconds of each step (of five, fewer where it is slow), and the rows of the table or why there is none."""
    best = [NEVER] * 3
    rows, lines = 0, ""
    begun = now()
    for turn in range(5):
        if turn and (now() - begun).cpu > 5:
            break
        moments = [now()]
        found = rows_for(spec, source)
        moments.append(now())
        try:
            filled = build(spec, found, catalogue, source.reader())
            moments.append(now())
            to_markdown(filled)
            lines = f"{sum(len(section.rows) for section in filled.sections)} rows"
        except ConfigError as error:
            moments += [now()] * (3 - len(moments))
            lines = f"refused: {error}"
        moments.append(now())
        rows = len(found)
        best = [old.best(new - start) for old, start, new in zip(best, moments, moments[1:], strict=False)]
    return rows, best, lines


def timed_pages(source: NumberSource) -> Within:
    """Time all pages from the database, and compare them with those from the published results."""
    shown = writing.with_markers(pages_of(read_workspace(ROOT)))
    with from_published(read_workspace(ROOT).published) as committed:
        best, alone = NEVER, NEVER
        for _ in range(3):  # in turns, so that both meet the same machine
            begun = now()
            rendered = _rendered(source, shown, read_workspace(ROOT))
            best, begun = best.best(now() - begun), now()
            same = _rendered(committed, shown, read_workspace(ROOT))
            alone = alone.best(now() - begun)
    print(f"all pages ({len(shown)}, with {len(rendered)} tables): {best.wall:.2f} s ({best.cpu:.2f} of the processor)")
    print(f"the same from the published results alone: {alone.wall:.2f} s ({alone.cpu:.2f})")
    pairs = zip(rendered, same, strict=True)
    differ = [one.name for one, other in pairs if _undated(one.markdown) != _undated(other.markdown)]
    print(f"tables that differ in more than their dates: {', '.join(differ) or 'none'}")
    return best.within(PAGES_SECONDS)


def _undated(markdown: str) -> str:
    return re.sub(r"Measured .* \(UTC\)", "", markdown)


if __name__ == "__main__":
    main()
