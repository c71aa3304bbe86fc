"""What one cell and one table never mix."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.errors import ConfigError
from tests.unit.tables.frames import row, size
from tests.unit.tables.texts import SPEED, texts


def test_measurements_of_two_questions_do_not_fill_one_cell(table: Any) -> None:
    with pytest.raises(ConfigError, match=r"tables.yaml:2: table 'speed', fp32, column 'Decode': .* with batch 1, 8"):
        table(SPEED, row("decode_tps", 10.0), row("decode_tps", 40.0, batch=8.0))


def test_a_sweep_that_changed_its_workload_shows_the_newest(table: Any) -> None:
    old = row("decode_tps", 10.0, prompt=512.0, session="s0", started="2025-01-01T00:00:00+00:00")
    assert texts(table(SPEED, old, row("decode_tps", 12.0)))[1][1] == "12.0"


def test_a_table_does_not_mix_gpus(table: Any) -> None:
    rows = [row("decode_tps", 10.0, gpu="T4"), row("decode_tps", 20.0, method="int4", gpu="H100")]
    with pytest.raises(ConfigError, match=r"table 'speed' would mix gpu: H100, T4; .* may_mix: \[gpu\]"):
        table(SPEED, *rows)
    assert len(texts(table(SPEED.replace("rows:", "may_mix: [gpu]\n  rows:"), *rows))) == 3


def test_a_table_with_gpus_as_headings_has_a_section_for_each(table: Any) -> None:
    spec = SPEED.replace("rows:", "each: gpu\n  rows:")
    rows = [row("decode_tps", 10.0, gpu="T4"), row("decode_tps", 20.0, gpu="H100", machine_id="b2")]
    assert [section.headings for section in table(spec, *rows).sections] == [("H100",), ("T4",)]


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [("machine", "b1", "b2"), ("driver", "550", "560"), ("environment", "cpu", "genai-latest"), ("protocol", "e2e", "e2e-greedy"),
     ("metric_version", 1.0, 2.0), ("source", "device", "nvml-process"), ("protocol_version", 1.0, 2.0)],
)  # fmt: skip
def test_a_table_does_not_mix(table: Any, field: str, one: Any, other: Any) -> None:
    rows = [row("decode_tps", 10.0, **{field: one}), row("decode_tps", 20.0, method="int4", **{field: other})]
    with pytest.raises(ConfigError, match=f"would mix {field}"):
        table(SPEED, *rows)
    table(SPEED.replace("rows:", f"may_mix: [{field}]\n  rows:"), *rows)


def test_a_table_does_not_mix_package_versions_unless_the_package_is_named(table: Any) -> None:
    versions = {"e1": {"onnxruntime": "1.28.0"}, "e2": {"onnxruntime": "1.29.0"}}
    rows = [row("decode_tps", 10.0), row("decode_tps", 20.0, method="int4", environment_id="e2")]
    with pytest.raises(ConfigError, match=r"would mix environment.onnxruntime: 1.28.0, 1.29.0"):
        table(SPEED, *rows, packages=versions.__getitem__)
    spec = SPEED.replace("rows:", "may_mix: [environment.onnxruntime]\n  rows:")
    assert len(texts(table(spec, *rows, packages=versions.__getitem__))) == 3


def test_sizes_stand_beside_speeds_although_a_build_has_no_engine(table: Any) -> None:
    spec = (
        SPEED.replace("rows:", "where: {engine: ort-genai}\n  rows:")
        + "    Size (MB): {metric: artifact_bytes, unit: MB, format: 1}\n"
    )
    made = table(spec, row("decode_tps", 10.0), size(13_560_000.0), size(5e6, method="int8"))
    assert texts(made) == [["Method", "Decode", "Speedup", "Size (MB)"], ["FP32", "10.0", "1.00x", "13.6"]]
