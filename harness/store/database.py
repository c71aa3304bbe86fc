"""The only door to the results database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection, Engine, func, select

from harness.core.errors import HarnessError
from harness.core.outcome import Environment, Outcome
from harness.core.spec import BuildSpec, MeasureSpec
from harness.store import arrays, cache, files, frame, ingest, latest, marking, models, opening, outcomes, samples
from harness.store.columns import COLUMNS, KINDS
from harness.store.configurations import Ids
from harness.store.frame import Where
from harness.store.location import DatabasePlace, file_of, url_of
from harness.store.marked import MarkedRuns, kept
from harness.store.result import ResultSet, result_of, to_frame
from harness.store.row import table
from harness.store.session import SessionRecord
from harness.store.uses import RunUse, run_uses
from harness.store.walk import Ingested, OutcomeBatch, walk

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class Database:
    """Facts in, one frame out. Open it with `Database.open`, use it in one thread, close it."""

    def __init__(self, engine: Engine, results: Path | None) -> None:
        self._engine = engine
        self._results = results
        self._written = False
        self.marked = MarkedRuns(self._reading, self._writing, self.outcome)
        """What persons said of runs, and runs that leave."""

    @classmethod
    def open(cls, place: DatabasePlace, results: Path | None = None) -> Self:
        """Open a database file or URL; make it where there is none, upgrade it where it is older.

        results: folder that holds `runs/`, for arrays too large for the database; the file's own folder if not given.
        Raises: HarnessError for a folder that cannot be written, a newer or foreign database, a busy or damaged file.
        """
        url = url_of(place)
        file = file_of(url)
        with opening.explained(url):
            if file is not None:
                _make_folder(file.parent)
                results = results or file.parent
            engine = opening.make_engine(url)
            try:
                changed = opening.bring_up(engine)
            except BaseException:
                engine.dispose()
                raise
        opened = cls(engine, results)
        opened._written = changed
        return opened

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; after writing, refresh the statistics that choose between indexes."""
        try:
            if self._written:
                with suppress(HarnessError):  # statistics only: a disk that has become full is no reason to fail here
                    self._analyze()
        finally:
            self._engine.dispose()

    # ------------------------------------------------------------ facts in

    def ingest(self, outcome: Outcome, folder: Path | None) -> bool:
        """Write an outcome in one transaction; False where its run is there already.

        folder: run folder with arrays.npz; None where the outcome comes without one (reported, imported).
        Raises: HarnessError where arrays.npz is gone, damaged or not what the outcome says.
        """
        stored = arrays.stored_arrays(outcome, folder)
        return self._ingest([(outcome, stored)], Ids(), folder and folder.parent) == 1

    def ingest_all(self, many: Iterable[Outcome]) -> int:
        """Write outcomes without run folders in one transaction; return how many were not there yet."""
        return self._ingest([(outcome, arrays.stored_arrays(outcome, None)) for outcome in many], Ids())

    def place(self, session: SessionRecord) -> None:
        """Write a session and what it calls its jobs; a session that is there already is brought up to date."""
        with self._writing() as connection:
            ingest.write_session(connection, session)

    def ingest_folder(self, results: Path) -> Ingested:
        """Take in every run and session of a results folder that is not here yet, in the order of their names.

        A file that cannot be read becomes a problem, and the walk goes on.
        """
        ids, runs = Ids(), results / files.RUNS
        taken = walk(results, self.run_names(), lambda batch: self._ingest(batch, ids, runs), self.place)
        return self.marked.take(taken, runs)

    def _ingest(self, batch: OutcomeBatch, ids: Ids, runs: Path | None = None) -> int:
        """Write many outcomes in one transaction: what is read and checked beforehand cannot fail one by one."""
        if not batch:
            return 0
        with self._writing() as connection:
            # Read inside the transaction: of two commands that mark a run the later one's mark stays.
            return ingest.write_outcomes(connection, batch, ids, kept([one.job.run for one, _ in batch], runs))

    # ------------------------------------------------------------ facts out

    def frame(self, where: Where | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Answer a question as `select` does, in a data frame. Absence: see `harness.store.result`."""
        return to_frame(self.select(where, columns), KINDS)

    def select(self, where: Where | None = None, columns: Sequence[str] | None = None) -> ResultSet:
        """Answer a question: one row per measurement, and one (metric absent) per run that is not ok.

        where: column to value or list of values; None is absent. A filter on metric, part or another column of a
        measurement leaves out the runs that are not ok unless it lists None: `{"metric": ["decode_tps", None]}`.
        columns: names in the order wanted, all where None. Where a label (sweep, block, model, method, recipe,
        reference) is among them or in `where`, a measurement has one row per label of its job.
        Rows are ordered by start, run, place in the run and labels.
        Raises: HarnessError for an unknown column, with the nearest right name.
        """
        names = list(COLUMNS if columns is None else dict.fromkeys(columns))
        query = frame.statement(where or {}, names)
        with self._reading() as connection:
            return result_of(connection.execute(query).all(), names, KINDS)

    def latest(
        self, labels: Mapping[str, Sequence[str]], columns: Sequence[str], need: latest.LatestQuery
    ) -> ResultSet:
        """Answer like `select(labels, columns)` with the rows alone that a table can use, whatever the history.

        labels: sweep, block, model, method, recipe or reference to values; absent is "".
        """
        names = tuple(dict.fromkeys(columns))
        query = frame.latest_statement(names, tuple(labels), latest.is_left(labels), need.history)
        with self._reading() as connection:
            kept = latest.kept(connection, labels, need)
            return result_of(connection.execute(query, {**labels, **vars(kept)}).all(), names, KINDS)

    def samples(self, measurement_id: str) -> NDArray[Any]:
        """Return the samples behind a measurement, in their own shape and type.

        Raises: HarnessError where there are none, or the run folder that holds them is gone or was changed.
        """
        with self._reading() as connection:
            return samples.of_measurement(connection, self._results, measurement_id)

    def beside(self, measurement_id: str, suffix: str) -> NDArray[Any] | None:
        """Return the array whose name is that of a measurement's samples and a suffix, as `.documents`; None without one.

        Raises: HarnessError where the run folder that holds it is gone or was changed.
        """
        with self._reading() as connection:
            return samples.beside(connection, self._results, measurement_id, suffix)

    def array(self, run: str, name: str) -> NDArray[Any]:
        """Return an array of a run by name, as per-question results.

        Raises: HarnessError where there is none, or the run folder that holds it is gone or was changed.
        """
        with self._reading() as connection:
            return samples.array(connection, self._results, run, name)

    def array_shapes(self, run: str) -> dict[str, tuple[int, ...]]:
        """List the arrays that a run keeps, with their shapes; a measurement's own few samples do not count."""
        with self._reading() as connection:
            return {name: tuple(json.loads(shape)) for name, shape, _ in samples.arrays_of(connection, run)}

    def array_hashes(self, run: str) -> dict[str, str]:
        """Return the sha256 of every array of a run, also of those that no measurement refers to, by name."""
        with self._reading() as connection:
            return {name: sha256 for name, _, sha256 in samples.arrays_of(connection, run)}

    def outcome(self, run: str) -> Outcome:
        """Return a run's outcome as it was written. Raises: HarnessError for an unknown run."""
        with self._reading() as connection:
            return outcomes.read_outcome(connection, run)

    def environments(self) -> dict[str, Environment]:
        """Return every environment in full, by the frame's `environment_id`."""
        row = models.EnvironmentRow
        with self._reading() as connection:
            rows = connection.execute(select(row.digest, row.json).order_by(row.digest)).all()
        return {digest: Environment.model_validate_json(text) for digest, text in rows}

    def newest(self) -> datetime | None:
        """Return the latest moment at which a run that was measured here counts as begun; None where there is none."""
        with self._reading() as connection:
            return cache.newest(connection)

    def known_artifacts(self) -> dict[str, str]:
        """Return content hash by artifact id for everything that a build or reference job sealed."""
        with self._reading() as connection:
            return cache.known_artifacts(connection)

    def artifact_runs(self) -> dict[str, str]:
        """Return the run that sealed each artifact, by id."""
        with self._reading() as connection:
            return cache.artifact_runs(connection)

    def makers(self) -> dict[str, list[cache.Maker]]:
        """Return who made each artifact and stored reference, by its id, the latest last."""
        with self._reading() as connection:
            return cache.makers(connection)

    def specs(self, keys: Iterable[str]) -> dict[str, BuildSpec | MeasureSpec]:
        """Return what jobs ask, by key."""
        with self._reading() as connection:
            return cache.specs(connection, keys)

    def uses(self) -> list[RunUse]:
        """Return which run used which artifact when."""
        with self._reading() as connection:
            return run_uses(connection)

    def known_quality(self, keys: Iterable[str]) -> dict[str, list[cache.CachedRun]]:
        """Return the finished quality runs of job keys, latest first, with what decides whether they count."""
        with self._reading() as connection:
            return cache.known_quality(connection, keys)

    def failed_at_last(self, keys: Iterable[str]) -> set[tuple[str, str]]:
        """Return key and environment of the jobs that came to no good end in the last session that tried them."""
        with self._reading() as connection:
            return cache.failed_at_last(connection, keys)

    def history(self) -> cache.History:
        """Return median seconds of finished jobs, for estimates of time."""
        with self._reading() as connection:
            return cache.history(connection)

    def forget_reported(self, sessions: Iterable[str], keep: Iterable[str]) -> int:
        """Delete the reported runs of sessions but for those to keep: their file no longer says them. Returns how many."""
        with self._writing() as connection:
            return marking.forget_reported(connection, set(sessions), set(keep))

    def sweeps(self) -> list[str]:
        """Return the names of all sweeps whose jobs have a place here, in order."""
        return sorted(name for name in self._rows(select(models.LabelRow.sweep).distinct()) if name)

    def run_names(self) -> set[str]:
        """Return the names of all runs."""
        return set(self._rows(select(models.RunRow.name)))

    def count(self) -> int:
        """Return the number of runs."""
        return int(self._rows(select(func.count()).select_from(table(models.RunRow)))[0])

    # ------------------------------------------------------------ inside

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with opening.explained(self._engine.url), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with opening.explained(self._engine.url), opening.writing(self._engine) as connection:
            yield connection
        self._written = True

    def _rows(self, query: Any) -> list[Any]:
        with self._reading() as connection:
            return list(connection.execute(query).scalars())

    def _analyze(self) -> None:
        if self._engine.dialect.name == "sqlite":
            with self._writing() as connection:
                connection.exec_driver_sql("PRAGMA analysis_limit = 400")
                connection.exec_driver_sql("ANALYZE")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(
            f"cannot make the results folder {folder} ({error}); make it writable for this user or choose another"
        ) from error
