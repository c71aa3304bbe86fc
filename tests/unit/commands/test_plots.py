"""Plots of pages: which files are stale, what stands between the markers, and what is never written over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.commands.plots import DrawnPlots, drawn_for
from harness.commands.workspace import Workspace
from harness.core.errors import ConfigError
from harness.published.sources import NumberSource
from harness.store.database import Database
from tests.unit.store.outcomes import measured, measurement
from tests.unit.store.test_marking import VOID, mark, taken

SPEED = {"history": "decode_tps", "where": {"method": "int4_rtn"}, "title": "Speed [tok/s]\nby night"}
SIZE = {"quality": "perplexity", "against": "artifact_bytes", "title": "Size"}


@pytest.fixture
def source() -> Iterator[NumberSource]:
    with Database.open("sqlite://") as database:
        database.ingest(measured(1, [measurement(value=100.0)]), None)
        yield NumberSource(database)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "s.plots.yaml").write_text(yaml.safe_dump({"speed": SPEED, "size": SIZE}), "utf-8")
    return Workspace(tmp_path, (tmp_path,), (tmp_path / "tables",), tmp_path / "results")


def page(folder: Path, *names: str) -> Path:
    """Write a page that shows plots."""
    folder.mkdir(exist_ok=True)
    path = folder / "page.md"
    path.write_text("# Page\n\n" + "".join(f"<!-- plot: {name} -->\n<!-- end: {name} -->\n" for name in names), "utf-8")
    return path


def write(drawn: DrawnPlots) -> None:
    for path, text in drawn.stale.items():
        path.write_bytes(text.encode())


def test_a_page_without_plots_reads_no_spec(tmp_path: Path, workspace: Workspace, source: NumberSource) -> None:
    (tmp_path / "tables" / "s.plots.yaml").write_text("{", "utf-8")
    assert drawn_for([page(tmp_path)], workspace, source) == DrawnPlots({}, {})


def test_an_image_is_called_as_its_plot_and_its_title_breaks_no_link(
    tmp_path: Path, workspace: Workspace, source: NumberSource
) -> None:
    drawn = drawn_for([page(tmp_path, "speed", "size")], workspace, source)
    assert drawn.images == {"speed": "![Speed (tok/s) by night](speed.svg)", "size": "![Size](size.svg)"}
    assert set(drawn.stale) == {tmp_path / "speed.svg", tmp_path / "size.svg"}
    assert "100" in drawn.stale[tmp_path / "speed.svg"]
    assert "no results yet" in drawn.stale[tmp_path / "size.svg"]


def test_a_plot_of_two_pages_lies_beside_each(tmp_path: Path, workspace: Workspace, source: NumberSource) -> None:
    pages = [page(tmp_path, "speed"), page(tmp_path / "reports", "speed")]
    drawn = drawn_for(pages, workspace, source)
    assert set(drawn.stale) == {tmp_path / "speed.svg", tmp_path / "reports" / "speed.svg"}
    assert len(set(drawn.stale.values())) == 1


def test_a_file_is_stale_until_it_is_written_and_when_results_change(
    tmp_path: Path, workspace: Workspace, source: NumberSource
) -> None:
    shown = [page(tmp_path, "speed")]
    write(drawn_for(shown, workspace, source))
    assert drawn_for(shown, workspace, source).stale == {}
    source.database.ingest(measured(2, [measurement(value=90.0)]), None)
    assert set(drawn_for(shown, workspace, source).stale) == {tmp_path / "speed.svg"}


def test_every_marker_that_names_no_plot_is_told_with_its_line(
    tmp_path: Path, workspace: Workspace, source: NumberSource
) -> None:
    with pytest.raises(ConfigError) as told:
        drawn_for([page(tmp_path, "sped", "speed", "siz")], workspace, source)
    assert [(str(problem.path), problem.line) for problem in told.value.problems] == [
        (str(tmp_path / "page.md"), 3),
        (str(tmp_path / "page.md"), 7),
    ]
    assert "unknown plot 'sped'; did you mean 'speed'?" in str(told.value)


def test_what_is_no_drawing_of_ours_is_refused(tmp_path: Path, workspace: Workspace, source: NumberSource) -> None:
    shown, place = [page(tmp_path, "speed")], tmp_path / "speed.svg"
    place.write_text("<svg>mine</svg>", "utf-8")
    with pytest.raises(ConfigError, match="is there and no plot of ours; rename the plot or move the file away"):
        drawn_for(shown, workspace, source)
    place.unlink()
    place.mkdir()
    with pytest.raises(ConfigError, match="is a link or a folder"):
        drawn_for(shown, workspace, source)
    place.rmdir()
    place.symlink_to(tmp_path / "nowhere.svg")
    with pytest.raises(ConfigError, match="is a link or a folder"):
        drawn_for(shown, workspace, source)


def test_runs_that_are_void_since_they_were_published_are_told_and_still_drawn(
    tmp_path: Path, workspace: Workspace, source: NumberSource
) -> None:
    """A page is of what is published, the same on every machine."""
    some = measured(1, [measurement(value=100.0)])
    shown = [page(tmp_path, "speed", "size")]
    before = drawn_for(shown, workspace, source)
    with taken(workspace.results, some) as database:
        assert drawn_for(shown, workspace, source) == before
        mark(database, workspace.results, some.job.run, VOID)
    after = drawn_for(shown, workspace, source)
    assert (after.stale, before.told) == (before.stale, ())
    assert after.told == (
        f"plot speed: run {some.job.run} was declared void since (the fan stood still), and still counts here; publish it anew",
    )
