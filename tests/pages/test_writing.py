"""What `report --write` refuses until it is named, and the same bytes anywhere."""

from __future__ import annotations

import pytest

from harness.core.spec import Labels
from tests.pages.project import OLD_GPU, PAGE, SPEC, Project, after, before
from tests.unit.store.outcomes import failed


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
