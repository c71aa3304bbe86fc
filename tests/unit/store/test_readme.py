from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.core import outcome, spec
from harness.store import models
from harness.store.frame import COLUMNS
from harness.store.session import SessionJob, SessionRecord

FIELDS = Path(__file__).parents[3] / "results" / "FIELDS.md"
RECORDS = [
    *(
        spec.Job,
        spec.BuildSpec,
        spec.MeasureSpec,
        spec.Labels,
        spec.Input,
        outcome.Outcome,
        outcome.Measurement,
        outcome.ArrayRef,
    ),
    *(outcome.Protocol, spec.Note, outcome.Gpu, outcome.Environment, outcome.Artifact, SessionRecord, SessionJob),
]


@pytest.fixture(scope="module")
def named() -> set[str]:
    return set(re.findall(r"`([a-z0-9_]+)`", FIELDS.read_text("utf-8")))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_field_is_explained(record: type[spec.Record], named: set[str]) -> None:
    assert set(record.model_fields) <= named


def test_every_column_and_table_is_explained(named: set[str]) -> None:
    assert set(COLUMNS) <= named
    assert set(models.Row.metadata.tables) <= named
