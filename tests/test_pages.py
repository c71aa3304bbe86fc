"""The pages of a project through its own command line: what `report --write` refuses and what `report --diff` tells."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.commands.pages import diff_pages
from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from harness.core.outcome import Environment, Outcome
from harness.core.spec import Labels
from harness.markdown.rows import literal
from harness.pages.changes import compare_tables, header_rows_of
from harness.pages.noise import SAME, evidence, shows
from harness.pages.pages import render
from harness.pages.readback import RowName, grids, lines_of, plain, shown
from harness.pages.value_marks import parse
from harness.pages.values import answer
from harness.published.publish import publish
from harness.published.sources import NumberSource, from_published
from harness.store.database import Database
from harness.tables.catalogue import catalogue_of
from harness.tables.markdown import Rendered, cell_text, to_markdown
from harness.tables.result import Cell, Section
from tests.fake_machine import Said
from tests.unit.store.outcomes import H200, environment, failed, measured, measurement

ROOT = Path(__file__).resolve().parent.parent
SPEC = """\
speed:
  rows: [model, method]
  baseline: {method: fp16}
  cells:
    Decode (tok/s): {metric: decode_tps, format: 1, uncertainty: pm}
    Speed-up: {metric: decode_tps, as: ratio, format: 2x}
"""
PAGE = """\
# Page

Up to <!-- value: speed max "Speed-up" -->?<!-- /value --> faster.

<!-- table: speed -->
<!-- end: speed -->
"""
IDENTITY = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]


class Project:
    """A copy of the project with a table, a page and published results of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self.page = root, root / "README.md"
        self.spec = root / "reports" / "tables" / "demo.tables.yaml"

    def make(self) -> None:
        """Copy what a project is made of, and write its table and page."""
        root = self.root
        shutil.copytree(ROOT / "harness", root / "harness", ignore=shutil.ignore_patterns("data", "__pycache__"))
        shutil.copytree(ROOT / "reports" / "templates", root / "reports" / "templates")
        shutil.copy(ROOT / "harness.yaml", root / "harness.yaml")
        (root / "configs").mkdir()
        for name in ("models.yaml", "methods.yaml", "environments.yaml"):
            shutil.copy(ROOT / "configs" / name, root / "configs" / name)
        (root / "reports" / "tables").mkdir()
        self.spec.write_text(SPEC, encoding="utf-8")
        self.page.write_text(PAGE, encoding="utf-8")

    def publish(self, *outcomes: Outcome) -> None:
        folder = self.root / "results" / "published"
        folder.mkdir(parents=True, exist_ok=True)
        with Database.open("sqlite://") as database:
            for outcome in outcomes:
                database.ingest(outcome, None)
            text = publish(database, [outcome.job.run for outcome in outcomes])
        (folder / "demo.yaml").write_text(text, encoding="utf-8", newline="\n")

    def report(self, *words: str, **surroundings: str) -> Said:
        command = [sys.executable, "-m", "harness", "report", *words]
        answer = subprocess.run(
            command, cwd=self.root, env={**os.environ, **surroundings}, capture_output=True, timeout=120, check=False
        )
        said = Said(answer.returncode, answer.stdout.decode(), answer.stderr.decode())
        assert "Traceback" not in said.err
        return said

    @property
    def workspace(self) -> Workspace:
        root = self.root
        return Workspace(root, (root / "configs",), (root / "reports" / "tables",), root / "results")

    def diff(self, base: str = "HEAD", code: int = 0, *, strict: bool = False) -> str:
        """Ask for the difference in this process."""
        console = Console(file=io.StringIO(), soft_wrap=True)
        assert diff_pages(console, base, self.workspace, strict=strict) == code
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    def text(self) -> str:
        return self.page.read_bytes().decode()

    def git(self, *words: str) -> None:
        subprocess.run(["git", "-C", str(self.root), *IDENTITY, *words], check=True, capture_output=True)

    def commit(self) -> None:
        if not (self.root / ".git").exists():
            self.git("init", "--quiet")
        self.git("add", "README.md", "results", "reports")
        self.git("commit", "--quiet", "-m", "state")


def speed(
    number: int, method: str, value: float, place: Environment | None = None, session: str = "s-1", turn: int = 0
) -> Outcome:
    """A process's outcome; run and session names tell states apart."""
    labels = Labels(sweep="demo", block="", model="tiny", method=method, recipe="ort-genai")
    items = [measurement(value=value, samples=(value, value, value))]
    outcome = measured(number, items, labels=labels, workload={"method": method}, place=place)
    job = outcome.job.model_copy(update={"session": session, "round": turn})
    return outcome.model_copy(update={"job": job})


def session_of(number: int, fp16: float, int8: float, int4: float, place: Environment) -> list[Outcome]:
    """A session of three rounds, each 2 % apart."""
    return [
        speed(100 * number + 10 * turn + column, method, value * (1 + 0.02 * (turn - 1)), place, f"s-{number}", turn)
        for turn in range(3)
        for column, (method, value) in enumerate((("fp16", fp16), ("int8", int8), ("int4_rtn", int4)))
    ]


OLD_GPU = environment("cuda", (H200,), **{"onnxruntime-genai": "0.15.0", "numpy": "2.0"})
NEW_GPU = environment(
    "cuda", (H200.model_copy(update={"driver": "575.2"}),), **{"onnxruntime-genai": "0.16.0", "numpy": "2.0"}
).model_copy(update={"harness": "0.2.0+def"})


def before() -> list[Outcome]:
    return [
        speed(1, "fp16", 100.0, OLD_GPU),
        speed(2, "int8", 150.0, OLD_GPU),
        speed(3, "int4_rtn", 200.0, OLD_GPU),
    ]


def after() -> list[Outcome]:
    return [
        speed(11, "fp16", 102.0, NEW_GPU, "s-2"),
        speed(12, "int8", 160.0, NEW_GPU, "s-2"),
        speed(13, "int4_rtn", 230.0, NEW_GPU, "s-2"),
    ]


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose pages are current."""
    made = Project(tmp_path_factory.mktemp("current") / "project")
    made.make()
    made.publish(*before())
    assert made.report("--write").code == 0
    assert 'Up to <!-- value: speed max "Speed-up" -->2.00x<!-- /value --> faster.' in made.text()
    return made


@pytest.fixture
def project(current: Project, tmp_path: Path) -> Project:
    """A copy of it for one test."""
    shutil.copytree(current.root, tmp_path / "project")
    return Project(tmp_path / "project")


@pytest.mark.slow
def test_a_row_that_would_vanish_stops_the_writing_until_it_is_named(project: Project) -> None:
    shown = project.text()
    project.publish(*before()[:2])
    assert project.report("--check").code == 1
    said = project.report("--write")
    assert said.code == 2
    assert "README.md:5: table 'speed' would lose its row 'tiny / " in said.err
    assert project.text() == shown
    name = said.err.rsplit("--allow-missing '", 1)[1].rstrip().removesuffix("'")
    assert project.report("--write", "--allow-missing", name).code == 0
    assert project.report("--write").out.endswith("1 pages, 0 changed\n")
    assert "1.50x<!-- /value -->" in project.text()


def test_a_run_that_failed_now_keeps_its_row(project: Project) -> None:
    labels = Labels(sweep="demo", model="tiny", method="int4_rtn", recipe="ort-genai")
    project.publish(*before()[:2], failed(20, labels=labels, workload={"method": "int4_rtn"}, place=OLD_GPU))
    assert project.report("--write").code == 0
    assert "oom <sup>1</sup>" in project.text()


@pytest.mark.slow
def test_a_table_whose_results_are_gone_stops_the_writing(project: Project) -> None:
    (project.root / "results" / "published" / "demo.yaml").unlink()
    said = project.report("--write")
    assert said.code == 2
    assert "no results yet" in said.err  # the number in prose
    project.page.write_text(project.text().replace("<!-- value:", "<!-- was:").replace("<!-- /value -->", ""), "utf-8")
    said = project.report("--write")
    assert said.code == 2
    assert "table 'speed' would lose all its rows" in said.err
    assert project.report("--write", "--allow-missing", "speed").code == 0


@pytest.mark.slow
def test_a_number_that_moves_too_far_stops_the_writing_of_all_pages_until_it_is_accepted(project: Project) -> None:
    other = project.root / "reports" / "other.md"
    other.write_text(PAGE.replace("value:", "was:").replace("<!-- /value -->", ""), encoding="utf-8")
    shown = project.text()
    project.publish(*after())
    said = project.report("--write", "--max-change", "5%")
    assert said.code == 2
    assert said.err.count("beyond 5%") == 3
    assert "200.0 became 230.0 (+15.0%, better)" in said.err
    assert project.text() == shown
    assert "| tiny |" not in other.read_text(encoding="utf-8")
    assert project.report("--write", "--max-change", "5%", "--accept").code == 0
    assert "230.0" in project.text()
    assert "| 230.0 |" in other.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--write", "--max-change", "5"], "--max-change '5' is not a percentage; write e.g. 5%"),
        (["--write", "--allow-missing", "sped"], "--allow-missing sped: unknown table 'sped'; did you mean 'speed'?"),
        (["--write", "--check"], "use only one of --write, --check, --diff"),
        (["--max-change", "5%"], "need --write"),
        (["--check", "--base", "HEAD"], "--base needs --diff"),
        (["--diff", "--base", "nosuch"], "--base nosuch is neither a folder nor a git reference of"),
        (["--diff", "--base", "--version"], "--base --version is neither a folder nor a git reference of"),
    ],
)
def test_options_that_make_no_sense_are_told_in_one_line(project: Project, words: list[str], message: str) -> None:
    said = project.report(*words)
    assert said.code == 2
    assert message in said.err
    assert len(said.err.splitlines()) == 1


def test_without_git_a_folder_is_asked_for(project: Project, tmp_path: Path) -> None:
    said = project.report("--diff", PATH=str(tmp_path))
    assert said.code == 2
    assert said.err == ("--diff needs git to read the old pages; without it, give --base FOLDER\n")


def test_nothing_that_changed_is_said(project: Project) -> None:
    project.commit()
    said = project.report("--diff")
    assert (said.code, said.out) == (0, "No table and no number changes compared with HEAD.\n")


def row_of(text: str, *words: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith("|") and all(word in line for word in words)]
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def committed(project: Project, tmp_path: Path) -> list[str]:
    project.commit()
    return []


def copied(project: Project, tmp_path: Path) -> list[str]:
    shutil.copytree(project.root / "results" / "published", tmp_path / "old")
    return ["--base", str(tmp_path / "old")]


@pytest.mark.parametrize("keep", [committed, copied])
@pytest.mark.slow
def test_each_changed_cell_is_told_with_its_noise_and_what_changed(
    project: Project, tmp_path: Path, keep: Callable[[Project, Path], list[str]]
) -> None:
    base = keep(project, tmp_path)
    project.publish(*after())
    said = project.report("--diff", *base)
    assert said.code == 0
    assert "### README.md\n\n#### speed\n\n5 of 6 cells changed, 0 rows added, 0 removed." in said.out
    few = "not known (2 of 5 sessions)"
    assert row_of(said.out, "100.0")[1:] == ["Decode (tok/s)", "100.0", "102.0", "+2.0 (+2.0%)", few]
    assert row_of(said.out, "200.0")[4:] == ["+30.0 (+15.0%)", few]
    assert row_of(said.out, "1.50x")[2:] == ["1.50x", "1.57x", "+0.07 (+4.7%)", few]
    assert project.report("--diff", "--strict", *base).code == 2
    assert (
        "What changed for all of them: driver 570.1 to 575.2; harness 0.1.0+abc to 0.2.0+def; onnxruntime-genai 0.15.0 to 0.16.0."
        in said.out
    )
    assert 'Numbers in prose:\n\n- `speed max "Speed-up"`: 2.00x became 2.25x' in said.out


def test_a_reported_number_that_was_edited_is_not_called_measured(project: Project) -> None:
    written = project.root / "results" / "published" / "demo.yaml"
    written.write_text(
        "reported: {title: A page, date: 2025-01-31}\n"
        "blocks:\n  - probe: generation\n    columns: [model, method, decode_tps]\n"
        "    rows:\n      - [tiny, fp16, 100.0]\n      - [tiny, int8, 150.0]\n",
        encoding="utf-8",
    )
    assert project.report("--write", "--allow-missing", "speed").code == 0
    project.commit()
    written.write_text(written.read_text(encoding="utf-8").replace("150.0", "160.0"), encoding="utf-8")
    said = project.diff()
    assert "What changed for all of them: the published number was edited." in said
    assert "measured again" not in said


@pytest.mark.slow
def test_measured_numbers_stand_beside_reported_ones_or_it_is_said_which_are_lacking(project: Project) -> None:
    def against() -> str:
        return project.report("demo", "--against", "reported").out

    results = project.root / "results"
    Database.open(results / "bench.db").close()
    assert "**speed**: nothing of it was measured in results" in against()
    with Database.open(results / "bench.db") as database:
        for outcome in before():
            database.ingest(outcome, None)
    assert "NAME.yaml with `reported: {sweep: demo, ...}` can hold it" in against()
    (results / "published" / "theirs.yaml").write_text(
        "reported: {title: A page, date: 2025-01-31, sweep: demo}\n"
        "blocks:\n  - probe: generation\n    columns: [model, method, decode_tps]\n    rows:\n      - [tiny, int8, 160.0]\n",
        encoding="utf-8",
    )
    assert "| tiny / INT8 | Decode (tok/s) | 150.0 | 160.0 | -6.2% |" in against()


def test_a_difference_is_told_also_after_the_pages_were_written(project: Project) -> None:
    project.commit()
    project.publish(*after())
    first = project.diff()
    assert project.report("--write").code == 0
    assert project.diff() == first
    assert project.diff("HEAD") == first


def test_rows_that_came_and_went_are_listed(project: Project) -> None:
    project.commit()
    project.publish(*before()[:2], speed(4, "int4_awq", 210.0, OLD_GPU))
    said = project.diff()
    assert "0 of 4 cells changed, 1 row added, 1 removed." in said
    assert "- added: row tiny / " in said
    assert "- removed: row tiny / " in said


def test_numbers_typed_into_a_page_have_no_known_noise(project: Project) -> None:
    project.page.write_text(project.text().replace("200.0", "190.0"), encoding="utf-8")
    project.commit()
    assert row_of(project.diff(), "190.0")[2:] == [
        "190.0",
        "200.0",
        "+10.0 (+5.3%)",
        "not known",
        SAME,
    ]


def test_a_spec_that_changed_is_told_as_such(project: Project) -> None:
    project.commit()
    project.spec.write_text(SPEC.replace("as: ratio, format: 2x", "as: ratio, format: 3x"), encoding="utf-8")
    said = project.diff()
    assert "3 of 6 cells changed" in said
    assert row_of(said, "1.50x", "1.500x")[4:] == ["0 (+0.0%)", "not known"]
    assert "What changed for all of them: nothing behind it: the same runs, by another spec" in said


def test_old_results_that_cannot_be_read_are_told(project: Project, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "demo.yaml").write_text("runs: [\n", encoding="utf-8")
    project.publish(*after())
    said = project.diff(str(tmp_path / "old"))
    assert "The old results cannot be read, so that noise and causes are unknown: demo.yaml:2: not YAML" in said
    assert row_of(said, "100.0")[5] == "not known"


def test_a_new_page_and_a_new_table_are_told(project: Project) -> None:
    project.commit()
    (project.root / "reports" / "new.md").write_text("<!-- table: speed -->\n<!-- end: speed -->\n", encoding="utf-8")
    project.spec.write_text(SPEC + SPEC.replace("speed:", "more:"), encoding="utf-8")
    project.page.write_text(project.text() + "<!-- table: more -->\n<!-- end: more -->\n", encoding="utf-8")
    said = project.diff()
    assert "### reports/new.md\n\nA new page." in said
    assert "#### more\n\nA new table, with 3 rows." in said


def test_an_unknown_table_in_a_page_is_told_with_its_line(project: Project) -> None:
    project.page.write_text(project.text().replace("speed -->", "sped -->"), encoding="utf-8")
    said = project.report("--check")
    assert said.code == 2
    assert "README.md:5: unknown table 'sped'; did you mean 'speed'?" in said.err


def test_pages_are_the_same_bytes_on_any_locale_and_time_zone(project: Project) -> None:
    first = project.text()
    for name, zone, seed in (("C", "Pacific/Kiritimati", "1"), ("tr_TR.UTF-8", "America/St_Johns", "2")):
        project.page.write_text(PAGE, encoding="utf-8")
        said = project.report("--write", LC_ALL=name, LANG=name, TZ=zone, PYTHONHASHSEED=seed)
        assert said.code == 0
        assert project.text() == first


# ---------------------------------------------------------------- the pages of this project


@pytest.fixture(scope="module")
def shipped() -> Iterator[tuple[list[Rendered], NumberSource]]:
    """All tables of this project, from its published results."""
    with from_published(ROOT / "results" / "published") as source:
        yield render([ROOT / "reports" / "tables"], source, catalogue_of(ROOT / "configs")), source


def test_every_table_is_read_back_as_it_was_written(shipped: tuple[list[Rendered], NumberSource]) -> None:
    for table in shipped[0]:
        found = compare_tables(table.markdown, table)
        assert (found.gone, found.came, found.changes) == ((), (), ()), table.name
        rows = sum(len(section.rows) - section.head_rows for section in table.table.sections)
        assert len(lines_of(grids(table.markdown), table.keys, header_rows_of(table))) == rows, table.name


def test_every_row_of_every_table_would_be_missed(shipped: tuple[list[Rendered], NumberSource]) -> None:
    for table in shipped[0]:
        lines = lines_of(grids(table.markdown), table.keys, header_rows_of(table))
        assert not [name for name in lines if name.nth], table.name
        for name in lines:
            sections = tuple(_without(section, name, table.keys) for section in table.table.sections)
            smaller = replace(to_markdown(replace(table.table, sections=sections)), each=table.each, keys=table.keys)
            if any(len(section.rows) > section.head_rows for section in sections):
                missed = [gone.label for gone in compare_tables(table.markdown, smaller).gone if gone.what == "row"]
                assert missed == [name.label], table.name


def _without(section: Section, name: RowName, keys: int) -> Section:
    """Take a row out of a section, with its keys given to the row below where that one repeats them."""
    if tuple(shown(plain(literal(part))) for part in section.headings) != tuple(shown(part) for part in name.headings):
        return section
    kept: list[tuple[Cell, ...]] = []
    above: list[Cell] = []
    for row in section.rows:
        whole = list(row)
        for place in range(min(keys, len(above))):
            if not whole[place].text and [cell.text for cell in whole[:place]] == [cell.text for cell in above[:place]]:
                whole[place] = above[place]
        above = whole
        if tuple(plain(cell_text(cell)) for cell in whole[:keys]) != name.keys:
            kept.append(tuple(whole))
    return replace(section, rows=tuple(kept))


def test_what_stands_behind_every_number_reaches_its_place_in_the_page(
    shipped: tuple[list[Rendered], NumberSource],
) -> None:
    tables, source = shipped
    for table in tables:
        known = evidence(table, source, table.keys)
        lines = lines_of(grids(table.markdown), table.keys, header_rows_of(table))
        cells = [cell for section in table.table.sections for row in section.rows for cell in row if cell.runs]
        behind = [known.cells[name, column] for name, line in lines.items() for column in line.cells]
        assert [cell for cell in behind if cell.runs] == cells, table.name
        assert all(run in known.runs for cell in cells for run in cell.runs), table.name
        texts = [text for line in lines.values() for _, text in line.cells.values()]
        assert all(shows(cell, plain(text)) for cell, text in zip(behind, texts, strict=True)), table.name


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ('h100-speed max "FP8 / Speedup"', "1.91x"),
        ('h100-speed max "INT4 AWQ Speedup" where Model=Llama3-8B', "1.53x"),
        ('h100-speed cell "INT4 AWQ / Mem Saving" where Model=Llama3-8B and "Batch Size"=32', "1.89x"),
        ('bnb cell "Throughput v0.44.1" where gpu="NVIDIA T4 16GB" and method=NF4 and batch=1', "14.08"),
        ('bnb cell "Throughput <sub>v0.44.1</sub>" where GPU="NVIDIA T4 16GB" and ""=NF4 and "Batch Size"=1', "14.08"),
        ('bnb max "Throughput Improvement"', "1.835x"),
    ],
)
def test_prose_can_quote_the_published_tables(
    shipped: tuple[list[Rendered], NumberSource], said: str, text: str
) -> None:
    assert answer(parse(said), {table.name: table for table in shipped[0]}) == text


def test_a_column_that_stands_under_two_groups_is_not_guessed(shipped: tuple[list[Rendered], NumberSource]) -> None:
    with pytest.raises(HarnessError, match="2 columns are called 'Speedup': 'FP8 / Speedup', 'INT4 AWQ / Speedup'"):
        answer(parse("h100-speed max Speedup"), {table.name: table for table in shipped[0]})


# ---------------------------------------------------------------- sessions


def known(project: Project, *values: float) -> None:
    """Fill the project's database with sessions that were never published."""
    with Database.open(project.root / "results" / "bench.db") as database:
        for number, value in enumerate(values, start=10):
            database.ingest_all(session_of(number, value, 1.5 * value, 2 * value, OLD_GPU))


@pytest.mark.slow
def test_a_change_is_judged_by_the_spread_between_sessions_where_there_are_five(project: Project) -> None:
    project.publish(*session_of(1, 100.0, 150.0, 200.0, OLD_GPU))
    assert project.report("--write").code == 0
    project.commit()
    known(project, 103.0, 98.0)
    project.publish(*session_of(2, 102.0, 151.0, 160.0, NEW_GPU))
    assert row_of(project.diff(), "Decode", "160.0")[-1] == "not known (4 of 5 sessions)"
    project.diff(code=2, strict=True)
    known(project, 103.0, 98.0, 101.0)
    said = project.diff(code=1)
    assert row_of(said, "Decode", "100.0")[-1] == "noise"
    assert row_of(said, "Decode", "151.0")[-1] == "noise"
    assert row_of(said, "Decode", "160.0")[-1] == "beyond noise, worse"
    assert row_of(said, "Speed-up", "2.00x", "1.57x")[-1] == "beyond noise, worse"
    assert project.report("--diff", "--strict").code == 1


def test_a_change_within_the_noise_exits_0_also_when_strict(project: Project) -> None:
    project.publish(*session_of(1, 100.0, 150.0, 200.0, OLD_GPU))
    assert project.report("--write").code == 0
    project.commit()
    known(project, 103.0, 98.0, 101.0, 96.0)
    project.publish(*session_of(2, 102.0, 153.0, 204.0, NEW_GPU))
    assert "beyond" not in project.diff(strict=True).split("#### speed")[1]


def test_a_folder_as_base_is_compared_by_its_own_numbers(project: Project, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    shown = project.text()
    project.publish(*after())
    shutil.copy(project.root / "results" / "published" / "demo.yaml", tmp_path / "old" / "demo.yaml")
    project.publish(*before())
    assert project.text() == shown
    said = project.diff(str(tmp_path / "old"))
    assert row_of(said, "Decode", "102.0")[2:4] == ["102.0", "100.0"]
    assert '`speed max "Speed-up"`: 2.25x became 2.00x' in said


@pytest.mark.parametrize("absent", ["-", "N/A"])
@pytest.mark.slow
def test_a_number_that_would_become_a_dash_stops_the_writing_until_it_is_named(project: Project, absent: str) -> None:
    project.spec.write_text(SPEC + f'  missing: "{absent}"\n', encoding="utf-8")
    labels = Labels(sweep="demo", model="tiny", method="fp16", recipe="ort-genai")
    lost = failed(30, labels=labels, workload={"method": "fp16"}, place=OLD_GPU)
    project.page.write_text(project.text().replace("<!-- value:", "<!-- was:").replace("<!-- /value -->", ""), "utf-8")
    project.publish(*before()[1:], lost)
    said = project.report("--write")
    assert said.code == 2
    assert said.err.count(f"would become {absent}") == 2
    assert f"row 'tiny / INT8', column 'Speed-up': 1.50x would become {absent}" in said.err
    name = said.err.splitlines()[0].rsplit("--allow-missing '", 1)[1].rstrip("'")
    assert project.report("--write", "--allow-missing", name).code == 2
    assert project.report("--write", "--allow-missing", "speed:Speed-up").code == 0
