"""Import files: tell their format, read them, write run folders, take them into the database."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.files import remove, seal
from harness.core.metric import OwnMetric
from harness.core.outcome import Outcome
from harness.core.spelling import unknown
from harness.formats.reading import NOT_AS_EXPECTED, format_of, other_layout, read_contents
from harness.formats.records import FileContents, FileFormat, Found
from harness.formats.source import FileSource, read_source
from harness.importing import FORMATS
from harness.importing.outcome import LABELS, TOLD, Import, run_name, write_run
from harness.store.database import Database
from harness.store.files import OUTCOME, RUNS, check_folders, read_outcome
from harness.store.location import DatabasePlace, database_of

ASIDE = ".import-"
"""Begins the name of the folder in `runs` in which an import, or `ingest`, writes runs before they are whole; its lock lies beside it.

Recovery and ingestion pass over names that begin with a dot; and it is on the same disk as where the runs go.
"""
_FEW = 20
"""Names of fields that were not taken which are listed; all are counted."""


@dataclass(frozen=True)
class Taken:
    """What became of one file."""

    source: FileSource
    format: FileFormat
    new: tuple[Outcome, ...]
    known: tuple[Outcome, ...]
    left: tuple[str, ...]
    """Fields of the file that were not understood or have no place here."""
    missing: Mapping[str, int] = field(default_factory=dict)
    """How many cells of tables stand for nothing, by what is written in them."""
    lost: tuple[str, ...] = ()
    """Numbers that were left out since they are NaN or infinite."""
    relabel: bool = False
    """Whether a known run was asked for under other labels than it has."""


@dataclass
class Imported:
    """What became of all files."""

    files: list[Taken] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def import_files(
    paths: Sequence[Path],
    results: Path,
    *,
    sweep: str = "imported",
    labels: Mapping[str, str] | None = None,
    map_: Path | None = None,
    declared: Mapping[str, OwnMetric] | None = None,
    place: DatabasePlace | None = None,
) -> Imported:
    """Write the runs of files into a results folder and its database; a file that cannot be read becomes a problem.

    declared: unit and direction of metrics of somebody's own. place: the database; that of the results folder where None.
    Raises: HarnessError for an unknown label, or a database that cannot be written.
    """
    done = Imported()
    moment = datetime.now(UTC)
    with Database.open(place or database_of(results), results) as database, set_aside(results / RUNS) as aside:
        for path in paths:
            try:
                source = read_source(path, map_, declared)
                format_ = format_of(source, FORMATS)
                contents = read_contents(format_, source)
                order = Import(source, format_, sweep, labels or {}, moment)
                done.files.append(_take(contents, order, results, database, aside))
            except ConfigError as error:
                done.problems += error.problems
    return done


@contextmanager
def set_aside(runs: Path) -> Iterator[Path]:
    """Give who brings runs a folder of its own beside them, and remove those of commands that were killed: nobody holds their locks."""
    check_folders(runs.parent)
    runs.mkdir(parents=True, exist_ok=True)
    for name in sorted({path.name.removesuffix(".lock") for path in runs.glob(f"{ASIDE}*")}):
        with suppress(Timeout), FileLock(runs / f"{name}.lock", timeout=0):
            remove(runs / name)
            (runs / f"{name}.lock").unlink(missing_ok=True)
    folder = runs / f"{ASIDE}{secrets.token_hex(6)}"
    with FileLock(f"{folder}.lock", timeout=10):  # another command may just look whether somebody holds it
        folder.mkdir()
        try:
            yield folder
        finally:
            remove(folder)
            folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)


def parse_labels(words: Iterable[str]) -> dict[str, str]:
    """Read NAME=VALUE. Raises: HarnessError for a name that is none."""
    names = (*LABELS, *TOLD)
    found = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not value:
            raise HarnessError(f"--label takes NAME=VALUE, not '{word}'; names are {', '.join(names)}")
        if name not in names:
            raise HarnessError(unknown("label", name, names))
        found[name] = value
    return found


def _take(contents: FileContents, order: Import, results: Path, database: Database, aside: Path) -> Taken:
    if not any(found.numbers or found.unsupported for found in contents.runs):
        told = "; ".join(order.source.lost)
        why = f"no number in it can be taken ({told})" if told else "no metric in it is known here"
        raise order.source.wrong(f"{why}; nothing was imported")
    new: list[Outcome] = []
    known: list[Outcome] = []
    for number, found in enumerate(contents.runs):
        if not (found.numbers or found.unsupported):
            continue
        folder = results / RUNS / run_name(order.source, number)
        there = (folder / OUTCOME).exists()
        outcome = _known(folder, order.source) if there else _written(found, number, order, folder, aside)
        database.ingest(outcome, folder)
        (known if there else new).append(outcome)
    relabel = any(_other_labels(outcome, order) for outcome in known)
    lost = tuple(order.source.lost)
    return Taken(order.source, order.format, tuple(new), tuple(known), contents.left, contents.missing, lost, relabel)


def _other_labels(outcome: Outcome, order: Import) -> bool:
    wanted = {"sweep": order.sweep} | {name: value for name, value in order.labels.items() if name in LABELS}
    return any(getattr(outcome.job.labels, name) != value for name, value in wanted.items())


def _written(found: Found, number: int, order: Import, folder: Path, aside: Path) -> Outcome:
    """Write a run where no recovery looks, and put it in its place as a whole: a sweep may run at the same time."""
    made = aside / folder.name
    try:
        outcome = write_run(found, number, order, made)
    except (HarnessError, *NOT_AS_EXPECTED) as error:
        if isinstance(error, HarnessError):
            raise order.source.wrong(str(error)) from error
        raise other_layout(order.format, order.source, error) from error
    seal(made, folder)
    return outcome


def _known(folder: Path, source: FileSource) -> Outcome:
    outcome = read_outcome(folder / OUTCOME)
    if outcome.citation is None or outcome.citation.sha256 != source.sha256:
        raise source.wrong(f"{folder.name} exists already and holds another file; move that run folder away")
    return outcome


def lines(imported: Imported) -> list[str]:
    """Say what was imported, what was known before, and what was not understood."""
    return [line for taken in imported.files for line in _lines(taken)]


def _lines(taken: Taken) -> list[str]:
    runs = [*taken.new, *taken.known]
    measured = sum(len(run.measurements) for run in runs)
    counts = f"{len(taken.new)} runs are new, {len(taken.known)} were known, {measured} measurements"
    said = [f"{taken.source.name} ({taken.format.title}): {counts}"]
    said += [_run_line(run, "known" if run in taken.known else "new") for run in runs]
    notes = Counter(note.text for run in runs for note in run.notes)
    said += [f"  note: {text}" + (f" ({count} runs)" if count > 1 else "") for text, count in notes.items()]
    if taken.relabel:
        said.append(
            "  known runs keep the labels they were imported with; remove their run folders to import them anew"
        )
    if taken.missing:
        marks = ", ".join(
            f"{count} '{mark}'" if mark else f"{count} empty" for mark, count in sorted(taken.missing.items())
        )
        said.append(f"  left out as missing: {sum(taken.missing.values())} cells ({marks})")
    said += [f"  skipped {name} (the rest of the file was imported)" for name in taken.lost]
    if taken.left:
        more = f" and {len(taken.left) - _FEW} more" if len(taken.left) > _FEW else ""
        count = f"{len(taken.left)} field{'s' if len(taken.left) > 1 else ''}"
        said.append(f"  not taken: {', '.join(taken.left[:_FEW])}{more} ({count})")
    return said


def _run_line(run: Outcome, state: str) -> str:
    labels = run.job.labels
    whose = " ".join(part for part in (labels.model or "(no model given)", labels.method) if part)
    metrics = dict.fromkeys(item.metric for item in run.measurements)
    what = ", ".join(metrics) or f"{run.status.value}, {run.reason}"
    return f"  {state} {run.job.run}  {whose}: {what}"
