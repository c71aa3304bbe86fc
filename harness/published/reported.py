"""Numbers that others published, as tables of YAML: each row becomes an outcome that is `reported` for ever.

A value is kept with its digits: what it can be is an interval of half a unit in the last one (`interval: rounding`).
Nothing is computed: a ratio that stands on a page without its inputs stays a ratio, and numbers that contradict one
another stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, unknown
from harness.core.identity import digest
from harness.core.metric import metric as metric_named
from harness.core.spec import (
    WORKLOAD_NUMBERS,
    WORKLOAD_TEXTS,
    Citation,
    Environment,
    Gpu,
    Job,
    Kind,
    Labels,
    Measurement,
    MeasureSpec,
    Outcome,
    Protocol,
    Status,
)
from harness.plan.yamlfile import Mistakes, Node, collecting, mapping, read, word
from harness.tables.declared import KEY, KINDS, Declared, declared_in
from harness.tables.quantity import (
    DIMENSIONS,
    LABELS,
    NOT_AVAILABLE,
    PLAIN_NUMBER,
    VERSION,
    Quantity,
    names_checked,
    plain_quantity,
    quantities_of,
)

UNKNOWN = "unknown"

_FILE = (KEY, "metrics", *KINDS, "environments", "blocks")
_CITATION = ("title", "url", "version", "date", "sweep")
_ENVIRONMENT = ("system", "python", "cpu", "driver", "cuda", "packages")


@dataclass(frozen=True)
class _File:
    """What all blocks of a file share."""

    stem: str
    sweep: str
    """Whose tables show these numbers: the file's name where it does not say."""
    citation: Citation
    date: datetime
    environments: Mapping[str, Mapping[str, Any]]
    declared: Declared


@dataclass(frozen=True)
class _Columns:
    """What the columns of a block are, and which words may stand in the place of a number."""

    names: tuple[str, ...]
    quantities: Mapping[str, Quantity]
    texts: frozenset[str]
    words: frozenset[str]


def read_reported(path: Path) -> list[Outcome]:
    """Read one file. Raises: ConfigError with every mistake of it, each with its line."""
    return list(read_file(path)[0])


def read_file(path: Path) -> tuple[tuple[Outcome, ...], Declared]:
    """Read one file with what it declares. Raises: ConfigError with every mistake of it, each with its line."""
    with collecting() as mistakes:
        fields = mapping(read(path, mistakes), "a file of reported numbers", mistakes, _FILE)
        declared = declared_in(fields, mistakes)
        file = _file(path, fields, declared, mistakes)
        blocks = fields.get("blocks")
        read_ = [outcome for block in (blocks.items if blocks else ()) for outcome in _block(block, file, mistakes)]
        found = [_placed(outcome, place) for place, outcome in enumerate(read_, start=1)]
        _once(found, fields.get("blocks"), mistakes)
    return tuple(found), declared


def _placed(outcome: Outcome, place: int) -> Outcome:
    """Keep the order of the file: a table may show its rows in it."""
    return outcome.model_copy(update={"job": outcome.job.model_copy(update={"order": place})})


def _file(path: Path, fields: Mapping[str, Node], declared: Declared, mistakes: Mistakes) -> _File:
    citation, date = _citation(fields.get(KEY), mistakes)
    sweep = fields[KEY].fields["sweep"].raw if KEY in fields and "sweep" in fields[KEY].fields else path.stem
    named = fields.get("environments")
    environments = mapping(named, "environments", mistakes) if named else {}
    for part in environments.values():
        if part.value is not None:
            said = mapping(part, "an environment", mistakes, _ENVIRONMENT)
            if "packages" in said:
                mapping(said["packages"], "packages", mistakes)
    known = {name: _raw(part) if part.fields else {} for name, part in environments.items()}
    for facts in known.values():
        facts["packages"] = facts["packages"] if isinstance(facts.get("packages"), dict) else {}
    return _File(path.stem, sweep, citation, date, known, declared)


def _citation(node: Node | None, mistakes: Mistakes) -> tuple[Citation, datetime]:
    said = mapping(node, KEY, mistakes, _CITATION) if node else {}
    texts = {name: part.raw for name, part in said.items()}
    for name in ("title", "date"):
        if not texts.get(name):
            mistakes.add(f"'{KEY}' needs '{name}': readers are told where and when a number was published", node)
    citation = Citation(title=texts.get("title", ""), url=texts.get("url"), version=texts.get("version"))
    return citation, _date(said.get("date"), mistakes)


def _raw(node: Node) -> Any:
    """Give a part's texts as they are written: a version 0.10 is not 0.1."""
    return {name: _raw(part) for name, part in node.fields.items()} if isinstance(node.value, dict) else node.raw


def _date(node: Node | None, mistakes: Mistakes) -> datetime:
    try:
        return datetime.fromisoformat(node.raw if node else "1970-01-01").replace(tzinfo=UTC)
    except ValueError:
        mistakes.add(f"date '{node.raw if node else ''}' is not a day; write it as 2025-12-31", node)
        return datetime(1970, 1, 1, tzinfo=UTC)


def _block(node: Node, file: _File, mistakes: Mistakes) -> Iterator[Outcome]:
    if KEY in node.fields:
        citation, date = _citation(node.fields[KEY], mistakes)
        file = replace(file, citation=citation, date=date)
    known = (KEY, "block", "configuration", "unavailable", "metrics", "columns", "texts", "words", "rows", *DIMENSIONS)
    fields = mapping(node, "a block", mistakes, known)
    columns = _columns(fields, file, mistakes)
    shared = {name: part.raw for name, part in fields.items() if name in DIMENSIONS}
    names_checked(fields, file.declared, mistakes)
    for row in fields["rows"].items if "rows" in fields else ():
        if len(row.items) != len(columns.names):
            mistakes.add(f"this row has {len(row.items)} values and there are {len(columns.names)} columns", row)
            continue
        cells = dict(zip(columns.names, row.items, strict=True))
        names_checked(cells, file.declared, mistakes)
        for part in _parts(cells, columns):
            outcome = _outcome(fields, {**shared, **_said(cells)}, part, columns, file, row, mistakes)
            if outcome is not None:
                yield outcome


def _columns(fields: Mapping[str, Node], file: _File, mistakes: Mistakes) -> _Columns:
    quantities = quantities_of(fields.get("metrics"), file.declared, mistakes)
    texts = frozenset(item.raw for item in fields["texts"].items) if "texts" in fields else frozenset()
    words = frozenset(item.raw for item in fields["words"].items) if "words" in fields else frozenset()
    items = fields["columns"].items if "columns" in fields else []
    names = tuple(word(item, "a column", mistakes) or "" for item in items)
    for name, item in zip(names, items, strict=True):
        if name not in DIMENSIONS and name not in quantities and name not in texts:
            quantities |= plain_quantity(name, item, file.declared, mistakes)
    return _Columns(names, quantities, texts, words)


def _parts(cells: Mapping[str, Node], columns: _Columns) -> tuple[Mapping[str, Node], ...]:
    """Part what a row says to be not available from its numbers, unless such a word is kept as it was printed."""
    quantities = columns.quantities
    absent = {
        name: cell
        for name, cell in cells.items()
        if cell.raw == NOT_AVAILABLE and name in quantities and cell.raw not in columns.words
    }
    given = {name: cell for name, cell in cells.items() if name not in absent}
    return (given, absent) if absent and any(_is_number(given, quantities)) else (cells,)


def _is_number(cells: Mapping[str, Node], quantities: Mapping[str, Quantity]) -> Iterator[bool]:
    return (cells[name].value is not None for name in quantities if name in cells)


def _said(cells: Mapping[str, Node]) -> dict[str, str]:
    return {name: cell.raw for name, cell in cells.items() if name in DIMENSIONS and cell.value is not None}


@dataclass
class _Cells:
    """What the cells of a row say: numbers, what was printed, and how many numbers there are not."""

    measurements: list[Measurement] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    absent: int = 0


def _cells(cells: Mapping[str, Node], columns: _Columns, row: Node, mistakes: Mistakes) -> _Cells:
    found = _Cells()
    for name in (name for name in columns.names if name in columns.texts):
        if cells[name].value is not None:
            found.texts[name] = cells[name].raw
    for name, quantity in columns.quantities.items():
        cell = cells.get(name)
        if cell is None or cell.value is None:
            continue
        if cell.raw in columns.words:
            found.texts[quantity.key] = cell.raw
        elif cell.raw == NOT_AVAILABLE:
            found.absent += 1
        else:
            try:
                found.measurements.append(quantity.measurement(cell.raw))
                found.texts[quantity.key] = cell.raw
            except HarnessError as error:
                mistakes.add(str(error), row)
    if any("<!--" in text for text in found.texts.values()):
        mistakes.add("this row holds an HTML comment, which could end a table in a page; leave it out", row)
    return found


def _outcome(
    fields: Mapping[str, Node],
    said: Mapping[str, str],
    cells: Mapping[str, Node],
    columns: _Columns,
    file: _File,
    row: Node,
    mistakes: Mistakes,
) -> Outcome | None:
    read_ = _cells(cells, columns, row, mistakes)
    measurements, texts = read_.measurements, read_.texts
    given = {name: fields[name].raw for name in ("block", "configuration", "unavailable") if name in fields}
    for name in (*WORKLOAD_NUMBERS, "scored", "warmups", "repetitions", "gpu_count"):
        if name in said and not PLAIN_NUMBER.fullmatch(said[name]):
            mistakes.add(f"{name} '{said[name]}' is not a number", row)
            return None
    try:
        job = _job(given.get("block", ""), said, measurements, texts, file)
        protocol = _protocol(said)
        environment = _environment(said, file)
    except (HarnessError, ValueError) as error:
        mistakes.add(str(error), row)
        return None
    if not measurements and not read_.absent and not texts:
        mistakes.add(f"this row has no number; where there is none for a reason, write {NOT_AVAILABLE}", row)
        return None
    return Outcome(
        job=job,
        status=Status.OK if measurements else Status.UNSUPPORTED,
        reason=None if measurements else given.get("unavailable", _without(texts)),
        origin="reported",
        citation=file.citation.model_copy(update={"configuration": given.get("configuration")}),
        written_by="published",
        started=file.date,
        seconds=0.0,
        environment=environment,
        provider=said.get("provider"),
        protocol=protocol,
        measurements=tuple(measurements),
        printed=texts,
    )


def _without(texts: Mapping[str, str]) -> str:
    return "published without a number" if texts else f"published as {NOT_AVAILABLE}"


def _job(
    block: str, said: Mapping[str, str], measurements: list[Measurement], texts: Mapping[str, str], file: _File
) -> Job:
    labels = Labels(sweep=file.sweep, block=block, **{name: said[name] for name in LABELS if name in said})
    spec = MeasureSpec(
        probe=said.get("probe", UNKNOWN),
        version=VERSION,
        workload={name: float(said[name]) for name in WORKLOAD_NUMBERS if name in said}
        | {name: said[name] for name in WORKLOAD_TEXTS if name in said},
        engine=said.get("engine", UNKNOWN),
        engine_version=VERSION,
        artifact="/".join((KEY, file.stem, block, labels.model, labels.method, labels.recipe)),
    )
    raw = spec.model_dump(mode="json")
    claim: list[Any] = [raw, dict(said), [item.model_dump(mode="json") for item in measurements]]
    words = {name: text for name, text in texts.items() if not PLAIN_NUMBER.fullmatch(text)}
    claim += [words] if words else []
    return Job(
        run=f"{KEY}-{file.stem}-{digest(claim)[:12]}",
        kind=_kind(measurements),
        key=digest(raw),
        spec=spec,
        environment=said.get("environment", UNKNOWN),
        labels=labels,
        session=f"published-{file.stem}",
    )


def _kind(measurements: list[Measurement]) -> Kind:
    kinds = {metric_named(item.metric).kind for item in measurements}
    return "quality" if kinds == {"quality"} else "speed"


def _protocol(said: Mapping[str, str]) -> Protocol:
    counts = {name: int(said[name]) for name in ("scored", "warmups", "repetitions", "gpu_count") if name in said}
    named = {"name": said.get("protocol", UNKNOWN), "version": VERSION, "dtype": said.get("dtype")}
    return Protocol.model_validate({**named, **counts})


def _environment(said: Mapping[str, str], file: _File) -> Environment:
    name = said.get("environment", UNKNOWN)
    if name != UNKNOWN and name not in file.environments:
        raise HarnessError(unknown("environment", name, file.environments))
    known = file.environments.get(name, {})
    gpus = (Gpu(name=said["gpu"], driver=known.get("driver")),) if "gpu" in said else ()
    return Environment(
        name=name,
        python=str(known.get("python", UNKNOWN)),
        system=str(known.get("system", UNKNOWN)),
        machine=UNKNOWN,
        cpu=str(known.get("cpu", UNKNOWN)),
        box=UNKNOWN,
        gpus=gpus,
        cuda=known.get("cuda"),
        packages={key: str(value) for key, value in (known.get("packages") or {}).items()},
    )


def _once(outcomes: list[Outcome], node: Node | None, mistakes: Mistakes) -> None:
    """Find two rows that answer one question: somebody has edited one and left the other."""
    seen: dict[tuple[str, str, str], Outcome] = {}
    for outcome in outcomes:
        gpu = outcome.environment.gpus[0].name if outcome.environment.gpus else ""
        asked = [f"{item.metric} {item.part} {item.comparison}" for item in outcome.measurements] or ["nothing"]
        for what in asked:
            place = (outcome.job.key, f"{outcome.environment.name} {gpu} {outcome.job.labels.reference}", what)
            if place in seen:
                labels = ", ".join(value for value in outcome.job.labels.model_dump().values() if value)
                mistakes.add(f"{what.split()[0]} of {labels} is given twice; keep one, or tell them apart", node)
            seen[place] = outcome
