"""A relative path in a file of a workspace is seen from the workspace's folder, wherever a command is started."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest
import yaml

from harness import programs
from harness.commands.init import make_workspace
from harness.commands.machine import plan_sweep, queue_python
from harness.commands.workspace import here, settle_in
from harness.core.errors import HarnessError
from harness.core.paths import MINE, workspace_folder
from harness.core.seam import Facts
from harness.executors import process
from harness.probes.lm_eval import Workload
from harness.texts import text_file


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), "utf-8")
    return path


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace in whose files all paths are relative; what commands set in this process is taken back."""
    for name in (MINE, "HARNESS_CONFIGS", "HARNESS_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    folder = tmp_path / "home"
    list(make_workspace(folder))
    write(folder, "models/mine/config.json", '{"model_type": "llama", "vocab_size": 257}')
    (folder / "models/mine/model.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}")
    write(folder, "models/mine/tokenizer.json", "{}")
    write(folder, "models/onnx/net.onnx", "x")
    write(folder, "shapes/small.json", json.dumps({"model_type": "llama", "vocab_size": 300}))
    write(folder, "texts/mine.txt", "a cat and a dog\n\n" * 40)
    write(
        folder,
        "tools/quantize.py",
        "import shutil, sys\nshutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)\n",
    )
    write(folder, "tools/bench.py", "print()\n")
    program(folder / "env/bin/python", f'exec "{sys.executable}" "$@"')
    program(folder / "env/bin/their-bench", "true")
    random = {"config": "shapes/small.json"}
    ready = {"path": "models/onnx", "method": "int8"}
    models = {"mine": {"folder": "models/mine"}, "drawn": {"random": random}, "files": {"ready": ready}}
    write(folder, "configs/models.yaml", models)
    write(folder, "configs/texts.yaml", {"own": {"path": "texts/mine.txt"}})
    write(folder, "configs/environments.yaml", {"theirs": {"python": "env/bin/python"}})
    recipe = {"run": "python tools/quantize.py {base} {out}", "produces": "files", "files": ["tools/bench.py"]}
    write(folder, "configs/methods.yaml", {"ours": {"recipes": {"command": recipe}}})
    command = {"run": ["their-bench {artifact} {out}", "python tools/bench.py {out}"], "read": "llama-bench"}
    sweep = {
        "model": ["mine", "drawn", "files"], "method": "ours", "environment": "theirs", "engine": {"program": {}},
        "probes": {"command": command}, "rounds": 1,
    }  # fmt: skip
    write(folder, "configs/sweeps/s.yaml", sweep)
    return folder


def test_a_sweep_has_the_same_jobs_from_wherever_it_is_planned(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = home / "docs" / "deep"
    below.mkdir(parents=True)
    found = []
    for start, asked in ((home, None), (below, None), (tmp_path, home)):
        monkeypatch.chdir(start)
        workspace = here(asked)
        settle_in(workspace)
        planned = plan_sweep("s", workspace)
        plan = planned.plan
        assert [job.refused for job in plan.jobs if job.refused and not job.verifies] == []
        assert text_file("own", planned.catalogue.texts["own"]) == home / "texts" / "mine.txt"
        found.append([job.key for job in plan.jobs])
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) == 2 + 1 + 3 * 2, (
        "builds of two models and of random weights, two programs on three artifacts"
    )
    assert Workload(task="tasks/own.yaml").yaml == home / "tasks" / "own.yaml"
    monkeypatch.delenv(MINE)
    monkeypatch.chdir(below)
    assert workspace_folder() == home, "also for a worker that nobody told"


def test_a_command_runs_in_the_workspaces_folder(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(MINE, str(home))
    code = "import sys; open(sys.argv[2] + '/r', 'w').write(open(sys.argv[1]).read()[:5])"
    out = Path("left")
    out.mkdir()
    programs.run(f'python -c "{code}" texts/mine.txt {{out}}', {"{out}": out}, tmp_path / "log.txt")
    assert (tmp_path / "left" / "r").read_text("utf-8") == "a cat"


def test_a_program_is_found_beside_the_python_of_its_environment_and_not_by_our_own_path(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MINE, str(home))
    theirs = Facts({}, "Linux", interpreter=home / "env" / "bin" / "python")
    assert programs.refusal("their-bench {out}", ("{out}",), theirs) is None
    other = Facts({}, "Linux", interpreter=tmp_path / "python")
    said = programs.refusal("their-bench {out}", ("{out}",), other)
    assert said == (
        "the command's program 'their-bench' was not found beside the environment's Python, nor on the PATH; "
        "install it there, or give its path"
    )
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", str(home / "env" / "bin" / "python"))
    inner = program(home / "env" / "bin" / "their-helper", "echo helped")
    program(home / "env" / "bin" / "their-bench", "their-helper")
    programs.run("their-bench {out}", {"{out}": tmp_path}, tmp_path / "log.txt")
    assert (tmp_path / "log.txt").read_text("utf-8") == "helped\n", f"{inner.name} is found by the program, too"
    write(home, "tools/plain.sh", "true")
    with pytest.raises(HarnessError, match=r"program 'tools/plain.sh' was not found, in .*home; make it executable"):
        programs.files_of("tools/plain.sh {out}", (), ("{out}",), "probe")


def test_a_queue_is_served_by_the_python_of_the_environment_that_is_named(home: Path, tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    (queue / "waiting").mkdir(parents=True)
    workspace = here(home)
    settle_in(workspace)
    python = queue_python("theirs", workspace)
    assert python == home / "env" / "bin" / "python"
    assert process.serve_queue(python, "theirs", queue, exit_when_idle=True) == 0
    (told,) = (queue / "workers").glob("*.json")
    assert json.loads(told.read_text("utf-8"))["environment"]["name"] == "theirs"
    with pytest.raises(HarnessError, match="environment 'cuda' is not on this machine: harness setup --env cuda"):
        queue_python("cuda", workspace)
    with pytest.raises(HarnessError, match="unknown environment 'thiers'; did you mean 'theirs'"):
        queue_python("thiers", workspace)


def test_a_librarys_source_in_the_working_folder_is_not_imported_for_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "pydantic/__init__.py", "raise SystemExit('the source tree was imported')\n")
    monkeypatch.chdir(tmp_path)
    assert "pydantic" in process.describe(Path(sys.executable), "own").packages
