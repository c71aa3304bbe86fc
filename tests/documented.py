"""What documentation takes from the code: tables of options, fields, columns, metrics and formats, from docstrings and registries."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Literal, get_args, get_origin

from sqlalchemy.orm import DeclarativeBase

from harness.core import outcome, spec
from harness.core.metric import METRICS
from harness.core.options import Options
from harness.core.registry import load
from harness.engines import ENGINES
from harness.formats import FORMATS
from harness.plan.adapters import shipped
from harness.probes.facts import FACTS
from harness.quantizers import QUANTIZERS
from harness.store import models
from harness.store.columns import COLUMNS, FrameColumn
from harness.store.mark import RunMark
from harness.store.session import SessionJob, SessionRecord

NONE = re.compile(r"\bNone\b(?=:| leaves)")
BY_NAME = {
    "protocol": "How the clock is read: `genai-e2e-0.9` is greedy and takes means, `genai-e2e-0.9-median` medians, which a busy moment hardly moves; `genai-e2e-0.9-sampling` draws from the 50 likeliest.",
    "batch": "Sequences at once.",
    "repetitions": "Timed repetitions.",
    "shots": "Examples before each question.",
}
"""What fields mean whose class leaves it to their name."""
FAKE = "fake"
RECORDS = {
    "runs/<run>/job.json": (spec.Job, spec.BuildSpec, spec.MeasureSpec, spec.Input, spec.Labels),
    "runs/<run>/outcome.json": (
        *(outcome.Outcome, outcome.Measurement, outcome.ArrayRef, outcome.Protocol, outcome.Environment, outcome.Gpu),
        *(outcome.Artifact, outcome.Scheme, outcome.Citation, spec.Note),
    ),
    "runs/<run>/mark.json": (RunMark,),
    "sessions/<session>.json": (SessionRecord, SessionJob),
}
"""File to the records in it; every one has its fields listed."""


def meanings(class_: type, base: type = object) -> dict[str, str]:
    """Read the docstrings of fields, which are not kept at run time, from the source; a class's own come last."""
    found: dict[str, str] = {}
    for one in reversed(class_.__mro__[: class_.__mro__.index(base)]):
        if one.__module__.startswith("harness."):
            found |= _field_docs(one)
    return found


def _field_docs(class_: type) -> Iterator[tuple[str, str]]:
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(class_))).body
    assert isinstance(body, ast.ClassDef)
    for field, after in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            said = after.value if isinstance(after, ast.Expr) else None
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                yield field.target.id, " ".join(said.value.split())


def rows(header: str, lines: Iterable[Iterable[str]]) -> str:
    """Write a Markdown table; bars in cells are escaped."""
    names = header.split("|")
    body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}", *body])


def said_by(thing: object) -> str:
    """Return the own docstring of a class or module as one paragraph."""
    return " ".join((thing.__doc__ or "").split())


# ---------------------------------------------------------------- configs/OPTIONS.md


def documented_options() -> dict[str, type[Options]]:
    """Return what can be asked of every adapter, by what it is and its name."""
    found = {f"Probe {name}": shipped().probe(name).workload for name in shipped().probe_names()}
    for what, registry in (("engine", ENGINES), ("quantizer", QUANTIZERS)):
        names = [name for name in registry if name != FAKE]
        found |= {f"{what.capitalize()} {name}": load(registry, what, name).options for name in names}
    return found


def choices(annotation: Any) -> list[str]:
    """Return the words of a closed list, also of one that may be absent or repeated."""
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    return [word for inner in get_args(annotation) for word in choices(inner)]


def options_table(options: type[Options]) -> str:
    """Write the options of an adapter as a table."""
    said = BY_NAME | meanings(options, Options)
    lines = []
    for field, info in options.model_fields.items():
        value = info.get_default(call_default_factory=True) if not info.is_required() else None
        default = (
            "required" if info.is_required() else f"`{json.dumps(value).strip(chr(34))}`" if value != "" else "empty"
        )
        words = [word for word in choices(info.annotation) if word not in said[field]]
        listed = f" One of {', '.join(f'`{word}`' for word in choices(info.annotation))}." if words else ""
        lines.append((f"`{field}`", default, NONE.sub("null", said[field] + listed)))
    return rows("field|default|what it says", lines)


def options_page() -> str:
    """Write configs/OPTIONS.md."""
    parts = [
        "# Every option",
        "Written from the code by `python -m tests.test_docs`; [README.md](README.md) says where options stand. Each may be a list, which is an axis; `null` is no value.",
    ]
    for name, options in documented_options().items():
        parts += [f"## {name}", said_by(options), options_table(options)]
    return "\n\n".join(parts) + "\n"


# ---------------------------------------------------------------- results/FIELDS.md


def record_table(record: type[spec.Record]) -> str:
    """Write the fields of a record."""
    said = meanings(record, spec.Record)
    return rows(
        "field|what it says",
        (
            (
                f"`{info.serialization_alias or name}`",
                re.sub(r"\bNone\b", "null", said.get(name) or _by_type(info.annotation)),
            )
            for name, info in record.model_fields.items()
        ),
    )


def _by_type(annotation: Any) -> str:
    """Say of a field what its type says: the words of a closed list, or the records that stand there."""
    words = choices(annotation)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        words = [str(word) for word in annotation]
    listed = [record for records in RECORDS.values() for record in records]
    inside = [record.__name__ for record in listed if record in {annotation, *_inside(annotation)}]
    seen = " or ".join(f"[{name}](#{name.lower()})" for name in inside)
    return f"One of {', '.join(f'`{word}`' for word in words)}." if words else f"See {seen}." if seen else ""


def _inside(annotation: Any) -> set[Any]:
    return {part for inner in get_args(annotation) for part in (inner, *_inside(inner))}


def _columns_said() -> dict[tuple[str, str], str]:
    """Read what docstrings say of the database's columns, by table and column."""
    return {
        (str(row.__tablename__), name): text
        for row in _database_rows()
        for name, text in meanings(row, DeclarativeBase).items()
    }


def _database_rows() -> list[type[models.Row]]:
    return [mapper.class_ for mapper in sorted(models.Row.registry.mappers, key=lambda one: one.class_.__tablename__)]


def column_line(column: FrameColumn, said: dict[tuple[str, str], str]) -> tuple[str, str, str, str]:
    """Describe a column of the frame: where it lives, what it holds, and what the table's own docstring or the record says."""
    there = getattr(getattr(column.source, "table", None), "name", "measurement")
    inner = getattr(column.source, "name", column.name)
    text = said.get((there, inner)) or _of_records(there).get(inner, "")
    return f"`{column.name}`", column.kind, there, re.sub(r"\bNone\b", "null", text)


@functools.cache
def _of_records(table: str) -> dict[str, str]:
    """Meanings of the fields of records, and of probes' options, from which a table's columns come."""
    if table == "job":  # `limit` counts what the probe counts
        of_probes = [meanings(shipped().probe(name).workload, Options) for name in shipped().probe_names()]
        return {name: text for said in of_probes for name, text in said.items() if name != "limit"} | BY_NAME
    records: dict[str, list[type[spec.Record]]]
    records = {"environment": [outcome.Environment], "placement": [spec.Labels], "run": [outcome.Outcome, outcome.Protocol],
               "quantity": [outcome.Measurement], "measurement": [outcome.Measurement]}  # fmt: skip
    found = {
        record.model_fields[name].serialization_alias or name if name in record.model_fields else name: text
        for record in records.get(table, [])
        for name, text in meanings(record, spec.Record).items()
    }
    asked = meanings(spec.Job, spec.Record) if table == "run" else {}
    return found | {name: asked[name] for name in ("session", "round", "order") if name in asked}


def database_line(row: type[models.Row]) -> tuple[str, str, str]:
    """Describe a table of the database."""
    return f"`{row.__tablename__}`", said_by(row), ", ".join(f"`{column.name}`" for column in row.__table__.columns)


def format_lines() -> Iterator[tuple[str, str]]:
    """Describe the formats that `import` knows; two of one module stand in one line."""
    modules: dict[str, list[str]] = {}
    for name, place in FORMATS.items():
        modules.setdefault(place.partition(":")[0], []).append(f"`{name}`")
    for module, names in modules.items():
        yield ", ".join(names), said_by(importlib.import_module(module))


_OF_COLUMNS = """\
One row per measurement, and one per run that is not ok; numbers are float64, moments UTC, absent is empty in CSV and null in JSON lines
and Parquet, a label that nobody gave the empty text. Speed and memory have `summary_low` and `summary_high`, the same in the row of each
round, and no `low`, `high` and `interval`. `measurement_id` is `RUN#PLACE`, the same in every database."""


def fields_page() -> str:
    """Write results/FIELDS.md."""
    said = _columns_said()
    parts = [
        "# Every field, column, metric and format",
        "Written from the code by `python -m tests.test_docs`; [README.md](README.md) says what the files are for. A field without a word is what its name says.",
    ]
    for file, records in RECORDS.items():
        parts.append(f"## `{file}`")
        for record in records:
            parts += [f"### {record.__name__}", said_by(record), record_table(record)]
    parts += [
        "## Facts of a protocol",
        rows("name|what it says", ((f"`{name}`", text) for name, text in FACTS.items())),
    ]
    parts += [
        "## Columns of tables and exports",
        _OF_COLUMNS,
        rows("column|kind|from|what it says", (column_line(column, said) for column in COLUMNS.values())),
        "## Tables of the database",
        rows("table|a row is|columns", (database_line(row) for row in _database_rows())),
        "## Metrics",
        "lm-eval's own are written `lm_eval.NAME`; shares (`acc`, `exact_match`, `f1`, `mcc`) are fractions, all others have no unit.",
        rows(
            "name|title|unit|better|definition",
            ((f"`{one.name}`", one.title, one.unit or "none", one.better, one.definition) for one in METRICS.values()),
        ),
        "## Formats of harness import",
        "`markdown`, and CSV or JSON of another form, are read by a map.",
        rows("format|what it is, and what is not taken", format_lines()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
