"""The harness as a person runs it: a sweep, real engines, a results folder, its tables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from harness.environments import SHIPPED
from harness.pages import pages
from harness.published.sources import NumberSource
from harness.store.database import Database
from harness.tables.catalogue import catalogue_of

REFERENCE = "reference"


class RealMachine:
    """Configs with the project's own catalogues, and the results of what ran on them."""

    def __init__(self, root: Path) -> None:
        self.configs, self.results = root / "configs", root / "results"
        (self.configs / "sweeps").mkdir(parents=True)
        for name in ("models.yaml", "methods.yaml"):
            shutil.copyfile(SHIPPED / "configs" / name, self.configs / name)
        self._write("environments.yaml", {"cpu": {"python": sys.executable}})

    def _write(self, name: str, content: Any) -> None:
        (self.configs / name).write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")

    def model(self, name: str, folder: Path) -> None:
        """Add a model from a folder."""
        with open(self.configs / "models.yaml", "a", encoding="utf-8") as file:
            file.write(yaml.safe_dump({name: {"folder": str(folder)}}))

    def sweep(self, name: str, **keys: Any) -> None:
        """Write a sweep of the reference model in this environment."""
        self._write(f"sweeps/{name}.yaml", {"model": REFERENCE, "environment": "cpu", **keys})

    def command(self, *words: str) -> str:
        """Run a command of the harness to its end; what it printed."""
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
        command = [sys.executable, "-m", "harness", *words, "--results", str(self.results)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert ran.returncode == 0, f"{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
        return ran.stdout

    def run(self, name: str) -> str:
        """Run a sweep; every job must be ok."""
        return self.command("run", name, "--configs", str(self.configs))

    @contextmanager
    def database(self) -> Iterator[Database]:
        with Database.open(self.results / "bench.db") as database:
            yield database

    def frame(self, where: dict[str, Any] | None = None, columns: list[str] | None = None) -> Any:
        """Ask the database."""
        with self.database() as database:
            return database.frame(where or {}, columns)

    def value(self, metric: str, **where: Any) -> float:
        """Give the one value that a metric has."""
        values = self.frame({"metric": metric, "slice": "", **where}, ["value"])["value"]
        assert len(values) == 1, f"{metric} {where}: {len(values)} values"
        return float(values.iloc[0])

    def kinds(self) -> Counter[str]:
        """Count the runs that left an outcome, by kind."""
        written = (self.results / "runs").glob("*/outcome.json")
        return Counter(json.loads(path.read_text("utf-8"))["job"]["kind"] for path in written)

    def tables(self, name: str) -> dict[str, str]:
        """Render a shipped file of tables; Markdown by table."""
        path = SHIPPED / "reports" / "tables" / f"{name}.tables.yaml"
        with self.database() as database:
            rendered = pages.render([path], NumberSource(database), catalogue_of(self.configs))
        return {table.name: table.markdown for table in rendered}
