"""The command, of cells in tables and of numbers in prose."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness import cli
from harness.commands.explain import explained, explanation
from harness.commands.workspace import Workspace, read_workspace
from harness.core.errors import HarnessError
from harness.environments import ROOT
from harness.store.database import Database
from harness.tables.locate import named
from tests.unit.explain.site import PUBLISHED, Site, at


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["harness", "explain", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_the_command_of_the_readme_prints_stable_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], site: Site
) -> None:
    (place,) = re.findall(r"`harness explain (README\.md:\d+:\d+)`", (ROOT / "README.md").read_text("utf-8"))
    first = run(monkeypatch, capsys, place, "--json")
    rerun = run(monkeypatch, capsys, place, "--json")
    assert first == rerun
    assert first[0] == 0
    found = json.loads(first[1])
    assert found["text"] == at(site, "quickstart-overview", "INT8", "Decode speed-up").text
    assert found["inputs"][0]["artifacts"][-1]["content"]


def test_the_command_names_what_it_cannot_find(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, capsys, "quickstart-sped", "1", "1")[::2] == (
        2,
        "unknown table 'quickstart-sped'; did you mean 'quickstart-speed'?\n",
    )


def test_a_condition_replaces_that_of_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = ("quickstart-speed", "INT8", "Decode (tok/s)")
    same = run(monkeypatch, capsys, *cell)
    assert run(monkeypatch, capsys, *cell, "--where", "sweep=quickstart") == same
    code, _, error = run(monkeypatch, capsys, *cell, "--where", "sweep=another")
    assert (code, "has no results yet" in error) == (2, True)
    assert "unknown column 'swep'; did you mean 'sweep'" in run(monkeypatch, capsys, *cell, "--where", "swep=a")[2]
    assert "--where needs TABLE ROW COLUMN" in run(monkeypatch, capsys, "README.md:26:2", "--where", "batch=1")[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["README.md"], "is not a cell; write PAGE:LINE:COLUMN"),
        (["README.md:1:1"], "this line is in no table; the page shows quickstart-overview in lines"),
        (["READM.md:1:1"], "unknown page 'READM.md'; did you mean 'README.md'"),
        (["README.md:0:1"], "the page has lines 1 to"),
    ],
)
def test_a_place_that_is_no_cell_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(HarnessError, match=re.escape(message)):
        explanation(words, read_workspace(ROOT))


def test_a_table_is_taken_from_a_database_where_one_is_given(tmp_path: Path, site: Site) -> None:
    with Database.open(tmp_path / "bench.db") as database:
        for outcome in site.source.published.outcomes:
            if outcome.job.labels.sweep == "quickstart":
                database.ingest(outcome, None)
        for session in site.source.published.sessions:
            database.place(session)
    found = explanation(["quickstart-speed", "INT8", "Size on disk (MB)"], read_workspace(ROOT), tmp_path)
    assert found.arithmetic is not None
    assert found.arithmetic.agrees
    with pytest.raises(HarnessError, match="a page shows the published results"):
        explained(["README.md:16:1"], read_workspace(ROOT), tmp_path)
    with pytest.raises(HarnessError, match="has no results yet"):
        explanation(["quickstart-speed", "1", "1"], read_workspace(ROOT), tmp_path / "nothing")


def fastest(site: Site) -> tuple[str, str]:
    """Name the row of the greatest decode speed-up, and its number as the table shows it."""
    shown = site.tables["quickstart-speed"]
    column = named(shown.rendered, "INT8", "Decode speed-up").column
    rows = shown.rendered.table.sections[0].rows
    _, name, text = max((trace.result, row[0].text, row[column].text) for row in rows if (trace := row[column].trace))
    return name, text.split()[0]


@pytest.fixture
def prose(tmp_path: Path, site: Site) -> Workspace:
    """A project whose page has two numbers in its prose, one of them wrong."""
    (tmp_path / "results" / "published").mkdir(parents=True)
    (tmp_path / "results" / "published" / "quickstart.yaml").symlink_to(PUBLISHED / "quickstart.yaml")
    (tmp_path / "text.md").write_text(
        f'up to <!-- value: quickstart-speed max "Decode speed-up" -->{fastest(site)[1]}<!-- /value --> or '
        '<!-- value: quickstart-speed cell "Compression" where Method=INT8 -->9.99x<!-- /value -->\n',
        encoding="utf-8",
    )
    return replace(read_workspace(ROOT), root=tmp_path, results=tmp_path / "results")


def test_a_number_in_prose_is_explained_as_its_cell(prose: Workspace, site: Site) -> None:
    found = explanation(["text.md:1:1"], prose)
    whole = explanation(["quickstart-speed", fastest(site)[0], "Decode speed-up"], prose)
    assert found.place == 'text.md:1:1, quickstart-speed max "Decode speed-up"'
    assert replace(found, place="") == replace(whole, place="")


def test_a_number_in_prose_that_is_stale_is_refused(prose: Workspace) -> None:
    with pytest.raises(
        HarnessError, match=r"text.md:1: value 'quickstart-speed cell .* is out of date; run `harness report --write`"
    ):
        explanation(["text.md:1:2"], prose)
    with pytest.raises(HarnessError, match="this line has values 1 to 2"):
        explanation(["text.md:1:3"], prose)
