"""A program in a sweep: what it writes, leaves running, or never finishes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.core.errors import HarnessError
from harness.core.processes import STARTED_BY
from harness.core.seam import Context, ProbeResult
from harness.engines.program import ENGINE
from harness.probes.command import PROBE, CommandWorkload
from tests.fake_machine import Bench
from tests.unit.probes.processes import is_gone
from tests.unit.probes.report_script import given


@pytest.mark.slow
def test_a_whole_sweep_of_a_program_has_rounds_and_an_honest_note(bench: Bench, script: Path) -> None:
    bench.methods({"fp32": {"recipes": {"fake": {}}}, "int8": {"recipes": {"fake": {"noise": 0.01}}}})
    run = f"python '{script}' --model {{artifact}} --out {{out}} --batch {{batch}} {given({'speed': 10})}"
    probes = {"command": {"run": run, "read": {"decode_tps": "asked.batch"}, "batch": [1, 8]}}
    bench.sweep(method=["fp32", "int8"], engine={"program": {"name": "their bench"}}, probes=probes, rounds=3)
    bench.run()
    rows = bench.frame({"metric": "decode_tps"}, ["method", "batch", "value", "rounds", "engine", "run"])
    assert {(row.method, row.batch, row.value) for row in rows.itertuples()} == {
        ("fp32", 1, 1), ("fp32", 8, 8), ("int8", 1, 1), ("int8", 8, 8),
    }  # fmt: skip
    assert set(rows["engine"]) == {"program"}
    assert len(rows) == 12
    notes = [json.loads(path.read_text("utf-8"))["notes"] for path in bench.results.glob("runs/*-s-*/outcome.json")]
    assert all(any(note["code"] == "program" for note in one) for one in notes)


@pytest.mark.parametrize(("code", "said"), [
    ("open(a + '/cache', 'w').write('x')", "new: cache"),
    ("open(a + '/a.bin', 'a').write('x')", "changed: a.bin"),
    ("os.remove(a + '/b.bin')", "gone: b.bin"),
    ("os.utime(a + '/a.bin')", ""),
    ("f = a + '/a.bin'; was = os.stat(f); open(f, 'w').write('y'); os.utime(f, ns=(was.st_atime_ns, was.st_mtime_ns))", "changed: a.bin"),
])  # fmt: skip
def test_a_program_that_writes_into_what_it_measures_is_named_at_once(
    bench: Bench, tmp_path: Path, code: str, said: str
) -> None:
    folder, script = tmp_path / "net", tmp_path / "writes.py"
    folder.mkdir()
    for name in ("a.bin", "b.bin"):
        (folder / name).write_text("x", "utf-8")
    script.write_text(
        f"import os, sys\na = sys.argv[1]\nopen(sys.argv[2] + '/r.json', 'w').write('{{\"a\": 5}}')\n{code}\n"
    )
    ready = yaml.safe_dump({"net": {"ready": {"path": str(folder), "method": "int8"}}})
    (bench.configs / "models.yaml").write_text(ready, "utf-8")
    bench.methods({"int8": {"recipes": {"fake": {}}}})
    probes = {"command": {"run": f"python {script} {{artifact}} {{out}}", "read": {"decode_tps": "a"}}}
    bench.sweep(model="net", method="int8", engine="program", probes=probes, rounds=2)
    bench.run()
    rows = bench.frame({"kind": "speed"}, ["status", "reason"]).drop_duplicates()
    if said:
        assert rows["status"].tolist() == ["failed"]
        assert f"the program wrote into {folder}, which it measured ({said})" in rows["reason"].iloc[0]
    else:
        assert rows["status"].tolist() == ["ok"]


def test_a_program_that_hangs_ends_with_the_time_limit(bench: Bench, tmp_path: Path) -> None:
    script, told = tmp_path / "hangs.py", tmp_path / "pid"
    script.write_text(f"""
import os, subprocess, time
apart = subprocess.Popen(["sleep", "97"], start_new_session=True)
open({str(told)!r}, "w").write(f"{{os.getpid()}} {{apart.pid}}")
time.sleep(600)
""", "utf-8")  # fmt: skip
    bench.methods({"fp32": {"recipes": {"fake": {}}}})
    probes = {"command": {"run": f"python {script} {{out}}", "read": {"decode_tps": "a"}}}
    bench.sweep(method=["fp32"], engine={"program": {}}, probes=probes, timeout=10)
    bench.run()
    assert set(bench.frame({"kind": "speed"}, ["status"])["status"]) == {"timeout"}
    assert all(map(is_gone, told.read_text("utf-8").split())), "they went with their worker"
    reasons = set(bench.frame({"kind": "speed"}, ["reason"])["reason"])
    assert all(reason.endswith("; ended with it: sleep") for reason in reasons)


@pytest.mark.skipif(sys.platform != "linux", reason="what stands in a session of its own is found on Linux alone")
@pytest.mark.parametrize("code", [0, 3])
def test_what_a_program_leaves_running_is_ended_with_it_and_noted(tmp_path: Path, code: int) -> None:
    script = tmp_path / "server.py"
    script.write_text(f"""
import os, subprocess, sys, time
two = 'sleep 97 & until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done; : > {tmp_path}/both; wait'
apart = subprocess.Popen(["sh", "-c", two], start_new_session=True)
while not os.path.exists({str(tmp_path / "both")!r}):
    time.sleep(0.01)
open({str(tmp_path / "pid")!r}, "w").write(str(apart.pid))
open(sys.argv[1] + "/r.json", "w").write('{{"speed": 5}}')
sys.exit({code})
""", "utf-8")  # fmt: skip
    own = subprocess.Popen(["sleep", "60"], env={**os.environ, STARTED_BY: "another"})
    try:
        if code:
            with pytest.raises(HarnessError, match="the command failed with exit code 3"):
                _served(tmp_path, script)
        else:
            said = "the command had ended while sh, sleep that it had started still ran, and was ended"
            assert ("left-running", said) in [(note.code, note.text) for note in _served(tmp_path, script).notes]
        assert is_gone((tmp_path / "pid").read_text("utf-8"))
        assert own.poll() is None, "what somebody else started goes on"
    finally:
        own.kill()
        own.wait(timeout=10)


def _served(tmp_path: Path, script: Path) -> ProbeResult:
    (tmp_path / "run").mkdir()
    options = CommandWorkload.model_validate({"run": f"python '{script}' {{out}}", "read": {"decode_tps": "speed"}})
    with ENGINE.open(tmp_path, ENGINE.options()) as session:
        return PROBE.measure(session, options, Context(folder=tmp_path / "run", artifact=tmp_path))
