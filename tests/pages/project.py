"""A project with a table, a page and published results of its own, before and after a change of its machine."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from harness.commands.pages import diff_pages
from harness.commands.workspace import Workspace
from harness.core.outcome import Environment, Outcome
from harness.core.spec import Labels
from harness.published.publish import publish
from harness.store.database import Database
from tests.conftest import ROOT
from tests.fake_machine import Said
from tests.unit.store.outcomes import H200, environment, measured, measurement

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
