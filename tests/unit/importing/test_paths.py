"""Numbers by their place in JSON: into lists by number, over lists to rows, and what a row is of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ConfigError
from harness.formats.paths import read_values, rows_of
from harness.formats.source import read_source
from tests.unit.importing.files import problem, runs, take, values, write

REPORT = {
    "tool": {"name": "theirs"},
    "runs": [
        {"batch": 1, "speed": {"tps": 10.0}, "tests": [{"k": 1, "v": 1}, {"k": 2, "v": 2}]},
        {"batch": 8, "speed": {"tps": 60.0}, "tests": [{"k": 1, "v": 3}, {"k": 2}]},
    ],
    "columns": {"batch": [1, 8], "tps": [11.0, 61.0]},
    "a.b": {"c": 5},
    "x[0]": 6,
}


@pytest.mark.parametrize(
    ("paths", "rows"),
    [
        (["runs[1].speed.tps"], [[60.0]]),
        (["runs.0.speed.tps"], [[10.0]]),
        (["runs[-1].batch"], [[8]]),
        (["runs[*].batch", "runs[*].speed.tps"], [[1, 10.0], [8, 60.0]]),
        (["runs.*.batch", "tool.name"], [[1, "theirs"], [8, "theirs"]]),
        (["columns.batch[*]", "columns.tps[*]"], [[1, 11.0], [8, 61.0]]),
        (
            ["runs[*].tests[*].v", "runs[*].tests[*].k", "runs[*].batch"],
            [[1, 1, 1], [2, 2, 1], [3, 1, 8], [None, 2, 8]],
        ),
        (["a.b.c", "x[0]"], [[5, 6]]),
        (["runs[2].batch", "tool.name"], [[None, "theirs"]]),
        (["runs.batch"], [[None]]),
    ],
)
def test_paths_go_into_lists_and_over_them(paths: list[str], rows: list[list[Any]]) -> None:
    assert [[row.get(path) for path in paths] for row in rows_of(REPORT, paths)] == rows


def test_lists_that_should_share_rows_must_be_alike(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'runs\[\*\].batch' goes over 2 items and 'x\[\*\]' over 3"):
        rows_of({**REPORT, "x": [1, 2, 3]}, ["runs[*].batch", "x[*]"])
    source = read_source(write(tmp_path, "r.json", {"a": [1, 2], "b": [1]}))
    with pytest.raises(ConfigError, match=r"r.json: record 1: 'a\[\*\]' goes over 2 items"):
        read_values(source, {"decode_tps": "a[*]", "batch": "b[*]"})


def test_a_row_knows_what_it_is_of_and_lacks_what_is_not_there(tmp_path: Path) -> None:
    source = read_source(write(tmp_path, "r.json", REPORT))
    found = read_values(source, {"decode_tps": "runs[*].speed.tps", "batch": "runs[*].batch"}).runs
    assert [(run.workload, [number.value for number in run.numbers]) for run in found] == [
        ({"batch": 1}, [10.0]), ({"batch": 8}, [60.0]),
    ]  # fmt: skip
    with pytest.raises(
        ConfigError, match=r"there is no 'runs\[\*\].sped.tps'; there are tool.name, runs\[\*\].batch, runs"
    ):
        read_values(source, {"decode_tps": "runs[*].sped.tps"})
    csv = read_source(write(tmp_path, "r.csv", "batch,speed [tok/s]\n1,10\n8,60\n"))
    found = read_values(csv, {"decode_tps": "speed [tok/s]", "batch": "batch"}).runs
    assert [run.workload for run in found] == [{"batch": 1}, {"batch": 8}]


MAP = """
protocol: theirs
tables:
  - table: 1
    constants: {engine: theirs}
    columns: {"runs[*].batch": batch, "runs[*].speed.tps": {metric: decode_tps}, tool.name: model}
"""


def test_a_map_of_an_import_goes_over_lists_too(tmp_path: Path) -> None:
    map_ = write(tmp_path, "map.yaml", MAP)
    imported = take(write(tmp_path, "r.json", REPORT), map_=map_)
    found = runs(imported)
    assert [(run.job.spec.workload["batch"], values(run)["decode_tps"], run.job.labels.model) for run in found] == [
        (1, 10.0, "theirs"), (8, 60.0, "theirs"),
    ]  # fmt: skip
    assert not any("runs" in name for name in imported.files[0].left), "what was gone into is taken"
    slip = write(tmp_path, "slip.yaml", MAP.replace("speed.tps", "sped.tps"))
    assert "unknown column 'runs[*].sped.tps'" in problem(take(tmp_path / "r.json", map_=slip))
    uneven = write(tmp_path, "u.json", json.dumps({"runs": [{"batch": 1}], "speed": [1, 2]}))
    uneven_map = write(
        tmp_path, "u.yaml", MAP.replace("runs[*].speed.tps", "speed[*]").replace(", tool.name: model", "")
    )
    assert "share rows" in problem(take(uneven, map_=uneven_map))
