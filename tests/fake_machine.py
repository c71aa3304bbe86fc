"""A machine with fake adapters: real plans, real workers, real databases, no model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.commands.machine import Planned, open_workspace, plan_sweep
from harness.commands.workspace import Workspace
from harness.environments import ROOT
from harness.runner.loop import execute
from harness.runner.opened import Event, OpenWorkspace

METHODS: dict[str, Any] = {
    "fp32": {"recipes": {"fake": {}}},
    "int8": {"recipes": {"fake": {"noise": 0.01, "bytes": 500}}},
    "int4": {"recipes": {"fake": {"noise": 0.1, "bytes": 250}}},
    "broken": {"recipes": {"fake": {"noise": 0.2, "fail": "error"}}},
    "greedy": {"recipes": {"fake": {"noise": 0.3, "fail": "memory"}}},
    "stuck": {"recipes": {"fake": {"noise": 0.4, "fail": "hang"}}},
    "deadly": {"recipes": {"fake": {"noise": 0.5, "fail": "kill"}}},
}


@dataclass(frozen=True)
class Said:
    """What a command ended with and printed."""

    code: int
    out: str
    err: str


Say = Callable[..., Said]


class Bench:
    """A configs folder, a results folder, and the runs made with them."""

    def __init__(self, root: Path) -> None:
        self.configs = root / "configs"
        self.results = root / "results"
        (self.configs / "sweeps").mkdir(parents=True)
        model = root / "model"
        model.mkdir()
        (model / "config.json").write_text('{"model_type": "llama", "vocab_size": 257}', "utf-8")
        (model / "model.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}")  # a file without tensors
        (model / "tokenizer.json").write_text("{}", "utf-8")
        self.text = root / "text.txt"
        self.text.write_text("the cat sat on the mat and looked at the dog. " * 60, "utf-8")
        self._write("models.yaml", {"toy": {"folder": str(model)}})
        self._write("methods.yaml", METHODS)
        self._write("environments.yaml", {"here": {"python": sys.executable}})

    def _write(self, name: str, content: Any) -> None:
        (self.configs / name).write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")

    def methods(self, methods: dict[str, Any]) -> None:
        """Write other methods than the usual ones."""
        self._write("methods.yaml", methods)

    def model(self, folder: Path) -> None:
        """Let the model `toy` be a real one."""
        self._write("models.yaml", {"toy": {"folder": str(folder)}})

    def sweep(self, **keys: Any) -> None:
        """Write the sweep `s`; without probes it measures perplexity and generation, without rounds once; output is checked
        only where `skip` says something else."""
        probes = {
            "perplexity": {"window": 64, "stride": 32, "tokens": 256, "text": str(self.text)},
            "generation": {"batch": 1, "prompt": 8, "output": 8, "warmup": 1, "repetitions": 2},
        }
        sweep = {"model": "toy", "engine": "fake", "environment": "here", "probes": probes, "rounds": 1, **keys}
        sweep.setdefault("skip", [{"probe": "output_check"}])
        self._write("sweeps/s.yaml", sweep)

    @property
    def workspace(self) -> Workspace:
        """What the command line makes of `--configs` and `--results`."""
        return Workspace(ROOT, (self.configs,), (ROOT / "reports" / "tables",), self.results, lent=True)

    @contextmanager
    def opened(self) -> Iterator[tuple[Planned, OpenWorkspace]]:
        """Plan the sweep and open the results folder."""
        with ExitStack() as stack:
            planned = plan_sweep("s", self.workspace)
            yield planned, open_workspace(planned, stack)

    def run(self, watch: Callable[[Event], None] = lambda event: None) -> list[Event]:
        """Run the sweep to its end."""
        events = []
        with self.opened() as (planned, opened):
            for event in execute(planned.plan, opened):
                watch(event)
                events.append(event)
        return events

    def frame(self, where: dict[str, Any] | None = None, columns: list[str] | None = None) -> Any:
        """Ask the database."""
        with self.opened() as (_, opened):
            return opened.database.frame(where or {}, columns)

    def statuses(self, where: dict[str, Any] | None = None) -> dict[str, tuple[str, str]]:
        """Say what became of each job at last: `model method engine probe`, or `build`, to status and reason."""
        columns = ["started", "model", "method", "engine", "probe", "kind", "status", "reason"]
        rows = self.frame(where, columns).drop_duplicates()
        return {
            " ".join([row.model, row.method, *(["build"] if row.kind == "build" else [row.engine, row.probe])]): (
                row.status,
                "" if row.status == "ok" else row.reason,
            )
            for row in rows.itertuples()
        }
