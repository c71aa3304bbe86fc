"""README's "Your first sweep and table", run as it is printed but for fewer rounds, in a copy of the tree, without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.watched import namespace

PAGE = (ROOT / "README.md").read_text("utf-8")
FOLDERS = ("harness", "configs", "reports", "results/published")
LEFT_OUT = ("__pycache__", "local.yaml", "modelopt*.md", "bitsandbytes.md", "quickstart.md", "smollm2.md", "gpu.md")
"""Pages that tests/pages writes and checks: here each command would render them anew."""


def section(title: str) -> str:
    """Return what stands below a heading."""
    return re.split(rf"^## {title}\n", PAGE, flags=re.MULTILINE)[1].split("\n## ")[0]


STEPS = re.split(r"^\d\. ", section("Your first sweep and table"), flags=re.MULTILINE)[1:]


def commands(step: str) -> list[str]:
    """Return the commands of a step in their order."""
    return re.findall(r"`harness ([^`]+)`", step)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project, with this interpreter's environment as its own."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for name in ("README.md", "pyproject.toml", "harness.yaml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "configs" / "local.yaml").write_text(f"python: {{cpu: {sys.executable}}}\n", "utf-8")
    return tmp_path


def harness(tree: Path, words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the page prints it."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
    command = [*namespace(), sys.executable, "-m", "harness", *words.split()]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False, env=environment)


def test_the_page_has_the_steps_that_are_run_here() -> None:
    assert [commands(step)[:1] for step in STEPS] == [
        ["plan mine"],
        ["run mine"],
        ["report my-speed"],
        [],
        ["publish mine"],
        ["report --write"],
    ]


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_first_sweep_and_table_of_the_readme_run_as_printed(tree: Path) -> None:
    write, run, describe, mark, keep, fill = STEPS
    (sweep,) = re.findall(r"```yaml\n(.*?)```", section("A sweep"), flags=re.DOTALL)
    if "rounds:" not in sweep:
        sweep += "rounds: 3\n"  # in place of 8: as much text in a table, and minutes less
    (tree / re.findall(r"`(configs/\S+)`", write)[0]).write_text(sweep, "utf-8")
    for step in (write, run):
        for words in commands(step):
            ran = harness(tree, words)
            assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert "| INT8 | " in ran.stdout
    assert "no table" not in ran.stdout

    (table,) = re.findall(r"`(my-speed: .*?\}\}\})`", describe, flags=re.DOTALL)
    (tree / re.findall(r"`(reports/\S+)`", describe)[0]).write_text(table, "utf-8")
    ran = harness(tree, commands(describe)[0])
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"^\| INT8 \| 8 \| [\d.,]+ ", ran.stdout, re.MULTILINE), ran.stdout
    (added,) = re.findall(r"`(tables: mine)`", describe)
    with (tree / "configs" / "sweeps" / "mine.yaml").open("a", encoding="utf-8") as file:
        file.write(f"{added}\n")
    assert harness(tree, commands(write)[0]).returncode == 0

    markers = re.findall(r"`(<!-- .*? -->)`", mark)
    page = tree / "README.md"
    page.write_text(f"{page.read_text('utf-8')}\n{markers[0]}\n{markers[1]}\n", "utf-8")
    for words in (*commands(keep), *commands(fill)):
        ran = harness(tree, words)
        assert ran.returncode == 0, f"{words}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}"
    text = page.read_text("utf-8").rpartition(markers[0])[2]
    assert "| FP32 | 1 | " in text
    page.write_text(page.read_text("utf-8").replace("| FP32 | 1 | ", "| FP32 | 1 | 7"), "utf-8")
    assert harness(tree, commands(fill)[-1]).returncode == 1, "a stale page fails the check"
