"""One row of a real sweep again, a run of it that does not count, and the table in between, on the shipped model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.store import files
from tests.real.machine import RealMachine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROUNDS = 3


def test_a_row_again_takes_its_place_until_it_is_void_and_a_deleted_one_is_forgotten(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime_genai")
    machine = RealMachine(tmp_path)
    machine.sweep(
        "week", engine={"ort-genai": {"provider": "cpu"}}, method=["fp32", {"int4_rtn": "ort-genai"}], rounds=ROUNDS, precision=None,
        probes={"generation": {"prompt": 32, "output": 16, "repetitions": 2},
                "perplexity": {"tokens": 1000, "window": 256, "stride": 128}},
    )  # fmt: skip
    machine.run("week")
    first, kinds = machine.command("report", "week"), machine.kinds()
    only = ["--only", "method=int4_rtn", "--probe", "generation", "--rerun", "speed"]
    machine.command("run", "week", *only, "--configs", str(machine.configs))
    again = machine.kinds() - kinds
    assert again == {"speed": ROUNDS}, "nothing was built or scored again"
    latest = max((tmp_path / "results" / "sessions").glob("*.json"))
    session = files.read_session(latest)
    second = machine.command("report", "week")
    assert second != first
    shown = set(machine.frame({"session": session.session, "metric": "decode_tps", "slice": ""}, ["rounds"])["rounds"])
    assert shown == {ROUNDS}

    runs = sorted({job.run for job in session.jobs if job.kind == "speed" and job.run})
    machine.command("mark", runs[0], "--void", "somebody compiled")
    assert set(machine.frame({"run": runs[1:], "metric": "decode_tps", "slice": ""}, ["rounds"])["rounds"]) == {
        ROUNDS - 1
    }
    machine.command("mark", session.session, "--void", "somebody compiled")
    assert machine.command("report", "week") == first
    machine.command("mark", session.session, "--clear")
    assert machine.command("report", "week") == second

    for run in runs:
        shutil.rmtree(tmp_path / "results" / "runs" / run)
    assert f"{ROUNDS} runs left the database, since their folders are gone" in machine.command("ingest")
    machine.command("mark", _scored(machine), "--note", "a cold day")
    assert "noted: a cold day" in machine.command("report", "week")


def _scored(machine: RealMachine) -> str:
    found = machine.frame({"probe": "perplexity", "method": "int4_rtn"}, ["run"])["run"]
    return str(found.iloc[0])
