"""A row that others published as an outcome: its numbers with their digits, what was printed, and where it says it ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harness.core.errors import HarnessError
from harness.core.identity import digest
from harness.core.metric import metric as metric_named
from harness.core.outcome import Citation, Environment, Gpu, Measurement, Outcome, Protocol
from harness.core.spec import WORKLOAD_NUMBERS, WORKLOAD_TEXTS, Job, Kind, Labels, MeasureSpec, Status
from harness.core.spelling import unknown
from harness.plan.yamlfile import Mistakes, Node
from harness.tables.declared import KEY, Declared
from harness.tables.metric_variant import (
    LABELS,
    NOT_AVAILABLE,
    PLAIN_NUMBER,
    VERSION,
    MetricVariant,
)

UNKNOWN = "unknown"


@dataclass(frozen=True)
class ReportedFile:
    """What all blocks of a file share."""

    stem: str
    sweep: str
    """Whose tables show these numbers: the file's name where it does not say."""
    citation: Citation
    date: datetime
    environments: Mapping[str, Mapping[str, Any]]
    declared: Declared


@dataclass(frozen=True)
class ReportedColumns:
    """What the columns of a block are, and which words may stand in the place of a number."""

    names: tuple[str, ...]
    variants: Mapping[str, MetricVariant]
    texts: frozenset[str]
    words: frozenset[str]


@dataclass
class _Cells:
    """What the cells of a row say: numbers, what was printed, and how many numbers there are not."""

    measurements: list[Measurement] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    absent: int = 0


def _cells(cells: Mapping[str, Node], columns: ReportedColumns, row: Node, mistakes: Mistakes) -> _Cells:
    found = _Cells()
    for name in (name for name in columns.names if name in columns.texts):
        if cells[name].value is not None:
            found.texts[name] = cells[name].raw
    for name, variant in columns.variants.items():
        cell = cells.get(name)
        if cell is None or cell.value is None:
            continue
        if cell.raw in columns.words:
            found.texts[variant.key] = cell.raw
        elif cell.raw == NOT_AVAILABLE:
            found.absent += 1
        else:
            try:
                found.measurements.append(variant.measurement(cell.raw))
                found.texts[variant.key] = cell.raw
            except HarnessError as error:
                mistakes.add(str(error), row)
    if any("<!--" in text for text in found.texts.values()):
        mistakes.add("this row holds an HTML comment, which could end a table in a page; leave it out", row)
    return found


def row_outcome(
    fields: Mapping[str, Node],
    said: Mapping[str, str],
    cells: Mapping[str, Node],
    columns: ReportedColumns,
    file: ReportedFile,
    row: Node,
    mistakes: Mistakes,
) -> Outcome | None:
    """Make an outcome of a row's cells; None where they are wrong, which `mistakes` says then.

    fields: of the row's block. said: dimensions of block and row. cells: those of them that this outcome is of.
    """
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
    block: str, said: Mapping[str, str], measurements: list[Measurement], texts: Mapping[str, str], file: ReportedFile
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


def _environment(said: Mapping[str, str], file: ReportedFile) -> Environment:
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
        machine_id=UNKNOWN,
        gpus=gpus,
        cuda=known.get("cuda"),
        packages={key: str(value) for key, value in (known.get("packages") or {}).items()},
    )
