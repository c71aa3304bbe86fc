"""What is taken into the database, and what goes out of it into a file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.commands.export import export
from harness.commands.ingest import ingest
from harness.core.errors import HarnessError
from harness.core.spec import Labels
from tests.conftest import Bench
from tests.unit.store.outcomes import measured, write_run


def test_new_runs_are_counted_once_and_those_whose_folder_is_gone_are_forgotten(bench: Bench) -> None:
    said: list[str] = []
    write_run(bench.results, measured(1, labels=Labels(sweep="s", model="tiny", method="int8")))
    assert ingest(bench.workspace, None, said.append) == ()
    assert ingest(bench.workspace, None, said.append) == ()
    shutil.rmtree(next(bench.results.glob("runs/*/outcome.json")).parent)
    assert ingest(bench.workspace, None, said.append) == ()
    assert ["1 runs are new" in one for one in said[:2]] == [True, False]
    assert "1 runs left the database" in said[-1]


def test_a_run_that_cannot_be_read_is_told_and_the_others_are_taken(bench: Bench) -> None:
    said: list[str] = []
    write_run(bench.results, measured(1))
    folder = bench.results / "runs" / "broken"
    folder.mkdir()
    (folder / "outcome.json").write_text("{", "utf-8")
    (problem,) = ingest(bench.workspace, None, said.append)
    assert "broken" in problem
    assert "1 runs are new" in said[0]


def test_rows_that_meet_all_conditions_are_written_and_a_choice_that_nothing_meets_is_refused(
    bench: Bench, tmp_path: Path
) -> None:
    for number, method in ((1, "int8"), (2, "fp32")):
        write_run(bench.results, measured(number, labels=Labels(sweep="s", model="tiny", method=method)))
    ingest(bench.workspace, None, lambda _: None)
    out = tmp_path / "all.csv"
    assert export(bench.workspace, out, {}, {}) == f"4 rows written to {out}"
    assert export(bench.workspace, out, {"model": ["tiny"]}, {"method": ["int8"]}) == f"2 rows written to {out}"
    assert len(out.read_text("utf-8").splitlines()) == 3
    with pytest.raises(HarnessError, match="int4"):
        export(bench.workspace, out, {}, {"method": ["int4"]})
