"""Every column that a question can name, and where in the database it lives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import String, case, cast

from harness.store import latest
from harness.store import models as m
from harness.store.result import ValueKind
from harness.store.row import table

FrameTable = Literal["run", "job", "environment", "label", "metric_variant", "measurement", "summary"]

RUN, JOB, ENVIRONMENT = table(m.RunRow), table(m.JobRow), table(m.EnvironmentRow)
LABEL, METRIC_VARIANT, MEASUREMENT = table(m.LabelRow), table(m.MetricVariantRow), table(m.MeasurementRow)
SUMMARY = table(m.SummaryRow)
LABELS = ("sweep", "block", "model", "method", "recipe", "reference")


@dataclass(frozen=True)
class FrameColumn:
    """A column of the frame and where it lives."""

    name: str
    place: FrameTable
    kind: ValueKind
    source: Any


_OF_A_PROCESS = ("low", "high", "interval")
"""What a run of 0.1.0 said of the repetitions inside its process: no uncertainty of a number that has a summary."""


def _columns() -> dict[str, FrameColumn]:
    listed: list[tuple[FrameTable, Any, ValueKind, str]] = [
        ("run", RUN, "text", "name:run"),
        ("job", JOB, "text", "key:job_key kind"),
        ("run", RUN, "text", "status reason origin"),
        ("run", RUN, "time", "started counts_from"),
        ("run", RUN, "number", "seconds"),
        ("run", RUN, "text", "session"),
        ("run", RUN, "number", "round order"),
        ("run", RUN, "text", "written_by"),
        ("environment", ENVIRONMENT, "text", "harness name:environment gpu"),
        ("run", RUN, "number", "gpu_count"),
        ("environment", ENVIRONMENT, "text", "driver cuda machine_id:machine cpu"),
        ("environment", ENVIRONMENT, "number", "cores"),
        ("environment", ENVIRONMENT, "text", "system python digest:environment_id"),
        ("label", LABEL, "text", " ".join(LABELS)),
        ("run", RUN, "text", "recipe_options"),
        ("job", JOB, "text", "quantizer engine engine_options"),
        ("run", RUN, "text", "provider dtype"),
        ("job", JOB, "text", "probe"),
        ("run", RUN, "text", "protocol"),
        ("run", RUN, "number", "protocol_version"),
        ("job", JOB, "number", "batch prompt output depth concurrency request_rate shots limit window stride"),
        ("job", JOB, "text", "text task workload"),
        ("job", JOB, "number", "tokens"),
        ("run", RUN, "text", "artifact artifact_content scheme"),
        ("run", RUN, "number", "bits_per_weight"),
        ("run", RUN, "text", "executed"),
        ("metric_variant", METRIC_VARIANT, "text", "metric"),
        ("metric_variant", METRIC_VARIANT, "number", "metric_version"),
        ("metric_variant", METRIC_VARIANT, "text", "slice"),
        ("measurement", MEASUREMENT, "number", "value"),
        ("summary", MEASUREMENT, "number", "low high"),
        ("summary", METRIC_VARIANT, "text", "interval"),
        ("measurement", MEASUREMENT, "number", "n"),
        ("metric_variant", METRIC_VARIANT, "text", "unit source items better comparison baseline"),
        ("run", RUN, "number", "scored skipped truncated warmups repetitions"),
        ("run", RUN, "flag", "bos"),
        ("run", RUN, "number", "prompt_tokens beyond_trained"),
        ("run", RUN, "text", "citation notes sitting series"),
        ("summary", SUMMARY, "number", "value:summary_value low:summary_low high:summary_high rounds"),
        ("summary", SUMMARY, "text", "round_values marks"),
    ]
    found = {}
    for place, source, kind, names in listed:
        for item in names.split():
            inner, _, outer = item.partition(":")
            found[outer or inner] = FrameColumn(outer or inner, place, kind, source.c[inner])
    for name in _OF_A_PROCESS:
        found[name] = replace(found[name], source=case((SUMMARY.c.rounds.is_(None), found[name].source)))
    found["measurement_id"] = FrameColumn(
        "measurement_id", "measurement", "text", RUN.c.name + "#" + cast(MEASUREMENT.c.ordinal, String)
    )
    return found


COLUMNS = _columns()
"""Every dimension and value that a table, a filter or an export can name, in the order of the whole frame."""

CONSTANT = frozenset(
    column.name
    for column in COLUMNS.values()
    if column.place in {"job", "label", "metric_variant"}
    or column.name in {*latest.CONSTANT, "scheme", "bits_per_weight", "executed", "recipe_options", "series"}
)
"""Columns in which the measurements of a configuration's runs do not differ; what was quantized hangs on the artifact's id.
What ran can change with a package; of it the newest is asked for, as of a value."""

KINDS: dict[str, ValueKind] = {name: column.kind for name, column in COLUMNS.items()}
