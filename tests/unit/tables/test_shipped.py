"""The shipped tables over rows as the quickstart and gpu sweeps leave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.metric import metric
from harness.tables.result import Table
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.unit.tables.frames import CATALOGUE, QUALITY, frame, row, size

TABLES = Path(__file__).resolve().parents[3] / "reports" / "tables"
STRATA = ("seen fact, new options", "seen fact, new phrasing", "stated fact, never asked")


def rows_of(sweep: str, place: dict[str, Any], baseline: str) -> list[dict[str, Any]]:
    found = []
    for number, method in enumerate((baseline, "int4")):
        named = {**place, "sweep": sweep, "block": sweep, "method": method}
        speed, quality = {**named, "run": f"s{method}"}, {**named, **QUALITY, "run": f"q{method}"}
        found += [
            row(name, 10.0 + number, **speed, measurement_id=name + method)
            for name in ("decode_tps", "prefill_tps", "ttft")
        ]
        found += [row(f"peak_rss_{name}", 1e8, source="rss", **speed) for name in ("bytes", "increment_bytes")]
        found += [size(1e7, **named)]
        found += [
            row("peak_gpu_bytes", 1e9, source=source, probe="memory", **speed) for source in ("nvml-process", "device")
        ]
        for name, probe in (
            ("kl_divergence", "kl_divergence"),
            ("top1_agreement", "kl_divergence"),
            ("perplexity", "perplexity"),
            ("lm_eval.acc", "lm_eval"),
        ):
            found.append(
                row(name, 0.5, **quality, probe=probe, protocol=probe, unit=metric(name).unit, tokens=20_000.0)
            )
        found += [
            row("lm_eval.acc", 0.5, **quality, probe="lm_eval", protocol="lm_eval", slice=f"stratum:{name}")
            for name in STRATA
        ]
    floor = {
        **place,
        **QUALITY,
        "sweep": sweep,
        "block": "floor",
        "method": baseline,
        "engine": "transformers",
        "tokens": 4000.0,
        "probe": "kl_divergence",
        "protocol": "kl_divergence",
        "run": "floor",
    }
    return [*found, row("kl_divergence", 1e-9, **floor), row("top1_agreement", 1.0, **floor)]


def built(file: str, rows: list[dict[str, Any]]) -> dict[str, Table]:
    return {spec.name: build(spec, frame(*rows), CATALOGUE) for spec in read_specs(TABLES / f"{file}.tables.yaml")}


def test_the_quickstart_tables_show_every_method_and_the_engine_floor() -> None:
    tables = built("quickstart", rows_of("quickstart", {}, "fp32"))
    keys = {
        name: [[cell.text for cell in line[:2]] for line in table.sections[0].rows] for name, table in tables.items()
    }
    assert [line[0] for line in keys["quickstart-speed"]] == ["FP32", "INT4 RTN"]
    assert keys["quickstart-quality"] == [
        ["FP32", "ONNX Runtime GenAI"],
        ["FP32", "transformers"],
        ["INT4 RTN", "ONNX Runtime GenAI"],
    ]
    assert keys["quickstart-floor"] == [["FP32", "transformers"]]
    assert [cell.text for cell in tables["quickstart-accuracy"].sections[0].rows[0]] == [
        "FP32",
        "50.0",
        "50.0",
        "50.0",
        "50.0",
    ]


@pytest.mark.parametrize("name", ["quickstart-speed", "quickstart-accuracy"])
def test_no_cell_of_a_full_sweep_is_empty(name: str) -> None:
    section = built("quickstart", rows_of("quickstart", {}, "fp32"))[name].sections[0]
    assert [cell.text for line in section.rows for cell in line if cell.text in {"", "-"}] == []


def test_the_table_of_random_weights_compares_decoding() -> None:
    table = built("speed-57m", rows_of("speed-57m", {}, "fp32"))["speed-57m"]
    assert [[line[0].text, line[5].text] for line in table.sections[0].rows] == [
        ["FP32", "1.00x"],
        ["INT4 RTN", "1.10x"],
    ]


def test_the_gpu_tables_have_a_section_for_each_model() -> None:
    place = {"gpu": "NVIDIA H200", "gpu_count": 1.0, "driver": "570.1", "environment": "cuda"}
    rows = [one for model in ("a", "b") for one in rows_of("gpu", {**place, "model": model}, "fp16")]
    for one in rows:
        one["run"] = f"{one['run']}-{one['model']}"
    tables = built("gpu", rows)
    assert {name: [section.headings for section in table.sections] for name, table in tables.items()} == {
        key: [("NVIDIA H200", "a"), ("NVIDIA H200", "b")] for key in ["gpu-speed", "gpu-memory", "gpu-quality"]
    }
    assert "NVIDIA H200, driver 570.1" in tables["gpu-memory"].caption[0]


@pytest.mark.parametrize("gpu", [None, "NVIDIA H200"])
def test_bitsandbytes_settings_have_a_table_for_each_protocol_with_and_without_a_gpu(gpu: str | None) -> None:
    rows = [
        row(name, 1.0 + batch, sweep="bnb-cpu", gpu=gpu, method=method, batch=float(batch), output=output, protocol=protocol)
        for name in ("per_token_latency", "decode_tps")
        for method in ("fp32", "int4")
        for batch in (1, 8, 32)
        for protocol, output in (("bnb-2025-09", 64.0), ("bnb-2024-12", 100.0))
    ]  # fmt: skip
    table = built("bnb-settings", rows)["bnb-settings"]
    assert [section.headings[-1] for section in table.sections] == ["bnb-2024-12", "bnb-2025-09"]
    shown = [[cell.text for cell in line[:2]] for line in table.sections[0].rows]
    assert shown == [[title, batch] for batch in ("1", "8", "32") for title in ("FP32", "INT4 RTN")]


def test_decoding_stands_beside_the_memory_bound_where_that_was_asked_for() -> None:
    place = {"gpu": "NVIDIA H200", "sweep": "gpu-torch", "method": "bf16"}
    asked = [row("bandwidth_share", 0.5, **place), row("copy_bandwidth", 3.5e12, **place)]
    for more, columns in ((asked, ["50.0", "3,500"]), ([], [])):
        (section,) = built("gpu-torch", [row("decode_tps", 10.0, **place), *more])["torch-speed"].sections
        line = dict(zip((one.header for one in section.columns), (cell.text for cell in section.rows[0]), strict=True))
        assert [line[name] for name in line if "memory bound" in name or "Copy" in name] == columns
