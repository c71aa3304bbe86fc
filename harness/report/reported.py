"""Numbers that others published, as tables of YAML: each row becomes an outcome that is `reported` for ever.

A value is kept with its digits: what it can be is an interval of half a unit in the last one (`interval: rounding`).
Nothing is computed: a ratio that stands on a page without its inputs stays a ratio, and numbers that contradict one
another stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, unknown
from harness.core.identity import digest
from harness.core.metric import OWN
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
from harness.report import printed
from harness.report.compare import COMPARISONS
from harness.report.declared import KEY, Declared, OwnMetric, declared_in
from harness.report.formats import factor
from harness.report.slips import check_names

UNKNOWN = "unknown"
NOT_AVAILABLE = "N/A"
VERSION = 0
"""Of probes, engines, protocols and metrics: as the source defines them, not as we do."""

_FILE = (KEY, "metrics", "models", "methods", "environments", "blocks")
_CITATION = ("title", "url", "version", "date", "sweep")
_ENVIRONMENT = ("system", "python", "cpu", "driver", "cuda", "packages")
_LABELS = ("model", "method", "recipe", "reference")
_PROTOCOL = ("dtype", "scored", "warmups", "repetitions", "gpu_count")
DIMENSIONS = (
    *_LABELS,
    *WORKLOAD_NUMBERS,
    *WORKLOAD_TEXTS,
    *_PROTOCOL,
    "environment",
    "gpu",
    "engine",
    "provider",
    "probe",
    "protocol",
)
_METRIC = ("metric", "as", "baseline", "unit", "part", "source")
_NUMBER = re.compile(r"[-+]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]+)?")
_COUNTS = ("x",)
"""What may stand behind a number without a unit."""
PLUS_MINUS = "plus-minus as published"


def printed_key(metric: str, comparison: str, part: str) -> str:
    """Name a column of numbers, for the texts that were printed in it."""
    return " ".join(text for text in (metric, comparison, part) if text)


@dataclass(frozen=True)
class _Quantity:
    """What a column of numbers is: a metric, or a comparison of it with something."""

    metric: str
    unit: str | None = None
    comparison: str | None = None
    baseline: Mapping[str, str] | None = None
    part: str = ""
    source: str | None = None
    own: OwnMetric | None = None
    """What the file declares of a metric of its own."""

    @property
    def key(self) -> str:
        """The name under which the printed text is kept."""
        return printed_key(self.metric, self.comparison or "", self.part)

    @property
    def stored(self) -> str:
        """The unit in which values are kept."""
        return "" if self.comparison else self.own.unit if self.own else metric_named(self.metric).unit

    def measurement(self, text: str) -> Measurement:
        """Read a published number. Raises: HarnessError for what is no number or has no such unit."""
        said = printed.read(text)
        if said is None:
            raise HarnessError(f"'{text}' is not a number; write digits, null for nothing, or {NOT_AVAILABLE}")
        if said.value < 0 and metric_named(self.metric).kind != "quality" and not self.comparison:
            raise HarnessError(f"'{text}' {self.stored}: {self.metric} must not be negative")
        scale = self._scale(said)
        return Measurement(
            metric=self.metric,
            metric_version=VERSION,
            part=self.part,
            value=float(said.value * scale),
            unit=self.stored,
            low=float((said.value - said.half) * scale),
            high=float((said.value + said.half) * scale),
            interval="rounding" if said.spread is None else PLUS_MINUS,
            n=1,
            source=self.source,
            better=self.own.better if self.own else None,
            comparison=self.comparison,
            baseline=dict(self.baseline or {}),
        )

    def _scale(self, said: printed.Printed) -> Decimal:
        """Return what the printed number is times to be kept. Raises: HarnessError for a unit that is none of the metric's."""
        if self.comparison:
            return Decimal(1)
        shown = self.unit or self.stored
        if said.unit == "%" and self.stored == "fraction":
            return Decimal(1) / 100
        known = said.unit in _COUNTS if shown == self.stored == "" else False
        here = Decimal(1) if known else printed.scale(said.unit, shown)
        if here is None:
            raise HarnessError(f"'{said.unit}' stands behind a number of {self.metric}, whose unit is '{shown}'")
        return here / (Decimal(1) if self.own else factor(self.stored, shown))


@dataclass(frozen=True)
class _File:
    """What all blocks of a file share."""

    stem: str
    sweep: str
    """Whose tables show these numbers: the file's name where it does not say."""
    citation: Citation
    date: datetime
    environments: Mapping[str, Mapping[str, Any]]
    own: Mapping[str, OwnMetric] = field(default_factory=dict)
    """Metrics of its own."""
    names: frozenset[str] = frozenset()
    """Models and methods that it declares: they are meant as they are written."""


@dataclass(frozen=True)
class _Columns:
    """What the columns of a block are, and which words may stand in the place of a number."""

    names: tuple[str, ...]
    quantities: Mapping[str, _Quantity]
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
    names = frozenset(name for kind in ("model", "method") for name in declared.names.get(kind, ()))
    return _File(path.stem, sweep, citation, date, known, declared.metrics, names)


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
    _check_names(fields, file, mistakes)
    for row in fields["rows"].items if "rows" in fields else ():
        if len(row.items) != len(columns.names):
            mistakes.add(f"this row has {len(row.items)} values and there are {len(columns.names)} columns", row)
            continue
        cells = dict(zip(columns.names, row.items, strict=True))
        _check_names(cells, file, mistakes)
        for part in _parts(cells, columns):
            outcome = _outcome(fields, {**shared, **_said(cells)}, part, columns, file, row, mistakes)
            if outcome is not None:
                yield outcome


def _columns(fields: Mapping[str, Node], file: _File, mistakes: Mistakes) -> _Columns:
    quantities = _quantities(fields.get("metrics"), file, mistakes)
    texts = frozenset(item.raw for item in fields["texts"].items) if "texts" in fields else frozenset()
    words = frozenset(item.raw for item in fields["words"].items) if "words" in fields else frozenset()
    items = fields["columns"].items if "columns" in fields else []
    names = tuple(word(item, "a column", mistakes) or "" for item in items)
    for name, item in zip(names, items, strict=True):
        if name not in DIMENSIONS and name not in quantities and name not in texts:
            quantities |= _plain_quantity(name, item, file, mistakes)
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


def _check_names(said: Mapping[str, Node], file: _File, mistakes: Mistakes) -> None:
    """Find misspelt names; what the file itself declares is none."""
    check_names({name: node for name, node in said.items() if node.raw not in file.names}, mistakes)


def _is_number(cells: Mapping[str, Node], quantities: Mapping[str, _Quantity]) -> Iterator[bool]:
    return (cells[name].value is not None for name in quantities if name in cells)


def _said(cells: Mapping[str, Node]) -> dict[str, str]:
    return {name: cell.raw for name, cell in cells.items() if name in DIMENSIONS and cell.value is not None}


def _quantities(node: Node | None, file: _File, mistakes: Mistakes) -> dict[str, _Quantity]:
    found: dict[str, _Quantity] = {}
    for name, part in (mapping(node, "metrics", mistakes) if node else {}).items():
        said = mapping(part, f"metric '{name}'", mistakes, _METRIC)
        metric, comparison = said["metric"].raw if "metric" in said else name, said.get("as")
        found |= _plain_quantity(metric, part, file, mistakes, called=name)
        if comparison is not None and comparison.raw not in COMPARISONS:
            mistakes.add(unknown("comparison", comparison.raw, COMPARISONS), comparison)
        if (comparison is None) != ("baseline" not in said):
            mistakes.add("'as' and 'baseline' belong together: what is compared, and with what", part)
        _check_names(said["baseline"].fields if "baseline" in said else {}, file, mistakes)
        baseline = {key: value.raw for key, value in said["baseline"].fields.items()} if "baseline" in said else None
        texts: dict[str, Any] = {key: said[key].raw for key in ("unit", "part", "source") if key in said}
        compared = comparison.raw if comparison else None
        found[name] = replace(found[name], comparison=compared, baseline=baseline, **texts)
    return found


def _plain_quantity(metric: str, node: Node, file: _File, mistakes: Mistakes, called: str = "") -> dict[str, _Quantity]:
    try:
        metric_named(metric)
    except HarnessError as error:
        mistakes.add(f"{error}" if called else f"{error}; the dimensions are {', '.join(DIMENSIONS)}", node)
    if metric.startswith(OWN) and metric not in file.own:
        mistakes.add(
            f"'{metric}' is not declared; add it to 'metrics' at the top: {metric}: {{unit: ms, better: lower}}", node
        )
    return {called or metric: _Quantity(metric, own=file.own.get(metric))}


def _outcome(
    fields: Mapping[str, Node],
    said: Mapping[str, str],
    cells: Mapping[str, Node],
    columns: _Columns,
    file: _File,
    row: Node,
    mistakes: Mistakes,
) -> Outcome | None:
    measurements, absent = [], 0
    texts = {name: cells[name].raw for name in columns.names if name in columns.texts and cells[name].value is not None}
    for name, quantity in columns.quantities.items():
        cell = cells.get(name)
        if cell is None or cell.value is None:
            continue
        if cell.raw in columns.words:
            texts[quantity.key] = cell.raw
            continue
        if cell.raw == NOT_AVAILABLE:
            absent += 1
            continue
        try:
            measurements.append(quantity.measurement(cell.raw))
            texts[quantity.key] = cell.raw
        except HarnessError as error:
            mistakes.add(str(error), row)
    given = {name: fields[name].raw for name in ("block", "configuration", "unavailable") if name in fields}
    for name in (*WORKLOAD_NUMBERS, "scored", "warmups", "repetitions", "gpu_count"):
        if name in said and not _NUMBER.fullmatch(said[name]):
            mistakes.add(f"{name} '{said[name]}' is not a number", row)
            return None
    try:
        job = _job(given.get("block", ""), said, measurements, texts, file)
        protocol = _protocol(said)
        environment = _environment(said, file)
    except (HarnessError, ValueError) as error:
        mistakes.add(str(error), row)
        return None
    if not measurements and not absent and not texts:
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
    labels = Labels(sweep=file.sweep, block=block, **{name: said[name] for name in _LABELS if name in said})
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
    words = {name: text for name, text in texts.items() if not _NUMBER.fullmatch(text)}
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
