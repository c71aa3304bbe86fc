"""A program that measures by itself: started, its report read as an import, and never believed further than it goes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from harness.core.errors import HarnessError
from harness.core.options import problems_of
from harness.core.processes import STARTED_BY
from harness.core.seam import Context, ProbeResult
from harness.engines.program import ENGINE
from harness.probes.command import PROBE, CommandWorkload
from tests.fake_machine import Bench

SCRIPT = """
import json, os, sys, time
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
report = json.loads(arguments.pop("--report", "{}"))
for name in ("--batch", "--prompt"):
    if name in arguments:
        report.setdefault("asked", {})[name.strip("-")] = int(arguments[name])
path = os.path.join(arguments["--out"], arguments.get("--name", "r.json"))
if arguments.get("--write", "yes") == "yes":
    with open(path, "w") as file:
        file.write(arguments.get("--text") or json.dumps(report))
if "--link" in arguments:
    away = os.path.join(os.path.dirname(arguments["--out"]), "away.json")
    os.replace(path, away)
    os.symlink(away, path)
if "--aged" in arguments:
    os.utime(path, (time.time() - float(arguments["--aged"]),) * 2)
print("measured", os.path.basename(arguments["--model"]))
sys.exit(int(arguments.get("--exit", "0")))
"""
GENAI = {
    "metadata": {"package_name": "onnxruntime-genai", "package_version": "0.15.2", "device": "cpu"},
    "config": {"batch_size": 2, "prompt_length": 64, "tokens_generated": 32, "model_info": {"full_name": "m"}},
    "metrics": {"token_generation_throughput_tps": 123.5, "time_to_first_token_ms": 9.0},
}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "their bench.py"
    path.write_text(SCRIPT, "utf-8")
    return path


def measured(folder: Path, script: Path, more: str = "", provider: str = "cpu", **workload: Any) -> ProbeResult:
    run = f"python '{script}' --model {{artifact}} --out {{out}} {more}"
    options = PROBE.workload.model_validate({"run": run, **workload})
    work = folder / "run"
    work.mkdir()
    artifact = folder / "b-artifact"
    artifact.mkdir(exist_ok=True)
    with ENGINE.open(artifact, ENGINE.options.model_validate({"provider": provider})) as session:
        return PROBE.measure(session, options, Context(folder=work, artifact=artifact))


def given(report: Any) -> str:
    return f"--report '{json.dumps(report)}'"


def test_a_report_of_a_known_format_is_read_as_its_import_is(tmp_path: Path, script: Path) -> None:
    found = measured(tmp_path, script, given(GENAI), read="onnxruntime-genai", batch=2)
    assert {one.metric: (one.value, one.version) for one in found.values} == {
        "decode_tps": (123.5, 0), "ttft": (pytest.approx(0.009), 0),
    }  # fmt: skip
    assert (found.protocol.name, found.protocol.version) == ("genai-e2e", 0)
    assert (tmp_path / "run" / "report" / "r.json").is_file(), "the report is kept whole"
    assert found.protocol.facts["report"] == "r.json"
    assert "load_average_before" in found.protocol.facts, "the machine was watched"
    assert (tmp_path / "run" / "log.txt").read_text("utf-8") == "measured b-artifact\n"


def test_numbers_by_their_place_in_json_and_csv_are_converted_to_the_metrics_units(
    tmp_path: Path, script: Path
) -> None:
    read = {
        "decode_tps": "out.speed",
        "ttft": {"path": "out.first", "unit": "ms"},
        "peak_gpu_bytes": {"path": "gb", "unit": "GiB"},
    }
    found = measured(tmp_path, script, given({"out": {"speed": 50, "first": 7.5}, "gb": 2}), read=read)
    assert {one.metric: one.value for one in found.values} == {
        "decode_tps": 50, "ttft": 0.0075, "peak_gpu_bytes": 2 * 2**30,
    }  # fmt: skip
    other = tmp_path / "csv"
    other.mkdir()
    found = measured(other, script, "--name r.csv --text 'speed,first\n60,8'", read={"decode_tps": "speed"})
    assert [one.value for one in found.values] == [60]


def test_the_numbers_of_the_workload_fill_the_command(tmp_path: Path, script: Path) -> None:
    read = {"decode_tps": "asked.batch", "prefill_tps": "asked.prompt"}
    found = measured(tmp_path, script, "--batch {batch} --prompt {prompt}", read=read, batch=4, prompt=17)
    assert [one.value for one in found.values] == [4, 17]


ROWS = {"runs": [{"n": 1, "tps": 10}, {"n": 8, "tps": 60}]}
BY_ROW = {"decode_tps": "runs[*].tps", "batch": "runs[*].n"}


def test_a_report_with_several_batch_sizes_gives_the_row_of_each(tmp_path: Path, script: Path) -> None:
    for batch, speed in ((1, 10), (8, 60)):
        folder = tmp_path / str(batch)
        folder.mkdir()
        found = measured(folder, script, given(ROWS), read=BY_ROW, batch=batch)
        assert [(one.metric, one.value) for one in found.values] == [("decode_tps", speed)]
    tomorrow = {**GENAI, "trigger_date": f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%S+00:00}"}
    (tmp_path / "new").mkdir()
    with pytest.raises(HarnessError, match=r"says that it was measured at .* UTC, which is not yet"):
        measured(tmp_path / "new", script, given(tomorrow), read="onnxruntime-genai")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(HarnessError, match=r"has no result for batch 4; it has batch 1; batch 8"):
        measured(other, script, given(ROWS), read=BY_ROW, batch=4)


def test_a_command_that_names_no_number_runs_once_for_all_of_them_in_a_round(bench: Bench, tmp_path: Path) -> None:
    script, count = tmp_path / "b.py", tmp_path / "count"
    script.write_text(
        "import json, sys\n"
        "open(sys.argv[2], 'a').write('x')\n"
        f"open(sys.argv[1] + '/r.json', 'w').write(json.dumps({ROWS!r}))\n",
        "utf-8",
    )
    bench.methods({"int8": {"recipes": {"fake": {"noise": 0.01}}}})
    run = f"python {script} {{out}} {count}"
    probes = {"command": {"run": run, "read": BY_ROW, "batch": [8, 1]}}
    bench.sweep(method=["int8"], engine={"program": {}}, probes=probes, rounds=2)
    bench.run()
    assert count.read_text("utf-8") == "xx", "once in each round"
    rows = bench.frame({"metric": "decode_tps"}, ["batch", "value", "round", "run"])
    assert sorted(zip(rows["batch"], rows["value"], strict=True)) == [(1, 10), (1, 10), (8, 60), (8, 60)]
    kept = [bench.results / "runs" / run for run in rows["run"]]
    assert all((folder / "report" / "r.json").is_file() for folder in kept), "each run has the report"
    facts = [json.loads((folder / "outcome.json").read_text("utf-8"))["protocol"]["facts"] for folder in kept]
    assert sum("ran_in" in one for one in facts) == 2, "and says where it was made"


def test_a_format_may_be_called_by_its_protocol() -> None:
    assert CommandWorkload(run="bench --out {out}/r.json", read="genai-e2e").read == "onnxruntime-genai"
    with pytest.raises(ValueError, match="unknown format 'lm-evil'; did you mean 'lm-eval'"):
        CommandWorkload(run="bench --out {out}/r.json", read="lm-evil")


@pytest.mark.parametrize(
    ("more", "workload", "said"),
    [
        ("--exit 3", {}, "the command failed with exit code 3: measured b-artifact"),
        ("--write no", {}, "the command left no report; let it write one into the folder"),
        ("", {"file": "other.json"}, "left no file 'other.json'; it left r.json"),
        (f"--aged 90000 {given({'speed': 1})}", {}, "before this job began: an older report"),
        (f"--aged 30 {given({'speed': 1})}", {}, "before this job began: an older report"),
        ("--text '{'", {}, "r.json"),
        ("--text '[]'", {}, "is neither JSON nor CSV with a row"),
        (given({"other": 1}), {}, "there is no 'speed'; there are other"),
        (given({"speed": "fast"}), {}, "which is not a number"),
        (given({"speed": 1}), {"read": "lm-eval"}, "is not a file of lm-eval"),
        (
            given(GENAI),
            {"read": "onnxruntime-genai", "batch": 8},
            "has no result for batch 8; it has batch 2, prompt 64, output 32",
        ),
        (given([GENAI, GENAI]), {"read": "onnxruntime-genai"}, "holds 2 results for anything"),
        ("--text '{\"speed\": NaN}'", {}, "holds no number for anything: record 1: speed: value is nan"),
        ("--text '{\"speed\": Infinity}'", {}, "record 1: speed: value is inf"),
        (given({"speed": -5}), {}, "decode_tps in result 1: -5, and times, rates and sizes are not negative"),
        (given({"speed": None}), {}, "record 1: decode_tps: 'speed' is empty"),
        (
            given({"runs": [{"b": 1, "v": 2}, {"b": 8}]}),
            {"read": {"decode_tps": "runs[*].v", "batch": "runs[*].b"}, "batch": 8},
            r"holds no number for batch 8: there is nothing at runs\[\*\].v; let the program write it",
        ),
        (f"--aged -86400 {given({'speed': 1})}", {}, "r.json was written at .* UTC, which is not yet"),
        (f"--link yes {given({'speed': 1})}", {}, "the report r.json is a link"),
        ("--batch {batch}", {}, r"the command names \{batch\}, and the sweep does not say it"),
    ],
)
def test_what_a_program_does_wrong_is_told_and_nothing_is_believed(
    tmp_path: Path, script: Path, more: str, workload: dict[str, Any], said: str
) -> None:
    with pytest.raises(HarnessError, match=said):
        measured(tmp_path, script, more, **{"read": {"decode_tps": "speed"}, **workload})


def test_a_report_dated_before_the_job_or_of_another_provider_is_refused(tmp_path: Path, script: Path) -> None:
    old = {**GENAI, "trigger_date": "2026-01-31T10:00:00+00:00"}
    with pytest.raises(HarnessError, match="says that it was measured at 2026-01-31"):
        measured(tmp_path, script, given(old), read="onnxruntime-genai")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(HarnessError, match="says that it ran on cpu, and the sweep asks for cuda"):
        measured(other, script, given(GENAI), provider="cuda", read="onnxruntime-genai")


def test_a_number_that_no_measurement_can_give_is_left_out_and_noted(tmp_path: Path, script: Path) -> None:
    read = {"decode_tps": "speed", "lm_eval.acc": "accuracy"}
    found = measured(tmp_path, script, '--text \'{"speed": 5, "accuracy": 1.7}\'', read=read)
    assert [one.metric for one in found.values] == ["decode_tps"]
    assert any(note.code == "left-out" and "lm_eval.acc" in note.text for note in found.notes)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"run": "bench {out}", "read": "genai"}, "unknown format 'genai'"),
        (
            {"run": "bench {out}", "read": {"decode_tps": {"path": "s", "better": "lower"}}},
            "decode_tps: higher is better by its definition",
        ),
        ({"run": "bench {out}", "read": {"decode_tsp": "a"}}, "did you mean 'decode_tps'"),
        ({"run": "bench", "read": "lm-eval"}, r"must contain \{out\}"),
        ({"run": "bench {modle} {out}", "read": "lm-eval"}, "unknown placeholder '{modle}'"),
        ({"run": "bench {out}"}, "needs 'read'"),
        ({"run": "bench {out}", "read": {"batch": "a"}}, "names no metric"),
        (
            {"run": "bench {out}", "read": {"decode_tps": {"path": "a", "unit": "ms"}}},
            "decode_tps: 'ms' cannot be converted to 'tok/s'",
        ),
        ({"run": "bench {out}", "read": {"ttft": {"path": "a", "unit": "%"}}}, "'%' cannot be converted to 's'"),
        ({"run": "bench {out}", "read": {"decode_tps": "a", "bach": "b"}}, "a dimension is one of batch, prompt"),
    ],
)
def test_what_a_sweep_says_wrong_is_told_before_anything_runs(options: dict[str, Any], said: str) -> None:
    assert any(re.search(said, message) for _, message in problems_of(PROBE.workload, options, "probe 'command'"))


DECLARED = """
reported: {title: A page, date: 2026-01-31}
metrics:
  own.latency: {unit: ms, better: lower}
blocks:
  - {block: b, columns: [model, method, own.latency], rows: [[toy, fp16, 12.5]]}
"""


@pytest.mark.parametrize(("reads", "said"), [
    ([{"own.latency": "speed"}], "own.latency: its unit is 'ms' (page.yaml:4); say in which unit the report gives it"),
    ([{"own.latency": {"path": "speed", "unit": "tok/s"}}], "'tok/s' cannot be converted to 'ms'"),
    ([{"own.latency": {"path": "speed", "unit": "s", "better": "higher"}}], "higher is better here, and lower in page.yaml:4"),
    ([{"own.new": {"path": "speed", "unit": "J"}}, {"own.new": {"path": "speed", "unit": "s"}}], "'s' cannot be converted to 'J'"),
    ([{"own.new": {"path": "speed", "better": "lower"}}, {"own.new": {"path": "speed", "better": "higher"}}], "and lower in s.yaml:"),
])  # fmt: skip
def test_a_metric_of_ones_own_has_one_unit_and_direction_and_a_sweep_is_told_where(
    bench: Bench, reads: list[dict[str, Any]], said: str
) -> None:
    _own(bench, *reads)
    with pytest.raises(HarnessError, match=re.escape(said)), bench.opened():
        pass


def test_a_metric_of_ones_own_is_kept_in_the_unit_that_is_declared(bench: Bench, script: Path) -> None:
    _own(
        bench,
        {"own.latency": {"path": "speed", "unit": "s"}, "own.new": {"path": "speed", "unit": "J", "better": "higher"}},
    )
    _own_script(bench, script)
    bench.run()
    rows = bench.frame(
        {"metric": ["own.latency", "own.new"], "origin": "measured"}, ["metric", "value", "unit", "better"]
    )
    assert [tuple(row) for row in rows.sort_values("metric").itertuples(index=False)] == [
        ("own.latency", pytest.approx(12.0), "ms", "lower"), ("own.new", 0.012, "J", "higher"),
    ]  # fmt: skip
    outcome = next(bench.results.glob("runs/*-s-*/outcome.json")).read_text("utf-8")
    assert "page.yaml" not in outcome


def test_rounds_of_a_metric_of_ones_own_have_a_mean_and_an_interval(bench: Bench, tmp_path: Path) -> None:
    """Three processes report 10, 20 and 60: the cell is their mean, not the last of them."""
    program = tmp_path / "count.py"
    program.write_text(
        "import json, pathlib, sys\n"
        f"told = pathlib.Path({str(tmp_path / 'told')!r}); number = len(told.read_text()) if told.exists() else 0\n"
        "told.write_text('x' * (number + 1))\n"
        "pathlib.Path(sys.argv[1], 'r.json').write_text(json.dumps({'lat': [10, 20, 60][number]}))\n"
    )
    bench.methods({"fp32": {"recipes": {"fake": {}}}})
    read = {"own.latency": {"path": "lat", "unit": "ms", "better": "lower"}}
    probes = {"command": {"run": f"python '{program}' {{out}}", "read": read}}
    bench.sweep(method="fp32", engine="program", probes=probes, rounds=3)
    bench.run()
    rows = bench.frame({"metric": "own.latency"}, ["value", "summary_value", "summary_low", "summary_high", "rounds"])
    assert sorted(rows["value"]) == [10, 20, 60]
    assert set(rows["rounds"]) == {3}
    assert set(rows["summary_value"]) == {30}
    assert (rows["summary_low"] < 10).all()
    assert (rows["summary_high"] > 60).all()


def _own(bench: Bench, *reads: dict[str, Any]) -> None:
    """Write a published file that declares a metric, and a sweep with a block for each way of reading."""
    (bench.results / "published").mkdir(parents=True)
    (bench.results / "published" / "page.yaml").write_text(DECLARED, "utf-8")
    bench.methods({"fp32": {"recipes": {"fake": {}}}})
    blocks = {
        f"b{place}": {"probes": {"command": {"run": "x {out}", "read": read}}} for place, read in enumerate(reads)
    }
    bench.sweep(method="fp32", engine="program", probes=None, blocks=blocks)


def _own_script(bench: Bench, script: Path) -> None:
    path = bench.configs / "sweeps" / "s.yaml"
    run = f"python '{script}' --model {{artifact}} --out {{out}} {given({'speed': 0.012})}"
    path.write_text(path.read_text("utf-8").replace("x {out}", json.dumps(run)), "utf-8")


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
    bench.sweep(method=["fp32"], engine={"program": {}}, probes=probes, timeout=3)
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
import os, subprocess, sys
apart = subprocess.Popen(["sh", "-c", "sleep 97 & sleep 98"], start_new_session=True)
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


def is_gone(pid: str) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE)
    return True
