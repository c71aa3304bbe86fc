"""What `report --diff` tells: each cell with its noise, rows that came and went, sessions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.pages.noise import SAME
from harness.store.database import Database
from tests.pages.project import NEW_GPU, OLD_GPU, SPEC, Project, after, before, session_of, speed


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
