"""A speed job through an engine that drives a program: its report believed where it is of this work, and of now."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.reports import FixedWork, drives_a_program
from harness.core.seam import Context, ProbeResult
from harness.engines import ENGINES
from harness.engines.fake import FakeEngineOptions, FakeSession
from harness.engines.optimum_benchmark import OptimumBenchmarkOptions, asked_of, refuse
from harness.engines.torch_quantized import Checkpoint
from harness.probes import bandwidth
from harness.probes.copying import Copied
from harness.probes.generation import PROBE, refuse_on
from tests.conftest import ROOT
from tests.fake_machine import Bench
from tests.unit.plan.conftest import HERE
from tests.unit.probes.processes import is_gone
from tests.unit.probes.reporting_engine import ENGINE

THEIRS = "tests.unit.probes.reporting_engine:ENGINE"
PROGRAM = """
import json, os, subprocess, sys, time
out, batch, prompt, output, rounds = sys.argv[1], *map(int, sys.argv[2:6])
seconds = [0.5 + 0.01 * number for number in range(rounds)]
mean = sum(seconds) / rounds
def latency(values):
    return {"latency": {"unit": "s", "values": values, "count": len(values), "mean": sum(values) / len(values)}}
report = {"prefill": latency([0.1] * rounds), "generate": latency([one + 0.1 for one in seconds])}
report["decode"] = latency(seconds) | {"throughput": {"unit": "tokens/s", "value": batch * (output - 1) / mean}}
config = {"name": "theirs", "scenario": {"name": "inference", "warmup_runs": 1, "input_shapes": {"batch_size": batch, "sequence_length": prompt},
          "generate_kwargs": {"max_new_tokens": output}}, "backend": {"name": "pytorch", "device": "cpu"}}
path = out + "/benchmark_report.json"
#before
json.dump(config, open(out + "/benchmark_config.json", "w"))
json.dump(report, open(path, "w"))
#after
"""
ARGUMENTS = "{out} {batch} {prompt} {output} {rounds}"


def program(folder: Path, *, before: str = "", after: str = "") -> str:
    """Write the program, with what it does wrong before or after its report; return its command line."""
    script = folder / "their_bench.py"
    script.write_text(PROGRAM.replace("#before", before).replace("#after", after), "utf-8")
    return f"python '{script}' {ARGUMENTS}"


def measured(
    folder: Path,
    device: str = "cpu",
    context: Context | None = None,
    more: dict[str, Any] | None = None,
    dtype: str | None = None,
    **wrong: str,
) -> ProbeResult:
    asked = {"batch": 2, "prompt": 16, "output": 5, "warmup": 1, "repetitions": 3, **(more or {})}
    work = PROBE.workload.model_validate(asked)
    (folder / "run").mkdir()
    options = ENGINE.options.model_validate({"run": program(folder, **wrong), "device": device, "dtype": dtype})
    with ENGINE.open(folder, options) as session:
        return PROBE.measure(session, work, replace(context or Context(folder), folder=folder / "run"))


def test_a_program_that_reports_is_measured_as_every_speed_job_is(tmp_path: Path) -> None:
    found = measured(tmp_path, after="print('measured')")
    values = {one.metric: one.value for one in found.values if not one.slice}
    assert values == {
        "prefill_latency": pytest.approx(0.1), "decode_latency": pytest.approx(0.51), "e2e_latency": pytest.approx(0.61),
        "decode_tps": pytest.approx(8 / 0.51), "prefill_tps": pytest.approx(320), "e2e_tps": pytest.approx(10 / 0.61),
    }  # fmt: skip
    assert {one.version for one in found.values} == {0}, "what others define shares no column with ours"
    rounds = next(one for one in found.values if one.metric == "prefill_tps").samples
    assert rounds.tolist() == pytest.approx([320, 320, 320])
    said = found.protocol
    assert (said.name, said.version, said.repetitions, said.prompt_tokens) == ("optimum-benchmark", 0, 3, 16)
    assert said.facts["derived"] == ["prefill_tps", "e2e_tps"]
    assert said.facts["spread"]["decode_range"] == pytest.approx(0.016 / 0.51)
    assert "load_average_before" in said.facts, "the machine was watched"
    kept = tmp_path / "run" / "report" / "benchmark_report.json"
    assert json.loads(kept.read_text("utf-8"))["decode"]["latency"]["count"] == 3, "the report is kept whole"
    assert (tmp_path / "run" / "log.txt").read_text("utf-8") == "measured\n"


def test_its_decode_rate_stands_beside_the_memory_bound_where_a_steps_bytes_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bandwidth, "copied", lambda device: Copied(10**9, (0.01, 0.02), "recorded"))
    shape = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64}
    (tmp_path / "config.json").write_text(json.dumps(shape), "utf-8")
    known = Context(tmp_path, artifact=tmp_path, weights_read=lambda dtype: 10**8 if dtype == "float16" else None)
    found = measured(tmp_path, context=known, more={"bandwidth": True}, dtype="float16")
    values = {one.metric: one for one in found.values if not one.slice}
    step, cache = 0.51 / 4, 2 * 2 * 2 * 16 * 2 * 2 * (16 + 5 / 2)
    assert values["copy_bandwidth"].value == 2e11
    assert values["bandwidth_share"].value == pytest.approx((10**8 + cache) / step / 2e11)
    assert values["bandwidth_share"].version == 0, "of a rate that others define"
    assert found.protocol.facts["weights_read"] == 10**8
    (tmp_path / "again").mkdir()
    unknown = measured(tmp_path / "again", more={"bandwidth": True})
    assert "bandwidth_share" not in {one.metric for one in unknown.values}
    assert "bound-unknown" in {note.code for note in unknown.notes}


def test_rounds_that_differ_much_are_told(tmp_path: Path) -> None:
    wild = "seconds = [0.1, 0.5, 1.5]; report['decode']['latency'] = latency(seconds)['latency']\n"
    wild += "report['decode']['throughput']['value'] = batch * (output - 1) / (sum(seconds) / 3)"
    assert [note.code for note in measured(tmp_path, before=wild).notes if note.code == "unstable"] == ["unstable"]


@pytest.mark.parametrize(("wrong", "told"), [
    ({"before": "print('no such model'); sys.exit(3)"}, "failed with exit code 3: no such model"),
    ({"before": "os.kill(os.getpid(), 9)"}, "was ended by SIGKILL"),
    ({"before": "sys.exit(0)"}, "the program left no benchmark_report.json; it left nothing, and log.txt has what it printed"),
    ({"before": "json.dump(report, open(out + '/other.json', 'w')); sys.exit(0)"}, "left no benchmark_report.json; it left other.json"),
    ({"after": "os.utime(path, (time.time() - 86400,) * 2)"}, "before this job began: an older report; let the command measure"),
    ({"after": "os.rename(path, out + '/../old.json'); os.symlink(out + '/../old.json', path)"}, "does not lie in the run's own folder"),
    ({"after": "open(path, 'w').close()"}, "benchmark_report.json"),
    ({"after": "open(path, 'w').write('[1, 2')"}, "benchmark_report.json"),
    ({"before": "config['scenario']['input_shapes']['batch_size'] = 4"}, "says that batch 4 was measured, and 2 was asked for"),
    ({"before": "config['scenario']['input_shapes']['sequence_length'] = 8"}, "says that prompt 8 was measured, and 16 was asked"),
    ({"before": "config['scenario']['generate_kwargs']['max_new_tokens'] = 4"}, "says that output 4 was measured, and 5 was asked"),
    ({"before": "del config['scenario']['input_shapes']['sequence_length']"}, "does not say which prompt was measured"),
    ({"before": "report['decode']['throughput']['value'] /= 2"}, "which are 2.0 new tokens of each sequence, and 5 were asked for"),
    ({"before": "config['backend']['device'] = 'cuda'"}, "says that it ran on cuda, and the sweep asks for cpu"),
])  # fmt: skip
def test_what_a_driven_program_does_wrong_is_told_and_nothing_is_believed(
    tmp_path: Path, wrong: dict[str, str], told: str
) -> None:
    with pytest.raises(HarnessError) as error:
        measured(tmp_path, **wrong)
    assert told in str(error.value)


@pytest.fixture
def with_theirs(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A machine whose planner and workers know the engine of somebody's own."""
    monkeypatch.setitem(ENGINES, "theirs", THEIRS)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        f"from harness.engines import ENGINES\nENGINES['theirs'] = {THEIRS!r}\n", "utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(site), str(ROOT))))
    bench.methods({"fp32": {"recipes": {"fake": {}}}})
    return bench


def sweep(bench: Bench, run: str, **more: Any) -> None:
    work = {"batch": [1, 2], "prompt": 16, "output": 5, "warmup": 1, "repetitions": 3}
    bench.sweep(method=["fp32"], engine={"theirs": {"run": run}}, probes={"generation": work}, **more)
    bench.run()


def test_a_whole_sweep_through_a_program_has_its_rounds_and_its_rows(with_theirs: Bench, tmp_path: Path) -> None:
    sweep(with_theirs, program(tmp_path), rounds=2, skip=[{"probe": "perplexity"}])
    rows = with_theirs.frame({"metric": "decode_tps"}, ["batch", "value", "status", "protocol", "engine"])
    assert {(row.batch, round(row.value, 3), row.status) for row in rows.itertuples()} == {
        (1, round(4 / 0.51, 3), "ok"), (2, round(8 / 0.51, 3), "ok"),
    }  # fmt: skip
    assert len(rows) == 4
    assert set(rows["protocol"]) == {"optimum-benchmark"}
    probes = with_theirs.frame({}, ["probe"])["probe"].dropna()
    assert set(probes) - {""} == {"generation"}, "what it generates cannot be scored"


def test_a_driven_program_that_hangs_ends_with_the_time_limit(with_theirs: Bench, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    hang = f"apart = subprocess.Popen(['sleep', '97'], start_new_session=True)\nopen({str(told)!r}, 'w').write(f'{{os.getpid()}} {{apart.pid}}')\ntime.sleep(600)"
    begun = time.monotonic()
    work = {"batch": 1, "prompt": 16, "output": 5, "warmup": 1, "repetitions": 3}
    with_theirs.sweep(
        method=["fp32"],
        engine={"theirs": {"run": program(tmp_path, before=hang)}},
        probes={"generation": work},
        timeout=12,
    )
    with_theirs.run()
    assert time.monotonic() - begun < 120
    assert set(with_theirs.frame({"kind": "speed"}, ["status"])["status"]) == {"timeout"}
    if sys.platform == "linux":
        assert all(map(is_gone, told.read_text("utf-8").split())), "they went with their worker"


def test_a_program_that_writes_into_the_artifact_is_named(with_theirs: Bench, tmp_path: Path) -> None:
    folder = str(with_theirs.results / "artifacts")
    sweep(
        with_theirs,
        program(tmp_path, after=f"import glob; open(glob.glob({folder!r} + '/b-*')[0] + '/cache', 'w').write('x')"),
    )
    rows = with_theirs.frame({"kind": "speed"}, ["status", "reason"]).drop_duplicates()
    assert "failed" in set(rows["status"])
    assert any("the program wrote into" in str(reason) and "new: cache" in str(reason) for reason in rows["reason"])


def test_what_a_program_cannot_be_asked_for_is_refused_in_the_plan() -> None:
    drives = frozenset({"reports"})

    def asked(**more: Any) -> Any:
        return PROBE.workload.model_validate(more)

    assert refuse_on(asked(), drives) is None
    assert "makes its own prompts, not of text reference: leave `text` out" in str(
        refuse_on(asked(text="reference"), drives)
    )
    assert "not by genai-e2e-0.9-median: leave `protocol` out" in str(
        refuse_on(asked(protocol="genai-e2e-0.9-median"), drives)
    )
    assert refuse_on(asked(text="reference"), frozenset({"generates", "reports"})) is None
    assert refuse_on(asked(bandwidth=True), drives) is None
    assert "no rate of decoding alone: leave `bandwidth` out" in str(
        refuse_on(asked(bandwidth=True), drives | {"serves"})
    )


def test_a_session_that_generates_drives_no_program() -> None:
    assert not drives_a_program(FakeSession(0.0, FakeEngineOptions(), 0.0))


def test_optimum_benchmark_is_asked_for_rounds_and_not_for_seconds() -> None:
    work = FixedWork(4, 64, 100, 2, 7)
    asked = asked_of(Path("m"), OptimumBenchmarkOptions(dtype="bfloat16"), work, Checkpoint({}, "bfloat16"))
    assert asked["scenario"]["input_shapes"] == {"batch_size": 4, "sequence_length": 64}
    assert asked["scenario"]["generate_kwargs"] == {"max_new_tokens": 100, "min_new_tokens": 100, "do_sample": False}
    assert {name: asked["scenario"][name] for name in ("iterations", "duration", "warmup_runs", "memory")} == {
        "iterations": 7, "duration": 0, "warmup_runs": 2, "memory": False,
    }  # fmt: skip
    assert (asked["backend"]["model"], asked["backend"]["device"], asked["backend"]["torch_dtype"]) == (
        "m",
        "cpu",
        "bfloat16",
    )


def test_optimum_benchmark_says_where_it_cannot_run() -> None:
    options = OptimumBenchmarkOptions()
    there = {**HERE.packages, "optimum-benchmark": "0.6.0", "transformers": "4.57.6", "torch": "2.13.0+cpu"}
    facts = lambda **more: type(HERE)({**there, **more}, "Linux")  # noqa: E731
    assert refuse(options, facts()) is None
    assert "optimum-benchmark is not installed" in str(refuse(options, HERE))
    assert refuse(options, facts(transformers="5.14.1")) == (
        "transformers 5.14.1 in this environment is too new, one before 5 is needed: take environment cpu, which `harness setup --env cpu` makes"
    )
    assert "needs an NVIDIA GPU" in str(refuse(OptimumBenchmarkOptions(device="cuda"), facts()))


@pytest.mark.slow
def test_optimum_benchmark_itself_measures_what_it_was_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("optimum_benchmark")
    from harness.engines.optimum_benchmark import ENGINE as OPTIMUM
    from harness.reference import model_folder

    work = PROBE.workload.model_validate({"batch": 2, "prompt": 16, "output": 6, "warmup": 1, "repetitions": 2})
    with OPTIMUM.open(model_folder(), OptimumBenchmarkOptions()) as session:
        found = PROBE.measure(session, work, Context(folder=tmp_path))
    values = {one.metric: one for one in found.values if not one.slice}
    assert {"prefill_tps", "decode_tps", "e2e_tps", "load_seconds", "decode_latency"} <= set(values)
    assert values["decode_tps"].value * values["decode_latency"].value == pytest.approx(2 * 5)
    assert values["decode_latency"].samples.size == 2
    assert (found.protocol.name, found.protocol.warmups, found.protocol.repetitions) == ("optimum-benchmark", 1, 2)
    assert (tmp_path / "report" / "benchmark_report.json").is_file()
