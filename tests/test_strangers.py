"""What the files of a stranger can and cannot do, whole commands with real libraries: lines of SECURITY.md."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.fake_machine import Bench
from tests.tiny_model import write_model

METHODS = {"fp32": {"recipes": {"source": {"dtype": "float32"}, "ort-genai": {"precision": "fp32"}}}}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model as transformers saves it."""
    return write_model(tmp_path_factory.mktemp("tiny"))


class Marks:
    """An object whose pickle makes a file where it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def run(bench: Bench, verb: str = "run", answer: str = "y\n" * 50, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the sweep in a process of its own, in which somebody would agree to whatever is asked."""
    words = [
        sys.executable,
        "-m",
        "harness",
        verb,
        "s",
        "--configs",
        str(bench.configs),
        "--results",
        str(bench.results),
    ]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **more}
    return subprocess.run(words, input=answer, capture_output=True, text=True, check=False, env=variables, timeout=300)


def statuses(bench: Bench) -> set[str]:
    """Say what became of the jobs that were begun, verifications apart."""
    found = [json.loads(path.read_text("utf-8")) for path in bench.results.glob("runs/*/outcome.json")]
    return {one["status"] for one in found if not one["job"]["spec"].get("probe", "").startswith("verify")}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["transformers", "ort-genai"])
@pytest.mark.parametrize("known", [True, False], ids=["a known type", "a type of its own"])
def test_a_model_with_code_of_its_own_is_measured_or_refused_and_its_code_never_run(
    bench: Bench, tiny: Path, tmp_path: Path, engine: str, known: bool
) -> None:
    folder, ran = tmp_path / "given", tmp_path / "ran"
    shutil.copytree(tiny, folder)
    (folder / "theirs.py").write_text(f"import os\nos.mkdir({str(ran)!r})\n", "utf-8")
    for name, keys in (
        ("config.json", {"AutoConfig": "theirs.Config", "AutoModelForCausalLM": "theirs.Model"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["theirs.Tokenizer", "theirs.Tokenizer"]}),
    ):
        content = json.loads((folder / name).read_text("utf-8")) | {"auto_map": keys}
        if name == "config.json" and not known:
            content |= {"model_type": "theirs", "architectures": ["TheirsForCausalLM"]}
        (folder / name).write_text(json.dumps(content), "utf-8")
    bench.methods(METHODS)
    bench.model(folder)
    bench.sweep(method=["fp32"], engine=engine, verify=False)
    said = run(bench)
    assert "Traceback" not in said.stdout + said.stderr
    assert not ran.exists()
    assert statuses(bench) == ({"ok"} if known else {"unsupported"}), said.stdout + said.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_pickled_weights_run_nothing_when_they_are_loaded(bench: Bench, tiny: Path, tmp_path: Path, how: str) -> None:
    folder, ran = tmp_path / "given", tmp_path / "ran"
    shutil.copytree(tiny, folder)
    (folder / "model.safetensors").unlink()
    weights, content = folder / "pytorch_model.bin", {"model.embed_tokens.weight": Marks(ran)}
    if how == "torch":
        import torch

        torch.save(content, weights)
    else:
        weights.write_bytes(pickle.dumps(content))
    bench.methods(METHODS)
    bench.model(folder)
    bench.sweep(method=["fp32"], engine=["transformers", "ort-genai"])
    said = run(bench)
    assert "Traceback" not in said.stdout + said.stderr
    assert not ran.exists()
    assert statuses(bench) <= {"failed", "unsupported"}, said.stdout + said.stderr
    assert statuses(bench)


def test_an_interpreter_of_a_configs_folder_is_started_by_plan_as_the_warning_says(
    bench: Bench, tmp_path: Path
) -> None:
    ran, script = tmp_path / "ran", tmp_path / "python"
    script.write_text(f'#!/bin/sh\nmkdir -p "{ran}"\nexec "{sys.executable}" "$@"\n', "utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (bench.configs / "environments.yaml").write_text(json.dumps({"here": {"python": str(script)}}), "utf-8")
    bench.sweep(method=["fp32"])
    said = run(bench, "plan")
    assert said.returncode == 0, said.stderr
    assert f"started to ask what it holds: {script} (environment here)" in said.stdout
    assert ran.exists(), "SECURITY.md says that it is"


@pytest.mark.slow
def test_a_task_file_that_runs_python_is_named_by_plan(bench: Bench, tmp_path: Path) -> None:
    task = tmp_path / "theirs.yaml"
    for text, told in (("task: theirs\ndoc_to_text: !function theirs.f\n", True), ("task: theirs\n", False)):
        task.write_text(text, "utf-8")
        bench.sweep(method=["fp32"], probes={"lm_eval": {"task": str(task)}})
        said = run(bench, "plan")
        assert (f"runs Python that a task file names: {task}" in said.stdout) == told, said.stdout + said.stderr


def test_a_program_that_a_sweep_runs_is_printed_by_plan(bench: Bench) -> None:
    line = "python -c pass {artifact} {out}"
    bench.sweep(method=["fp32"], engine={"program": {}}, probes={"command": {"run": line, "read": {"decode_tps": "a"}}})
    said = run(bench, "plan")
    assert f"runs a program to measure: {line}" in said.stdout, said.stdout + said.stderr
