"""What results of earlier versions of a probe left to defaults."""

from __future__ import annotations

import json

import pytest

from harness.probes.kl_divergence import PROBE
from harness.store.workload import workload_columns
from tests.unit.store.outcomes import measured


@pytest.mark.parametrize(
    ("version", "text", "stores"), [(PROBE.version, "reference", "float16"), (2, "reference", None), (1, None, None)]
)
def test_an_earlier_version_is_told_with_its_own_defaults_and_an_unknown_one_with_none(
    version: int, text: str | None, stores: str | None
) -> None:
    spec = measured(1).job.spec.model_copy(
        update={"probe": "kl_divergence", "version": version, "workload": {"stride": 256}}
    )
    found = workload_columns(spec)  # type: ignore[arg-type]
    assert (found["text"], found["stride"]) == (text, 256)
    assert json.loads(str(found["workload"])).get("stores") == stores
