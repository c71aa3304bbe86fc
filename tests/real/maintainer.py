"""A maintainer's own workspace: an INT4 folder that was there, interpreters that were there, and what is typed into it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harness.environments import ROOT
from harness.reference import model_folder
from harness.store.database import Database
from tests.real.environments import beside
from tests.tiny_model import export

FORK = """
import sys, time
if "harness.worker" in " ".join(sys.orig_argv):
    import onnxruntime_genai as og
    class Slower(og.Generator):
        def generate_next_token(self):
            begun = time.perf_counter()
            super().generate_next_token()
            end = time.perf_counter() + {more} * (time.perf_counter() - begun)
            while time.perf_counter() < end:
                sum(range(64))
    og.Generator = Slower
"""
"""Real work more for each token."""


@dataclass(frozen=True)
class Maintainer:
    """Somebody in a folder of theirs."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Type a command; it goes on by itself, in a group of processes of its own, as at a terminal."""
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *words], cwd=self.folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip

    def type(self, *words: str, code: int = 0) -> str:
        """Type a command to its end; what it printed."""
        found, said = self.typed(*words)
        assert found == code, said[-4000:]
        return said

    def typed(self, *words: str) -> tuple[int, str]:
        """Type a command to its end, whatever it is; also give its exit code."""
        with self.begin(*words) as command:
            said = command.communicate(timeout=1200)[0]
        assert "Traceback" not in said, said[-4000:]
        return command.returncode, said

    def frame(self, where: dict[str, Any], columns: list[str]) -> Any:
        with Database.open(self.results / "bench.db") as database:
            return database.frame(where, columns)

    def export_int4(self, folder: Path) -> Path:
        """Let the model builder, called as anybody calls it, make the INT4 folder; returns its file of weights."""
        model = folder / "model"
        shutil.copytree(model_folder(), model)
        out = self.folder / "models" / "int4"
        export(model, (out, "int4", []))
        return out / "model.onnx.data"

    def fork(self, name: str, build: int, more: float = 0.0) -> str:
        """Make an interpreter with a fork of the engine: another version; each token takes a share longer. Returns that version."""
        folder = self.folder / name
        if not folder.exists():
            beside(folder)
        site = next(folder.rglob("site-packages"))
        version = f"{importlib.metadata.version('onnxruntime-genai')}.post{build}"
        for old in site.glob("onnxruntime_genai-*.dist-info"):
            shutil.rmtree(old)
        self.write_in(site / f"onnxruntime_genai-{version}.dist-info" / "METADATA", f"Metadata-Version: 2.1\nName: onnxruntime-genai\nVersion: {version}\n")  # fmt: skip
        (site / "z_fork.pth").write_text("import fork_of_genai\n", "utf-8")
        (site / "fork_of_genai.py").write_text(FORK.format(more=more) if more else "", "utf-8")
        return version

    @staticmethod
    def write_in(path: Path, text: str) -> None:
        path.parent.mkdir()
        path.write_text(text, "utf-8")


def wait_for(command: subprocess.Popen[str], met: Callable[[], bool]) -> None:
    """Wait until something is so while a command runs."""
    while not met():
        try:
            said = command.communicate(timeout=0.02)[0]
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the command ended before: {said[-3000:]}")


def worker_of(command: subprocess.Popen[str]) -> int | None:
    """Find the worker of a command."""
    with suppress(psutil.Error):
        for child in psutil.Process(command.pid).children():
            if "harness.worker" in child.cmdline():
                return child.pid
    return None


def damage(weights: Path) -> Callable[[], None]:
    """Turn the bits of one quantized weight; what is returned turns them back."""
    import onnx

    graph = onnx.load(str(weights.with_suffix("")), load_external_data=False).graph
    stored = {one.name: {item.key: item.value for item in one.external_data} for one in graph.initializer}
    (place,) = [one for name, one in stored.items() if "layers.1.mlp.down_proj" in name and name.lower().endswith(("q4", "qweight", "quant"))]  # fmt: skip
    begin, length = int(place["offset"]), int(place["length"])

    def turn() -> None:
        held = bytearray(weights.read_bytes())
        held[begin : begin + length] = bytes(one ^ 0x5A for one in held[begin : begin + length])
        weights.write_bytes(held)

    turn()
    return turn
