"""Where tables take their numbers from: the database, or published text alone."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.outcome import Environment, Outcome
from harness.core.spec import BuildSpec, Status
from harness.numbers.pairing import Items
from harness.probes import VERIFY
from harness.published.items import items_of
from harness.published.records import Published
from harness.published.selection import read_for
from harness.store.columns import COLUMNS as STORED
from harness.store.columns import CONSTANT
from harness.store.database import Database
from harness.store.latest import LatestQuery
from harness.store.result import ResultSet
from harness.store.session import SessionRecord
from harness.tables.columns import COLUMNS, DIMENSIONS, LABELS
from harness.tables.question import CellReader
from harness.tables.rows import TableRow, rows_of
from harness.tables.spec import TableSpec


@dataclass(frozen=True)
class NumberSource:
    """A database, and for published runs what is kept of their arrays."""

    database: Database
    published: Published = field(default_factory=Published)
    _apart: dict[frozenset[str], Database] = field(default_factory=dict)
    """Databases of some of the published files, by their sessions' names."""
    _outcomes: dict[str, Outcome] = field(default_factory=dict)

    def of_sweeps(self, sweeps: Sequence[str]) -> Database:
        """Return the database for tables of some sweeps.

        Published files of other sweeps may hold later runs of the same jobs; they belong to their own tables.
        """
        sessions, jobs = self.published.sessions, self._jobs
        own = frozenset(name for name, called in self._sweeps.items() if called & set(sweeps))
        ours = set().union(*(jobs[name] for name in own))
        if not own or all(ours.isdisjoint(jobs[name]) for name in jobs.keys() - own):
            return self.database
        if own not in self._apart:
            self._apart[own] = filled([session for session in sessions if session.session in own], self.published)
        return self._apart[own]

    @cached_property
    def _sweeps(self) -> dict[str, set[str]]:
        return {session.session: sweeps_of(session) for session in self.published.sessions}

    @cached_property
    def _jobs(self) -> dict[str, set[tuple[str, str]]]:
        return {session.session: jobs_of(session) for session in self.published.sessions}

    def close(self) -> None:
        """Close the databases of single files."""
        for database in self._apart.values():
            database.close()

    def select(self, where: Mapping[str, Any], columns: Sequence[str]) -> ResultSet:
        return self.database.select(where, columns)

    def samples(self, measurement: str) -> Any:
        """Return a measurement's samples, None where they are not at hand."""
        packed = self.published.items.get(measurement)
        if packed is not None and packed.samples is not None:
            return packed.unpacked().samples
        try:
            return self.database.samples(measurement)
        except HarnessError:
            return None

    def items(self, measurement: str) -> Items:
        """Return what pairs with another measurement of the same items; what is not at hand is None."""
        packed = self.published.items.get(measurement)
        return items_of(self.database, measurement) if packed is None else packed.unpacked()

    def reader(self) -> CellReader:
        published = self.published
        return CellReader(
            self.samples, self.items, lambda measurement: published.statistics.get(measurement, {}), self.outcome
        )

    def outcome(self, run: str) -> Outcome | None:
        """Return a run's outcome, None where it is not at hand."""
        if not self._outcomes:
            self._outcomes.update({outcome.job.run: outcome for outcome in self.published.outcomes})
        if run not in self._outcomes:
            with suppress(HarnessError):
                self._outcomes[run] = self.database.outcome(run)
        return self._outcomes.get(run)

    def environments(self) -> dict[str, Environment]:
        return self.database.environments()


@contextmanager
def from_published(
    folder: Path, sweeps: Collection[str] = (), needed: LatestQuery | None = None
) -> Iterator[NumberSource]:
    """Open published results (`*.yaml`) as a source: a database in memory, so that the same questions get the same answers.

    sweeps: those that will be asked about, where the others need not be read. needed: all that will be asked, where other
    numbers need not be taken in. Raises: ConfigError for a file that is not what `publish` writes.
    """
    published = read_for(folder, sweeps)
    if needed is not None:
        published = replace(published, outcomes=tuple(one for one in published.outcomes if _is_needed(one, needed)))
    with (
        closing(filled(published.sessions, published)) as database,
        closing(NumberSource(database, published)) as source,
    ):
        yield source


def _is_needed(outcome: Outcome, needed: LatestQuery) -> bool:
    """Say whether a run can answer, or tells how something that does was made and verified."""
    spec = outcome.job.spec
    makes = isinstance(spec, BuildSpec) or spec.probe == VERIFY or outcome.artifact is not None
    return makes or outcome.status is not Status.OK or any(one.metric in needed.metrics for one in outcome.measurements)


def filled(sessions: Sequence[SessionRecord], published: Published) -> Database:
    """Make a database in memory that holds the runs of some published files."""
    runs = {job.run for session in sessions for job in session.jobs}
    database = Database.open("sqlite://")
    database.ingest_all([outcome for outcome in published.outcomes if outcome.job.run in runs])
    for session in sessions:
        database.place(session)
    return database


def sweeps_of(session: SessionRecord) -> set[str]:
    """Return the sweeps that a session's jobs are called by."""
    return {labels.sweep for job in session.jobs for labels in job.labels}


def jobs_of(session: SessionRecord) -> set[tuple[str, str]]:
    """Return what a placement speaks of: keys of jobs, with their environments."""
    return {(job.key, job.environment) for job in session.jobs}


@dataclass(frozen=True)
class TableQuestion:
    """What one or several tables ask of a database."""

    labels: Mapping[str, Sequence[str]]
    need: LatestQuery

    def __or__(self, other: TableQuestion) -> TableQuestion:
        """Ask for what either asks for: a label that only one of them names is free."""
        labels = {
            name: list(dict.fromkeys((*values, *other.labels[name])))
            for name, values in self.labels.items()
            if name in other.labels
        }
        parts = None if None in (self.need.parts, other.need.parts) else self.need.parts | other.need.parts  # type: ignore[operator]
        return TableQuestion(labels, replace(self.need, metrics=self.need.metrics | other.need.metrics, parts=parts))

    def rows(self, database: Database) -> list[TableRow]:
        """Return the rows that answer it."""
        return rows_of(database.latest(self.labels, [name for name in COLUMNS if name in STORED], self.need))

    def among(self, rows: Iterable[TableRow]) -> list[TableRow]:
        """Keep the rows that bear its labels and can be of use."""
        asked = self.labels.items()
        return [
            row
            for row in rows
            if all((row.text(name) or "") in values for name, values in asked)
            and (row.metric is None or row.metric in self.need.metrics or row.is_build)
        ]


def question_of(spec: TableSpec) -> TableQuestion:
    """Say what a table can use: its sweep's rows, the baselines' and the builds' included.

    Conditions on labels, metrics, parts and the newest session go to the database; the others are applied to its
    answer, since a build or a failed run does not know them.
    """
    free = {name for cell in spec.cells for name in (*cell.baseline, *cell.where)}
    labels = {name: list(values) for name, values in spec.where.items() if name in LABELS and name not in free}
    return TableQuestion(labels, latest_query_of(spec))


def rows_for(spec: TableSpec, source: NumberSource) -> list[TableRow]:
    """Ask a source for what a table can use."""
    return question_of(spec).rows(source.of_sweeps(spec.where.get("sweep", ())))


def rows_for_all(specs: Iterable[TableSpec], source: NumberSource) -> dict[str, list[TableRow]]:
    """Ask a source for what several tables can use, by their names: one question for all that need the same history."""
    groups: dict[tuple[int, bool], list[tuple[str, TableQuestion, Database]]] = {}
    for spec in specs:
        database, question = source.of_sweeps(spec.where.get("sweep", ())), question_of(spec)
        groups.setdefault((id(database), question.need.history), []).append((spec.name, question, database))
    found: dict[str, list[TableRow]] = {}
    for group in groups.values():
        rows = reduce(operator.or_, (question for _, question, _ in group)).rows(group[0][2])
        found |= {name: question.among(rows) for name, question, _ in group}
    return found


def latest_query_of(spec: TableSpec) -> LatestQuery:
    """Say what a table can use. Every word of the spec may name a metric or a part, so none is overlooked."""
    words = frozenset(_words(asdict(spec)))
    opened = {*spec.each, *(key.dimension for key in (*spec.rows, *spec.show))}
    opened |= {cell.attribute.dimension for cell in spec.cells if cell.attribute is not None}
    opened |= {spec.pivot.dimension} if spec.pivot and not spec.pivot.labels else set()
    dated = {name for word in words if (name := word.partition(".")[0]) in DIMENSIONS and name not in CONSTANT}
    return LatestQuery(
        metrics=words,
        parts=None if "slice" in opened else words | {""},
        history=bool(dated),
    )


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (*_words(key), *_words(item))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _words(item)
