"""Which environment stands where, when one is made, and that a GPU's never takes the harness's own folder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from harness import environment_state, environments
from harness.core.errors import ConfigError, Trouble
from harness.plan.catalogue import load_catalogue


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two lock files, in which making an environment is only noted."""
    locks = tmp_path / "configs" / "locks"
    locks.mkdir(parents=True)
    (locks / "cpu.txt").write_text("numpy==2.4.6\n", encoding="utf-8")
    (locks / "cuda.txt").write_text("numpy==2.4.6\nonnxruntime-gpu==1.31.1\n", encoding="utf-8")
    for name, value in {
        "ROOT": tmp_path,
        "LOCKS": locks,
        "HOME": tmp_path / ".venv",
    }.items():
        monkeypatch.setattr(environments, name, value)

    def make(folder: Path, *given: Any) -> None:
        python = environment_state.python_in(folder)
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        with (tmp_path / "made").open("a", encoding="utf-8") as file:
            file.write(f"{folder.relative_to(tmp_path).as_posix()}\n")

    monkeypatch.setattr(environments, "_make", make)
    monkeypatch.setattr(environments, "_broken", lambda folder, lock: "")
    return tmp_path


def made(root: Path) -> list[str]:
    path = root / "made"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def test_the_harness_itself_stands_in_environment_cpu_on_every_machine(root: Path) -> None:
    assert environments.setup() == root / ".venv"
    assert environments.setup("cpu") == root / ".venv"
    assert made(root) == [".venv"], "made once, under either name"
    assert environments.folder_of("cpu", root) == root / ".venv"


@pytest.mark.parametrize("name", ["../away", "/tmp/away", "..", "a/b", ".hidden", "a b", ""])
def test_a_name_that_leads_elsewhere_makes_nothing(root: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name:  # without one it is the harness's own
        with pytest.raises(SystemExit) as ended:
            environments.setup(name, packages=("x",))
        assert ended.value.code == 2
        assert f"environment '{name}': {environments.NAMES}" in capsys.readouterr().err
    (root / "configs" / "environments.yaml").write_text(json.dumps({name: {"packages": ["x"]}}), "utf-8")
    with pytest.raises(ConfigError, match=re.escape(f"environment '{name}': {environments.NAMES}")):
        load_catalogue([root / "configs"])
    assert not made(root)


def test_the_cuda_environment_stands_beside_it(root: Path) -> None:
    environments.setup()
    assert environments.folder_of("cuda", root) is None
    assert environments.setup("cuda") == root / ".venvs" / "cuda"
    assert environments.folder_of("cuda", root) == root / ".venvs" / "cuda"
    assert environments.folder_of("cpu", root) == root / ".venv"


def test_a_folder_of_another_environment_is_never_installed_into(root: Path) -> None:
    environments.setup()
    marker = root / ".venv" / environment_state.MARKER
    marker.write_text(json.dumps({"name": "cuda", "lock": "x"}), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"\.venv was made as environment cuda; delete the folder"):
        environments.setup()
    assert environments.folder_of("cuda", root) is None


def test_a_changed_lock_file_makes_it_again(root: Path) -> None:
    environments.setup("cuda")
    (root / "configs" / "locks" / "cuda.txt").write_text("numpy==2.4.7\n", encoding="utf-8")
    environments.setup("cuda")
    assert made(root) == [".venvs/cuda", ".venvs/cuda"]


def test_one_that_was_not_made_to_its_end_is_made_anew(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = root / ".venvs" / "cuda"
    (folder / "lib").mkdir(parents=True)
    (folder / environment_state.MAKING).touch()
    environments.setup("cuda")
    assert not (folder / "lib").exists(), "an installer takes half a package for a whole one"
    assert not (folder / environment_state.MAKING).exists()
    assert ".venvs/cuda was not made to its end; making it anew" in capsys.readouterr().out


def test_one_that_is_broken_is_made_anew_unless_this_process_runs_in_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environments.setup()
    monkeypatch.setattr(environments, "_broken", lambda folder, lock: "lacks numpy")
    environments.setup()
    assert ".venv lacks numpy; making it anew" in capsys.readouterr().out
    assert made(root) == [".venv", ".venv"]
    monkeypatch.setattr(sys, "prefix", str(root / ".venv"))
    with pytest.raises(SystemExit, match=r"\.venv lacks numpy; make it anew: python3 -m harness setup") as ended:
        environments.setup()
    assert ended.value.code == 2


def test_somebodys_own_folder_is_not_removed_whatever_happens_to_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = root / ".venv" / "bin" / "mine"
    mine.parent.mkdir(parents=True)
    mine.touch()
    made_well = environments._make

    def fail(*_: Any) -> None:
        raise Trouble("installing failed")

    monkeypatch.setattr(environments, "_make", fail)
    with pytest.raises(SystemExit):
        environments.setup()
    monkeypatch.setattr(environments, "_make", made_well)
    environments.setup()
    monkeypatch.setattr(environments, "_broken", lambda folder, lock: "lacks numpy")
    environments.setup()
    assert mine.exists()


def test_two_commands_do_not_make_one_environment_at_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most = [], []

    def make(folder: Path, *_: Any) -> None:
        inside.append(folder)
        most.append(len(inside))
        time.sleep(0.2)
        environment_state.python_in(folder).parent.mkdir(parents=True, exist_ok=True)
        environment_state.python_in(folder).touch()
        inside.pop()

    monkeypatch.setattr(environments, "_make", make)
    together = [threading.Thread(target=environments.setup, args=("cuda",)) for _ in range(3)]
    for one in together:
        one.start()
    for one in together:
        one.join()
    assert most == [1], "the others find it made"


def test_an_unknown_name_is_told_those_that_have_a_lock_file(root: Path) -> None:
    with pytest.raises(SystemExit, match="environments with one: cpu, cuda"):
        environments.setup("cudda")


_LOAD = """
import ctypes, importlib.util, pathlib, sys
from harness.nvml import load_cuda_libraries
load_cuda_libraries("cuda")
places = importlib.util.find_spec("onnxruntime_genai").submodule_search_locations
ctypes.CDLL(str(pathlib.Path(places[0]) / "libonnxruntime-genai-cuda.so"))
assert "torch" not in sys.modules
"""


def test_the_wheels_of_the_cuda_lock_hold_the_libraries_that_its_runtime_needs() -> None:
    """Loading them needs no GPU."""
    folder = environments.folder_of("cuda", environments.ROOT)
    if folder is None or not sys.platform.startswith("linux"):
        pytest.skip("environment cuda is not here: harness setup --env cuda")
    command = [str(environment_state.python_in(folder)), "-c", _LOAD]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=environments.ROOT)
    assert ran.returncode == 0, ran.stderr


def test_what_a_wheel_brings_is_installed_over_the_same_version_of_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[list[str]] = []
    monkeypatch.setattr(environments, "run_step", lambda step, root: steps.append(step))
    (tmp_path / "lock.txt").write_text("b==2\n", "utf-8")
    contents = environments.Contents(tmp_path / "lock.txt", ("a==1",), ("/x/b-2.whl",))
    environments._make(tmp_path / "e", contents, tmp_path)
    said = [" ".join(step[step.index("--no-compile") + 1 :]) for step in steps if "--quiet" in step]
    assert said[:4] == [f"-r {tmp_path / 'lock.txt'}", "a==1", "/x/b-2.whl", "--force-reinstall --no-deps /x/b-2.whl"]
