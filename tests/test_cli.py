"""The command line as a person meets it: one line for what can be acted on, the right exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.fake_box import Bench


def harness(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *words], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_misspelt_sweep_is_told_the_right_name_in_one_line_and_exits_2() -> None:
    answer = harness("run", "quikstart")
    assert answer.returncode == 2
    assert answer.stderr == "unknown sweep 'quikstart'; did you mean 'quickstart'?\n"


def test_an_unknown_command_exits_2_without_a_traceback() -> None:
    answer = harness("nosuch")
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr
    assert "nosuch" in answer.stderr


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv=['harness','--help']\n"
        "import harness.cli\n"
        "try: harness.cli.main()\nexcept SystemExit: pass\n"
        "print([m for m in ('torch','pandas','sqlalchemy','transformers','numpy') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip().endswith("[]")


def test_a_run_whose_job_fails_exits_1_and_says_which(bench: Bench) -> None:
    bench.sweep(method=["fp32", "broken"])
    answer = harness("run", "s", "--configs", str(bench.configs), "--results", str(bench.results))
    assert answer.returncode == 1
    assert "toy broken build: failed" in answer.stdout
    assert "harness's own share" in answer.stdout


def test_a_plan_is_printed_without_running_anything(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    answer = harness("plan", "s", "--configs", str(bench.configs), "--results", str(bench.results), "--why")
    assert answer.returncode == 0
    assert "never made here" in answer.stdout
    assert not (bench.results / "runs").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(bench: Bench) -> None:
    bench.sweep(method=["stuck"])
    words = [
        sys.executable,
        "-m",
        "harness",
        "run",
        "s",
        "--configs",
        str(bench.configs),
        "--results",
        str(bench.results),
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((bench.results / "artifacts").glob("*partial*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, words_said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert words_said == "interrupted; the same command goes on where this one stopped\n"
