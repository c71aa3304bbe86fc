"""Runs and sessions of a machine, by name."""

from __future__ import annotations

from typing import Any

from harness.store import files
from tests.fake_machine import Bench

METHODS = ["fp32", "int8"]


def runs(bench: Bench, **where: Any) -> set[str]:
    return {run for (run,) in bench.frame(where, ["run"]).itertuples(index=False)}


def sessions(bench: Bench) -> list[Any]:
    found = [files.read_session(path) for path in sorted((bench.results / "sessions").glob("*.json"))]
    return sorted(found, key=lambda one: one.started)


def one_run(bench: Bench, **where: Any) -> str:
    return min(runs(bench, **where))
