"""Every table of the published pages, written from our own YAML and held against the pages cell by cell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.environments import ROOT
from harness.pages import pages
from harness.published.sources import NumberSource, from_published
from harness.store.database import Database
from harness.tables.catalogue import catalogue_of

Grid = list[list[str]]

WINDOWS = ("windows-speed", "windows-mmlu", "windows-ppl", "windows-kl")
H100 = ("h100-speed", "h100-mmlu", "h100-sdxl", "h100-qat", "h100-sparsity-speed", "h100-sparsity-loss")
H200 = tuple(name.replace("h100", "h200") for name in H100)
NOT_OURS = "arguments of a command line with descriptions in prose: nothing that was measured"


@pytest.fixture(scope="module")
def source() -> Iterator[NumberSource]:
    with from_published(ROOT / "results" / "published") as opened:
        yield opened


@pytest.fixture(scope="module")
def rendered(source: NumberSource) -> dict[str, str]:
    files = [ROOT / "reports" / "tables" / f"{name}.tables.yaml" for name in PUBLISHED]
    return {table.name: table.markdown for table in pages.render(files, source, catalogue_of(ROOT / "configs"))}


PUBLISHED = ("bnb", "modelopt_windows", "modelopt_h100", "modelopt_h200")


def grids(text: str) -> list[Grid]:
    """Split a page into its pipe tables: rows of cells, the alignment row as colons and dashes."""
    found: list[Grid] = []
    inside = False
    for line in text.splitlines():
        if line.lstrip().startswith("|"):
            if not inside:
                found.append([])
            found[-1].append([_plain(cell) for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])])
        inside = line.lstrip().startswith("|")
    return found


def _plain(cell: str) -> str:
    """Drop padding; the number of dashes of an alignment is padding, too."""
    return (
        re.sub(r"-{2,}|(?<=:)-(?=:)", "---", cell.strip())
        if set(cell.strip()) <= set(":-") and len(cell.strip()) > 1
        else cell.strip()
    )


def page(folder: Path, prefix: str) -> str:
    (path,) = folder.glob(f"{prefix}_*.txt")
    return path.read_text(encoding="utf-8")


def unescaped(grid: Grid) -> Grid:
    """Undo the escapes that keep names literal; the pages leave them out where Markdown lets them."""
    return [[re.sub(r"\\([_*\[\]~$])", r"\1", cell) for cell in row] for row in grid]


@pytest.mark.parametrize(("prefix", "names"), [("000", WINDOWS), ("001", H100)])
def test_every_table_of_a_page_is_written_to_the_cell(
    published_pages: Path, rendered: dict[str, str], prefix: str, names: tuple[str, ...]
) -> None:
    theirs = grids(page(published_pages, prefix))
    assert len(theirs) == len(names)
    for name, expected in zip(names, theirs, strict=True):
        (ours,) = grids(rendered[name])
        assert unescaped(ours) == expected, name


def test_the_measured_tables_of_the_quantization_page_are_written_to_the_cell(
    published_pages: Path, rendered: dict[str, str]
) -> None:
    arguments, mixed, support = grids(page(published_pages, "002"))
    assert len(arguments) == 22, NOT_OURS
    assert grids(rendered["windows-mixed"]) == [mixed]
    assert grids(rendered["windows-support"]) == [support]


def test_the_six_bitsandbytes_tables_are_written_to_the_cell(published_pages: Path, rendered: dict[str, str]) -> None:
    theirs, ours = _sections(page(published_pages, "004")), _sections(rendered["bnb"])
    assert list(theirs) == list(ours), "the same tables under the same headings in the same order"
    for heading, expected in theirs.items():
        assert ours[heading][1:] == expected[1:], heading
        assert ours[heading][0] == expected[0], heading
    assert sum(len(grid) - 2 for grid in theirs.values()) == 80


def _sections(text: str) -> dict[tuple[str, str], Grid]:
    """Find the table under each sub-heading and summary."""
    found, gpu = {}, ""
    for part in re.split(r"(?=^#### |<summary>)", text, flags=re.MULTILINE):
        if part.startswith("#### NVIDIA"):
            gpu = part.splitlines()[0].removeprefix("#### ").strip()
        summary = re.match(r"<summary>(.*?)</summary>", part)
        if summary:
            (found[gpu, summary[1]],) = grids(part)
    return found


def test_the_tables_of_the_flattened_page_run_together_to_its_lines(
    published_pages: Path, rendered: dict[str, str]
) -> None:
    flat = page(published_pages, "003").splitlines()
    for name in H200:
        (grid,) = grids(rendered[name])
        lines = ["".join(row).replace("**", "") for place, row in enumerate(grid) if place != 1]
        start = flat.index(lines[0])
        assert flat[start : start + len(lines)] == lines, name


@pytest.mark.slow
def test_reported_numbers_are_ingested_as_any_others_and_give_the_same_bytes(
    rendered: dict[str, str], tmp_path: Path
) -> None:
    said = CliRunner().invoke(
        app, ["ingest", "--results", str(tmp_path), "--published", str(ROOT / "results/published")]
    )
    assert said.exit_code == 0, said.output
    files = [ROOT / "reports" / "tables" / f"{name}.tables.yaml" for name in PUBLISHED]
    with Database.open(tmp_path / "bench.db") as database:
        again = pages.render(files, NumberSource(database), catalogue_of(ROOT / "configs"))
        assert {table.name: table.markdown for table in again} == rendered
        assert set(database.frame({"sweep": list(PUBLISHED)}, ["origin"])["origin"]) == {"reported"}


def test_published_tables_have_the_shape_that_was_counted(rendered: dict[str, str]) -> None:
    shapes = {name: [(len(grid) - 2, len(grid[0])) for grid in grids(text)] for name, text in rendered.items()}
    assert shapes["bnb"] == [(15, 8), (15, 8), (8, 8), (15, 8), (15, 4), (12, 4)]
    assert shapes["windows-speed"] == [(6, 5)], "the names are the first row"
    assert shapes["windows-ppl"] == [(5, 8)]
    assert shapes["windows-kl"] == [(9, 5)]
    assert shapes["h100-speed"] == [(7, 9)]
    assert shapes["h200-speed"] == [(7, 12)]
    assert rendered["bnb"].count("N/A") == 24, "6 rows with 4 cells each"


def test_the_sketched_tables_are_written_from_the_published_numbers(
    sketches: Path, source: NumberSource, rendered: dict[str, str]
) -> None:
    catalogue = catalogue_of(ROOT / "configs")
    files = sorted(sketches.glob("*.tables.yaml"))
    drawn = {table.name: grids(table.markdown) for table in pages.render(files, source, catalogue)}
    full = {name: grids(text) for name, text in rendered.items()}
    for sketch, name, keys in (("speed", "windows-speed", 1), ("mmlu", "windows-mmlu", 1), ("ppl", "windows-ppl", 1),
                               ("kl", "windows-kl", 3), ("mixed", "windows-mixed", 2)):  # fmt: skip
        skip = 3 if name == "windows-speed" else 2
        expected = [row[keys:] for row in full[name][0][skip:]]
        ours = [row[keys:] for row in drawn[sketch][0][2:]]
        if sketch == "kl":  # engines are called by their own names there
            ours, expected = [row[:1] for row in ours], [row[:1] for row in expected]
        assert ours == expected, sketch
    assert sorted(map(_numbers, drawn["bnb"])) == sorted(map(_numbers, full["bnb"]))


def _numbers(grid: Grid) -> Grid:
    return [row[1:] for row in grid[2:]]
