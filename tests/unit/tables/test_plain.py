"""Generated tables: what differs becomes a row, what fails stays, nothing is mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.core.errors import ConfigError
from harness.store.result import ResultSet
from harness.tables.catalogue import TableCatalogue
from harness.tables.markdown import to_markdown
from harness.tables.plain import MOST, plain_tables
from harness.tables.rows import TableRow, rows_of
from harness.tables.spec import RowKey
from harness.tables.table import build


def row(**given: Any) -> dict[str, Any]:
    usual = {
        "sweep": "mine", "block": "", "model": "m", "method": "fp32", "recipe": "r", "reference": "", "kind": "quality",
        "status": "ok", "origin": "measured", "session": "s", "round": 0, "run": "r0", "environment": "cpu",
        "environment_id": "e", "box": "b", "engine": "ort-genai", "probe": "perplexity", "protocol": "p",
        "protocol_version": 1, "metric": "perplexity", "metric_version": 1, "slice": "", "value": 10.0, "low": 9.0,
        "high": 11.0, "unit": "", "started": datetime(2026, 1, 1, tzinfo=UTC), "measurement_id": "r0:0",
        "tokens": None, "batch": None, "provider": "cpu", "source": None, "gpu": None, "reason": None, "seconds": 1.0,
    }  # fmt: skip
    return usual | given


def found(given: Sequence[dict[str, Any]]) -> list[TableRow]:
    names = tuple(dict.fromkeys(name for one in given for name in one))
    return rows_of(ResultSet(names, [tuple(one.get(name) for name in names) for one in given]))


def tables(*rows: dict[str, Any]) -> dict[str, list[str]]:
    texts = {}
    for plain in plain_tables("mine", found(rows)):
        text = to_markdown(build(plain.spec, plain.filled_from)).markdown
        texts[plain.spec.name] = [line for line in text.splitlines() if line.startswith("|")]
    return texts


def test_what_differs_in_the_workload_becomes_a_row_key() -> None:
    lines = tables(row(run="a", tokens=100.0), row(run="b", tokens=200.0, value=12.5))["mine-perplexity"]
    assert lines[0] == "| Model | Method | Engine | Tokens | Perplexity |"
    assert lines[2:] == [
        "| m | fp32 | ort-genai | 100 | 10.000 ± 1.000 |",
        "| m | fp32 | ort-genai | 200 | 12.500 ± 3.500 |",
    ]


def test_options_that_are_no_dimension_of_their_own_become_a_column_each() -> None:
    first, second = '{"read":"a","run":"p x"}', '{"read":"a","run":"p y"}'
    good = row(run="a", workload=first)
    lines = tables(good, row(run="b", workload=second, value=12.5))["mine-perplexity"]
    assert lines[0] == "| Model | Method | Engine | run | Perplexity |"
    assert [line.split(" | ")[3] for line in lines[2:]] == ["p x", "p y"]
    failed = row(run="f", workload=second, status="oom", metric=None, value=None, protocol=None, protocol_version=None)
    lines = tables(good, failed)["mine-perplexity"]
    assert [line.split(" | ")[3:] for line in lines[2:]] == [["p x", "10.000 ± 1.000 |"], ["p y", "oom <sup>1</sup> |"]]


@pytest.mark.parametrize(("name", "values", "said"), [
    ("workload", ['{"read":"a","run":"p x"}', '{"read":"b","run":"p x"}'], "several measurements fit, with workload read"),
    ("artifact", ["one", "two"], "several measurements fit, with artifact one, two"),
])  # fmt: skip
def test_a_table_that_does_not_tell_jobs_of_a_session_apart_says_so(name: str, values: list[str], said: str) -> None:
    [plain] = plain_tables("mine", found([row(run=value, **{name: value}) for value in values]))
    spec = replace(plain.spec, rows=(RowKey("method", "Method"),), show=(RowKey("method", "Method"),))
    with pytest.raises(ConfigError, match=said):
        build(spec, plain.filled_from)
    newest = [
        TableRow({**one.fields, "session": name}) for one, name in zip(plain.filled_from, "st", strict=True)
    ]  # another session: the sweep was changed
    assert "| 10.000" in to_markdown(build(spec, newest)).markdown


def test_a_metric_of_ones_own_is_shown_in_its_unit_and_never_in_two() -> None:
    one = row(metric="own.energy", unit="J", probe="command", metric_version=0, protocol_version=0)
    assert tables(one)["mine-command"][0].endswith("| Energy (J) |")
    with pytest.raises(ConfigError, match=r"numbers of own.energy are in 'J' \(r0\), 'kJ' \(b\); say `unit` where"):
        tables(one, {**one, "run": "b", "unit": "kJ", "method": "int8"})
    [plain] = plain_tables("mine", found([one]))
    declared = TableCatalogue({"metric": {"own.energy": {"title": "Energy", "unit": "Wh"}}})
    with pytest.raises(ConfigError, match="and a published file declares 'Wh'"):
        build(plain.spec, plain.filled_from, declared)


def test_measurements_of_different_machines_stand_in_rows_of_their_own() -> None:
    lines = tables(row(run="a", machine_id="one"), row(run="b", machine_id="two", method="int8"))["mine-perplexity"]
    assert lines[0] == "| Model | Method | Engine | Box | Perplexity |"
    assert len(lines) == 4


def test_protocols_never_share_a_table() -> None:
    both = plain_tables("mine", found([row(run="a"), row(run="b", protocol="q", method="int8")]))
    assert [len(plain.filled_from) for plain in both] == [1, 1]


def test_memory_that_was_counted_in_two_ways_has_two_columns() -> None:
    memory = {"kind": "speed", "probe": "memory", "metric": "peak_gpu_bytes", "unit": "B", "gpu": "G"}
    one = row(**memory, source="device", value=2e9, low=None, high=None)
    two = row(**memory, source="nvml-process", value=1e9, low=None, high=None)
    lines = tables(one, two)["mine-memory"]
    assert lines[0].endswith("| Peak GPU memory (MB), device | Peak GPU memory (MB), nvml-process |")
    assert lines[2].endswith("| 2,000.0 | 1,000.0 |")


def test_a_failed_run_stands_with_the_others_of_its_probe_and_alone_where_there_are_none() -> None:
    failed = row(
        run="f", status="oom", metric=None, value=None, method="int8", protocol=None, protocol_version=None, reason="x"
    )
    assert tables(row(), failed)["mine-perplexity"][3].startswith("| m | int8 | ort-genai | oom")
    assert tables(failed)["mine-perplexity"][2].startswith("| m | int8 | ort-genai | oom")


def test_small_numbers_are_shown_with_two_digits() -> None:
    kl = row(probe="kl_divergence", metric="kl_divergence", unit="nat", value=3.2e-7, low=3.1e-7, high=3.3e-7)
    assert "0.00000032 ± 0.00000001" in tables(kl)["mine-kl_divergence"][2]


def test_a_table_of_very_many_rows_is_cut_and_tells_how_many_there_are() -> None:
    rows = [row(run=f"r{number}", tokens=float(number)) for number in range(MOST + 50)]
    (plain,) = plain_tables("mine", found(rows))
    assert (len(plain.filled_from), plain.rows) == (MOST, MOST + 50)


def test_tables_stand_in_one_order_whatever_ran_first() -> None:
    build = row(run="b", kind="build", probe=None, metric="build_seconds", unit="s", engine=None, low=None, high=None)
    speed = row(run="g", kind="speed", probe="generation", metric="decode_tps", unit="tok/s")
    distance = row(run="k", probe="kl_divergence", metric="kl_divergence", unit="nat")
    names = ["mine-builds", "mine-generation", "mine-perplexity", "mine-kl_divergence"]
    assert list(tables(distance, row(), speed, build)) == names
    assert list(tables(build, speed, row(), distance)) == names


def test_a_build_is_told_in_seconds_however_short() -> None:
    build = row(
        kind="build", probe=None, metric="build_seconds", unit="s", engine=None, value=0.25, low=None, high=None
    )
    header, _, line = tables(build)["mine-builds"]
    assert header.endswith("| Build (s) |")
    assert line.endswith("| 0.25 |")


def test_where_every_run_failed_one_column_says_so() -> None:
    failed = row(kind="speed", probe="memory", status="oom", metric=None, value=None, protocol=None, reason="x")
    header, _, line = tables(failed)["mine-memory"]
    assert header == "| Model | Method | Engine | Peak memory (MB) |"
    assert line.startswith("| m | fp32 | ort-genai | oom")


def test_the_title_of_the_sweep_heads_its_tables() -> None:
    (named,) = plain_tables("mine", found([row()]), "My models")
    (unnamed,) = plain_tables("mine", found([row()]))
    assert (named.spec.title, unnamed.spec.title) == ("My models: perplexity", "Sweep mine: perplexity")


def test_what_was_quantized_stands_beside_what_was_built_and_measured() -> None:
    scheme = "int4 b128 sym x20; head float32; embedding float32"
    made = {"scheme": scheme, "bits_per_weight": 7.719}
    built = row(
        kind="build", probe=None, metric="build_seconds", unit="s", engine=None, value=0.25, low=None, high=None, **made
    )
    found = tables(built, row(run="m", **made))
    assert found["mine-builds"][0].endswith("| Scheme | Bits per weight |")
    assert found["mine-builds"][2].endswith(f"| {scheme} | 7.72 |")
    assert found["mine-perplexity"][0].endswith("| Perplexity | Bits per weight |")
