"""The files for CI and timers in `configs/ci`: parsed, and every command in them run here, with stand-ins for what is not here."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.night.alarms import with_open
from harness.night.files import read_nights
from harness.night.issue import to_issue
from tests.conftest import ROOT
from tests.fake_machine import Bench
from tests.test_stories import script
from tests.unit.commands.night_bench import night_bench
from tests.unit.night.numbers import night, number

FILES = ROOT / "configs" / "ci"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are scripts of a shell")
GH = """
import json, pathlib, sys, urllib.parse
folder, words = pathlib.Path(FOLDER), sys.argv[1:]
with open(folder / "said", "a") as file:
    file.write(json.dumps(words) + "\\n")
if "--jq" in words:
    sys.exit("this stand-in knows no jq")
state = folder / "issues"
issues = json.loads(state.read_text()) if state.exists() else [{"number": 3, "title": "Nightly other: a against b"}]
kept = json.loads((folder / "kept").read_text())
if words[:2] == ["issue", "create"]:
    issues.append({"number": 7, "title": words[words.index("--title") + 1]})
elif words[:2] == ["issue", "close"]:
    issues = [one for one in issues if str(one["number"]) != words[2]]
elif words[:2] == ["issue", "list"]:
    asked = words[words.index("--json") + 1].split(",")
    print(json.dumps([{name: one[name] for name in asked} for one in issues]))
elif words[:2] == ["run", "download"]:
    name = words[words.index("--name") + 1]
    there = [one for one in kept["artifacts"] if (str(one["workflow_run"]["id"]), one["name"]) == (words[2], name)]
    if not [one for one in there if not one["expired"]] or int(words[2]) in kept["lost"]:
        sys.exit("no valid artifacts found to download")
    place = folder / words[words.index("--dir") + 1]
    place.mkdir(parents=True, exist_ok=True)
    open(place / "20261128-aaaaaa.json", "x").write("of run " + words[2])
elif words[0] == "api":
    if kept["artifacts"] is None:
        sys.exit("HTTP 502")
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(words[1]).query))
    found = [one for one in kept["artifacts"] if one["name"] == asked["name"]][: int(asked.get("per_page", 30))]
    print(json.dumps({"total_count": len(found), "artifacts": found}))
state.write_text(json.dumps(issues))
"""
"""Keeps issues and artifacts as GitHub would; like its own program, writes over no file that it fetches, and fetches nothing that has expired."""


def steps(name: str) -> list[dict[str, Any]]:
    """Give the steps of a workflow's only job."""
    (job,) = yaml.safe_load((FILES / name).read_text("utf-8"))["jobs"].values()
    found: list[dict[str, Any]] = job["steps"]
    return found


@dataclass
class Runner:
    """A machine on which steps of a workflow run, in a clone that is only what they use."""

    folder: Path
    env: dict[str, str]

    def run(
        self, command: str, more: dict[str, str] | None = None, shell: Sequence[str] = ("-o", "pipefail")
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", *shell, "-c", command], cwd=self.folder, env={**self.env, **(more or {})}, capture_output=True, text=True,
            check=False, timeout=280,
        )  # fmt: skip

    def said(self) -> list[list[str]]:
        """List what `gh` was asked for."""
        path = self.folder / "said"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return on(tmp_path / "clone", [])


def on(folder: Path, artifacts: list[dict[str, Any]] | None, lost: Sequence[int] = ()) -> Runner:
    """Make a machine; artifacts: as GitHub lists them, None where it answers nothing; lost: runs whose artifacts cannot be fetched."""
    tools = folder / "tools"
    code = GH.replace("FOLDER", repr(str(folder)))
    (tools / "gh.py").parent.mkdir(parents=True)
    (tools / "gh.py").write_text(code, "utf-8")
    (folder / "kept").write_text(json.dumps({"artifacts": artifacts, "lost": list(lost)}), "utf-8")
    script(tools / "gh", f'exec "{sys.executable}" "{tools / "gh.py"}" "$@"')
    setup = f'case "$*" in "-m harness setup"*) echo "$*" >> "{folder / "setup"}"; exit 0;; esac'
    for name in ("python", "python3"):
        script(tools / name, f'{setup}\nexec "{sys.executable}" "$@"')
    env = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "GITHUB_REPOSITORY": "a/b",
    }
    env |= {"GITHUB_STEP_SUMMARY": str(folder / "summary.md"), "GITHUB_OUTPUT": str(folder / "output"), "GH_TOKEN": "t"}
    return Runner(folder, env)


@pytest.mark.parametrize("name", ["night-gpu.yml", "windows.yml"])
def test_a_workflow_has_triggers_permissions_a_limit_and_steps_that_do_one_thing(name: str) -> None:
    text = (FILES / name).read_text("utf-8")
    whole = yaml.safe_load(text)
    assert whole[True], "`on` is true in YAML 1.1, and GitHub reads it as the word"
    assert whole["permissions"]["contents"] == "read"
    (job,) = whole["jobs"].values()
    assert job["timeout-minutes"] > 0
    assert all(("uses" in one) != ("run" in one) for one in steps(name))
    assert all(re.search(r"@v\d+$", one["uses"]) for one in steps(name) if "uses" in one)
    assert "secrets." not in text, "no token of ours"


def test_what_the_next_night_fetches_is_what_the_last_one_kept() -> None:
    there = {one.get("name"): one for one in steps("night-gpu.yml")}
    kept = there["Keep the records"]["with"]
    assert kept["path"].split() == ["results/nights/*.json"]
    assert there["Keep the records"]["if"] == "always()"
    fetching = there["Records of the nights before"]["run"]
    assert f"name={kept['name']}&" in fetching
    assert f"--name {kept['name']} --dir fetched-nights" in fetching


def listed(run: int, *, expired: bool = False, name: str = "harness-nights") -> dict[str, Any]:
    """Give an artifact as GitHub lists it."""
    return {
        "id": 1000 + run,
        "name": name,
        "expired": expired,
        "created_at": f"2026-11-{run % 30:02}T01:00:00Z",
        "workflow_run": {"id": run, "head_branch": "main"},
    }


@pytest.mark.parametrize(("artifacts", "lost", "fetched", "warnings"), [
    ([], [], "", 0), ([listed(42)], [], "42", 0), ([listed(50, name="night-junit"), listed(42)], [], "42", 0),
    ([listed(44, expired=True)], [], "", 0), ([listed(44, expired=True), listed(43), listed(42)], [], "43", 0),
    ([listed(42)], [42], "", 1), ([listed(44, expired=True), listed(42), listed(43)], [43], "42", 1), (None, [], "", 1),
])  # fmt: skip
def test_records_are_fetched_where_there_are_any_that_can_be(
    tmp_path: Path, artifacts: list[dict[str, Any]] | None, lost: list[int], fetched: str, warnings: int
) -> None:
    """An artifact that has expired stays listed, and a night without the nights before is worth more than none."""
    machine = on(tmp_path / "clone", artifacts, lost)
    for shell in ((), ("-o", "pipefail")):
        ran = machine.run(steps("night-gpu.yml")[1]["run"], shell=shell)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.count("::warning::") == warnings
        assert ("no nights so far" in ran.stdout) == (not fetched)
        found = machine.folder / "results" / "nights" / "20261128-aaaaaa.json"
        assert (found.read_text("utf-8") if found.exists() else "") == (f"of run {fetched}" if fetched else "")
        shutil.rmtree(machine.folder / "results", ignore_errors=True)


def test_what_stayed_on_the_machine_is_as_new_as_what_is_fetched(tmp_path: Path) -> None:
    machine = on(tmp_path / "clone", [listed(42)])
    mine = machine.folder / "results" / "nights" / "20261128-aaaaaa.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("newer", "utf-8")
    assert machine.run(steps("night-gpu.yml")[1]["run"]).returncode == 0
    assert mine.read_text("utf-8") == "newer"


def test_the_issue_opens_once_is_updated_and_closes_itself(runner: Runner) -> None:
    (step,) = [one for one in steps("night-gpu.yml") if one.get("name") == "Issue"]
    first = with_open(night(number("worse"), count=1), None)
    second = with_open(night(number("worse"), count=2), first)
    third = with_open(night(number(), count=3), second)
    fourth = with_open(night(number(), count=4), third)
    done = []
    for record in (first, second, third, fourth):
        (runner.folder / "said").unlink(missing_ok=True)
        (runner.folder / "night-issue.md").write_text(to_issue(record), "utf-8")
        ran = runner.run(step["run"])
        assert ran.returncode == 0, ran.stderr
        done.append([words[1] for words in runner.said() if words[0] == "issue" and words[1] != "list"])
    assert done == [["create"], ["edit"], ["edit", "close"], []]
    (runner.folder / "night-issue.md").unlink()
    assert runner.run(step["run"]).returncode == 0, "a night that did not run has no issue"


def test_the_verdict_of_a_night_is_the_steps(runner: Runner) -> None:
    (step,) = [one for one in steps("night-gpu.yml") if one.get("name") == "Verdict"]
    assert step["env"]["CODE"] == "${{ steps.night.outputs.code }}"
    assert [runner.run(step["run"], {"CODE": code}).returncode for code in ("0", "1", "3")] == [0, 1, 3]


def unit(name: str) -> configparser.ConfigParser:
    """Read a unit of systemd."""
    found = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string((FILES / name).read_text("utf-8"))
    return found


def test_the_timer_starts_the_service_of_its_name_every_night() -> None:
    timer, service = unit("harness-night.timer"), unit("harness-night.service")
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert service["Service"]["Type"] == "oneshot"
    when = timer["Timer"]["OnCalendar"]
    assert when == "*-*-* 01:17:00"
    if tool := shutil.which("systemd-analyze"):
        ran = subprocess.run([tool, "calendar", when], capture_output=True, text=True, check=False, timeout=60)
        assert ran.returncode == 0, ran.stderr


def test_make_nightly_is_the_command_and_wants_a_candidate(runner: Runner) -> None:
    shutil.copy(ROOT / "Makefile", runner.folder)
    script(runner.folder / ".venv" / "bin" / "python", f'printf "%s|" "$@" > "{runner.folder / "typed"}"')
    ran = runner.run("make nightly SWEEP=s BASELINE=old CANDIDATE='dist/*.whl' BUDGET=1h MORE='--junit a.xml'")
    assert ran.returncode == 0, ran.stderr
    assert (runner.folder / "setup").read_text("utf-8") == "-m harness setup --quiet\n"
    typed = (runner.folder / "typed").read_text("utf-8")
    assert typed == "-m|harness|night|s|--baseline|old|--candidate|dist/*.whl|--budget|1h|--junit|a.xml|"
    ran = runner.run("make nightly")
    assert ran.returncode == 2
    assert "say CANDIDATE=ENV or CANDIDATE=WHEEL" in ran.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_night_of_the_workflow_and_that_of_the_timer_run(tmp_path: Path) -> None:
    bench = night_bench(Bench(tmp_path / "clone"))
    runner = on(tmp_path / "clone" / "tools-of", [])
    runner.folder = bench.configs.parent
    (runner.folder / "harness.yaml").write_text("version: 1\n", "utf-8")
    # Rounds count however busy this machine is, and one number is enough.
    script(
        runner.folder / ".venv" / "bin" / "python",
        f'exec "{sys.executable}" "$@" --disturbed --where metric=decode_tps',
    )
    (job,) = yaml.safe_load((FILES / "night-gpu.yml").read_text("utf-8"))["jobs"].values()
    short = {"SWEEP": "s", "BASELINE": "old", "CANDIDATE": "new", "BUDGET": "60s"}
    assert set(job["env"]) == set(short)
    (making, running) = (
        next(one for one in job["steps"] if one.get("name") == name) for name in ("Environments", "Night")
    )
    made = runner.run(making["run"], short)
    assert made.returncode == 0, made.stderr
    ran = runner.run(running["run"], short)
    assert ran.returncode == 0, ran.stderr
    (record,) = read_nights(runner.folder / "results" / "nights").records
    output = Path(runner.env["GITHUB_OUTPUT"]).read_text("utf-8")
    assert output == f"code={record.exit_code}\n"
    assert record.canaries
    assert all((runner.folder / name).exists() for name in ("night-issue.md", "night-junit.xml"))
    assert f"# Night {record.night}" in Path(runner.env["GITHUB_STEP_SUMMARY"]).read_text("utf-8")
    service = unit("harness-night.service")["Service"]
    assert set(service["Environment"].split(" ")[0].split("=")) == {"SWEEP", "gpu"}
    ran = runner.run(service["ExecStart"].replace("%h/quant-harness", str(runner.folder)), short)
    record = read_nights(runner.folder / "results" / "nights").records[-1]
    assert (record.number, record.exit_code) == (2, ran.returncode), ran.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_steps_for_windows_run(runner: Runner) -> None:
    python = script(runner.folder / "scripts" / "python", f'exec "{sys.executable}" "$@"')
    commands = [one["run"] for one in steps("windows.yml") if "run" in one]
    assert len(commands) == 4
    for command in commands:
        typed = command.replace(".venv/Scripts/python", str(python))
        where = Runner(ROOT, runner.env)
        ran = where.run(typed, {"PYTEST_ADDOPTS": "--collect-only -q -p no:cacheprovider"})
        assert ran.returncode == 0, f"{command}\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
    assert (runner.folder / "setup").read_text("utf-8") == "-m harness setup\n"
