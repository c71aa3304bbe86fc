"""`harness report NAME`: a name that nothing has, and a table that is empty since its file is called by another sweep."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from harness.commands.report import print_tables
from harness.commands.workspace import Workspace, read_workspace
from harness.core.errors import HarnessError
from harness.store.database import Database

TABLE = "mine: {rows: [method], cells: {PPL: {metric: perplexity}}}\n"


def workspace(root: Path, file: str) -> Workspace:
    """Make a workspace with an empty database and one file of tables."""
    (root / "harness.yaml").write_text("version: 1\n", "utf-8")
    (root / "configs" / "tables").mkdir(parents=True)
    (root / "configs" / "tables" / file).write_text(TABLE, "utf-8")
    found = read_workspace(root)
    found.results.mkdir(parents=True)
    Database.open(found.database).close()
    return found


@pytest.mark.parametrize(("file", "asked", "said"), [
    ("fifth.yaml", "fifth", "configs/tables/fifth.yaml is not read: a file of tables must be called NAME.tables.yaml"),
    ("other.yaml", "mine", "configs/tables/other.yaml is not read: a file of tables must be called NAME.tables.yaml"),
    ("other.tables.yaml", "zzz", "a table is called by its key in configs/tables/NAME.tables.yaml, and all tables of that file by NAME"),
    ("other.tables.yaml", "docs/bench.md", "a page is rewritten by `harness report --write docs/bench.md`"),
])  # fmt: skip
def test_a_name_that_nothing_has_is_told_with_what_names_a_table(
    tmp_path: Path, file: str, asked: str, said: str
) -> None:
    with pytest.raises(HarnessError) as told:
        print_tables(Console(file=io.StringIO()), workspace(tmp_path, file), [asked], {})
    assert said in str(told.value)


def test_a_table_of_a_file_that_is_called_by_no_sweep_says_why_it_is_empty(tmp_path: Path) -> None:
    out = io.StringIO()
    print_tables(Console(file=out, soft_wrap=True), workspace(tmp_path, "other.tables.yaml"), ["mine"], {})
    assert (
        "no results for mine: nothing of sweep other was measured; a table shows the sweep that its file is called by"
        in out.getvalue()
    )
