"""What CI may leave out, and what it may not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PYTHON = """#!/bin/sh
echo "$*" >> said
case "$*" in "-m pip download"*) exit {index} ;; "-m harness setup"*) exit {setup} ;; esac
exit 9
"""


@pytest.mark.skipif(shutil.which("bash") is None or sys.platform == "win32", reason="the script is for bash")
@pytest.mark.parametrize(("index", "setup", "code"), [(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 0)])
def test_an_environment_that_cannot_be_made_fails_ci_unless_no_package_index_can_be_reached(
    tmp_path: Path, index: int, setup: int, code: int
) -> None:
    for name in (".ci/environment", "configs/locks/genai-latest.txt"):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON.format(index=index, setup=setup), "utf-8")
    python.chmod(0o755)
    ran = subprocess.run(
        [tmp_path / ".ci" / "environment", "genai-latest"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == code, ran.stderr
    said = (tmp_path / "said").read_text("utf-8")
    assert ("-m harness setup --env genai-latest" in said) == (index == 0)
    lines = ran.stderr.splitlines()
    assert len(lines) == index
    assert all("no package index can be reached: environment genai-latest is not made" in line for line in lines)


def test_no_step_of_ci_may_fail_unseen() -> None:
    """Only the look for strace may: what it is for says itself whether it was there."""
    steps = [line for line in (ROOT / ".ci" / "run").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert "set -euo pipefail" in steps
    assert [line for line in steps if "|| true" in line and "strace" not in line] == []
