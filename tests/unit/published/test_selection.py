"""A question about one sweep reads the files that speak of it, and those that made what they read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.core.spec import Input, Labels
from harness.explain.archive import archive_of
from harness.explain.cell import Shown, explain
from harness.pages.writing import renderer
from harness.published.publish import publish
from harness.published.selection import read_for
from harness.published.sources import from_published, question_of, rows_for
from harness.store.database import Database
from harness.tables.catalogue import catalogue_of
from harness.tables.locate import Spot
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.conftest import ROOT
from tests.unit.store.outcomes import built, measured, session

PUBLISHED = ROOT / "results" / "published"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The published quickstart, and a file that no one can read."""
    shutil.copy(PUBLISHED / "quickstart.yaml", tmp_path)
    (tmp_path / "other.yaml").write_text("runs: [}\n", encoding="utf-8")
    return tmp_path


def test_a_table_is_the_same_from_its_sweeps_files_alone() -> None:
    catalogue = catalogue_of(ROOT / "configs")
    with from_published(PUBLISHED) as whole:
        for name in ("quickstart", "modelopt_h200"):
            with from_published(PUBLISHED, [name]) as part:
                assert len(part.published.outcomes) < len(whole.published.outcomes)
                for spec in read_specs(ROOT / "reports" / "tables" / f"{name}.tables.yaml"):
                    one, other = (
                        build(spec, rows_for(spec, source), catalogue, source.reader()) for source in (whole, part)
                    )
                    assert one == other


def test_what_a_table_cannot_use_need_not_be_taken_in_to_explain_its_cells() -> None:
    """Each table of the quickstart and each of its cells, down to runs, makers and verifications."""
    catalogue = catalogue_of(ROOT / "configs")
    left_out = 0
    for spec in read_specs(ROOT / "reports" / "tables" / "quickstart.tables.yaml"):
        asked = question_of(spec)
        with (
            from_published(PUBLISHED, ["quickstart"]) as whole,
            from_published(PUBLISHED, ["quickstart"], asked.need) as part,
        ):
            left_out += len(whole.published.outcomes) - len(part.published.outcomes)
            tables = [renderer(source, catalogue)(spec) for source in (whole, part)]
            assert tables[0] == tables[1]
            shown = [
                Shown(table, spec, catalogue.renamed(spec.titles), archive_of(source))
                for table, source in zip(tables, (whole, part), strict=True)
            ]
            sections = enumerate(tables[0].table.sections)
            for spot in [
                Spot(s, r, c) for s, one in sections for r, row in enumerate(one.rows) for c in range(len(row))
            ]:
                one, other = (explain(each, spot).as_json() for each in shown)
                assert one == other
    assert left_out


def test_a_file_that_does_not_speak_of_the_sweep_is_not_read(folder: Path) -> None:
    assert read_for(folder, ["quickstart"]).outcomes
    with pytest.raises(ConfigError, match=r"other\.yaml"):
        read_for(folder, [])


@pytest.mark.parametrize("said", ["sweep: quickstart", "'sweep' : \"quickstart\"", "sweep:\n  quickstart", "sweep: *name",
                                  'sweep: "quick\\x73tart"'])  # fmt: skip
def test_a_sweep_is_found_however_it_is_written(folder: Path, said: str) -> None:
    (folder / "other.yaml").write_text(f"runs: [}}\n{said}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"other\.yaml"):
        read_for(folder, ["quickstart"])


def test_a_sweep_whose_name_only_begins_alike_is_another(folder: Path) -> None:
    (folder / "other.yaml").write_text("runs: [}\nsweep: quickstart-more\n", encoding="utf-8")
    assert read_for(folder, ["quickstart"]).outcomes


def test_a_sweep_that_no_file_speaks_of_reads_them_all(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"other\.yaml"):
        read_for(folder, ["nothing-of-this-name"])


def test_what_made_an_artifact_is_read_with_those_who_measured_it(tmp_path: Path) -> None:
    made, used = built(1), measured(2)
    assert made.artifact is not None
    read = Input(role="artifact", id=made.artifact.id, content=made.artifact.content, path="")
    used = used.model_copy(update={"inputs": (read,)})
    with Database.open("sqlite://") as database:
        database.ingest_all([made, used])
        for name, run, sweep in (("first", made, "making"), ("second", used, "using")):
            database.place(session(run, labels=Labels(sweep=sweep, method="int4_rtn")))
            (tmp_path / f"{name}.yaml").write_text(publish(database, [run.job.run], [sweep]), encoding="utf-8")
    assert {outcome.job.run for outcome in read_for(tmp_path, ["using"]).outcomes} == {made.job.run, used.job.run}
    assert {outcome.job.run for outcome in read_for(tmp_path, ["making"]).outcomes} == {made.job.run}
