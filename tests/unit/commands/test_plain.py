"""Generated tables of a sweep, and the conditions that narrow them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.commands.plain import NO_TABLE, conditions, narrowed, plain, plain_of
from harness.commands.workspace import read_workspace
from harness.core.errors import HarnessError
from harness.core.spec import Labels
from harness.published.sources import NumberSource
from harness.store.database import Database
from harness.tables.specfile import read_specs
from tests.conftest import ROOT
from tests.unit.store.outcomes import measured, session


def test_conditions_are_read_with_the_right_spelling_and_take_the_place_of_a_tables_own() -> None:
    spec = read_specs(ROOT / "reports" / "tables" / "quickstart.tables.yaml")[0]
    where = conditions(["batch=8", "method=int8,fp32"])
    assert where == {"batch": ("8",), "method": ("int8", "fp32")}
    assert narrowed(spec, where).where == {**spec.where, **where}
    with pytest.raises(HarnessError, match="did you mean 'method'"):
        conditions(["methd=int8"])


def test_only_rows_that_fit_come_into_generated_tables(tmp_path: Path) -> None:
    run = measured(1)
    workspace = replace(read_workspace(ROOT), results=tmp_path)
    with Database.open("sqlite://") as database:
        database.ingest_all([run])
        database.place(session(run, labels=Labels(sweep="demo", model="m", method="int8")))
        source = NumberSource(database)
        assert len(plain_of("demo", source, tmp_path)) == 1
        assert plain_of("demo", source, tmp_path, where={"method": ("fp32",)}) == []
        texts = plain("demo", source, workspace, where={"method": ("int8",)})
    assert texts[-1].startswith("`harness explain TABLE ROW COLUMN` explains a cell; tables: ")
    assert NO_TABLE not in "".join(texts)
