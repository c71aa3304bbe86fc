"""The candidate of a night: an environment by its name, or a wheel with an environment of its own beside the baseline's lock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.commands import fresh
from harness.commands.init import make_workspace
from harness.commands.machine import CheckedSweep, known_names
from harness.commands.night_candidate import is_wheel, with_candidate
from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError, Trouble
from harness.environment_state import marker
from harness.plan.sweep import Sweep
from tests.conftest import ROOT
from tests.unit.commands.wheels import wheel, zipped


def checked(home: Workspace, environments: str = "") -> CheckedSweep:
    (home.root / "configs" / "environments.yaml").write_text(
        environments or "mine: {python: /usr/bin/python3}\n", "utf-8"
    )
    return CheckedSweep(home, Sweep("s", Path("s.yaml"), ()), known_names(home))


def test_what_is_a_wheel_is_told_by_how_it_is_written() -> None:
    words = (
        "dist/a-1-py3-none-any.whl",
        "git+https://host/a/b@main",
        "https://host/a.whl",
        "cpu",
        "genai-0.15",
        "dist/*.whl",
    )
    assert [is_wheel(word) for word in words] == [True, True, True, False, False, True]


def test_an_environment_is_taken_by_name(nights: Workspace) -> None:
    some = checked(nights)
    assert with_candidate(some, "cpu", "mine", print) == (some, "mine")


@pytest.mark.parametrize(("sides", "said"), [
    (("cpu", "mnie"), "unknown environment 'mnie'"), (("cup", "mine"), "unknown environment 'cup'"), (("cpu", "cpu"), "baseline and candidate are both cpu"),
    (("mine", "dist/a-1-py3-none-any.whl"), "environment mine has no lock file to put dist/a-1-py3-none-any.whl beside"),
    (("cpu", "dist/none-1-py3-none-any.whl"), "there is no wheel dist/none-1-py3-none-any.whl"),
])  # fmt: skip
def test_what_cannot_be_had_is_refused_by_name(nights: Workspace, sides: tuple[str, str], said: str) -> None:
    with pytest.raises(HarnessError, match=said):
        with_candidate(checked(nights), *sides, print)


def test_an_environment_of_somebodys_own_is_not_taken_for_the_wheels(nights: Workspace) -> None:
    some = checked(nights, "cpu-tonight: {python: /usr/bin/python3}\n")
    with pytest.raises(HarnessError, match=r"would be called cpu-tonight, and environments.yaml has one"):
        with_candidate(some, "cpu", "dist/a-1-py3-none-any.whl", print)


def test_a_wheel_gets_an_environment_of_the_baselines_lock_packages_and_itself(
    nights: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nights.root / "dist").mkdir()
    path = wheel(nights.root / "dist")
    asked: dict[str, Any] = {}
    made = fresh.setup
    monkeypatch.setattr(fresh, "setup", lambda name, **given: (asked.update(given), made(name, **given))[1])
    lines: list[str] = []
    found, name = with_candidate(
        checked(nights, "base: {on: cpu, packages: [a==1]}\n"), "base", f"dist/{path.name}", lines.append
    )
    assert name == "base-tonight"
    assert asked["lock"].name == "cpu.txt"
    assert asked["packages"] == ("a==1",)
    assert Path(asked["wheels"][0]).name == path.name
    assert found.catalogue.environments[name].refresh == "never", "it is made, and stays as it is tonight"
    folder = next((nights.root / ".venvs").glob("base-tonight-*/"))
    assert marker(folder)["name"] == name
    assert any("is new" in line for line in lines)


def test_a_wheel_that_cannot_be_installed_ends_the_command_with_2_and_pips_reason(
    nights: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (nights.root / "dist").mkdir()
    path = wheel(nights.root / "dist")

    def fails(name: str, **given: object) -> None:
        raise Trouble("installing failed (1), pip says: No matching distribution found for nothing==9")

    monkeypatch.setattr(fresh, "setup", fails)
    with pytest.raises(SystemExit) as ended:
        with_candidate(checked(nights), "cpu", f"dist/{path.name}", print)
    assert ended.value.code == 2
    assert "No matching distribution found for nothing==9" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_pip_itself_says_why_a_wheel_cannot_be_installed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    list(make_workspace(home))
    configs, info = home / "configs", "tonight-1.dist-info"
    (configs / "locks").mkdir()
    (configs / "locks" / "old.txt").write_text("# nothing\n", "utf-8")
    (configs / "environments.yaml").write_text("old: {lock: locks/old.txt}\n", "utf-8")
    (configs / "local.yaml").write_text(f"python: {{old: '{sys.executable}'}}\n", "utf-8")
    (configs / "sweeps").mkdir(exist_ok=True)
    sweep = "model: reference\nmethod: fp32\nengine: ort-genai\nenvironment: old\nprobes: {generation: {prompt: 8, output: 8}}\n"
    (configs / "sweeps" / "s.yaml").write_text(sweep, "utf-8")
    files = {
        "tonight/__init__.py": "", f"{info}/WHEEL": "Wheel-Version: 1.0\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tonight\nVersion: 1\nRequires-Dist: tonight-needs-what-nobody-has==9\n",
    }  # fmt: skip
    path = zipped(home / "tonight-1-py3-none-any.whl", files, "1")
    words = ["night", "s", "--baseline", "old", "--candidate", path.name, "--budget", "1m"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-m", "harness", *words],
        cwd=home,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert ran.returncode == 2, ran.stderr
    assert "pip says" in ran.stderr
    assert "No matching distribution found for tonight-needs-what-nobody-has==9" in ran.stderr.splitlines()[-1]
    assert not (home / "results" / "nights").exists() or list((home / "results" / "nights").glob("*.json")) == []
