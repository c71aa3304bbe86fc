"""TensorRT-LLM through its own program, for which one stands in that speaks its command line and writes its reports; nothing here ran on a GPU."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import programs
from harness.core.errors import ConfigError, HarnessError
from harness.core.options import validated
from harness.core.reports import FixedWork
from harness.core.seam import Context, Facts, ProbeResult
from harness.engines import ENGINES
from harness.engines.tensorrt_llm import ENGINE, TensorRtLlmOptions, command, quantization_of
from harness.engines.tensorrt_requests import write_requests
from harness.formats.reading import format_of, read_contents
from harness.formats.source import read_source
from harness.probes.generation import PROBE
from harness.process_memory import GpuMemory, MemorySampler, _used, sample
from tests.conftest import ROOT
from tests.fake_machine import Bench
from tests.unit.test_process_memory import Four

STAND_IN = ROOT / "tests" / "unit" / "engines" / "trtllm_stand_in.py"
WORK = {"batch": 8, "prompt": 16, "output": 5, "warmup": 2, "repetitions": 20}
CONFIG = {"model_type": "llama", "vocab_size": 300, "bos_token_id": 1, "eos_token_id": [2, 3], "dtype": "bfloat16"}


def program(folder: Path, *, before: str = "", after: str = "") -> Path:
    """Put the program that stands in, with what it does wrong, into a folder of programs."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "trtllm-bench"
    made.write_text(f"#!{sys.executable}\n{STAND_IN.read_text('utf-8')}", "utf-8")
    made.chmod(0o755)
    (folder / "before.py").write_text(before, "utf-8")
    (folder / "after.py").write_text(after, "utf-8")
    return made


def checkpoint(folder: Path, quantization: str | None = None, **config: object) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG | config), "utf-8")
    if quantization:
        said = {
            "producer": {"name": "modelopt"},
            "quantization": {"quant_algo": quantization, "kv_cache_quant_algo": None},
        }
        (folder / "hf_quant_config.json").write_text(json.dumps(said), "utf-8")
    return folder


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ProbeResult]:
    def run(
        options: dict[str, Any] | None = None,
        quantization: str | None = None,
        work: dict[str, Any] | None = None,
        **wrong: str,
    ) -> ProbeResult:
        program(tmp_path / "bin", **wrong)
        monkeypatch.setenv("PATH", os.pathsep.join((str(tmp_path / "bin"), os.environ["PATH"])))
        (tmp_path / "run").mkdir()
        given = validated(TensorRtLlmOptions, options or {}, "engine")
        with ENGINE.open(checkpoint(tmp_path / "model", quantization), given) as session:
            return PROBE.measure(
                session, PROBE.workload.model_validate(WORK | (work or {})), Context(folder=tmp_path / "run")
            )  # type: ignore[no-any-return]

    return run


def asked(tmp_path: Path) -> list[str]:
    return json.loads((tmp_path / "bin" / "asked.json").read_text("utf-8"))  # type: ignore[no-any-return]


def test_what_the_report_says_is_the_result_and_nothing_more(
    measured: Callable[..., ProbeResult], tmp_path: Path
) -> None:
    found = measured({"tp": 2, "pp": 2}, "FP8")
    values = {one.metric: one.value for one in found.values if not one.slice}
    assert values == pytest.approx({
        "request_throughput": 160.0, "output_tps": 800.0, "total_tps": 13600.0, "user_tps": 95.0, "gpu_tps": 200.0, "e2e_latency": 1.2,
    })  # fmt: skip
    assert {one.version for one in found.values} == {0}
    said = found.protocol
    assert (said.name, said.version, said.gpu_count, said.dtype, said.warmups) == ("trtllm-bench", 0, 4, "bfloat16", 2)
    assert said.facts["derived"] == [], "a request's seconds are not those of a batch"
    assert found.executed is not None
    assert found.executed.text == "quantization FP8; in bfloat16, as trtllm-bench reports"
    assert {
        "world_info.tp_size": 2,
        "world_info.pp_size": 2,
        "num_requests": 20,
        "quantization": "FP8",
        "mode": "throughput",
    }.items() <= said.facts.items()
    kept = sorted(path.name for path in (tmp_path / "run" / "report").iterdir())
    assert kept == ["report.json"], "the requests are made again from the seed"
    words = asked(tmp_path)
    assert words[words.index("throughput") :][:3] == ["throughput", "--backend", "pytorch"]
    assert [words[words.index(name) + 1] for name in ("--max_batch_size", "--tp", "--pp", "--warmup")] == [
        "8",
        "2",
        "2",
        "2",
    ]


def test_latency_runs_one_request_after_the_other_and_tells_times_between_tokens(
    measured: Callable[..., ProbeResult], tmp_path: Path
) -> None:
    found = measured({"mode": "latency"}, work={"batch": 1})
    values = {one.metric: one.value for one in found.values if not one.slice}
    times = {name: values[name] for name in ("ttft", "tpot", "user_decode_tps", "output_tps")}
    assert times == pytest.approx({"ttft": 0.09, "tpot": 0.009, "user_decode_tps": 110.0, "output_tps": 100.0})
    assert "--max_batch_size" not in asked(tmp_path)


def test_a_batch_in_mode_latency_is_refused_before_the_program_runs(
    measured: Callable[..., ProbeResult], tmp_path: Path
) -> None:
    with pytest.raises(HarnessError, match="batch 8 is asked for: take mode throughput"):
        measured({"mode": "latency"})
    assert not (tmp_path / "bin" / "asked.json").exists()


def test_what_old_versions_print_is_read_as_well(measured: Callable[..., ProbeResult], tmp_path: Path) -> None:
    found = measured({"report": "printed", "tp": 2}, "W4A16_AWQ")
    values = {one.metric: one.value for one in found.values}
    assert values == pytest.approx({"request_throughput": 160.0, "output_tps": 800.0})
    assert (found.protocol.gpu_count, found.protocol.facts["world_info.max_batch_size"]) == (2, 8)
    assert found.protocol.facts["world_info.kv_cache_percentage"] == pytest.approx(0.9)
    assert "--report_json" not in asked(tmp_path)


def test_a_printed_overview_is_imported_and_one_that_is_cut_off_is_not(
    tmp_path: Path, measured: Callable[..., ProbeResult]
) -> None:
    measured({"report": "printed"})
    text = (tmp_path / "run" / "report" / "printed.txt").read_text("utf-8")
    path = tmp_path / "bench.log"
    path.write_text(text * 2, "utf-8")
    source = read_source(path)
    assert format_of(source).name == "trtllm-bench-printed"
    (run,) = read_contents(format_of(source), source).runs
    assert (run.engine, run.workload, run.version) == (
        "tensorrt-llm",
        {"prompt": 16, "output": 5},
        "TensorRT-LLM 0.15.0",
    )
    path.write_text(text[: text.index("Request Throughput")], "utf-8")
    with pytest.raises(ConfigError, match="lacks the line 'Request Throughput"):
        read_contents(format_of(read_source(path)), read_source(path))


def test_energy_is_taken_as_the_report_says_it(measured: Callable[..., ProbeResult]) -> None:
    more = (
        "report['performance'] |= {'total_energy_j': 500.0, 'average_gpu_power_w': 400.0, 'output_tps_per_watt': 2.0}"
    )
    values = {one.metric: one.value for one in measured(before=more).values if not one.slice}
    assert {"energy": 500.0, "gpu_power": 400.0, "tokens_per_joule": 2.0}.items() <= values.items()


@pytest.mark.parametrize(("wrong", "told"), [
    ({"before": "print('CUDA out of memory'); sys.exit(3)"}, "failed with exit code 3: CUDA out of memory"),
    ({"before": "os.kill(os.getpid(), 9)"}, "was ended by SIGKILL"),
    ({"before": "given.report_json = None"}, "the program left no report.json; it left nothing, and log.txt"),
    ({"after": "open(given.report_json, 'w').write(json.dumps(report)[:400])"}, "report.json"),
    ({"after": "open(given.report_json, 'w').close()"}, "report.json"),
    ({"after": "open(given.report_json, 'w').write('[]')"}, "not a file of trtllm-bench report"),
    ({"before": "report['world_info']['tp_size'] = 1"}, "says tensor parallelism 1, and 2 was asked for"),
    ({"after": "del report['world_info']['pp_size']; open(given.report_json, 'w').write(json.dumps(report))"}, "says pipeline parallelism None, and 1 was asked for"),
    ({"before": "report['engine']['quantization'] = None"}, "says quantization None, and FP8 was asked for"),
    ({"before": "report['engine']['dtype'] = 'float16'"}, "says type float16, and bfloat16 was asked for"),
    ({"before": "report['request_info']['num_requests'] = 12"}, "says number of requests 12, and 20 was asked for"),
    ({"before": "report['world_info']['max_batch_size'] = 4"}, "says that batch 4 was measured, and 8 was asked for"),
    ({"before": "report['request_info']['avg_output_length'] = 4.5"}, "does not say which output was measured"),
    ({"before": "report['request_info']['avg_input_length'] = 15.0"}, "says that prompt 15 was measured, and 16 was asked"),
    ({"after": "os.utime(given.report_json, (time.time() - 86400,) * 2)"}, "an older report"),
])  # fmt: skip
def test_what_the_program_does_wrong_is_told_and_nothing_is_believed(
    measured: Callable[..., ProbeResult], wrong: dict[str, str], told: str
) -> None:
    with pytest.raises(HarnessError) as error:
        measured({"tp": 2, "dtype": "bfloat16"}, "FP8", **wrong)
    assert told in str(error.value)


def test_a_word_that_the_program_does_not_know_fails_here(tmp_path: Path) -> None:
    made = program(tmp_path / "bin")
    line = " ".join(command(TensorRtLlmOptions(), FixedWork(1, 2, 3, 1, 1))[1:])
    with pytest.raises(HarnessError, match="unrecognized arguments: --no_such"):
        programs.run(f"{made} {line} --no_such x", {"{artifact}": tmp_path, "{out}": tmp_path}, tmp_path / "log")


@pytest.mark.parametrize(("options", "taken"), [({"tp": 2}, 12 << 30), ({"pp": 2, "tp": 2}, 12 << 30), ({}, 5 << 30)])
def test_memory_is_what_the_program_adds_on_the_gpus_that_it_takes_and_only_where_the_cache_has_a_size(
    options: dict[str, Any],
    taken: int,
    measured: Callable[..., ProbeResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """NVML's answers: of four GPUs two are visible, in use by 1 and 2 GiB before; the others fill up meanwhile."""
    told: Any = Four()
    told.used = (1 << 30, 2 << 30, 3 << 30, 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")

    def start(sampler: MemorySampler) -> MemorySampler:
        sampler.found = sample(told, 1, GpuMemory(), used := _used(told, sampler.gpus or (), os.environ))
        told.used = (6 << 30, 9 << 30, 70 << 30, 70 << 30)
        sampler.found = sample(told, 1, sampler.found, used)
        return sampler

    monkeypatch.setattr(MemorySampler, "start", start)
    found = measured({"cache_tokens": 20000, "streaming": True, **options})
    (memory,) = [one for one in found.values if one.metric == "peak_gpu_bytes"]
    assert (memory.value, memory.source) == (taken, "device-increment")
    settings = json.loads((tmp_path / "run" / "report" / "llm_api_options.json").read_text("utf-8"))
    assert settings == {"kv_cache_config": {"max_tokens": 20000}}
    assert {"--streaming", "--extra_llm_api_options"} <= set(asked(tmp_path))


def test_memory_is_not_watched_where_the_program_fills_what_is_free(
    measured: Callable[..., ProbeResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemorySampler, "start", lambda self: pytest.fail("polled"))
    assert "peak_gpu_bytes" not in {one.metric for one in measured().values}


def test_prompts_have_exactly_their_length_and_no_special_token(tmp_path: Path) -> None:
    write_requests(tmp_path / "one", CONFIG, requests=50, prompt=40, output=7)
    write_requests(tmp_path / "two", {"text_config": CONFIG}, requests=50, prompt=40, output=7)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    lines = [json.loads(line) for line in (tmp_path / "one").read_text("utf-8").splitlines()]
    assert [one["task_id"] for one in lines] == list(range(50))
    assert {len(one["logits"]) for one in lines} == {40}
    assert {one["output_tokens"] for one in lines} == {7}
    ids = {token for one in lines for token in one["logits"]}
    assert ids <= set(range(300)) - {1, 2, 3}
    with pytest.raises(HarnessError, match="vocab_size"):
        write_requests(tmp_path / "three", {}, requests=1, prompt=1, output=1)


def test_a_folder_of_simulated_quantization_is_not_run_as_floats(tmp_path: Path) -> None:
    (checkpoint(tmp_path / "model") / "modelopt_state.pth").write_bytes(b"x")
    with pytest.raises(HarnessError, match="export: true"), ENGINE.open(tmp_path / "model", TensorRtLlmOptions()):
        pass
    assert quantization_of(tmp_path / "model") is None


@pytest.mark.parametrize(("facts", "options", "told"), [
    (Facts({}, "Linux", name="cpu"), {}, "tensorrt-llm is not installed in environment cpu: adopt an environment"),
    (Facts({"tensorrt-llm": "1.2.1"}, "Linux"), {}, "needs 1 GPU with CUDA (tp 1 x pp 1), and this machine shows 0"),
    (Facts({"tensorrt-llm": "1.2.1"}, "Linux", ("NVIDIA H200",)), {"tp": 2}, "needs 2 GPUs with CUDA (tp 2 x pp 1), and this machine shows 1"),
    (Facts({"tensorrt-llm": "1.2.1"}, "Windows", ("NVIDIA H200",)), {}, "on Linux alone"),
    (Facts({"tensorrt-llm": "1.2.1"}, "Linux", ("NVIDIA H200",) * 2), {"tp": 2}, None),
])  # fmt: skip
def test_what_cannot_run_is_said_in_the_plan(facts: Facts, options: dict[str, Any], told: str | None) -> None:
    found = ENGINE.refuse(validated(TensorRtLlmOptions, options, "engine"), facts)
    assert found == told if told is None else told in str(found)


def test_options_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="go with mode throughput"):
        validated(TensorRtLlmOptions, {"mode": "latency", "streaming": True}, "engine")


def test_one_that_hangs_ends_with_the_time_limit(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", before="time.sleep(600)")
    bench.methods({"bf16": {"recipes": {"source": None}}})
    here = "tests.unit.engines.test_tensorrt_llm:ANYWHERE"
    monkeypatch.setitem(ENGINES, "tensorrt-llm", here)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        f"from harness.engines import ENGINES\nENGINES['tensorrt-llm'] = {here!r}\n", "utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(site), str(ROOT))))
    monkeypatch.setenv("PATH", os.pathsep.join((str(tmp_path / "bin"), os.environ["PATH"])))
    begun = time.monotonic()
    work = {"batch": 1, "prompt": 16, "output": 5, "warmup": 1, "repetitions": 3}
    bench.sweep(method=["bf16"], engine="tensorrt-llm", probes={"generation": work}, timeout=12)
    bench.run()
    assert time.monotonic() - begun < 120
    assert set(bench.frame({"kind": "speed"}, ["status"])["status"]) == {"timeout"}


ANYWHERE = replace(ENGINE, packages=(), refuse=lambda options, facts: None)
"""As a machine with GPUs would plan it."""
