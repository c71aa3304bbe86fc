"""Results as committed text, so that pages can be written anywhere: runs without paths, arrays as far as tables need them."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from harness.core import limits
from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.files import regular_bytes
from harness.core.spec import Kind, Labels, Outcome, Record
from harness.numbers import documents, strata
from harness.numbers.pairing import Items, by_document
from harness.plan.yamlfile import check_nesting, not_yaml
from harness.published.consistent import contradictions, key_fits
from harness.published.reported import read_file
from harness.store.audit import differing
from harness.store.database import Database
from harness.store.session import SessionJob, SessionRecord
from harness.tables.cells import statistic_of
from harness.tables.declared import KEY, Declared, together
from harness.tables.formats import without_paths
from harness.tables.specentries import STATS

LARGEST = 16 * 1024
"""Bytes up to which an array is kept whole; a larger one only where items pair one by one, as answers do."""
HEADER = """\
# Measured results as text; `harness promote` writes this file and the pages are written from it.
"""
NAMED = 5
"""Runs that a refusal names; it counts the others."""
NEITHER = "is not a results file; start it with `reported:` (numbers of others), or write it with `harness promote`"


class PackedArray(Record):
    """An array as text: base64 of zlib of its C-ordered little-endian bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: str


class PublishedRun(Record):
    """A run as it is committed."""

    environment: str
    """Name among the file's environments."""
    labels: tuple[Labels, ...]
    """Every place that asks for this job."""
    outcome: dict[str, Any]
    """The outcome without its environment; paths are cut to file names."""
    arrays: dict[int, PackedArray] = Field(default_factory=dict)
    """Samples by the measurement's place in the run."""
    documents: dict[int, PackedArray] = Field(default_factory=dict)
    """Sums and counts by document, where those are the unit."""
    strata: dict[int, PackedArray] = Field(default_factory=dict)
    """Questions of each stratum, in order."""
    blocks: dict[int, PackedArray] = Field(default_factory=dict)
    """Of version 0.1: sums and counts of 64 neighbours, or of single items, where the samples were too large to keep."""
    statistics: dict[int, dict[str, float]] = Field(default_factory=dict)
    """Percentiles and spread of the same samples."""


class PublishedFile(Record):
    """`results/published/NAME.yaml`."""

    schema_version: int = 1
    environments: dict[str, dict[str, Any]]
    runs: tuple[PublishedRun, ...]


_ABSOLUTE = re.compile(r"(?:/|~/|[A-Za-z]:[/\\]|\\\\)[^\n]*$")
"""A text that is an absolute path as a whole: of POSIX, below the home folder, of a drive, or of a share."""


@dataclass(frozen=True)
class Published:
    """Everything that the committed files hold; arrays, and items that pair, by measurement id."""

    outcomes: tuple[Outcome, ...] = ()
    sessions: tuple[SessionRecord, ...] = ()
    arrays: Mapping[str, Any] = field(default_factory=dict)
    items: Mapping[str, Items] = field(default_factory=dict)
    statistics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    declared: Declared = field(default_factory=Declared)


# ---------------------------------------------------------------- writing


def promote(database: Database, runs: Iterable[str], sweeps: Collection[str] = ()) -> str:
    """Write runs as the text of a published file; equal runs give equal bytes.

    sweeps: those whose names for the jobs are written; all where none is given.
    Raises: HarnessError for an unknown run, for runs that were not measured here, or for samples that are not where the
    database says.
    """
    import yaml

    environments: dict[str, dict[str, Any]] = {}
    published = []
    outcomes = [database.outcome(run) for run in sorted(set(runs))]
    _measured_here(outcomes)
    for outcome in outcomes:
        raw = outcome.environment.model_dump(mode="json", exclude_defaults=True)
        if raw not in environments.values():
            environments[f"e{len(environments) + 1}"] = raw
        name = next(name for name, known in environments.items() if known == raw)
        published.append(_run(database, outcome, name, sweeps))
    file = PublishedFile(environments=environments, runs=tuple(published))
    return HEADER + yaml.dump(
        file.model_dump(mode="json", exclude_defaults=True),
        Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None,
    )  # fmt: skip


def _measured_here(outcomes: Sequence[Outcome]) -> None:
    """Refuse what others measured: its text would say neither which file it comes from nor what stood in it."""
    others = [outcome for outcome in outcomes if outcome.origin != "measured"]
    if others:
        named = ", ".join(_source(outcome) for outcome in others[:NAMED])
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        raise HarnessError(
            f"only runs that were measured here are promoted, and these were not: {named}{more}; leave them out. Keep an "
            "imported file itself and `harness import` it where it is needed, or write its numbers into a file that begins "
            "with `reported:`"
        )


def _source(outcome: Outcome) -> str:
    file = outcome.citation and (outcome.citation.file or outcome.citation.title)
    return f"{outcome.job.run} ({outcome.origin}{f' from {file}' if file else ''})"


def _run(database: Database, outcome: Outcome, environment: str, sweeps: Collection[str]) -> PublishedRun:
    import numpy as np

    kept: dict[str, dict[int, Any]] = {"arrays": {}, "documents": {}, "strata": {}, "statistics": {}}
    for place, item in enumerate(outcome.measurements):
        if item.array is not None:
            measurement = f"{outcome.job.run}#{place}"
            samples, items = database.samples(measurement), items_of(database, measurement)
            if items.documents is not None:
                kept["documents"][place] = _packed(items.documents)
            if items.strata is not None:
                kept["strata"][place] = _packed(np.asarray(items.strata, dtype=np.int32))
            if samples.nbytes <= LARGEST or (item.items is not None and not by_document(item.metric)):
                kept["arrays"][place] = _packed(samples)
            else:
                found = {stat: statistic_of(samples, stat) for stat in STATS}
                kept["statistics"][place] = {stat: value for stat, value in found.items() if value is not None}
    return PublishedRun(
        environment=environment,
        labels=tuple(label for label in _labels(database, outcome) if not sweeps or label.sweep in sweeps),
        outcome=_without_paths(outcome),
        **kept,
    )


def items_of(database: Database, measurement: str) -> Items:
    """Collect what a database keeps of a measurement's items; what it does not is None."""
    samples = _or_none(lambda: database.samples(measurement))
    sizes = _or_none(lambda: database.beside(measurement, documents.SUFFIX))
    counts = _or_none(lambda: database.beside(measurement, strata.SUFFIX))
    sums = None if samples is None or sizes is None else documents.sums_of(samples, sizes)
    return Items(samples, sums, None if counts is None else [int(count) for count in counts])


def _or_none(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except HarnessError:
        return None


def _labels(database: Database, outcome: Outcome) -> tuple[Labels, ...]:
    columns = list(Labels.model_fields)
    found = database.select({"run": outcome.job.run}, columns)
    labels = {Labels.model_validate(record) for record in found} - {Labels()}
    return tuple(sorted(labels, key=lambda label: tuple(label.model_dump().values())))


def _without_paths(outcome: Outcome) -> dict[str, Any]:
    """Empty the paths of inputs and cut all others to their last name.

    In a specification only what says where contents lie is cut: the rest, as the command line of a build, is what the key is made of.
    """
    raw: dict[str, Any] = json.loads(outcome.model_dump_json(exclude_defaults=True, exclude={"environment"}))
    job = raw["job"]
    job.pop("out", None)
    spec, known = job["spec"], sorted(_absolute([job["spec"], job.get("inputs"), raw.get("inputs")]), key=len)
    for item in (*job.get("inputs", ()), *raw.get("inputs", ())):
        item["path"] = ""
    cleaned: dict[str, Any] = _cut(raw, known[::-1])
    if not key_fits(outcome.job.model_copy(update={"spec": outcome.job.spec.model_validate(cleaned["job"]["spec"])})):
        cleaned["job"]["spec"] = spec
    return cleaned


def departed(published: Published, database: Database) -> Iterator[str]:
    """Say which committed runs are not what the database holds of the same run, values and samples alike."""
    import numpy as np

    here = database.run_names()
    for outcome in published.outcomes:
        run = outcome.job.run
        if run not in here:
            continue
        fields = differing(_as_published(outcome), _as_published(database.outcome(run)))
        for place in range(len(outcome.measurements)):
            name = f"{run}#{place}"
            kept, said = items_of(database, name), published.items.get(name)
            pairs = (
                [(kept.samples, said.samples), (kept.documents, said.documents), (kept.strata, said.strata)]
                if said
                else []
            )
            if any(one is not None and other is not None and not np.array_equal(one, other) for one, other in pairs):
                fields.append(f"samples of {outcome.measurements[place].metric}")
        if fields:
            yield (
                f"published run {run} is not what the database holds of it ({', '.join(fields)}); restore the file, or write it "
                "anew with `harness promote`"
            )


def _as_published(outcome: Outcome) -> Outcome:
    """Make of an outcome what a published file says of it."""
    environment = outcome.environment.model_dump(mode="json", exclude_defaults=True)
    return Outcome.model_validate_json(json.dumps({**_without_paths(outcome), "environment": environment}))


def _absolute(value: Any) -> set[str]:
    """Collect the texts that are absolute paths as a whole, on any system."""
    if isinstance(value, dict | list):
        return {path for part in (value.values() if isinstance(value, dict) else value) for path in _absolute(part)}
    return {value} if isinstance(value, str) and _ABSOLUTE.match(value) else set()


def _cut(value: Any, known: Sequence[str]) -> Any:
    """Cut paths to their last name, first those that are known, whose names may hold spaces."""
    if isinstance(value, dict):
        return {name: _cut(part, known) for name, part in value.items()}
    if isinstance(value, list):
        return [_cut(part, known) for part in value]
    if not isinstance(value, str):
        return value
    for path in known:
        name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
        if value == path:
            return f"./{name}"  # still a file, and no name of ours
        value = value.replace(path, name)
    return without_paths(value)


def _packed(array: Any) -> PackedArray:
    import numpy as np

    values = np.ascontiguousarray(array)
    values = values.astype(values.dtype.newbyteorder("<"))
    data = base64.b64encode(zlib.compress(values.tobytes(), 9)).decode("ascii")
    return PackedArray(dtype=values.dtype.str, shape=values.shape, data=data)


# ---------------------------------------------------------------- reading


def read_published(folder: Path, only: Collection[Path] | None = None) -> Published:
    """Read committed results of a folder, all files or some. Raises: ConfigError naming the file and what is wrong with it."""
    outcomes: list[Outcome] = []
    sessions: list[SessionRecord] = []
    arrays: dict[str, Any] = {}
    items: dict[str, Items] = {}
    statistics: dict[str, Mapping[str, float]] = {}
    declared: list[Declared] = []
    for path in sorted(folder.glob("*.yaml") if only is None else only):
        facts = path.stat()
        part = _part(path, facts.st_size, facts.st_mtime_ns)
        outcomes += part.outcomes
        sessions += part.sessions
        arrays |= part.arrays
        items |= part.items
        statistics |= part.statistics
        declared.append(part.declared)
    return Published(_once(outcomes, folder), tuple(sessions), arrays, items, statistics, together(declared))


@lru_cache(maxsize=64)
def _part(path: Path, _size: int, _mtime_ns: int) -> Published:
    """Read one file, once while it stays the same in this process: checking all that it says takes longer than reading it."""
    raw = _raw(path)
    if isinstance(raw, dict) and KEY in raw:
        others, declared = read_file(path)
        session = (_session(path, [(outcome, (outcome.job.labels,)) for outcome in others]),) if others else ()
        return Published(others, session, declared=declared)
    file = _file(path, raw)
    read = [(_outcome(run, file, path), run) for run in file.runs]
    sessions = (_session(path, [(outcome, run.labels) for outcome, run in read]),) if read else ()
    arrays: dict[str, Any] = {}
    items: dict[str, Items] = {}
    statistics: dict[str, Mapping[str, float]] = {}
    for outcome, run in read:
        samples = {place: _unpacked(packed, path) for place, packed in run.arrays.items()}
        pairing = _items(run, samples, path)
        blocks = {place: _unpacked(packed, path) for place, packed in run.blocks.items()}
        _consistent(outcome, pairing, blocks, path)
        arrays.update({f"{outcome.job.run}#{place}": one for place, one in samples.items()})
        items.update({f"{outcome.job.run}#{place}": one for place, one in pairing.items()})
        statistics.update({f"{outcome.job.run}#{place}": one for place, one in run.statistics.items()})
    return Published(tuple(outcome for outcome, _ in read), sessions, arrays, items, statistics)


def _raw(path: Path) -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            """Refuse merge keys, which are written out before anything can be counted; `promote` writes none."""
            for key, _ in node.value:
                if key.tag == "tag:yaml.org,2002:merge":
                    raise yaml.constructor.ConstructorError(None, None, "a merge key '<<'", key.start_mark)

    text = ""
    try:
        text = regular_bytes(path, limits.READ_BYTES).decode("utf-8")
        check_nesting(text, str(path))
        found = yaml.load(text, Loader=Loader)  # noqa: S506 - one of the safe loaders
        parts = limits.parts_of(found, limits.PUBLISHED_PARTS)
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read: {error.strerror}", path)]) from None
    except yaml.YAMLError as error:
        raise not_yaml(error, text, str(path)) from None
    except (ValueError, RecursionError, OverflowError, TypeError) as error:
        raise ConfigError([Problem(f"is not YAML in UTF-8: {error}", path)]) from None
    if parts > limits.PUBLISHED_PARTS:
        raise ConfigError(
            [Problem(f"written out, its aliases make more than {limits.PUBLISHED_PARTS:,} parts; use fewer", path)]
        )
    return found


def _file(path: Path, raw: Any) -> PublishedFile:
    if not isinstance(raw, dict) or not {"environments", "runs"} & set(raw):
        raise ConfigError([Problem(NEITHER, path)])
    try:
        return PublishedFile.model_validate(raw)
    except ValidationError as error:
        raise ConfigError([Problem(_first(error), path)]) from None


def _outcome(run: PublishedRun, file: PublishedFile, path: Path) -> Outcome:
    name = str(run.outcome.get("job", {}).get("run", "?"))
    if run.environment not in file.environments:
        raise ConfigError([Problem(f"run {name}: no environment '{run.environment}' in this file", path)])
    whole = {**run.outcome, "environment": file.environments[run.environment]}
    try:
        outcome = Outcome.model_validate_json(json.dumps(whole))
    except ValidationError as error:
        raise ConfigError([Problem(f"run {name}: {_first(error)}", path)]) from None
    for place in (*run.arrays, *run.documents, *run.strata, *run.blocks, *run.statistics):
        if place >= len(outcome.measurements):
            raise ConfigError([Problem(f"run {name}: samples of measurement {place}, which is not there", path)])
    return outcome


def _items(run: PublishedRun, samples: Mapping[int, Any], path: Path) -> dict[int, Items]:
    """Put together what is kept of each measurement's items."""
    sums = {place: _unpacked(packed, path) for place, packed in run.documents.items()}
    counts = {place: [int(one) for one in _unpacked(packed, path)] for place, packed in run.strata.items()}
    places = sorted({*samples, *sums, *counts})
    return {place: Items(samples.get(place), sums.get(place), counts.get(place)) for place in places}


def _consistent(outcome: Outcome, items: Mapping[int, Items], blocks: Mapping[int, Any], path: Path) -> None:
    """Refuse a run that contradicts itself: somebody has edited one place and not the others."""
    for message in contradictions(outcome, items, blocks):
        raise ConfigError([Problem(f"run {outcome.job.run}: {message}; restore the file", path)])


def _session(path: Path, read: Sequence[tuple[Outcome, tuple[Labels, ...]]]) -> SessionRecord:
    """Say what people call the file's jobs, in the form in which a session says it."""
    first = min(outcome.started for outcome, _ in read)
    jobs = tuple(_job(outcome, labels, outcome.job.kind) for outcome, labels in read)
    return SessionRecord(session=f"published-{path.stem}", sweep=path.stem, started=first, plan="", jobs=jobs)


def _job(outcome: Outcome, labels: tuple[Labels, ...], kind: Kind) -> SessionJob:
    return SessionJob(
        key=outcome.job.key, kind=kind, environment=outcome.environment.name, labels=labels, run=outcome.job.run
    )


def _once(outcomes: Sequence[Outcome], folder: Path) -> tuple[Outcome, ...]:
    """Give each run once: a run that answers jobs of two sweeps stands in both of their files, in the same words."""
    seen: dict[str, Outcome] = {}
    for outcome in outcomes:
        if seen.setdefault(outcome.job.run, outcome) != outcome:
            raise ConfigError(
                [Problem(f"run {outcome.job.run} is given twice with different content; keep one", folder)]
            )
    return tuple(seen.values())


def _unpacked(packed: PackedArray, path: Path) -> Any:
    import numpy as np

    try:
        raw = zlib.decompress(base64.b64decode(packed.data, validate=True))
        return np.frombuffer(raw, dtype=np.dtype(packed.dtype)).reshape(packed.shape)
    except (ValueError, TypeError, zlib.error) as error:
        raise ConfigError([Problem(f"an array is damaged ({error}); restore the file", path)]) from None


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "the whole"
    return f"{place}: {first['msg']} ({error.error_count()} mistakes of this kind); restore the file"
